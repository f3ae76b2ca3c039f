"""What the templates of docs/ compute with: every number in them is an expression over these names.

Unless an argument says otherwise, a cost is that of tinyllama-42m, autoregressive, on siracusa-mipi with
kernel set date2025, in groups of 4 with 8-bit sums: one block, in steady state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil as ceil
from typing import Any, NamedTuple

import numpy as np

from costmodel import (
    Accounting,
    Costs,
    Plan,
    Plans,
    Platform,
    Workload,
    evaluate,
    load_platform,
    load_workload,
    shards,
)
from costmodel import effective_rates as effective_rates  # for the templates, like all "as" of the same name
from costmodel import operator_laws as operator_laws
from costmodel import transformer as transformer
from costmodel.collectives.trees import Hierarchy, hierarchy
from costmodel.costing import Costing
from costmodel.dealing import STEPS as STEPS
from costmodel.dealing import costing
from costmodel.draws import N_DRAWS as N_DRAWS
from costmodel.draws import draws_of
from costmodel.intervals import drawn_costs
from costmodel.media import medium_of
from costmodel.memory import Regime
from costmodel.operators import Kind, Operator
from costmodel.parameters import load
from costmodel.plan import MAX_CHIPS
from costmodel.program import AROUND, HALVES, Exchange, Step
from costmodel.roles import Role
from costmodel.stages import Stage, stage
from costmodel.strategies import canonical, head_wise
from dse.importance import main_effect
from dse.validation import cats_forms as cats_forms
from dse.validation.date2025 import AS_PUBLISHED
from dse.validation.date2025 import CHIPS as POWERS_OF_TWO
from search_spaces import load_space

BLOCK, BLOCK_HIDDEN = Accounting(scope="block"), Accounting(scope="block", prefetch="hidden")
MODEL, MODEL_HIDDEN = Accounting(), Accounting(prefetch="hidden")
MODEL_WITHOUT_HEAD = Accounting(head=False)
ATTENTION = Accounting(scope="attention")

TINY, PROMPT = load_workload("tinyllama-42m"), load_workload("tinyllama-42m", "prompt")
LONG_PROMPT = load_workload("tinyllama-42m", "prompt", 2048)
MOBILEBERT, STORIES = load_workload("mobilebert"), load_workload("stories260k")
HEADS_64 = load_workload("tinyllama-42m-64h")
HEADS_64_PROMPT = load_workload("tinyllama-42m-64h", "prompt")
HEADS_64_OF_64 = replace(HEADS_64, model=HEADS_64.model.model_copy(update={"head_size": 64}))

SIRACUSA = load_platform("siracusa-mipi", "date2025")
SIMULATED = load_platform("siracusa-mipi", "pulp-gvsoc")
RATES, LAWS = SIRACUSA.kernels, SIMULATED.kernels
MCU, LINK = SIRACUSA.mcu, SIRACUSA.link
_, MCU_RECORD, LINK_RECORD, _ = SIRACUSA.records
CATS, RADIO, ENCODER = load_workload("cats-block"), load_platform("nrf52840-mixer"), MOBILEBERT
CATS_SMALL = replace(
    CATS, model=CATS.model.model_copy(update={"embedding": 128, "head_size": 8, "ffn": 128})
)  # of the CATS paper's table of resources
MIXER, CORTEX = RADIO.link, RADIO.kernels
ETHERNET = medium_of(load("link", "ethernet-100m"))
SLOW_MESSAGES = replace(SIRACUSA, link=LINK.model_copy(update={"message_latency_s": 5e-6}))

# Symbols as model.md lists them; W are the weights of a block, a byte each.
E, H, H_KV, P = (getattr(TINY.model, name) for name in ("embedding", "heads", "kv_heads", "head_size"))
F, M, L, V = (getattr(TINY.model, name) for name in ("ffn", "ffn_matrices", "layers", "vocabulary"))
W, S, C = TINY.model.block_weights, TINY.rows, TINY.context
n, f, R = MCU.n_cores, MCU.clock_hz, RATES.row_tile
M_2, B_3 = MCU.l2.usable_bytes, MCU.l3.bandwidth_bytes_per_s

MS, US, MJ, UJ, MW = 1e3, 1e6, 1e3, 1e6, 1e3  # milli or micro: seconds, joules and watts times this


def most(values: Any) -> float:
    """Largest of an array, as of classes of chips; a number as it is."""
    return float(np.max(np.asarray(values)))


def costs(
    n_chips: int | Iterable[int],
    accounting: Accounting = BLOCK,
    workload: Workload = TINY,
    platform: Platform = SIRACUSA,
    **decisions: int,
) -> Costs:
    """Cost one number of chips, or several."""
    chips = [n_chips] if isinstance(n_chips, int) else n_chips
    return evaluate(
        workload,
        platform,
        Plans.of(Plan(strategy="head_wise", n_chips=n, **{**AS_PUBLISHED, **decisions}) for n in chips),
        accounting,
    )


def costed(
    n_chips: int,
    accounting: Accounting = BLOCK,
    workload: Workload = TINY,
    platform: Platform = SIRACUSA,
    **decisions: int,
) -> Costing:
    """Cost one number of chips, and keep program and placement, by class of chips."""
    plans = Plans.of([Plan(strategy="head_wise", n_chips=n_chips, **{**AS_PUBLISHED, **decisions})])
    return costing(workload, platform, canonical(workload, platform, plans), accounting)


def latency(n_chips: int, *case: Any, **options: Any) -> float:
    """Seconds of an inference."""
    return most(costs(n_chips, *case, **options).latency_s)


def energy(n_chips: int, *case: Any, **options: Any) -> float:
    """Joules of an inference."""
    return most(costs(n_chips, *case, **options).energy_j)


def seconds(cause: str, n_chips: int, *case: Any, **options: Any) -> float:
    """Seconds of an inference that one cause takes."""
    return most(costs(n_chips, *case, **options).latency_by_cause_s[cause])


def joules(cause: str, n_chips: int, *case: Any, **options: Any) -> float:
    """Joules of an inference that one cause takes."""
    return most(costs(n_chips, *case, **options).energy_by_cause_j[cause])


def placed(field: str, n_chips: int, *case: Any, **options: Any) -> float:
    """Bytes of a field of `Placement`, of the chip with most of them."""
    return most(getattr(costed(n_chips, *case, **options).placement, field))


def peak(
    n_chips: int,
    accounting: Accounting = BLOCK,
    workload: Workload = TINY,
    platform: Platform = SIRACUSA,
    role: Role = Role.ROOT,
) -> float:
    """Activation bytes alive at once, of the chip of a role with most of them."""
    return most(costed(n_chips, accounting, workload, platform).counted.activation_peak_bytes[role])


def block_bytes(n_chips: int) -> float:
    """Weights and cache of a block that a chip needs to run it, of a chip with most of them."""
    placement = costed(n_chips).placement
    return most(placement.block_exposed + placement.block_prefetched)


def regime(*n_chips: int) -> str:
    """Name the regime that some numbers of chips have in common."""
    (common,) = set(costs(n_chips).regime.tolist())
    return Regime(common).name.lower()


def spilled(n_chips: int, workload: Workload) -> float:
    """Bytes of activations that go out of L2 and come in again."""
    return 2 * max(peak(n_chips, BLOCK, workload) - M_2, 0)


def reloaded_keys_and_values(workload: Workload) -> int:
    """Bytes of keys and values that one chip would load for all row tiles of a block but the first."""
    m = workload.model
    keys_and_values = 2 * workload.rows * m.kv_heads * m.head_size * m.activation_bits // 8
    return (ceil(workload.rows / R) - 1) * keys_and_values


def with_l2(usable_bytes: float) -> Platform:
    """Give the platform with another L2."""
    l2 = MCU.l2.model_copy(update={"size_bytes": usable_bytes + MCU.l2.reserve_bytes})
    return replace(SIRACUSA, mcu=MCU.model_copy(update={"l2": l2}))


def wider_tile() -> Platform:
    """Give the platform with twice the rows in a tile."""
    return replace(SIRACUSA, kernels=RATES.model_copy(update={"row_tile": 2 * R}))


def head_late(n_chips: int, class_: int) -> list[float]:
    """Seconds by which a class of chips is late for the LM head, by role."""
    case = costed(n_chips, MODEL)
    before = np.where(case.placement.loaded == 0, L, 1) * case.costs.on_chip_s
    ahead, exposed = case.placement.head_prefetched / B_3, case.placement.head_exposed / B_3
    return (exposed + np.maximum(ahead - before, 0))[:, class_, 0].tolist()


def interval_table(*chips: int) -> str:
    """Latency and energy of published-style plans in groups of two as stated, and their intervals."""
    plans = Plans.of(Plan(strategy="head_wise", n_chips=n, group_size=2, **AS_PUBLISHED) for n in chips)
    found, stated = (f(TINY, SIRACUSA, plans, MODEL) for f in (drawn_costs, evaluate))
    lines = ["| chips | latency, ms | 5, 50, 95 % | energy, mJ | 5, 50, 95 % |", "|---|---|---|---|---|"]
    for i, n in enumerate(chips):
        cells = [str(n)]
        for name, ends in found.intervals.items():
            value = getattr(stated, name)
            cells += [
                f"{value[i] * MS:.2f}",
                ", ".join(f"{e[i] * MS:.2f}" for e in (ends.low, ends.median, ends.high)),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def drawn_constants() -> int:
    """Constants of the default platform that have draws."""
    return len(draws_of(SIRACUSA).values)


def explained(decision: str) -> float:
    """Share of the variance of latency that a decision explains over all plans of the default space."""
    plans = load_space("head_wise").on(TINY, SIRACUSA).all_plans
    has = (plans["n_chips"] > 1) | (decision == "n_chips")
    return main_effect(evaluate(TINY, SIRACUSA, plans).latency_s, plans[decision], has, exact=True) or 0.0


def first_resident() -> int:
    """Least number of chips that keep all blocks in L2."""
    return 1 + int(np.argmax(costs(range(1, MAX_CHIPS + 1)).regime == Regime.RESIDENT))


def first_below_linear(workload: Workload, chips: Sequence[int] = POWERS_OF_TWO) -> int:
    """First number of chips whose speed-up is below it; the first of `chips` is 1."""
    latency_s = costs(chips, BLOCK_HIDDEN, workload).latency_s
    return chips[int(np.argmax(latency_s[0] / latency_s < chips))]


def tree(n_chips: int, group_size: int = 4) -> Hierarchy:
    """Hierarchy of one plan."""
    return hierarchy(np.array([n_chips]), np.array([group_size]))


def steps(n_chips: int, workload: Workload = TINY, **decisions: int) -> list[Step]:
    """Give the steps of both halves of a block of one plan."""
    program = costed(n_chips, BLOCK, workload, **decisions).program
    return [step for half in HALVES for step in program.part(half).steps]


def exchanges(n_chips: int, **decisions: int) -> tuple[Exchange, Exchange]:
    """Give the broadcast and the reduction of the attention phase of one plan."""
    down, up = (step.exchange for step in steps(n_chips, **decisions)[:2])
    assert down is not None and up is not None  # noqa: S101, PT018
    return down, up


def sent(n_chips: int, **decisions: int) -> float:
    """Payload of a partial sum's message."""
    _, exchange = exchanges(n_chips, **decisions)
    return most(exchange.sent_bytes)


def returned(n_chips: int) -> float:
    """Payload of a message of the broadcast before a phase."""
    exchange, _ = exchanges(n_chips)
    return most(exchange.sent_bytes)


def operator(name: str, n_chips: int, workload: Workload = TINY) -> Operator:
    """Look up an operator of a block by name."""
    return next(o for step in steps(n_chips, workload) for o in step.work if o.name == name)


def head_stage(n_chips: int) -> Stage:
    """Cost embedding and LM head without L3."""
    program = costed(n_chips).program
    return stage(SIRACUSA, program, [step for name in AROUND for step in program.part(name).steps])


def free_transfers(n_chips: int) -> float:
    """Share of a block that L2-L1 transfers of sums on their way would take, with operator laws."""
    shape = tree(n_chips)
    transfers = len(HALVES) * (shape.hops[0] + shape.depth[0])
    return transfers * operator_laws.dma_cycles(LAWS, S * E) / on_chip_cycles(n_chips)


def own_narrowing(n_chips: int) -> float:
    """Share of a block that narrowing a chip's own sums takes, with operator laws."""
    return len(HALVES) * element_cycles(Kind.NARROW) / on_chip_cycles(n_chips)


def element_cycles(kind: Kind) -> float:
    """Cycles of adding (`Kind.ACCUMULATE`) or narrowing (`Kind.NARROW`) a sum, with operator laws."""
    work = [Operator(kind=kind, name=kind.value, rows=S, columns=E)]
    return float(operator_laws.alone_cycles(LAWS, MCU, work))


def on_chip_cycles(n_chips: int) -> float:
    """Cycles of a block without L3, with operator laws."""
    return f * most(costs(n_chips, platform=SIMULATED).on_chip_s)


def macs(operators: Iterable[Operator]) -> int:
    """Multiply-accumulates of operators."""
    return sum(int(o.macs) for o in operators)


def weight_bytes(operators: Iterable[Operator]) -> float:
    """Bytes of weights of operators."""
    return sum(float(o.weight_bytes) for o in operators)


class ChipClass(NamedTuple):
    """Chips that hold equal shares."""

    n_chips: int
    heads: int
    ffn_columns: int
    vocabulary_rows: int


def classes(n_chips: int, workload: Workload = TINY, **decisions: int) -> list[ChipClass]:
    """List the classes of chips of a plan."""
    found = costed(n_chips, MODEL, workload, **decisions)
    shares = head_wise.dealt_out(workload, found.plans, found.fills)
    held = (shares.n_chips, shares.heads, *shares.units.values())
    columns = [entry[:, 0].tolist() for entry in held]
    return [ChipClass(*row) for row in zip(*columns, strict=True) if row[0]]


def class_list(n_chips: int, **decisions: int) -> str:
    """Show the classes of chips of a plan."""
    return "; ".join(
        f"{c.n_chips} x (h = {c.heads}, c = {c.ffn_columns}, v = {c.vocabulary_rows})"
        for c in classes(n_chips, **decisions)
    )


def chips_of(n_chips: int, workload: Workload, replicate: int) -> list[shards.Share]:
    """List what each chip has."""
    model = workload.model
    return shards.assignment(model, shards.balanced(model, np.array([n_chips]), {}, replicate=replicate))


def heads_of_chips(n_chips: int, workload: Workload, replicate: int = 1) -> str:
    """List the query heads of chip after chip."""
    return ", ".join(str(chip.heads.count) for chip in chips_of(n_chips, workload, replicate))


def kv_heads_held(n_chips: int, workload: Workload, replicate: int = 1) -> int:
    """Count the key/value heads on all chips, replicated ones as often as they are held."""
    return sum(chip.kv_heads.count for chip in chips_of(n_chips, workload, replicate))


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Format a Markdown table, up to the end of its last line."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def prefetch_table(*n_chips: int) -> str:
    """Set one block with prefetches hidden beside one in steady state."""
    rows = []
    for chips in n_chips:
        hidden, steady = latency(chips, BLOCK_HIDDEN), latency(chips)
        speedups = latency(1, BLOCK_HIDDEN) / hidden, latency(1) / steady
        rows.append(
            [str(chips), *(f"{s * MS:.3f} ms" for s in (hidden, steady)), *(f"{s:.1f}" for s in speedups)]
        )
    return table(["chips", "block, hidden", "block, steady", "speed-up, hidden", "speed-up, steady"], rows)
