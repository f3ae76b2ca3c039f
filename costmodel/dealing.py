"""How shares by room are dealt out: of some ways between even and level, the best one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.costing import Costing, costed
from costmodel.hardware import Platform
from costmodel.plans import Plans
from costmodel.shards import EVEN, Fills
from costmodel.strategies import STRATEGIES, canonical, strategy_named
from costmodel.workload import Workload

AT_ONCE = 4096  # plans whose arrays stay in cache; all at once would be slower, and take more memory
FOR_ENERGY = 2  # value of the decision `shares`
STEPS = 4  # between even shares and a level of what chips hold


def ways(workload: Workload, accounting: Accounting) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the fills that are tried, of columns and of rows, least first."""
    steps = np.arange(STEPS + 1) / STEPS
    columns, rows = np.meshgrid(steps, steps if accounting.counts_head(workload) else [0.0], indexing="ij")
    return columns.ravel(), rows.ravel()


def best(workload: Workload, platform: Platform, plans: Plans, accounting: Accounting) -> Fills:
    """Choose how the shares of canonical plans of one strategy are dealt out.

    All ways are costed: what fits comes first (or what exceeds a limit least), then the least latency and
    the least energy, or the other way round, then the most even. The ways are the same for all plans
    and platforms, so that more of a resource never leads to a worse one.
    """
    (strategy,) = plans.names
    by_room = np.flatnonzero(plans["shares"])
    if "shares" not in strategy_named(strategy).decisions or not len(by_room):
        return EVEN
    columns, rows = ways(workload, accounting)
    chosen = np.zeros(len(plans), dtype=np.int64)
    for where in np.split(by_room, range(AT_ONCE // len(rows), len(by_room), AT_ONCE // len(rows))):
        tried = plans.take(np.repeat(where, len(rows)))
        fills = Fills(columns=np.tile(columns, len(where)), rows=np.tile(rows, len(where)))
        costs = costed(workload, platform, tried, accounting, fills).costs
        worst = np.max(list(costs.slack.values()), axis=0)
        over, latency, energy = (
            one.reshape(len(where), -1) for one in (np.maximum(worst, 0.0), costs.latency_s, costs.energy_j)
        )
        frugal = plans["shares"][where][:, None] == FOR_ENERGY
        first, second = np.where(frugal, energy, latency), np.where(frugal, latency, energy)
        chosen[where] = np.lexsort((second, first, over), axis=-1)[:, 0]
    return Fills(columns=columns[chosen], rows=rows[chosen])


def recosted(found: Costing, workload: Workload, platform: Platform, accounting: Accounting) -> Costing:
    """Cost plans as they are dealt out and placed already, by another accounting of prefetches."""
    return costed(workload, platform, found.plans, accounting, found.fills, found.placement)


def costing(workload: Workload, platform: Platform, plans: Plans, accounting: Accounting) -> Costing:
    """Cost canonical plans of one strategy, and keep what the costs are made of."""
    return costed(workload, platform, plans, accounting, best(workload, platform, plans, accounting))


def laid_out(
    workload: Workload, platform: Platform, plans: Plans, accounting: Accounting
) -> Iterator[tuple[NDArray[np.int64], Costing]]:
    """Cost plans in batches of one strategy that stay in cache, each with its positions.

    Raises
    ------
    PlanError
        A strategy is not known, or has no such plan on this workload and platform.
    """
    plans = canonical(workload, platform, plans)
    if not len(plans):  # one batch, so that costs of nothing have their columns
        plans = Plans.filled(next(iter(STRATEGIES)), 0, {name: np.empty(0) for name in plans.values})
    for where, some in plans.by_strategy():
        for start in range(0, max(len(some), 1), AT_ONCE):
            block = slice(start, start + AT_ONCE)
            batch = some.take(np.arange(len(some))[block])
            yield where[block], costing(workload, platform, batch, accounting)
