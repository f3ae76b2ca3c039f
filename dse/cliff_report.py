"""What people read of a plan on every number of chips, as rich renderables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dse.cliff import Cliff
from dse.digits import joules, seconds
from dse.objectives import OBJECTIVES, FloatArray, Objective, objectives_of
from dse.picks import compared, more_chips_sentences
from dse.terminal import plain_table
from dse.words import CAUSES, basis_words, chips_words, ground_words, plan_words, request_words, scope_words

SHORT_CAUSES = CAUSES | {"root": "root", "l3": "L3"}
NEAR = 1.1  # a latency this many times the least is near it
DRAWN = ("latency", "energy")  # objectives that have intervals over draws


def cliff_report(found: Cliff) -> RenderableType:
    """The plan on every number of chips, borders, and whether another chip helps."""
    w, platform, accounting = found.workload, found.platform, found.accounting
    off_chip = platform.mcu.l3 is not None
    request = request_words(w.request, w.n_tokens, w.cached_tokens)
    lost = accounting.message_loss
    lines: list[RenderableType] = [
        Text(f"{w.name}, {request}, on {platform.name}", style="bold"),
        (
            f"{found.plan.strategy}, {_plan_words(found)}; "
            f"{scope_words(accounting.scope, head=accounting.head)}, "
            f"{f'prefetch accounting {accounting.prefetch}, ' if off_chip else ''}"
            f"kernel set {platform.kernels_name}{f', {100 * lost:.3g} % of messages lost' if lost else ''}"
        ),
        "",
        _table(found),
        *_notes(found),
        "",
        *_stretch_lines(found),
        *(Text(line, style="bold green" if i == 0 else "") for i, line in enumerate(sentences(found))),
    ]
    return Group(*lines)


def _plan_words(found: Cliff) -> str:
    """Say what is decided beside the number of chips, as the plan with most chips has it."""
    return plan_words(found.plans.row(len(found.plans) - 1))


def _ends(found: Cliff, objective: Objective, index: int) -> str:
    """Say 5 and 95 % of a cost; nothing where no draw changes it."""
    interval, value = found.drawn.intervals[objective.column], float(objective.of(found.costs)[index])
    low, high = (float(end[index]) for end in (interval.low, interval.high))
    side = "< " if value < low else "> " if value > high else ""
    return "" if np.isnan(low) else f"{side}{objective.short(low)} to {objective.short(high)}"


def _table(found: Cliff) -> Table:
    """One row a number of chips."""
    costs = found.costs
    shown = [OBJECTIVES[name] for name in DRAWN]
    drop = objectives_of(found.workload.calibration.metric)["accuracy_drop"]
    lossy = bool(np.any(costs.accuracy_drop_high > 0))
    columns = ["chips", *(name for o in shown for name in (o.label, "5 to 95 %")), "speed-up"]
    columns += [f"{drop.label}, 90 %"] * lossy
    table = plain_table(*columns, "most time", "weights", "", right=range(len(columns)))
    for i, n in enumerate(found.n_chips.tolist()):
        fits, by_cause = bool(costs.feasible[i]), costs.latency_by_cause_s
        most = costs.limited_by(i)
        here = found.stretch(i)
        remark = " and ".join(map(str, costs.violations(i)))
        if i == 0 and fits:
            remark = here.words
        elif found.border(i):
            remark = f"<- from here: {here.words}" + (f"; {remark}" if remark else "")
        table.add_row(
            f"{n}{'' if found.ground.within[i] else '*'}",
            *(
                text
                for o in shown
                for text in (o.shown(float(o.of(costs)[i])), _ends(found, o, i))
            ),
            f"{found.speed_up[i]:.2f}" if fits else "-",
            *([_drop(found, drop, i)] if lossy else []),
            f"{SHORT_CAUSES[most]} {by_cause[most][i] / costs.latency_s[i]:.0%}",
            here.kind or "does not fit",
            remark,
            style=_style(found, i),
        )  # fmt: skip
    return table


def _drop(found: Cliff, drop: Objective, index: int) -> str:
    costs = found.costs
    ends = (costs.accuracy_drop, costs.accuracy_drop_low, costs.accuracy_drop_high)
    return drop.with_interval(*(float(end[index]) for end in ends))


def _style(found: Cliff, index: int) -> str | None:
    if not found.costs.feasible[index]:
        return "dim"
    return "bold" if found.border(index) else None


def _notes(found: Cliff) -> list[RenderableType]:
    """Say what speed-ups are over, what marks mean, and what intervals are of."""
    notes = []
    if len(found.fitting):
        least = int(found.n_chips[found.fitting[0]])
        few = "" if least == 1 else ", the fewest that fit"
        notes.append(f"Speed-up is over {least} {'chip' if least == 1 else 'chips'}{few}.")
    if found.platform.mcu.l3 is not None:
        notes.append("Weights are said of the chip that keeps least; <- marks borders.")
    if not np.all(found.ground.within):
        heads = [found.workload.model.heads] * bool(np.any(found.ground.more_chips_than_heads))
        beyond = [found.plan.strategy] * bool(np.any(found.ground.more_chips_than_published))
        notes.append(f"* {ground_words(heads, beyond)}")
    basis = basis_words(found.drawn.basis if found.drawn.vary else "none").replace("5, 50", "5")
    notes.append(f"{basis} < and >: as stated, less or more than that." if found.drawn.vary else basis)
    return [Text(note, style="dim") for note in notes]


def _stretch_lines(found: Cliff) -> list[RenderableType]:
    """List which numbers of chips are alike, and what latency and energy they span; nothing of one."""
    if len(found.stretches) == 1:
        return []
    table, chips = plain_table("chips", "where weights are", "latency", "energy"), found.n_chips
    for one in found.stretches:
        here = (chips >= one.first) & (chips <= one.last)
        latency, energy = (values[here] for values in (found.costs.latency_s, found.costs.energy_j))
        spans = [_span(seconds, latency), _span(joules, energy)]
        table.add_row(_run(one.first, one.last), one.words, *spans, style="dim" if one.exceeded else None)
    return [table, ""]


def _span(written: Callable[[float], str], values: FloatArray) -> str:
    """Say the least and the most of some values."""
    low, high = written(float(values.min())), written(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def sentences(found: Cliff) -> list[str]:
    """Say whether another chip helps: from the number named, else where latency and energy are least."""
    ask = "Does another chip help"
    if found.start is None:
        return [f"{ask}? {_best(found) or 'No: the plan fits no number of chips.'}"]
    index = int(np.flatnonzero(found.n_chips == found.start)[0])
    on, best = chips_words(found.plans.row(index)), [_best(found)] if len(found.fitting) else []
    if found.costs.feasible[index]:
        return [f"{ask}, from {on} on? {_another(found, index)}", *_next_border(found, index), *best]
    more = found.n_chips[found.fitting[found.fitting > index]]
    does = f"Yes: it fits on {more[0]} chips." if len(more) else "No: it fits no larger number either."
    exceeded = " and ".join(map(str, found.costs.violations(index)))
    return [f"{ask}, from {on} on? On {on} the plan does not fit: {exceeded}. {does}", *best]


def _another(found: Cliff, index: int) -> str:
    """Say what the next number of chips does to a plan that fits."""
    costs, other = found.costs, index + 1
    if other == len(found.plans):
        return f"There is none to add: {found.plan.strategy} can use {found.n_chips[index]} at most."
    if not costs.feasible[other]:
        return f"No: {found.n_chips[other]} do not fit, {' and '.join(map(str, costs.violations(other)))}."
    next_one = compared(costs, index, costs, other)
    faster, thriftier = next_one.latency_ratio < 1, next_one.energy_ratio < 1
    verdict = {
        (True, True): "Yes.",
        (True, False): "Latency, not energy.",
        (False, True): "Energy, not latency.",
        (False, False): "No.",
    }[faster, thriftier]
    drop = objectives_of(found.workload.calibration.metric)["accuracy_drop"]
    return " ".join([verdict, *more_chips_sentences(next_one, drop), *_of_draws(found, index, other)])


def _of_draws(found: Cliff, index: int, other: int) -> list[str]:
    """Say in how many of the draws another number of chips is better; nothing where none changes a cost."""
    drawn = found.drawn
    if not drawn.vary:
        return []
    faster, thriftier = (
        float(np.mean(costs[:, other] < costs[:, index])) for costs in (drawn.latency_s, drawn.energy_j)
    )
    return [f"It is faster in {faster:.0%} of the draws, and takes less energy in {thriftier:.0%}."]


def _next_border(found: Cliff, index: int) -> list[str]:
    """Say where the next border lies beyond a plan, and what is there; nothing where there is none."""
    beyond = [one for one in found.stretches if one.first > found.n_chips[index]]
    if not beyond:
        return []
    border, costs = beyond[0], found.costs
    at = int(np.flatnonzero(found.n_chips == border.first)[0])
    takes = f"; {seconds(float(costs.latency_s[at]))}, {joules(float(costs.energy_j[at]))}"
    return [f"The next border is at {border.first} chips: {border.words}{'' if border.exceeded else takes}."]


def _best(found: Cliff) -> str:
    """Say on how many chips latency and energy are least; nothing where no number fits."""
    fastest, thriftiest = found.fastest, found.thriftiest
    if fastest is None or thriftiest is None:
        return ""
    latency_s, energy_j = found.costs.latency_s, found.costs.energy_j
    left = np.any(found.fitting > fastest)
    words = ": more are no faster" if left else ", the most that fit"
    near = int(found.fitting[latency_s[found.fitting] <= NEAR * latency_s[fastest]][0])
    on, enough = (chips_words(found.plans.row(i)) for i in (fastest, near))
    close = (
        f"; {enough} {'comes' if near == 0 else 'come'} within {NEAR - 1:.0%} of that"
        if near < fastest
        else ""
    )
    return (
        f"Latency is least on {on} ({seconds(float(latency_s[fastest]))}){words}{close}. "
        f"Energy is least on {found.n_chips[thriftiest]} ({joules(float(energy_j[thriftiest]))})."
    )
