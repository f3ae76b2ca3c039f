"""Which plans of a product may be on the front, found part by part without costing all of them.

Where no chip loads anything while it waits, time and energy are sums over the parts of a program, and so is
the power of U that is a mean; what has to fit is a sum or a maximum. So a choice for one part that another
one undercuts in all of these is on no front, whatever the other parts choose. What is left of each part is
combined, and thinned out again. Sums in another order differ by rounding: a choice counts as undercut only
where the difference is larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.costing import Costing
from costmodel.dealing import costing
from costmodel.hardware import Mcu
from costmodel.plan import Ints
from costmodel.plans import Plans
from costmodel.strategies import strategy_named
from costmodel.workload import Workload
from dse.job import Job
from dse.objectives import FloatArray

# Objectives that follow, one way, from what adds up: latency, energy and U, and by name what else.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "latency": (),
    "energy": (),
    "edp": (),
    "n_chips": (),
    "throughput": (),
    "missing_weights": (),
    "accuracy_drop": ("narrowed",),
    "accuracy": ("narrowed",),
    "loss": ("narrowed",),
    "link_traffic": ("link_bytes",),
}
ROUNDING = 1e-11  # of a total, more than sums in another order differ by
PAIRS_AT_ONCE = 1 << 18
LEAST, FULLEST = slice(-1, None), slice(0, 1)  # ends of an axis: where least is asked for, and where most is


def adds_up(job: Job, workload: Workload, product: Plans) -> NDArray[np.bool_]:
    """Whether costs add up over parts, of each plan that a product lists, (k,).

    All that is asked has to follow from what adds up, bounds on the better side, and no chip may load
    anything of the plan that prunes least, and so of no other.
    """
    asked = (*job.objectives, *(bound.objective for bound in job.constraints))
    better = all(bound.at_most != bound.objective.maximise for bound in job.constraints)
    if not better or not all(one.name in FOLLOWS for one in asked):
        return np.zeros(product.shape[0], dtype=bool)
    costs = costing(workload, job.platform, _cut(product, (), FULLEST), job.accounting).costs
    loads = (costs.l3_bytes > 0) | (costs.latency_by_cause_s["l3"] > 0)
    return np.broadcast_to(~loads.ravel(), product.shape[:1])


def _cut(product: Plans, kept: Sequence[int], end: slice) -> Plans:
    """Give the plans at one end of all axes but some."""
    for axis in set(range(1, len(product.shape))) - set(kept):
        product = product.along(axis, end)
    return product


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices for some parts of a program, the others as small as may be.

    Attributes
    ----------
    sums : (n, s) float
        What adds up over parts and is known but for rounding.
    added, largest : (n, a), (n, l) float
        What has to fit: adds up exactly, or is the largest of all parts.
    at : (n, d) int
        Position on each axis of these parts.
    """

    sums: FloatArray
    added: FloatArray
    largest: FloatArray
    at: Ints

    def take(self, index: Ints) -> Choices:
        """Give some of them."""
        return Choices(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def with_each(self, other: Choices, least: Choices) -> Choices:
        """Combine each with each of another part's; `least` is of all parts as small as may be."""
        one, two = (axis.ravel() for axis in np.indices((len(self.at), len(other.at))))
        return Choices(
            sums=self.sums[one] + (other.sums - least.sums)[two],
            added=self.added[one] + (other.added - least.added)[two],
            largest=np.maximum(self.largest[one], other.largest[two]),
            at=np.concatenate([self.at[one], other.at[two]], axis=1),
        )

    @staticmethod
    def joined(some: Sequence[Choices]) -> Choices:
        """Join choices for the same parts."""
        return Choices(
            **{f.name: np.concatenate([getattr(one, f.name) for one in some]) for f in fields(Choices)}
        )

    def within(self, room: FloatArray) -> Choices:
        """Leave out what exceeds the room for what adds up."""
        return self.take(np.flatnonzero(np.all(self.added <= room, axis=1)))

    def thinned(self, rounding: FloatArray) -> Choices:
        """Leave out what another one undercuts: by more than rounding in each sum, and it fits as well."""
        return self.take(
            not_undercut(self.sums, np.concatenate([self.added, self.largest], axis=1), rounding)
        )


def not_undercut(sums: FloatArray, sizes: FloatArray, rounding: FloatArray) -> Ints:
    """Positions of the rows that no other one undercuts: less by `rounding` in each sum, and no larger.

    Rows that are on the front are not undercut. Each other one is dominated by one of the front of what
    is left without it, and so undercut if that is: where all of a front are, there are no more.
    """
    vary = np.any(sizes != sizes[:1], axis=0)
    rows = np.concatenate([sums, sizes[:, vary]], axis=1)
    margin = np.concatenate([rounding, np.zeros(rows.shape[1] - len(rounding))])
    left = np.arange(len(rows))
    if not len(rows):
        return left
    kept = left[moocore.is_nondominated(rows, keep_weakly=True)]
    front = rows[kept]
    left = np.setdiff1d(left, kept)
    while len(left):
        layer = left[moocore.is_nondominated(rows[left], keep_weakly=True)]
        near = _above_none(front, rows[layer] - margin)
        if not near.any():
            break
        kept = np.concatenate([kept, layer[near]])
        left = np.setdiff1d(left, layer)
    return np.sort(kept)


def _above_none(front: FloatArray, rows: FloatArray) -> NDArray[np.bool_]:
    """Whether no row of a front is at most a row in every column, (n,)."""
    scale = np.maximum(np.max(np.abs(front), axis=0), np.finfo(float).tiny)
    front = front[np.argsort(np.sum(front / scale, axis=1))]  # those that are below most come first
    left, start, at_once = np.arange(len(rows)), 0, 16
    while len(left) and start < len(front):
        some = front[start : start + at_once]
        below = np.ones((len(left), len(some)), dtype=bool)
        for column in range(rows.shape[1]):
            below &= some[:, column] <= rows[left, column, None]
        left = left[~below.any(axis=1)]
        start += at_once
        at_once = min(2 * at_once, max(PAIRS_AT_ONCE // max(len(left), 1), 1))
    found = np.zeros(len(rows), dtype=bool)
    found[left] = True
    return found


def survivors(job: Job, workload: Workload, product: Plans) -> Ints:
    """Give positions in a product of all plans that may be on its front; some others may be among them.

    Parameters
    ----------
    product : Plans
        All combinations of the axes of one plan whose costs add up over parts; the later a value on its
        axis, the better a plan fits.

    Returns
    -------
    (s,) int, one at least
    """
    (name,) = product.names
    asked = (*job.objectives, *(bound.objective for bound in job.constraints))
    more = sorted({column for one in asked for column in FOLLOWS[one.name]})

    def cut(kept: Sequence[int], end: slice) -> Costing:
        return costing(workload, job.platform, _cut(product, kept, end), job.accounting)

    largest = cut((), FULLEST)
    scarce = [name for name, slack in largest.costs.slack.items() if np.any(slack > 0)]

    def choices_of(found: Costing, kept: Sequence[int] = ()) -> Choices:
        costs, shape = found.costs, found.plans.shape
        sizes = [found.sizes(job.platform.mcu, name) for name in scarce]
        u = costs.missing_weights**workload.importance.exponent
        besides = {"link_bytes": costs.link_bytes, "narrowed": found.damage.narrowed(workload.calibration)}
        sums = [costs.latency_s, costs.energy_j, u, *(besides[one] for one in more)]
        return Choices(
            sums=_columns(sums, shape),
            added=_columns([one for added, _ in sizes for one in added], shape),
            largest=_columns([one for _, most in sizes for one in most], shape),
            at=np.stack(np.unravel_index(np.arange(prod(shape)), shape), axis=-1)[:, list(kept)],
        )

    smallest = cut((), LEAST)
    found = least = choices_of(smallest)
    rounding = ROUNDING * np.sum(choices_of(largest).sums + least.sums, axis=0)
    room = np.concatenate([np.empty(0), *(_room(smallest, job.platform.mcu, name) for name in scarce)])
    axes = list(_axes(name))
    for last, own in zip([*[False] * (len(axes) - 1), True], axes, strict=True):
        part = choices_of(cut(own, LEAST), own).within(room).thinned(rounding)
        at_once = max(PAIRS_AT_ONCE // max(len(part.at), 1), 1)
        combined = []
        for start in range(0, len(found.at), at_once):
            some = found.take(np.arange(start, min(start + at_once, len(found.at))))
            fit = some.with_each(part, least).within(room)
            # Of whole plans it is known whether they fit, where nothing but what adds up counts.
            counted = np.isinf(room) if last else np.ones(len(room), dtype=bool)
            combined.append(replace(fit, added=fit.added[:, counted]).thinned(rounding))
        found = combined[0] if len(combined) == 1 else Choices.joined(combined).thinned(rounding)
        if not len(found.at):
            return np.array([len(product) - 1])  # the one that fits best
    return np.asarray(np.ravel_multi_index((np.zeros(len(found.at), dtype=int), *found.at.T), product.shape))


def _axes(strategy: str) -> Iterator[range]:
    """Give the axes of products that each part of a program depends on."""
    first = 1
    for decisions in strategy_named(strategy).axes.values():
        yield range(first, first + len(decisions))
        first += len(decisions)


def _room(least: Costing, mcu: Mcu, resource: str) -> FloatArray:
    """Room for what adds up of a resource, for each class of chips; no end where other things count too.

    Bytes are whole eighths, so that sums are exact.
    """
    added, largest = least.sizes(mcu, resource)
    if largest:
        return np.full(len(added), np.inf)
    demand = least.costs.demands[resource]
    besides = float(np.max(demand.asked)) - float(np.max(added))
    return np.full(len(added), demand.limit - besides)


def _columns(columns: Sequence[Any], shape: tuple[int, ...]) -> FloatArray:
    """Stack what is known of plans, each broadcasting to a shape, as columns."""
    flat = [np.broadcast_to(column, shape).ravel() for column in columns]
    return np.stack(flat, axis=-1).astype(float) if flat else np.empty((prod(shape), 0))
