"""How far costs may be off: median, and the ends of 90 %, over many values of a platform's constants.

How shares are dealt out and where they lie is decided by the constants as stated; what that takes is
then priced with each of their other values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from costmodel.plans import Plans
from costmodel.pricing import Stages, priced
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]
T = TypeVar("T")
PERCENTILES = (5.0, 50.0, 95.0)
DRAWN = ("latency_s", "energy_j")  # costs that depend on what is drawn
PRICED_AT_ONCE = 64  # plans whose arrays, one entry a draw, stay in cache


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Of n plans, (n,): what 5 % of the draws are below, what half of them are, and what 95 % are.

    NaN of a plan whose cost is the same in every draw: no file says how far it may be off.
    """

    low: Array
    median: Array
    high: Array

    @staticmethod
    def of(costs: Array) -> Interval:
        """Give the interval of costs by draw, (d, n)."""
        same = np.all(costs == costs[:1], axis=0)
        low, median, high = np.where(same, np.nan, np.percentile(costs, PERCENTILES, axis=0))
        return Interval(low=low, median=median, high=high)


@dataclass(frozen=True, kw_only=True)
class DrawnCosts:
    """Latency and energy of n plans with each of d draws of the platform's constants, (d, n).

    `basis` is what the draws are.
    """

    latency_s: Array
    energy_j: Array
    basis: Basis

    @property
    def intervals(self) -> dict[str, Interval]:
        """How far latency (`latency_s`) and energy (`energy_j`) may be off."""
        return {name: Interval.of(getattr(self, name)) for name in DRAWN}

    @property
    def vary(self) -> bool:
        """Whether any draw changes any cost."""
        return any(np.any(costs != costs[:1]) for costs in (self.latency_s, self.energy_j))

    @staticmethod
    def joined(parts: Sequence[tuple[NDArray[np.int64], DrawnCosts]]) -> DrawnCosts:
        """Join costs of one or more batches; each has the positions that its plans take."""
        order = np.argsort(np.concatenate([where for where, _ in parts]), kind="stable")
        costs = (np.concatenate([getattr(one, name) for _, one in parts], axis=1)[:, order] for name in DRAWN)
        return DrawnCosts(**dict(zip(DRAWN, costs, strict=True)), basis=parts[0][1].basis)


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


def drawn_costs_of(
    workload: Workload,
    platform: Platform,
    batches: Iterable[tuple[NDArray[np.int64], Costing]],
    accounting: Accounting,
    draws: Draws | None = None,
) -> DrawnCosts:
    """Price plans that have been laid out with each draw of the platform's constants.

    Parameters
    ----------
    batches : iterable of (positions, Costing)
        Of one strategy each.
    draws : Draws, optional
        By default those of `draws_of`.
    """
    draws = draws or draws_of(platform)
    many = drawn(platform, draws)
    parts = []
    for where, found in batches:
        for start in range(0, max(len(where), 1), PRICED_AT_ONCE):
            at = slice(start, start + PRICED_AT_ONCE)
            shape = len(draws), len(where[at])
            costs = (np.broadcast_to(one, shape) for one in repriced(workload, many, found, accounting, at))
            parts.append((where[at], DrawnCosts(**dict(zip(DRAWN, costs, strict=True)), basis=draws.basis)))
    return DrawnCosts.joined(parts)


def drawn_costs(
    workload: Workload, platform: Platform, plans: Plans, accounting: Accounting | None = None
) -> DrawnCosts:
    """Cost plans with each draw of the platform's constants.

    Raises
    ------
    PlanError
        A strategy is not known, or has no such plan on this workload and platform.
    """
    accounting = accounting or Accounting()
    batches = laid_out(workload, platform, plans, accounting)
    return drawn_costs_of(workload, platform, batches, accounting)
