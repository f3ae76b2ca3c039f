"""How far costs may be off: median, and the ends of 90 %, over many values of a platform's constants.

How shares are dealt out and where they lie is decided by the constants as stated; what that takes is
then priced with each of their other values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.costing import Costing
from costmodel.costs import energy_of, latency_of
from costmodel.counted import Counted
from costmodel.dealing import laid_out
from costmodel.draws import Basis, Draws, drawn, draws_of
from costmodel.hardware import Platform
from costmodel.plan import Plans
from costmodel.pricing import Stages, priced
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]
T = TypeVar("T")
PERCENTILES = (5.0, 50.0, 95.0)
PRICED_AT_ONCE = 64  # plans whose arrays, one entry a draw, stay in cache


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Of n plans, (n,): what 5 % of the draws are below, what half of them are, and what 95 % are."""

    low: Array
    median: Array
    high: Array


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How far latency and energy of n plans may be off.

    `basis` is what the values of constants are that the costs were priced with.
    """

    latency_s: Interval
    energy_j: Interval
    basis: Basis

    @staticmethod
    def scattered(batches: Iterable[tuple[NDArray[np.int64], Intervals]], basis: Basis) -> Intervals:
        """Join the intervals of batches; each has the positions that its plans take."""
        wheres, ends = [np.empty(0, dtype=np.int64)], [np.empty((2, len(PERCENTILES), 0))]
        for where, found in batches:
            wheres.append(where)
            ends.append(np.array([list(vars(one).values()) for one in (found.latency_s, found.energy_j)]))
        order = np.argsort(np.concatenate(wheres), kind="stable")
        return Intervals.of(np.concatenate(ends, axis=-1)[..., order], basis)

    @staticmethod
    def of(ends: Array, basis: Basis) -> Intervals:
        """Give intervals by their ends: latency and energy, low, median and high, of each plan, (2, 3, n)."""
        latency, energy = (Interval(low=low, median=median, high=high) for low, median, high in ends)
        return Intervals(latency_s=latency, energy_j=energy, basis=basis)


def along_draws(found: T, n: int, at: slice) -> T:
    """Give what is said of n plans, of some of them, with an axis of draws before that of plans."""
    value: Any = found
    if isinstance(value, np.ndarray) and value.ndim:
        value = value[..., None, at] if value.shape[-1] == n else value[..., None, :]
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value)}
        value = replace(value, **{name: along_draws(part, n, at) for name, part in parts.items()})
    elif isinstance(value, tuple):
        value = tuple(along_draws(part, n, at) for part in value)
    elif isinstance(value, Mapping):
        value = {name: along_draws(part, n, at) for name, part in value.items()}
    return value  # type: ignore[no-any-return]


def repriced(
    workload: Workload, platform: Platform, found: Costing, accounting: Accounting, at: slice
) -> tuple[Array, Array]:
    """Price some of the plans that have been laid out with many values of the platform's constants.

    Parameters
    ----------
    platform : Platform
        With constants of shape (d, 1).

    Returns
    -------
    Latency and energy, (d, n).
    """
    n = len(found.plans)
    program = along_draws(found.program, n, at)
    counted = Counted.of(workload, program, accounting)
    placement = along_draws(found.placement, n, at)
    passes = platform.kernels.passes(workload.rows)
    prices = priced(
        workload,
        platform,
        counted,
        accounting,
        Stages.of(workload, platform, counted, accounting),
        replace(placement, passes=passes),
        along_draws(found.plans["pinning"] == 1, n, at),
    )
    return latency_of(prices.latency_by_cause_s), energy_of(prices.energy_by_cause_j)


def intervals_of(
    workload: Workload,
    platform: Platform,
    batches: Iterable[tuple[NDArray[np.int64], Costing]],
    accounting: Accounting,
    draws: Draws | None = None,
) -> Intervals:
    """Say how far latency and energy of plans may be off that have been laid out.

    Parameters
    ----------
    batches : iterable of (positions, Costing)
        Of one strategy each.
    draws : Draws, optional
        Values of the platform's constants; by default those of `draws_of`.
    """
    draws = draws or draws_of(platform)
    many = drawn(platform, draws)

    def priced_batches() -> Iterator[tuple[NDArray[np.int64], Intervals]]:
        for where, found in batches:
            for start in range(0, len(where), PRICED_AT_ONCE):
                at = slice(start, start + PRICED_AT_ONCE)
                costs = repriced(workload, many, found, accounting, at)
                ends = np.array([np.percentile(one, PERCENTILES, axis=0) for one in costs])
                yield where[at], Intervals.of(ends, draws.basis)

    return Intervals.scattered(priced_batches(), draws.basis)


def intervals(
    workload: Workload, platform: Platform, plans: Plans, accounting: Accounting | None = None
) -> Intervals:
    """Say how far latency and energy of plans may be off.

    Raises
    ------
    PlanError
        A strategy is not known, or has no such plan on this workload and platform.
    """
    accounting = accounting or Accounting()
    return intervals_of(workload, platform, laid_out(workload, platform, plans, accounting), accounting)
