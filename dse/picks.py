"""The plans of a search by name, and what more chips would do: data first, then sentences.

A pick is the feasible plan with the least (most) of an objective, on the front or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from costmodel.costs import Costs
from costmodel.evaluation import evaluate
from costmodel.plans import Plans
from costmodel.strategies import canonical
from dse.digits import joules, seconds
from dse.objectives import KNOWN, OBJECTIVES, Objective
from dse.search import SearchResult

# What a pick is named, and its objective.
PICKS = {f"{'max' if o.maximise else 'min'}-{o.name}": o for o in KNOWN.values()}
NAMED = ("min-latency", "min-energy", "min-edp", "min-n_chips")  # in every summary, after the knee
TIES = ("latency_s", "energy_j", "n_chips", "accuracy_drop")  # of equal plans the least of these, in order


def picked_trial(trials: Mapping[Any, Any] | pd.DataFrame, objective: Objective) -> int | None:
    """Position of the feasible plan with the best value; of equal ones see `TIES`, then those of the front.

    Parameters
    ----------
    trials : mapping or DataFrame
        Columns of trials.csv by name, at least the objective's, `TIES`, `feasible` and `on_front`.

    Returns
    -------
    int, optional
        None where no plan is feasible.
    """
    there = np.flatnonzero(np.asarray(trials["feasible"]))
    if not len(there):
        return None
    keys = [objective.sign * np.asarray(trials[objective.column])]
    keys += [np.asarray(trials[name]) for name in TIES]
    keys += [~np.asarray(trials["on_front"])]
    return int(there[np.lexsort([key[there] for key in keys[::-1]])[0]])


def picks(result: SearchResult) -> dict[str, int]:
    """Positions of the knee and of the picks in `NAMED`; empty where no plan is feasible."""
    if result.recommended is None:
        return {}
    columns: dict[str, Any] = {o.column: o.of(result.costs) for o in OBJECTIVES.values()}
    columns["feasible"] = result.feasible
    columns["on_front"] = np.isin(np.arange(len(result.plans)), result.front)
    found = {name: picked_trial(columns, PICKS[name]) for name in NAMED}
    return {"knee": result.recommended} | {name: i for name, i in found.items() if i is not None}


def merged(named: Mapping[str, int]) -> list[tuple[list[str], int]]:
    """Gather the names of each plan, in the order of the first.

    >>> merged({"knee": 7, "min-latency": 3, "min-energy": 7})
    [(['knee', 'min-energy'], 7), (['min-latency'], 3)]
    """
    return [([name for name, at in named.items() if at == i], i) for i in dict.fromkeys(named.values())]


@dataclass(frozen=True, kw_only=True)
class MoreChips:
    """A plan with the next number of chips, all else the same.

    Attributes
    ----------
    added : int
        Chips more than the plan has now.
    latency_ratio, energy_ratio : float
        To the plan's now.
    drop : tuple of float, optional
        Accuracy drop and its interval; none where nothing is lost.
    """

    n_chips: int
    added: int
    latency_s: float
    energy_j: float
    latency_ratio: float
    energy_ratio: float
    drop: tuple[float, float, float] | None


def more_chips(result: SearchResult) -> MoreChips | None:
    """Cost the recommended plan with the next number of chips; none where there is none, or it is infeasible.

    Another plan with more chips would not do: what it saves by other decisions is no merit of its chips.
    """
    index = result.recommended
    if index is None or result.costs.n_chips[index] == 1:  # a single chip decides nothing of what chips send
        return None
    job, workload, plan = result.job, result.workload(index), result.plans.row(index)
    larger = [n for n in job.space.choices[plan.strategy]["n_chips"] if n > plan.n_chips]
    if not larger:
        return None
    n_chips = int(min(larger))
    flat = plan.group_size == plan.n_chips > 2
    changed = replace(plan, n_chips=n_chips, group_size=n_chips if flat else plan.group_size)
    plans = canonical(workload, job.platform, Plans.of([changed]))
    costs = evaluate(workload, job.platform, plans, job.accounting)
    if costs.n_chips[0] != n_chips or any(slack[0] > 0 for slack in job.slack(costs).values()):
        return None
    return compared(result.costs, index, costs, 0)


def compared(now: Costs, index: int, costs: Costs, other: int) -> MoreChips:
    """Set plan `other` of some costs, on more chips, beside plan `index` of those now."""
    drop = (costs.accuracy_drop, costs.accuracy_drop_low, costs.accuracy_drop_high)
    estimate, low, high = (float(end[other]) for end in drop)
    return MoreChips(
        n_chips=int(costs.n_chips[other]),
        added=int(costs.n_chips[other] - now.n_chips[index]),
        latency_s=float(costs.latency_s[other]),
        energy_j=float(costs.energy_j[other]),
        latency_ratio=float(costs.latency_s[other] / now.latency_s[index]),
        energy_ratio=float(costs.energy_j[other] / now.energy_j[index]),
        drop=(estimate, low, high) if high > 0 else None,
    )


def _change(ratio: float) -> str:
    """Say a ratio as a change in per cent; none as +0.0."""
    return f"{round(100 * (ratio - 1), 1) + 0.0:+.1f} %"


def more_chips_sentences(found: MoreChips | None, drop: Objective) -> list[str]:
    """Say what another chip does to a plan; empty where nobody knows."""
    if found is None:
        return []
    which = "Another chip" if found.added == 1 else f"{found.added} more chips"
    sentence = (
        f"{which}: the same plan on {found.n_chips} chips takes {seconds(found.latency_s)} "
        f"({_change(found.latency_ratio)}) and {joules(found.energy_j)} ({_change(found.energy_ratio)})"
    )
    if found.drop is not None:
        sentence += f", at an accuracy drop of {drop.with_interval(*found.drop)} {drop.shown_unit}"
    return [f"{sentence}."]


@dataclass(frozen=True, kw_only=True)
class UsedChips:
    """How many chips are worth having.

    Attributes
    ----------
    most : int
        Of any feasible plan.
    fastest, thriftiest : int
        Of the plan with least latency, and of that with least energy.
    """

    least: int
    most: int
    fastest: int
    thriftiest: int


def used_chips(result: SearchResult) -> UsedChips | None:
    """Count the chips of the plans that are best; none where no plan is feasible."""
    named = picks(result)
    if not named:
        return None
    chips = result.costs.n_chips
    return UsedChips(
        least=int(chips[result.feasible].min()),
        most=int(chips[result.feasible].max()),
        fastest=int(chips[named["min-latency"]]),
        thriftiest=int(chips[named["min-energy"]]),
    )


def used_chips_sentences(found: UsedChips | None) -> list[str]:
    """Say which chips are better left out; empty where all plans have as many.

    >>> used_chips_sentences(UsedChips(least=1, most=16, fastest=12, thriftiest=3))
    ['Of 16 chips, 4 are better left out: no plan evaluated with more than 12 is faster. \
Energy is least on 3 chips.']
    >>> used_chips_sentences(UsedChips(least=1, most=16, fastest=16, thriftiest=16))
    ['Latency still falls at 16 chips, the most that fit or were tried, and so does energy.']
    """
    if found is None or found.least == found.most:
        return []
    least = f"Energy is least on {found.thriftiest} {'chip' if found.thriftiest == 1 else 'chips'}."
    if found.fastest < found.most:
        left = found.most - found.fastest
        are = "is" if left == 1 else "are"
        none = f"no plan evaluated with more than {found.fastest} is faster"
        return [f"Of {found.most} chips, {left} {are} better left out: {none}. {least}"]
    falls = f"Latency still falls at {found.most} chips, the most that fit or were tried"
    return [f"{falls}, and so does energy." if found.thriftiest == found.most else f"{falls}. {least}"]
