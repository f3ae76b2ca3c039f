"""Results as tables: one row a plan, columns with their units in the name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from costmodel.calibration import UNITS
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES, Costs
from costmodel.plan import DECISIONS
from costmodel.plans import Plans
from costmodel.strategies import STRATEGIES
from costmodel.workload import Workload
from dse.deployment import regime_name
from dse.ground import Ground, ground
from dse.objectives import OBJECTIVES, SCORES
from dse.robustness import robustness
from dse.search import SearchResult

INTERVAL = ("low", "median", "high")  # ends of a column's interval, and its middle


def trials_table(result: SearchResult) -> pd.DataFrame:
    """Every plan evaluated, in order: decisions, costs, regime, what limits it, what it exceeds."""
    workloads = [result.job.workloads[i] for i in result.of_workload.tolist()]
    table = cost_columns(workloads, result.plans, result.costs)
    table["published_ground"] = published_ground(result).within
    table["feasible"] = result.feasible
    lever = levers(result)
    n = len(result.plans)
    table["exceeds"] = [exceeded(result, i, lever) for i in range(n)]
    frame = pd.DataFrame(table, index=pd.RangeIndex(n, name="trial"))
    frame["on_front"] = np.isin(np.arange(n), result.front)
    return frame


def cost_columns(workloads: Sequence[Workload], plans: Plans, costs: Costs) -> dict[str, object]:
    """Columns of n plans: workload, decisions, costs, regime, what limits them.

    Parameters
    ----------
    workloads : (n,) sequence
        Of each plan; all are measured in one metric.
    """
    table: dict[str, object] = {
        "workload": [one.name for one in workloads],
        "strategy": plans.strategies,
    }
    known = [STRATEGIES[strategy].decisions for strategy in plans.names]
    table |= {name: plans[name] for name in DECISIONS if any(name in decisions for decisions in known)}
    table |= {o.column: o.of(costs) for o in OBJECTIVES.values() if o.name not in DECISIONS}
    metric = workloads[0].calibration.metric
    table["accuracy_drop_low"] = costs.accuracy_drop_low
    table["accuracy_within"] = costs.accuracy_within
    table["accuracy_unit"] = UNITS[metric]
    table["calibration"] = [one.calibrated_by or "none" for one in workloads]
    if costs.score is not None:
        table[SCORES[metric].column] = costs.score
    table |= {f"latency_{c}_s": costs.latency_by_cause_s[c] for c in LATENCY_CAUSES}
    table |= {f"energy_{c}_j": costs.energy_by_cause_j[c] for c in ENERGY_CAUSES}
    table["link_messages"] = costs.link_messages
    table["link_partners"] = costs.link_partners
    table["chips_with_l3"] = costs.n_chips_with_l3
    table["head_from_l3"] = costs.head_from_l3
    table["regime"] = [regime_name(int(code)) for code in costs.regime]
    table["limited_by"] = [costs.limited_by(i) for i in range(len(plans))]
    return table


def published_ground(result: SearchResult) -> Ground:
    """Tell which plans of a search stand on published ground."""
    heads = np.array([one.model.heads for one in result.job.workloads])
    return ground(result.plans, heads[result.of_workload])


Levers = dict[tuple[int, str], str]


def levers(result: SearchResult) -> Levers:
    """For each workload, by its position, and each resource: with which numbers of chips plans fit it.

    More chips do not always help: leaders of a reduction hold sums that a chip alone does not have.
    """
    chips, texts = result.plans["n_chips"], {}
    for of in range(len(result.job.workloads)):
        own = result.of_workload == of
        for resource, slack in result.costs.slack.items():
            tried, fit = (np.unique(chips[where]).tolist() for where in (own, own & (slack <= 0)))
            texts[of, resource] = _fitting(tried, fit)
    return texts


def _fitting(tried: list[int], fit: list[int]) -> str:
    """Say which numbers of chips fit, of those tried; both ascending.

    >>> _fitting([1, 2, 3, 8], [3, 8])
    'fits from 3 chips on'
    >>> _fitting([1, 2, 3, 4, 5, 8], [1, 3, 4, 5])
    'fits on 1 and 3 to 5 chips, of 1 to 5 and 8 tried'
    >>> _fitting([2, 3], [])
    'none fits of 2 to 3 chips tried'
    """
    if not fit:
        tries = f"none fits of {_runs(tried)} chips tried"
        return tries if len(tried) > 1 else "no other number of chips was tried"
    if len(fit) > 1 and fit == tried[-len(fit) :]:
        return f"fits from {fit[0]} chips on"
    return f"fits on {_runs(fit)} {'chip' if fit == [1] else 'chips'}, of {_runs(tried)} tried"


def _runs(numbers: list[int]) -> str:
    """Say numbers, ascending, with those that follow each other as one: 1, 3 to 5 and 8."""
    breaks = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    ends = pairwise([0, *breaks, len(numbers)])
    runs = [f"{numbers[a]} to {numbers[b - 1]}" if b - a > 1 else str(numbers[a]) for a, b in ends]
    return " and ".join([", ".join(runs[:-1])] * (len(runs) > 1) + runs[-1:])


def exceeded(result: SearchResult, index: int, lever: Levers) -> str:
    """What plan `index` exceeds and by how much, with what would make it fit; empty when it fits."""
    of = int(result.of_workload[index])
    texts = [f"{v}; {lever[of, v.resource]}" for v in result.costs.violations(index)]
    for bound in result.job.constraints:
        if result.slack[bound.text][index] > 0:
            o = bound.objective
            value = o.shown(float(o.of(result.costs)[index]))
            off = float(result.slack[bound.text][index])
            texts.append(f"{bound.text} is missed by {off:.1%}: {value} {o.shown_unit}".rstrip())
    return " | ".join(texts)


def front_table(result: SearchResult) -> pd.DataFrame:
    """The front's rows of `trials_table`, by the first objective, with the knee and certificate marked."""
    frame = trials_table(result).iloc[result.front].drop(columns=["feasible", "exceeds", "on_front"])
    frame = frame.reset_index()
    for column, interval in result.front_drawn.intervals.items():
        for end in INTERVAL:
            frame[f"{column}_{end}"] = getattr(interval, end)
    frame.index = pd.RangeIndex(len(frame), name="front_index")
    frame["knee"] = result.front == result.recommended
    found = robustness(result)
    frame["knee_share"] = np.nan if found is None else found.knee
    frame["distance_from_exact"] = result.certificate.distance
    return frame
