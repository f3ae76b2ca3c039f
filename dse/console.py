"""What people read in the terminal, as rich renderables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel import costs
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from costmodel.plan import plan_of
from dse.digits import digits, joules, seconds, size
from dse.document import Deployment, PredictedCosts, Violation
from dse.export import title
from dse.search import SearchResult
from dse.tables import exceeded, levers
from dse.terminal import plain_table
from dse.winners import winners_sentence
from dse.words import CAUSES, plan_of_row, plan_words, whole_words

SHOWN_FRONT_ROWS = 9
MISSING_WEIGHTS = (
    "Missing weights: by importance, the share of weights that no chip stores; they rank plans by accuracy, "
    "and are no accuracy."
)
ROUNDING = 1e-12  # an energy that is this small a share of all is a remainder of additions


def shown_rows(front: pd.DataFrame) -> list[int]:
    """Positions to show of a front: all when few; else both ends, the knee, and some in between."""
    n = len(front)
    if n <= SHOWN_FRONT_ROWS + 1:
        return list(range(n))
    spread = np.linspace(0, n - 1, SHOWN_FRONT_ROWS - 1).round().astype(int).tolist()
    return sorted({*spread, *np.flatnonzero(front["knee"]).tolist()})


def front_lines(result: SearchResult, front: pd.DataFrame) -> Table:
    """Short table of the front: decisions, objectives, what else is bounded, where the weights are."""
    job = result.job
    quantities = {o.name: o for o in (*job.objectives, *(c.objective for c in job.constraints))}
    shown = [o for o in quantities.values() if o.name != "n_chips"]
    several = len(job.space.choices) > 1
    columns = ["", "front", "chips", *(["strategy"] if several else []), "plan", *(o.label for o in shown)]
    numbers = [1, 2, *range(len(columns) - len(shown), len(columns))]
    table = plain_table(*columns, "weights", "most time", right=numbers)
    for i in shown_rows(front):
        row = front.iloc[i]
        table.add_row(
            "knee" if row["knee"] else "",
            str(i),
            str(row["n_chips"]),
            *([str(row["strategy"])] if several else []),
            plan_words(plan_of_row(row)),
            *(o.shown(float(row[o.column])) for o in shown),
            str(row["regime"]) + (", head from L3" if row["head_from_l3"] else ""),
            str(row["limited_by"]),
            style="bold green" if row["knee"] else None,
        )
    return table


def request_words(request: str, n_tokens: int) -> str:
    """What one inference is."""
    return {
        "autoregressive": f"one token, context {n_tokens}",
        "prompt": f"prompt of {n_tokens} tokens",
        "encoder": f"{n_tokens} tokens at once",
    }[request]


def scope_words(scope: str, *, head: bool) -> str:
    """What is counted."""
    if scope == "model":
        return "whole model" + ("" if head else " without embedding and LM head")
    return {"block": "one block", "attention": "attention half of a block", "mlp": "MLP half of a block"}[
        scope
    ]


def limit_line(latency_by_cause_s: dict[str, float]) -> str:
    """Say what takes most of the latency."""
    total = sum(latency_by_cause_s.values())
    first, second = sorted(LATENCY_CAUSES, key=lambda c: -latency_by_cause_s[c])[:2]
    return (
        f"Most of the latency is {CAUSES[first]}, {latency_by_cause_s[first] / total:.0%}; "
        f"then {CAUSES[second]}, {latency_by_cause_s[second] / total:.0%}."
    )


def search_report(
    result: SearchResult,
    front: pd.DataFrame,
    folder: Path,
    paths: Sequence[Path],
    wall_s: float,
    program: str,
) -> RenderableType:
    """What a search found, what to do with it, and where the files are."""
    job, certificate = result.job, result.certificate
    scope = scope_words(job.accounting.scope, head=job.accounting.head)
    lines: list[RenderableType] = [
        Text(f"{title(job)}", style="bold"),
        (
            f"{scope}, {request_words(job.workload.request, job.workload.n_tokens)}, "
            f"{f'prefetch accounting {job.accounting.prefetch}, ' if job.platform.mcu.l3 else ''}"
            f"kernel set {job.platform.kernels_name}, space {job.space.name}"
        ),
        "objectives: "
        + ", ".join(f"{o.title} ({'most' if o.maximise else 'least'})" for o in job.objectives)
        + "".join(f"; {c.text}" for c in job.constraints),
        f"engine {certificate.engine}: {certificate.why}",
        (
            f"{certificate.plans_evaluated} plans evaluated, {certificate.plans_feasible} feasible, "
            f"{certificate.front_size} on the front, in {wall_s:.1f} s"
        ),
        Text(certificate.sentence(), style="green" if certificate.distance == "exact" else "yellow"),
        "",
    ]
    sentence = winners_sentence(result)
    if sentence:
        lines.insert(-1, sentence)
    recommended = result.recommended
    if recommended is None:
        lines += infeasible_lines(result)
    else:
        lines.append(front_lines(result, front))
        left = len(front) - len(shown_rows(front))
        if left:
            lines.append(Text(f"({left} more in pareto.csv)", style="dim"))
        shares = {c: float(result.costs.latency_by_cause_s[c][recommended]) for c in LATENCY_CAUSES}
        lines += ["", Text(recommendation(result), style="bold green"), limit_line(shares)]
        share = job.platform.kernels.time_uncertainty
        if share is not None:
            lines.append(f"Times carry about {share:.0%}; ratios of plans less.")
        if result.costs.missing_weights[recommended] > 0:
            lines.append(MISSING_WEIGHTS)
        lines.append(
            Text("Knee: the plan of the front nearest to the best of every objective at once.", style="dim")
        )
    lines += ["", f"Files in {folder}:", "  " + ", ".join([p.name for p in paths] + ["study.journal"])]
    if recommended is not None:
        lines.append(
            Text(
                f"Next: {program} evaluate --plan {folder / 'plan.json'}    or open {folder / 'pareto.html'}",
                style="dim",
            )
        )
    return Group(*lines)


def rate_words(request: str, latency_s: float, tokens_per_s: float) -> str:
    """How much a second: tokens, or inputs of an encoder."""
    return (
        f"{digits(1 / latency_s)} inferences/s" if request == "encoder" else f"{digits(tokens_per_s)} token/s"
    )


def recommendation(result: SearchResult) -> str:
    """The recommended plan in one line."""
    index = result.recommended
    if index is None:
        return "No plan to recommend."
    plan, found = result.plans.row(index), result.costs
    whole = result.job.accounting.scope == "model"
    rate = rate_words(
        result.job.workload.request, found.latency_s[index], found.throughput_tokens_per_s[index]
    )
    costs_of = f"{seconds(found.latency_s[index])}, {joules(found.energy_j[index])}"
    costs_of += f", {rate}" if whole else " a block"
    return f"Recommended (knee): {whole_words(plan)}: {costs_of}"


def infeasible_lines(result: SearchResult) -> list[RenderableType]:
    """Say that nothing fits, and how far the nearest plan is from it."""
    near = result.nearest
    plan, found = result.plans.row(near), result.costs
    return [
        Text("No plan is feasible.", style="bold red"),
        (f"Nearest: {whole_words(plan)}: {seconds(found.latency_s[near])}, {joules(found.energy_j[near])}"),
        *(f"  {gap}" for gap in exceeded(result, near, levers(result)).split(" | ")),
    ]


def breakdown(predicted: PredictedCosts, on_chip: str) -> Table:
    """Latency and energy by cause, where there is any of either; `on_chip` is a memory's name."""
    table = plain_table("cause", "latency", "share", "energy", "share", right=range(1, 5))
    for cause in dict.fromkeys((*LATENCY_CAUSES, *ENERGY_CAUSES)):
        time, energy = predicted.latency_by_cause_s.get(cause), predicted.energy_by_cause_j[cause]
        if not time and energy < ROUNDING * predicted.energy_j:
            continue
        name = CAUSES.get(cause) or {"idle": "waiting chips", "l2": f"on-chip memory ({on_chip})"}[cause]
        table.add_row(
            name,
            "" if time is None else seconds(time),
            "" if time is None else f"{time / predicted.latency_s:.0%}",
            joules(energy),
            f"{energy / predicted.energy_j:.0%}",
        )
    table.add_row("total", seconds(predicted.latency_s), "", joules(predicted.energy_j), "", style="bold")
    return table


def evaluation_report(document: Deployment, other: PredictedCosts) -> RenderableType:
    """What one plan costs, what it needs, and how much the accounting of prefetches matters.

    Parameters
    ----------
    other : PredictedCosts
        Costs of the same plan with the other accounting of prefetches.
    """
    w, d, c, a = document.workload, document.decisions, document.costs, document.accounting
    plan = plan_of({"strategy": d.strategy, **d.values})
    room = document.platform.usable_bytes
    off_chip = "L3" in room
    rate = f"throughput {rate_words(w.request, c.latency_s, c.throughput_tokens_per_s)}, "
    rate = rate if a.scope == "model" else ""
    lines: list[RenderableType] = [
        Text(
            f"{w.name}, {request_words(w.request, w.n_tokens)}, on {document.platform.name}",
            style="bold",
        ),
        (
            f"{whole_words(plan)}; "
            f"{scope_words(a.scope, head=a.head)}, "
            f"{f'prefetch accounting {a.prefetch}, ' if off_chip else ''}"
            f"kernel set {document.platform.kernels}"
        ),
        "",
        breakdown(c, next(iter(room))),
        *interval_lines(c),
        "",
        (
            f"{rate}EDP {digits(c.edp_js * 1e6)} mJ ms, "
            f"link traffic {size(c.link_bytes)} in {c.link_messages:.0f} messages"
            f"{f', L3 traffic {size(c.l3_bytes)}' if off_chip else ''}"
        ),
        *round_lines(document),
        *memory_lines(document),
        limit_line(c.latency_by_cause_s),
    ]
    if c.feasible:
        lines.append(Text("The plan fits.", style="green"))
    else:
        lines += [
            Text(f"The plan does not fit: {violation_words(v)}", style="bold red") for v in c.violations
        ]
    accounting = [accounting_line(document, other), ""] if off_chip else []
    lines += ["", *accounting, assumptions_line(document.rests_on)]
    return Group(*lines)


def interval_lines(predicted: PredictedCosts) -> list[str]:
    """Say how far absolute times may be off, where the kernel set says so."""
    if predicted.latency_interval_s is None:
        return []
    low, high = predicted.latency_interval_s
    share = high / predicted.latency_s - 1
    return [f"times carry about {share:.0%}: {seconds(low)} to {seconds(high)} in all; ratios of plans less"]


def round_lines(document: Deployment) -> list[RenderableType]:
    """The rounds of a plan one by one, and what pruning leaves out; empty where neither is there."""
    c = document.costs
    table = plain_table(
        "radio round",
        "times",
        "message",
        "packets",
        "slots",
        "slot",
        "expected",
        "at most",
        right=range(1, 8),
    )
    for sync in document.synchronisations:
        for leg in sync.legs:
            if leg.round is not None:
                r = leg.round
                table.add_row(
                    f"{sync.name}, {leg.name}",
                    str(sync.times * r.rounds),
                    f"{max(m.payload_bytes for m in leg.messages):.0f} B x {len(leg.messages)}",
                    f"{r.packets} x {r.payload_bytes} B",
                    f"{r.expected_slots:.0f} of {r.slots}",
                    f"{r.slot_s * 1e6:.0f} us",
                    seconds(r.expected_s / r.rounds),
                    seconds(r.bound_s / r.rounds),
                )
    lines: list[RenderableType] = []
    if table.row_count:
        lines += [
            "",
            table,
            (
                f"all rounds: {seconds(c.latency_by_cause_s['link'])} expected, as they stop early when all "
                f"have everything; at most {seconds(c.link_bound_s)}"
            ),
            "",
        ]
    if c.missing_weights:
        lines.append(f"missing weights U = {c.missing_weights:.3f}")
        lines.append(MISSING_WEIGHTS)
    return lines


def violation_words(v: Violation) -> str:
    """What the plan exceeds."""
    return str(costs.Violation(resource=v.resource, demand=v.demand, limit=v.limit, unit=v.unit))


def memory_lines(document: Deployment) -> list[str]:
    """Where the weights are, and what the fullest chip holds of what."""
    chips = document.chips
    fullest = max(chips, key=lambda chip: sum(chip.footprint_bytes.values()))
    n_blocks = next(i for i in document.inputs if i.kind == "model").data["layers"]["value"]
    head = [w for w in fullest.weights if "head" in w.matrix or w.matrix == "embedding"]
    blocks = sum(w.bytes for w in fullest.weights) - sum(w.bytes for w in head)
    room = document.platform.usable_bytes
    parts = {
        f"weights of {n_blocks} blocks" if n_blocks > 1 else "weights of a block": blocks * n_blocks,
        "embedding and head": sum(w.bytes for w in head),
        "KV cache": fullest.kv_cache_bytes,
        "activations": fullest.activation_peak_bytes,
        "prefetch buffer": fullest.prefetch_buffer_bytes,
    }
    if "flash" in room:  # there, nothing of what is held is shared with what is counted elsewhere
        parts["packets and link software"] = sum(fullest.footprint_bytes.values()) - sum(parts.values())
    held = ", ".join(f"{size(v)} of {size(room[k])} {k}" for k, v in fullest.footprint_bytes.items() if v)
    outside = sum(chip.footprint_bytes.get("L3", 0) > 0 for chip in chips)
    where = f"weights of blocks {document.costs.regime}; {outside} of {len(chips)} chips need off-chip memory"
    if "flash" in fullest.footprint_bytes:
        where = "weights read in place from flash"
    return [
        where,
        f"fullest chip, {held}: " + ", ".join(f"{k} {size(v)}" for k, v in parts.items() if v),
    ]


def accounting_line(document: Deployment, other: PredictedCosts) -> str:
    """Say what steady-state accounting makes of the hidden one, and why."""
    c = document.costs
    steady, hidden = (c, other) if document.accounting.prefetch == "steady" else (other, c)
    ratio = steady.latency_s / hidden.latency_s
    numbers = f"prefetch accounting: steady {seconds(steady.latency_s)}, hidden {seconds(hidden.latency_s)}"
    if steady.latency_s == hidden.latency_s:
        return f"{numbers}: the same, no prefetch outlasts the work that it hides behind."
    return (
        f"{numbers} ({ratio:.2f} times): loading the next block takes {seconds(c.block_prefetch_s)}, "
        f"a block itself {seconds(c.block_on_chip_s)} on chip. Hidden counts loads for the next block as "
        "free, as the DATE 2025 paper does; steady makes the chips wait for them."
    )


def assumptions_line(rests_on: Sequence[str]) -> str:
    """How many assumed and fitted parameters the costs rest on."""
    assumed = sum("(assumed)" in line for line in rests_on)
    fitted = sum("(fitted)" in line for line in rests_on)
    return (
        f"These costs rest on {assumed} assumed and {fitted} fitted parameters "
        "(dse evaluate --json lists them under rests_on; dse show NAME gives each with its source)."
    )
