"""Accuracy lost for several reasons, each known to an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Accuracy lost, (...), with the interval that holds the true value nine times of ten."""

    estimate: Array
    low: Array
    high: Array

    def plus(self, other: Drop) -> Drop:
        """Add what is lost for another reason; deviations add as independent ones do.

        >>> Drop(estimate=1.0, low=-2.0, high=4.0).plus(Drop(estimate=2.0, low=2.0, high=6.0)).high.item()
        8.0
        """
        estimate = self.estimate + other.estimate
        below = np.hypot(self.estimate - self.low, other.estimate - other.low)
        above = np.hypot(self.high - self.estimate, other.high - other.estimate)
        # What is nothing for sure changes nothing, not even by rounding.
        nothing = (np.asarray(other.low) == 0) & (np.asarray(other.high) == 0)
        return Drop(
            estimate=estimate,
            low=np.where(nothing, self.low, estimate - below),
            high=np.where(nothing, self.high, estimate + above),
        )

    def clipped(self, least: float, most: float) -> Drop:
        """Cut off what cannot be."""
        return Drop(
            estimate=np.clip(self.estimate, least, most),
            low=np.clip(self.low, least, most),
            high=np.clip(self.high, least, most),
        )


def among(curves: Sequence[Any], quantile: float, residual: Any) -> Drop:
    """Expect a new task among some, whose drops are taken as draws from a normal distribution.

    Parameters
    ----------
    curves : sequence of (...)
        What each task loses; two or more.
    quantile : float
        Student's t that leaves a twentieth on either side, for so many tasks.
    residual : float or (...)
        Standard deviation of what is measured about a task's own curve. A drop below nothing is that alone.
    """
    k = len(curves)
    # Sums in one order, whatever the shape, so that a batch equals its rows.
    mean = sum(curves) / k
    variance = sum((curve - mean) ** 2 for curve in curves) / (k - 1)
    spread = quantile * np.sqrt((1 + 1 / k) * variance + residual**2)
    return Drop(estimate=mean, low=np.maximum(mean - spread, -quantile * residual), high=mean + spread)
