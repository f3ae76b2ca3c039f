"""The exact front of a space: all its plans are costed in blocks, and what may be on the front is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.dealing import costing
from costmodel.plans import Plans
from costmodel.workload import Workload
from dse.job import Job
from dse.objectives import FloatArray
from dse.pareto import preferred
from search_spaces import Candidates

AT_ONCE = 40_000  # plans of a product whose arrays stay in cache
LISTED_AT_ONCE = 4_000
# Seconds that a plan takes, of a product and in a list, roughly: what decides must be the same everywhere.
# Measured on one core of a shared server; placing weights in off-chip memory is dear, and a list may have
# shares by room, of which many are tried.
PRODUCT_S, PLACED_S, LISTED_S = 2e-6, 15e-6, 1.5e-3


def estimated_s(candidates: Candidates) -> float:
    """Estimate how long it takes to cost all plans of a space."""
    of_product = PRODUCT_S if candidates.platform.mcu.l3 is None else PLACED_S
    return sum(
        len(product) * (of_product if len(product.shape) > 1 else LISTED_S) for product in candidates.products
    )


@dataclass(frozen=True, kw_only=True)
class Front:
    """Plans that no other one dominates, (f,); of plans with equal objectives the preferred one."""

    plans: Plans
    values: FloatArray
    latency_s: FloatArray
    energy_j: FloatArray

    def joined(self, other: Front) -> Front:
        """Give the front of both."""
        plans = Plans.joined([self.plans, other.plans])
        values, latency_s, energy_j = (
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("values", "latency_s", "energy_j")
        )
        order = preferred(plans, latency_s, energy_j, np.zeros(len(plans), dtype=np.int64))
        if len(order):
            order = order[moocore.is_nondominated(values[order])]
        return Front(
            plans=plans.take(order),
            values=values[order],
            latency_s=latency_s[order],
            energy_j=energy_j[order],
        )


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The exact front of a space, and how many of its plans were evaluated and found feasible.

    `nearest` is the plan that misses its worst bound by least.
    """

    front: Front
    evaluated: int
    feasible: int
    nearest: Plans

    @property
    def plans(self) -> Plans:
        """Plans of the front; without one, the nearest to it."""
        return self.front.plans if len(self.front.plans) else self.nearest


def exact_front(
    job: Job, workload: Workload, candidates: Candidates, told: Callable[[int, float], None]
) -> Exact:
    """Cost every plan of a space, and keep the front.

    Parameters
    ----------
    told : callable
        Hears plans done, and the least value of the first objective so far.
    """
    none = np.empty(0)
    front = Front(
        plans=Plans.of([]), values=np.empty((0, len(job.objectives))), latency_s=none, energy_j=none
    )
    evaluated = feasible = 0
    nearest, by = Plans.of([]), np.inf
    for product in candidates.products:
        for block in product.blocks(AT_ONCE if len(product.shape) > 1 else LISTED_AT_ONCE):
            of_block, misses = front_of(job, workload, block)
            front = front.joined(of_block)
            least = int(np.argmin(misses))
            if misses[least] < by:
                nearest, by = block.listed(np.array([least])), float(misses[least])
            evaluated, feasible = evaluated + len(block), feasible + int(np.sum(misses <= 0))
            told(evaluated, float(np.min(front.values[:, 0], initial=np.inf)))
    return Exact(front=front, evaluated=evaluated, feasible=feasible, nearest=nearest)


def front_of(job: Job, workload: Workload, block: Plans) -> tuple[Front, FloatArray]:
    """Give the front of canonical plans of one strategy, with all of equal ones.

    Also how far each plan misses its worst bound, (n,): by 0 or less where it meets all.
    """
    costs = costing(workload, job.platform, block, job.accounting).costs

    def of_each(column: Any) -> NDArray[Any]:
        return np.broadcast_to(column, block.shape).ravel()

    misses = of_each(reduce(np.maximum, job.slack(costs).values()))
    there = np.flatnonzero(misses <= 0)
    values = np.stack([of_each(o.minimised(costs))[there] for o in job.objectives], axis=-1)
    if len(there):
        kept = moocore.is_nondominated(values, keep_weakly=True)
        there, values = there[kept], values[kept]
    front = Front(
        plans=block.listed(there),
        values=values,
        latency_s=of_each(costs.latency_s)[there],
        energy_j=of_each(costs.energy_j)[there],
    )
    return front, misses
