"""The Pareto front of evaluated plans, and the plan on it to recommend."""

from __future__ import annotations

from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.plans import Plans

NEGLIGIBLE = 0.05  # relative range of an objective over the front below which it does not decide

FloatArray = NDArray[np.floating[Any]]


def front_mask(values: FloatArray, feasible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the feasible points that no feasible point dominates.

    Parameters
    ----------
    values : (n, m) float, minimised
    feasible : (n,) bool

    Returns
    -------
    (n,) bool
        Of points that are equal in every objective, the first alone is marked.

    >>> front_mask(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]]), np.ones(4, bool)).tolist()
    [True, True, False, False]
    """
    mask = np.zeros(len(values), dtype=bool)
    index = np.flatnonzero(feasible)
    if len(index):
        mask[index[moocore.is_nondominated(values[index])]] = True
    return mask


def preferred(
    plans: Plans, latency_s: FloatArray, energy_j: FloatArray, of_workload: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Order plans so that of equals the best comes first, in whatever order they were evaluated.

    By least latency, then energy; then by workload, strategy and decisions, which tell all plans apart.
    """
    strategies = np.array(plans.names)[plans.strategy]
    keys = (latency_s, energy_j, of_workload, strategies, *plans.values.values())
    return np.lexsort(keys[::-1])


def knee(values: FloatArray) -> int:
    """Position of the front point nearest to the ideal one, each objective scaled to its range.

    Ranges are taken on a log scale where an objective is positive, so that halving counts the same
    everywhere. An objective that differs by less than 5 % over the whole front does not count; ties
    go to the first.

    >>> knee(np.array([[1.0, 100.0], [2.0, 2.0], [100.0, 1.0]]))
    1
    """
    positive = np.all(values > 0, axis=0) | np.all(values < 0, axis=0)
    scaled = np.where(positive, np.sign(values) * np.log(np.abs(np.where(positive, values, 1.0))), values)
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    matters = (high - low) > np.where(positive, np.log(1 + NEGLIGIBLE), NEGLIGIBLE * np.abs(high))
    unit = (scaled - low) / np.where(matters, high - low, np.inf)
    return int(np.argmin(np.sqrt(np.sum(unit**2, axis=1))))
