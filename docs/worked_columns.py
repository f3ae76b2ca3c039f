"""What the templates compute with of column-wise plans: shares, gathers, and rounds on radio.

Unless an argument says otherwise, a plan is of one block of the CATS encoder on nrf52840-mixer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from worked_numbers import (
    BLOCK,
    CATS,
    CORTEX,
    MIXER,
    MOBILEBERT,
    RADIO,
    SIRACUSA,
    TINY,
    Kind,
    most,
    table,
)

from costmodel import Accounting, Plans, Platform, Workload, load_workload, shards
from costmodel.accuracy import weights_of
from costmodel.collectives import gather
from costmodel.costing import Costing
from costmodel.dealing import costing
from costmodel.media import RoundDesign
from costmodel.plan import plan_of
from costmodel.program import HALVES
from costmodel.strategies import canonical, column_wise
from dse.validation import validate
from dse.validation.cats2026 import LOG_NODES, LOG_SLOWEST_SLOTS, speedups

PAUSE_S = 1.0  # between two rounds, for computing: as in the published firmware's timetable
OFF = f"±{RADIO.kernels.time_uncertainty or 0:.0%}".replace("%", " %")


def columns(
    n_chips: int,
    prune: float = 0.0,
    accounting: Accounting = BLOCK,
    workload: Workload = CATS,
    platform: Platform = RADIO,
    **widths: int,
) -> Costing:
    """Cost one column-wise plan that is pruned alike at all gathers, and keep what costs are made of."""
    plans = Plans.of([plan_of({"strategy": "column_wise", "n_chips": n_chips, "prune": prune} | widths)])
    return costing(workload, platform, canonical(workload, platform, plans), accounting)


def points(n_chips: int, prune: float = 0.0) -> dict[str, column_wise.GatherPoint]:
    """Give the four gathers of a block of a column-wise plan."""
    model = CATS.model
    shares = shards.balanced(model, np.array([n_chips]), column_wise.dimensions(model))
    return column_wise.gather_points(model, shares, columns(n_chips, prune).plans)


def message(n_chips: int, prune: float = 0.0, workload: Workload = CATS, platform: Platform = RADIO) -> Any:
    """Payload of each chip in the gather before Q, K and V, by class of chips."""
    program = columns(n_chips, prune, BLOCK, workload, platform).program
    return program.part("attention").steps[0].exchange.sent_bytes


def held(
    n_chips: int, prune: float = 0.0, accounting: Accounting = BLOCK, workload: Workload = CATS
) -> float:
    """Weight bytes of the fullest chip of a column-wise plan."""
    program = columns(n_chips, prune, accounting, workload).program
    return most(sum(size for half in accounting.halves for size in program.part(half).weights.values()))


def column_peak(n_chips: int, prune: float = 0.0, workload: Workload = CATS) -> float:
    """Activation bytes alive at once in a block of a column-wise plan."""
    return most(columns(n_chips, prune, BLOCK, workload).counted.activation_peak_bytes)


def canonical_ratio(n_chips: int, prune: float) -> float:
    """Pruning ratio that stands for all that leave the same columns before Q, K and V."""
    return float(columns(n_chips, prune).plans["prune_qkv"][0])


def importances(name: str) -> str:
    """List how much the weights behind each gather matter: of the encoder family, or of a model."""
    workload = MOBILEBERT if name == "encoder" else load_workload(name)
    return ", ".join(f"{weight:.2g}" for weight in weights_of(workload).values())


def missing(n_chips: int, prune: float) -> str:
    """List the share of the weights behind each gather that no chip stores."""
    program = columns(n_chips, prune).program
    shares = (share for half in HALVES for share in program.part(half).missing.values())
    return ", ".join(f"{most(share):.3f}" for share in shares)


def ring_s(n_chips: int, platform: Platform = SIRACUSA) -> float:
    """Seconds of a gather of the input's columns round a ring."""
    slots = gather.ring_slots(n_chips, full_duplex=platform.link.duplex == "full")
    return float(slots * platform.link.message_s(most(message(n_chips, 0.0, TINY, platform))))


def tree_s(n_chips: int, platform: Platform = SIRACUSA) -> float:
    """Seconds of the same gather over a binary tree."""
    sizes = np.full((1, 1), most(message(n_chips, 0.0, TINY, platform)))
    up_s, _, levels = gather.tree_up(platform.link, sizes, np.array([[n_chips]]))
    return most(up_s + levels * platform.link.message_s(n_chips * sizes[0]))


def faster(n_chips: int) -> str:
    """Name the way that the gather takes."""
    return "ring" if ring_s(n_chips) <= tree_s(n_chips) else "tree"


def rounds(message_bytes: float, n_chips: int) -> RoundDesign:
    """Give the rounds in which all chips send a message, header included."""
    return MIXER.design(np.array([[float(message_bytes)]]), np.array([[n_chips]]))


def round_s(message_bytes: float, n_chips: int) -> float:
    """Seconds after which those rounds are expected to have stopped."""
    return most(MIXER.expected_s(rounds(message_bytes, n_chips)))


def design(n_chips: int, prune: float = 0.0) -> RoundDesign:
    """Give the round that carries the gather before Q, K and V."""
    return rounds(MIXER.message_header_bytes + most(message(n_chips, prune)), n_chips)


def expected_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds after which that round is expected to stop."""
    return most(MIXER.expected_s(design(n_chips, prune)))


def missing_share(ratios: dict[str, float], workload: Workload) -> float:
    """U of a plan on 16 chips with a ratio of its own at each gather."""
    plans = Plans.of([plan_of({"strategy": "column_wise", "n_chips": 16, **ratios})])
    found = costing(workload, RADIO, canonical(workload, RADIO, plans), BLOCK)
    return most(found.costs.missing_weights)


def column_s(n_chips: int, prune: float = 0.0, platform: Platform = RADIO) -> float:
    """Seconds of a block of a column-wise plan, messages and rounds back to back."""
    return most(columns(n_chips, prune, BLOCK, CATS, platform).costs.latency_s)


def column_j(n_chips: int, prune: float = 0.0) -> float:
    """Joules of the same."""
    return most(columns(n_chips, prune).costs.energy_j)


def computing_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds of these in which chips compute."""
    return most(columns(n_chips, prune).costs.latency_by_cause_s["compute"])


def norms_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds that every chip takes for the norms of a block."""
    program = columns(n_chips, prune).program
    work = [o for half in HALVES for step in program.part(half).steps for o in step.work]
    elements = sum(most(o.rows * np.asarray(o.columns)) for o in work if o.kind is Kind.NORM)
    return elements * CORTEX.norm / RADIO.mcu.clock_hz


def bounded_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds of a block when every round takes all slots that it is given."""
    return computing_s(n_chips, prune) + most(columns(n_chips, prune).costs.link_bound_s)


def scheduled_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds of a block on the firmware's timetable: each round has its bound, and a pause to compute in."""
    found = columns(n_chips, prune)
    steps = [step for half in HALVES for step in found.program.part(half).steps]
    rounds = sum(step.exchange is not None for step in steps)
    return most(found.costs.link_bound_s) + rounds * PAUSE_S


def waiting_j(n_chips: int, prune: float, idle_w: float) -> float:
    """Joules of all chips, in the prefix of `idle_w`, for what the timetable takes beyond back to back."""
    return n_chips * idle_w * (scheduled_s(n_chips, prune) - column_s(n_chips, prune))


def period_table(*prunes: float) -> str:
    """Set the time of a block on 16 chips as costed beside that on the firmware's timetable."""
    off = RADIO.kernels.time_uncertainty or 0.0
    return table(
        ["p", "back to back, as costed", OFF, "rounds at their bound", "firmware's period"],
        [
            [
                f"{p:g}",
                f"{column_s(16, p):.2f} s",
                f"{(1 - off) * column_s(16, p):.2f} .. {(1 + off) * column_s(16, p):.2f} s",
                f"{bounded_s(16, p):.2f} s",
                f"{scheduled_s(16, p):.2f} s",
            ]
            for p in prunes
        ],
    )


def at_another_pace(times: float) -> Platform:
    """Give the radio platform with MAC rate and slots of a round slower or faster, by one factor."""
    rate = CORTEX.gemm_mac_per_cycle / times
    used = {name: times * getattr(MIXER, name) for name in ("used_slots_per_packet", "used_slots")}
    return replace(
        RADIO,
        kernels=CORTEX.model_copy(update={"gemv_mac_per_cycle": rate, "gemm_mac_per_cycle": rate}),
        link=MIXER.model_copy(update=used),
    )


def pace_table(*paces: float) -> str:
    """Set the fitted cases beside the model's at other paces."""
    names = [f"cats-{half}-speedup{pruned}" for pruned in ("", "-pruned") for half in ("attention", "mlp")]
    published = {row.id: row for row in validate() if row.id in names}
    found = [speedups(at_another_pace(times)) for times in paces]
    rows = [[f"{published[n].published} x", *(f"{at[n]:.2f} x" for at in found)] for n in names]
    cases = ["attention, p 0", "MLP, p 0", "attention, p 0.9", "MLP, p 0.9"]
    slots = MIXER.used_slots_per_packet * LOG_NODES + MIXER.used_slots
    rows.append([f"{LOG_SLOWEST_SLOTS} slots", *(f"{slots * times:.1f} slots" for times in paces)])
    cases.append("log of 24 nodes")
    return table(
        ["case", "published", *(f"times x {times:g}" for times in paces)],
        [[case, *row] for case, row in zip(cases, rows, strict=True)],
    )
