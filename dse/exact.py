"""The exact front of a space: plans are costed in blocks, but for those that parts show to be on no front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice
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
from dse.workers import InLine, Workers
from search_spaces import Candidates

AT_ONCE = 40_000  # plans of a product whose arrays stay in cache
LISTED_AT_ONCE = 4_000
BLOCKS_OF_TASK = 10  # that go out together
TASKS_AT_ONCE = 8  # that go out before what they found is known to others
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
    nearest, misses : Plans, float
        The plan that misses its worst bound by least, of those evaluated, and by how much: 0 or less where it
        meets all.
    """

    front: Front
    evaluated: int
    feasible: int
    unseen: int
    nearest: Plans
    misses: float

    def joined(self, other: Exact) -> Exact:
        """Give what both came to."""
        nearer = other if other.misses < self.misses else self
        return Exact(
            front=self.front.joined(other.front),
            evaluated=self.evaluated + other.evaluated,
            feasible=self.feasible + other.feasible,
            unseen=self.unseen + other.unseen,
            nearest=nearer.nearest,
            misses=nearer.misses,
        )

    @property
    def plans(self) -> Plans:
        """Plans of the front; without one, the nearest to it."""
        return self.front.plans if len(self.front.plans) else self.nearest


def exact_front(
    job: Job,
    workload: Workload,
    candidates: Candidates,
    told: Callable[[int, float], None],
    workers: Workers | None = None,
) -> Exact:
    """Cost every plan of a space that may be on the front, and keep the front.

    What workers get does not depend on how many there are, nor on who is first, so neither does what is
    evaluated.

    Parameters
    ----------
    told : callable
        Hears plans done, and the least value of the first objective so far.
    workers : Workers, optional
        Who does it; this process by default.
    """
    none = np.empty(0)
    front = Front(
        plans=Plans.of([]), values=np.empty((0, len(job.objectives))), latency_s=none, energy_j=none
    )
    found = Exact(front=front, evaluated=0, feasible=0, unseen=0, nearest=Plans.of([]), misses=np.inf)
    tasks = _tasks(job, workload, candidates)
    while some := list(islice(tasks, TASKS_AT_ONCE)):
        known = found.front.values
        for part in (workers or InLine()).each(_done, [replace(task, known=known) for task in some]):
            found = found.joined(part)
            told(found.evaluated + found.unseen, float(np.min(found.front.values[:, 0], initial=np.inf)))
    return found


@dataclass(frozen=True, kw_only=True)
class Task:
    """Plans of which the front is asked for: in blocks, or as a product whose parts are composed.

    Attributes
    ----------
    at_once : int
        Plans in a block.
    known : (f, m) float
        Objectives, minimised, of plans that are known already.
    """

    job: Job
    workload: Workload
    plans: Plans
    at_once: int
    composed: bool = False
    known: FloatArray = field(default_factory=lambda: np.empty((0, 0)))


def _done(task: Task) -> Exact:
    """Do a task."""
    if task.composed:
        index = survivors(task.job, task.workload, task.plans, task.known)
        found = _front_of(task.job, task.workload, task.plans.listed(index))
        return replace(found, unseen=len(task.plans) - len(index))
    blocks = (_front_of(task.job, task.workload, block) for block in task.plans.blocks(task.at_once))
    return reduce(Exact.joined, blocks)


def _tasks(job: Job, workload: Workload, candidates: Candidates) -> Iterator[Task]:
    """Give all plans of a space as tasks."""

    def in_blocks(plans: Plans, at_once: int) -> Iterator[Task]:
        for some in plans.blocks(BLOCKS_OF_TASK * at_once):
            yield Task(job=job, workload=workload, plans=some, at_once=at_once)

    for product in candidates.products:
        if len(product.shape) == 1:
            yield from in_blocks(product, LISTED_AT_ONCE)
            continue
        composed = np.zeros(product.shape[0], dtype=bool)
        if len(product) >= COMPOSED_FROM * product.shape[0]:
            composed = adds_up(job, workload, product)
        if not composed.any():
            yield from in_blocks(product, AT_ONCE)
            continue
        for i, adds in enumerate(composed):
            one = product.along(0, slice(i, i + 1))
            if adds:
                yield Task(job=job, workload=workload, plans=one, at_once=len(one), composed=True)
            else:
                yield from in_blocks(one, AT_ONCE)


def _front_of(job: Job, workload: Workload, block: Plans) -> Exact:
    """Give the front of canonical plans of one strategy, with all of equal ones."""
    costs = costing(workload, job.platform, block, job.accounting).costs

    def of_each(column: Any) -> NDArray[Any]:
        return np.broadcast_to(column, block.shape).ravel()

    misses = of_each(reduce(np.maximum, job.slack(costs).values()))
    there = np.flatnonzero(misses <= 0)
    least = int(np.argmin(misses))
    feasible = len(there)
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
    return Exact(
        front=front,
        evaluated=len(block),
        feasible=feasible,
        unseen=0,
        nearest=block.listed(np.array([least])),
        misses=float(misses[least]),
    )
