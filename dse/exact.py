"""The exact front of a space: plans are costed in blocks, but for those that parts show to be on no front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.dealing import costing
from costmodel.plans import Plans
from costmodel.workload import Workload
from dse.composition import adds_up, survivors
from dse.job import Job
from dse.objectives import FloatArray
from dse.pareto import preferred
from search_spaces import Candidates

AT_ONCE = 40_000  # plans of a product whose arrays stay in cache
LISTED_AT_ONCE = 4_000
COMPOSED_FROM = 20_000  # plans with all but the axes of a product alike, from which on parts are quicker
# Seconds that plans take, roughly: what decides must be the same everywhere. Measured on one core of a shared
# server: of a product; where weights are placed in off-chip memory; in a list, which may have shares by
# room, of which many are tried; and, of a product that is composed of parts, what it takes beside what grows
# as a part of it does, like the root of its plans.
PRODUCT_S, PLACED_S, LISTED_S, COMPOSED_S, EACH_S = 2e-6, 15e-6, 1.5e-3, 1e-4, 0.05


def estimated_s(job: Job, workload: Workload, candidates: Candidates) -> float:
    """Estimate how long the exact front of a space takes."""
    plan_s = PRODUCT_S if job.platform.mcu.l3 is None else PLACED_S
    takes_s = 0.0
    for product in candidates.products:
        if len(product.shape) == 1:
            takes_s += LISTED_S * len(product)
            continue
        each = len(product) // product.shape[0]
        composed = int(np.sum(adds_up(job, workload, product))) if each >= COMPOSED_FROM else 0
        takes_s += (
            composed * (EACH_S + COMPOSED_S * sqrt(each)) + (product.shape[0] - composed) * plan_s * each
        )
    return takes_s


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
    """The exact front of a space.

    Attributes
    ----------
    evaluated, feasible, unseen : int
        Plans that were evaluated, those of them that are feasible, and all others, which are on no front.
    nearest : Plans
        The plan that misses its worst bound by least, of those evaluated.
    """

    front: Front
    evaluated: int
    feasible: int
    unseen: int
    nearest: Plans

    @property
    def plans(self) -> Plans:
        """Plans of the front; without one, the nearest to it."""
        return self.front.plans if len(self.front.plans) else self.nearest


def exact_front(
    job: Job, workload: Workload, candidates: Candidates, told: Callable[[int, float], None]
) -> Exact:
    """Cost every plan of a space that may be on the front, and keep the front.

    Parameters
    ----------
    told : callable
        Hears plans done, and the least value of the first objective so far.
    """
    none = np.empty(0)
    front = Front(
        plans=Plans.of([]), values=np.empty((0, len(job.objectives))), latency_s=none, energy_j=none
    )
    evaluated = feasible = done = 0
    nearest, by = Plans.of([]), np.inf
    for every, composed in _blocks(job, workload, candidates):
        block, size = every, len(every)
        if composed:
            block = every.listed(survivors(job, workload, every, front.values))
        of_block, misses = front_of(job, workload, block)
        front = front.joined(of_block)
        least = int(np.argmin(misses))
        if misses[least] < by:
            nearest, by = block.listed(np.array([least])), float(misses[least])
        evaluated, feasible, done = evaluated + len(block), feasible + int(np.sum(misses <= 0)), done + size
        told(done, float(np.min(front.values[:, 0], initial=np.inf)))
    return Exact(
        front=front, evaluated=evaluated, feasible=feasible, unseen=done - evaluated, nearest=nearest
    )


def _blocks(job: Job, workload: Workload, candidates: Candidates) -> Iterator[tuple[Plans, bool]]:
    """Give all plans of a space in blocks, and whether a block is a product whose parts are composed."""
    for product in candidates.products:
        if len(product.shape) == 1:
            yield from ((block, False) for block in product.blocks(LISTED_AT_ONCE))
            continue
        composed = np.zeros(product.shape[0], dtype=bool)
        if len(product) >= COMPOSED_FROM * product.shape[0]:
            composed = adds_up(job, workload, product)
        if not composed.any():
            yield from ((block, False) for block in product.blocks(AT_ONCE))
            continue
        for i, adds in enumerate(composed):
            one = product.along(0, slice(i, i + 1))
            if adds:
                yield one, True
            else:
                yield from ((block, False) for block in one.blocks(AT_ONCE))


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
