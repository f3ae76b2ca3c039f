"""What people read in the terminal, as rich renderables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.calibration import Calibration
from costmodel.costs import LATENCY_CAUSES
from dse.digits import joules, seconds
from dse.export import plan_at, title
from dse.job import Job
from dse.objectives import OBJECTIVES, SCORES, Objective, objectives_of
from dse.picks import (
    merged,
    more_chips,
    more_chips_sentences,
    picks,
    used_chips,
    used_chips_sentences,
)
from dse.robustness import robustness_sentences
from dse.search import SearchResult
from dse.tables import INTERVAL, exceeded, levers, published_ground
from dse.terminal import plain_table
from dse.winners import winners_sentence
from dse.words import (
    UNCALIBRATED,
    basis_words,
    context_lines,
    ground_words,
    limit_line,
    plan_of_row,
    plan_words,
    rate_words,
    request_words,
    scope_words,
    whole_words,
)

SHOWN_FRONT_ROWS = 9
DRAWN = ("latency", "energy")  # objectives that have intervals over draws
DROP = ("accuracy_drop", "accuracy_drop_low", "accuracy_drop_high")


def shown_rows(front: pd.DataFrame) -> list[int]:
    """Positions to show of a front: all when few; else both ends, the knee, and some in between."""
    n = len(front)
    if n <= SHOWN_FRONT_ROWS + 1:
        return list(range(n))
    spread = np.linspace(0, n - 1, SHOWN_FRONT_ROWS - 1).round().astype(int).tolist()
    return sorted({*spread, *np.flatnonzero(front["knee"]).tolist()})


def _drawn(objective: Objective, front: pd.DataFrame | pd.Series[Any]) -> bool:
    """Whether an objective of a plan, or of any, has an interval over draws."""
    return objective.name in DRAWN and bool(np.any(pd.notna(front[f"{objective.column}_{INTERVAL[0]}"])))


def _label(objective: Objective, front: pd.DataFrame) -> str:
    """Head the column of an objective."""
    if objective.name in SCORES:
        return f"{objective.label}, 90 %"
    return f"{objective.label}\n5, 50, 95 %" if _drawn(objective, front) else objective.label


def _cell(objective: Objective, row: pd.Series[Any], known: Calibration) -> str:
    """Show a value of a front's row, over its interval; what a model still scores has that of its drop."""
    value = float(row[objective.column])
    if objective.name in SCORES:
        ends = sorted(float(known.score(row[column])) for column in DROP[1:])
        return objective.with_interval(value, *ends)
    if not _drawn(objective, row):
        return objective.shown(value)
    drawn = (objective.short(float(row[f"{objective.column}_{end}"])) for end in INTERVAL)
    return f"{objective.shown(value)}\n{_side(objective, row)}{' '.join(drawn)}"


def _side(objective: Objective, row: pd.Series[Any]) -> str:
    """Mark a value that lies outside its interval over draws."""
    value, low, high = (float(row[f"{objective.column}{end}"]) for end in ("", "_low", "_high"))
    return "< " if value < low else "> " if value > high else ""


def _chips_cells(result: SearchResult) -> list[str]:
    """Numbers of chips, with an asterisk outside published ground, by plan."""
    within = published_ground(result).within
    return [f"{n}{'' if ok else '*'}" for n, ok in zip(result.costs.n_chips, within, strict=True)]


def ground_lines(result: SearchResult, shown: Sequence[int]) -> list[RenderableType]:
    """Explain the asterisk, where a plan that is shown has one."""
    found = published_ground(result)
    heads = {result.workload(i).model.heads for i in shown if found.more_chips_than_heads[i]}
    beyond = [result.plans.row(i).strategy for i in shown if found.more_chips_than_published[i]]
    if not (heads or beyond):
        return []
    return [Text(f"* {ground_words(heads, list(dict.fromkeys(beyond)))}", style="dim")]


def pick_lines(result: SearchResult) -> Table:
    """Short table of the knee and the plans that are best in one respect, one line a plan."""
    job, costs = result.job, result.costs
    found = merged(picks(result))
    several, models = len(job.space.choices) > 1, len(job.workloads) > 1
    drop = objectives_of(job.metric)["accuracy_drop"]
    lossy = any(costs.accuracy_drop_high[i] > 0 for _, i in found)
    which = [*(["model"] if models else []), "chips", *(["strategy"] if several else []), "plan"]
    shown = [OBJECTIVES[name] for name in ("latency", "energy", "edp")]
    columns = ["pick", *which, *(o.label for o in shown), *([f"{drop.label}, 90 %"] if lossy else [])]
    numbers = [1 + models, *range(1 + len(which), len(columns))]
    table, chips = plain_table(*columns, right=numbers), _chips_cells(result)
    for names, i in found:
        plan = result.plans.row(i)
        table.add_row(
            ", ".join(names),
            *([result.workload(i).name] if models else []),
            chips[i],
            *([plan.strategy] if several else []),
            plan_words(plan),
            *(o.shown(float(o.of(costs)[i])) for o in shown),
            *([drop.with_interval(*(float(getattr(costs, c)[i]) for c in DROP))] if lossy else []),
            style="bold green" if "knee" in names else None,
        )
    return table


def summary_lines(result: SearchResult, front: pd.DataFrame) -> list[RenderableType]:
    """The front, the picks, the recommended plan, and what more chips do."""
    lines: list[RenderableType] = [front_lines(result, front)]
    rows = shown_rows(front)
    if left := len(front) - len(rows):
        lines.append(Text(f"({left} more in pareto.csv)", style="dim"))
    drawn = result.front_drawn
    basis = basis_words(drawn.basis if drawn.vary else "none")
    outside = any(_side(o, front.iloc[i]) for o in OBJECTIVES.values() if _drawn(o, front) for i in rows)
    sides = " < and >: as stated, less or more than that." if outside else ""
    lines.append(Text(f"{basis}{sides}", style="dim"))
    trials = [*result.front[rows].tolist(), *picks(result).values()]
    return [
        *lines,
        "",
        pick_lines(result),
        *ground_lines(result, trials),
        "",
        Text(recommendation(result), style="bold green"),
        *robustness_sentences(result),
        *more_chips_sentences(more_chips(result), objectives_of(result.job.metric)["accuracy_drop"]),
        *used_chips_sentences(used_chips(result)),
    ]


def front_lines(result: SearchResult, front: pd.DataFrame) -> Table:
    """Short table of the front: decisions, objectives, what else is bounded, where the weights are."""
    job = result.job
    quantities = {o.name: o for o in (*job.objectives, *(c.objective for c in job.constraints))}
    shown = [o for o in quantities.values() if o.name not in ("n_chips", "accuracy_drop")]
    several = len(job.space.choices) > 1
    drop = objectives_of(job.metric)["accuracy_drop"]
    known = {one.name: one.calibration for one in job.workloads}
    models = len(known) > 1
    lossy = drop.name in quantities or bool(np.any(front["accuracy_drop_high"] > 0))
    which = [*(["model"] if models else []), "chips", *(["strategy"] if several else []), "plan"]
    columns = ["", "front", *which, *(_label(o, front) for o in shown)]
    columns += [f"{drop.label}, 90 %"] if lossy else []
    numbers = [1, 2 + models, *range(len(columns) - len(shown) - lossy, len(columns))]
    table = plain_table(*columns, "weights", "most time", right=numbers)
    chips = _chips_cells(result)
    for i in shown_rows(front):
        row = front.iloc[i]
        table.add_row(
            "knee" if row["knee"] else "",
            str(i),
            *([str(row["workload"])] if models else []),
            chips[result.front[i]],
            *([str(row["strategy"])] if several else []),
            plan_words(plan_of_row(row)),
            *(_cell(o, row, known[row["workload"]]) for o in shown),
            *([drop.with_interval(*(float(row[c]) for c in DROP))] if lossy else []),
            str(row["regime"]) + (", head from L3" if row["head_from_l3"] else ""),
            str(row["limited_by"]),
            style="bold green" if row["knee"] else None,
        )
    return table


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
    asked = dict.fromkeys(
        request_words(one.request, one.n_tokens, one.cached_tokens) for one in job.workloads
    )
    requests = " or ".join(asked)
    share = job.accounting.message_loss
    lost = f", {100 * share:.3g} % of messages lost" if share else ""
    lines: list[RenderableType] = [
        Text(f"{title(job)}", style="bold"),
        (
            f"{scope}, {requests}, "
            f"{f'prefetch accounting {job.accounting.prefetch}, ' if job.platform.mcu.l3 else ''}"
            f"kernel set {job.platform.kernels_name}, space {job.space.name}"
            f"{lost}"
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
        lines += summary_lines(result, front)
        document = plan_at(result, recommended)
        shares = {c: float(result.costs.latency_by_cause_s[c][recommended]) for c in LATENCY_CAUSES}
        lines.append(limit_line(shares))
        if (room := document.context) is not None:
            most, latency_s = document.workload.context_max, document.costs.latency_s
            lines += context_lines(most, latency_s, room.up_to, room.latency_beyond_s)
        carried = job.platform.kernels.time_uncertainty
        if carried is not None:
            lines.append(f"Times carry about {carried:.0%}; ratios of plans less.")
        lines += accuracy_lines(job, front)
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


def _model_words(result: SearchResult, index: int) -> str:
    """Name the model that a plan is of, where there are several."""
    return f"{result.workload(index).name} on " if len(result.job.workloads) > 1 else ""


def recommendation(result: SearchResult) -> str:
    """The recommended plan in one line."""
    index = result.recommended
    if index is None:
        return "No plan to recommend."
    plan, found = result.plans.row(index), result.costs
    whole = result.job.accounting.scope == "model"
    workload = result.workload(index)
    rate = rate_words(workload.request, found.latency_s[index], found.throughput_tokens_per_s[index])
    costs_of = f"{seconds(found.latency_s[index])}, {joules(found.energy_j[index])}"
    costs_of += f", {rate}" if whole else " a block"
    return f"Recommended (knee): {_model_words(result, index)}{whole_words(plan)}: {costs_of}"


def infeasible_lines(result: SearchResult) -> list[RenderableType]:
    """Say that nothing fits, and how far the nearest plan is from it."""
    near = result.nearest
    plan, found = result.plans.row(near), result.costs
    return [
        Text("No plan is feasible.", style="bold red"),
        (
            f"Nearest: {_model_words(result, near)}{whole_words(plan)}: "
            f"{seconds(found.latency_s[near])}, {joules(found.energy_j[near])}"
        ),
        *(f"  {gap}" for gap in exceeded(result, near, levers(result)).split(" | ")),
    ]


def accuracy_lines(job: Job, front: pd.DataFrame) -> list[str]:
    """Say what stands behind accuracy, where a plan may lose any."""
    if not np.any(front["accuracy_drop_high"] > 0):
        return []
    calibrated = [one for one in job.workloads if one.calibrated_by is not None]
    lines = []
    for workload in calibrated:
        beyond = int(np.sum(~front["accuracy_within"] & (front["workload"] == workload.name)))
        wider = (
            f" {beyond} of the front's plans are beyond what it measured, their intervals wider."
            if beyond
            else ""
        )
        lines.append(
            f"Accuracy by calibration {workload.calibrated_by}: {workload.calibration.description}.{wider}"
        )
    if len(calibrated) == len(job.workloads):
        return lines
    others = [one.name for one in job.workloads if one.calibrated_by is None]
    which = f" of {' and '.join(others)}" if lines else ""
    bounds = [c.text for c in job.constraints if c.objective.name == "accuracy_drop"]
    return [
        *lines,
        UNCALIBRATED.replace("Accuracy", f"Accuracy{which}", 1),
        *(
            f"{text} holds for the mean of those tasks; "
            f"{text.replace('accuracy_drop', 'accuracy_drop_high')} would for nine of ten."
            for text in bounds
        ),
    ]
