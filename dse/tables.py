"""Results as tables: one row a plan, columns with their units in the name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from costmodel.calibration import UNITS
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from costmodel.plan import DECISIONS
from costmodel.strategies import STRATEGIES
from dse.deployment import regime_name
from dse.objectives import OBJECTIVES, SCORES
from dse.search import SearchResult


def trials_table(result: SearchResult) -> pd.DataFrame:
    """Every plan evaluated, in order: decisions, costs, regime, what limits it, what it exceeds."""
    costs, plans = result.costs, result.plans
    names, known_of = result.job.workloads, result.of_workload.tolist()
    table: dict[str, object] = {"workload": [names[i].name for i in known_of], "strategy": plans.strategies}
    known = [STRATEGIES[strategy].decisions for strategy in plans.names]
    table |= {name: plans[name] for name in DECISIONS if any(name in decisions for decisions in known)}
    table |= {o.column: o.of(costs) for o in OBJECTIVES.values() if o.name not in DECISIONS}
    table["accuracy_drop_low"] = costs.accuracy_drop_low
    table["accuracy_within"] = costs.accuracy_within
    table["accuracy_unit"] = UNITS[result.job.metric]
    table["calibration"] = [names[i].calibrated_by or "none" for i in known_of]
    if costs.score is not None:
        table[SCORES[result.job.metric].column] = costs.score
    table |= {f"latency_{c}_s": costs.latency_by_cause_s[c] for c in LATENCY_CAUSES}
    table |= {f"energy_{c}_j": costs.energy_by_cause_j[c] for c in ENERGY_CAUSES}
    table["link_messages"] = costs.link_messages
    table["chips_with_l3"] = costs.n_chips_with_l3
    table["head_from_l3"] = costs.head_from_l3
    table["regime"] = [regime_name(int(code)) for code in costs.regime]
    table["limited_by"] = [costs.limited_by(i) for i in range(len(plans))]
    table["feasible"] = result.feasible
    lever = levers(result)
    table["exceeds"] = [exceeded(result, i, lever) for i in range(len(plans))]
    frame = pd.DataFrame(table, index=pd.RangeIndex(len(plans), name="trial"))
    frame["on_front"] = np.isin(np.arange(len(plans)), result.front)
    return frame


def levers(result: SearchResult) -> dict[str, str]:
    """For each resource, what would make plans fit it: the least number of chips that does."""
    texts = {}
    for resource, slack in result.costs.slack.items():
        fits = result.plans["n_chips"][slack <= 0]
        texts[resource] = (
            f"fits from {int(fits.min())} chips on" if len(fits) else "no number of chips searched fits"
        )
    return texts


def exceeded(result: SearchResult, index: int, lever: dict[str, str]) -> str:
    """What plan `index` exceeds and by how much, with what would make it fit; empty when it fits."""
    texts = [f"{v}; {lever[v.resource]}" for v in result.costs.violations(index)]
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
    frame.index = pd.RangeIndex(len(frame), name="front_index")
    frame["knee"] = result.front == result.recommended
    frame["distance_from_exact"] = result.certificate.distance
    return frame
