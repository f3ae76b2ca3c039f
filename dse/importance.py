"""Which decision moves which objective: shares of variance, from the table of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodel.errors import RunError
from costmodel.plan import DECISIONS
from costmodel.strategies import STRATEGIES
from dse.objectives import FloatArray, Objective

CATEGORIES = ("workload", "strategy")  # what plans decide beside `DECISIONS`
ROUNDING = 1e-12  # values that differ by this share of the largest are the same

Basis = Literal["all", "random", "chosen"]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much of the variance of each objective each decision explains by itself.

    Attributes
    ----------
    basis : str
        What the shares are of: "all" plans of the space, exactly; an estimate from plans that were drawn
        at "random"; or plans that a sampler has "chosen", and of these alone.
    n_plans : int
        Feasible plans that the shares rest on.
    left_out : int
        Plans of a front that are recorded beside those drawn at random, and left out.
    shares : dict of dict of float
        Objective to decision to share, 0 to 1, the largest first; empty where all plans have one value.
        None where each plan has a value of its own of the decision, and nothing can be estimated.
    """

    basis: Basis
    n_plans: int
    left_out: int
    shares: dict[str, dict[str, float | None]]


def main_effect(
    values: FloatArray, decided: NDArray[Any], has: NDArray[np.bool_], *, exact: bool
) -> float | None:
    """Share of the variance of values that a decision explains by itself: its first-order Sobol index.

    That is the variance of the conditional means over the variance of all values. Means of a sample differ
    by chance as well; what that adds is taken off, as epsilon squared does.

    Parameters
    ----------
    values, decided : (n,)
        Objective and decision of each plan.
    has : (n,) bool
        Plans that have the decision. How these differ from all others is no merit of it.
    exact : bool
        Whether these are all plans there are, and no sample.

    Returns
    -------
    float, optional
        None of a sample in which no two plans decide alike.

    >>> main_effect(np.array([1.0, 2.0, 11.0, 12.0]), np.array([0, 0, 1, 1]), np.full(4, True), exact=True)
    0.990099
    """
    of, mine = pd.factorize(decided[has])[0], values[has]
    count = np.bincount(of)
    means = np.bincount(of, weights=mine) / count
    between = float(np.sum(count * (means - mine.mean()) ** 2))
    if not exact:
        if len(mine) == len(count):
            return None
        within = float(np.sum((mine - means[of]) ** 2))
        between -= (len(count) - 1) * within / (len(mine) - len(count))
    return min(max(between / float(np.sum((values - values.mean()) ** 2)), 0.0), 1.0)


def has_decision(plans: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Tell which plans of a table, (n,), have a decision; one chip is cut by no strategy."""
    if name == "workload":
        return np.ones(len(plans), dtype=bool)
    several = plans["n_chips"].to_numpy() > 1
    if name == "strategy":
        return several
    ones = DECISIONS[name].of_one_chip or name == "n_chips"
    theirs = plans["strategy"].map({one: name in STRATEGIES[one].decisions for one in STRATEGIES})
    return np.asarray((several | ones) & theirs.to_numpy(dtype=bool))


def importance(trials: pd.DataFrame, front: Any, objectives: Sequence[Objective]) -> Importance:
    """Weigh decisions by the table of a run.

    Parameters
    ----------
    trials : DataFrame
        As in trials.csv.
    front : mapping
        How the front was found, as in run.json; anything else is refused.
    objectives : sequence of Objective
        Those of the run; one that is decided itself is left out.

    Raises
    ------
    RunError
        `front` is not as a search writes it.
    """
    basis, rests_on = _resting(trials, front, objectives)
    plans = trials[rests_on & trials["feasible"]]
    names = [name for name in (*CATEGORIES, *DECISIONS) if name in plans]
    decided = {name: (plans[name].to_numpy(), has_decision(plans, name)) for name in names}
    decided = {name: (of, has) for name, (of, has) in decided.items() if len(set(of[has].tolist())) > 1}
    shares: dict[str, dict[str, float | None]] = {}
    for objective in objectives:
        if objective.name in DECISIONS:
            continue
        values, found = plans[objective.column].to_numpy(dtype=float), {}
        if len(values) and np.ptp(values) > ROUNDING * np.max(np.abs(values)):
            found = {name: main_effect(values, *of, exact=basis == "all") for name, of in decided.items()}
        shares[objective.name] = dict(sorted(found.items(), key=lambda one: -(one[1] or 0.0)))
    return Importance(basis=basis, n_plans=len(plans), left_out=int(np.sum(~rests_on)), shares=shares)


def _resting(
    trials: pd.DataFrame, front: Any, objectives: Sequence[Objective]
) -> tuple[Basis, NDArray[np.bool_]]:
    """Say on which plans shares rest, (n,), and what those are."""
    try:
        whole, size = front["distance"] == "exact", int(front["plans_in_space"])
        drawn = front["engine"] == "random"
    except (KeyError, TypeError, ValueError):
        raise RunError("run.json does not say how the front was found") from None
    everything = np.ones(len(trials), dtype=bool)
    if whole and len(trials) == size:
        return "all", everything
    if whole:  # the plans of each workload's front, and others at random
        return "random", ~_on_own_front(trials, objectives)
    return "random" if drawn else "chosen", everything


def _on_own_front(trials: pd.DataFrame, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Tell which plans, (n,), are on the front of their own workload; of equal ones the first recorded."""
    on_front = np.zeros(len(trials), dtype=bool)
    values = np.stack([o.sign * trials[o.column].to_numpy(dtype=float) for o in objectives], axis=-1)
    feasible = trials["feasible"].to_numpy()
    for workload in trials["workload"].unique():
        own = np.flatnonzero((trials["workload"] == workload).to_numpy() & feasible)
        if len(own):
            on_front[own] = moocore.is_nondominated(values[own], keep_weakly=False)
    return on_front
