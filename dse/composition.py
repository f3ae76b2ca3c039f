"""Which plans of a product may be on the front, found part by part without costing all of them.

Where no chip loads anything while it waits, time and energy are sums over the parts of a program, and so is
the power of U that is a mean; what has to fit is a sum or a maximum. So a choice for one part that another
one undercuts in all of these is on no front, whatever the other parts choose. What is left of each part is
combined, and thinned out again. Sums in another order differ by rounding: a choice counts as undercut only
where the difference is larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accuracy import Lost
from costmodel.costing import Costing
from costmodel.costs import Later
from costmodel.dealing import costing
from costmodel.drops import Drop
from costmodel.hardware import Mcu
from costmodel.plan import Ints
from costmodel.plans import Plans
from costmodel.strategies import strategy_named
from costmodel.workload import Workload
from dse.choices import Choices, FloatArray, combined, front_of
from dse.job import Job
from dse.objectives import OBJECTIVES, Objective

# Objectives that follow, one way, from what adds up over parts: from which of it.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "latency": ("latency_s",),
    "energy": ("energy_j",),
    "edp": ("latency_s", "energy_j"),
    "n_chips": (),
    "throughput": ("latency_s",),
    "missing_weights": ("missing",),
    "accuracy_drop": ("missing", "besides"),
    "accuracy": ("missing", "besides"),
    "loss": ("missing", "besides"),
    "link_traffic": ("link_bytes",),
}
ROUNDING = 1e-11  # of a total, more than sums in another order differ by
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
class Totals:
    """What plans of one product come to, by what adds up over parts.

    Attributes
    ----------
    names : tuple of str
        What adds up, in the order of the columns of sums: seconds, joules, U to the power of which it is a
        mean, points that are lost beside those of missing weights, bytes.
    compared : list of Objective
        By which plans are compared: all that is asked, and the latency, which tells equal ones apart; but for
        what they all have alike.
    one : Costing
        Of any plan of the product.
    """

    names: tuple[str, ...]
    compared: list[Objective]
    one: Costing
    workload: Workload

    @staticmethod
    def of(job: Job, workload: Workload, one: Costing) -> Totals:
        """Say what of a product has to be added up."""
        asked = [*job.objectives, *(bound.objective for bound in job.constraints), OBJECTIVES["latency"]]
        compared = list(
            {objective.name: objective for objective in asked if FOLLOWS[objective.name]}.values()
        )
        names = dict.fromkeys(name for objective in compared for name in FOLLOWS[objective.name])
        return Totals(names=tuple(names), compared=compared, one=one, workload=workload)

    def sums(self, found: Costing) -> FloatArray:
        """Give what adds up over parts, (n, s), of plans in a row."""
        costs, workload = found.costs, self.workload
        columns = {
            "latency_s": costs.latency_s,
            "energy_j": costs.energy_j,
            "missing": costs.missing_weights**workload.importance.exponent,
            "besides": found.damage.besides(workload.calibration).estimate,
            "link_bytes": costs.link_bytes,
        }
        return _columns([columns[name] for name in self.names], found.plans.shape)

    def values(self, sums: FloatArray) -> FloatArray:
        """Give what plans are compared by, minimised, (n, v), of what adds up."""
        known, costs = self.workload.calibration, self.one.costs
        column = dict(zip(self.names, np.maximum(sums.T, 0.0), strict=True))
        missing = column.get("missing", np.zeros(1)) ** (1 / self.workload.importance.exponent)

        def lost() -> Lost:
            drop = known.drop(missing).estimate + column["besides"]
            drop = np.clip(drop, *known.possible)
            return Lost(drop=Drop(estimate=drop, low=drop, high=drop), score=known.score(drop), within=False)

        none = np.zeros(1)
        totals = replace(
            costs,
            n_chips=costs.n_chips.ravel(),
            tokens=costs.tokens.ravel(),
            missing_weights=missing,
            link_bytes=column.get("link_bytes", none),
            lost=Later(lost),
        ).with_totals(column.get("latency_s", none), column.get("energy_j", none))
        return _columns([objective.minimised(totals) for objective in self.compared], (len(sums),))


def survivors(job: Job, workload: Workload, product: Plans, front: FloatArray) -> Ints:
    """Give positions in a product of all plans that may be on its front; some others may be among them.

    Parameters
    ----------
    product : Plans
        All combinations of the axes of one plan whose costs add up over parts; the later a value on its
        axis, the better a plan fits.
    front : (f, m) float
        Objectives, minimised, of plans that are known already.

    Returns
    -------
    (s,) int, one at least
    """
    (name,) = product.names

    def cut(kept: Sequence[int], end: slice) -> Costing:
        return costing(workload, job.platform, _cut(product, kept, end), job.accounting)

    largest, smallest = cut((), FULLEST), cut((), LEAST)
    scarce = [name for name, slack in largest.costs.slack.items() if np.any(slack > 0)]
    totals = Totals.of(job, workload, largest)

    def choices_of(found: Costing, kept: Sequence[int] = ()) -> Choices:
        shape = found.plans.shape
        sizes = [found.sizes(job.platform.mcu, name) for name in scarce]
        return Choices(
            sums=totals.sums(found),
            added=_columns([one for added, _ in sizes for one in added], shape),
            largest=_columns([one for _, most in sizes for one in most], shape),
            at=np.stack(np.unravel_index(np.arange(prod(shape)), shape), axis=-1)[:, list(kept)],
        )

    found = least = choices_of(smallest)
    rounding = ROUNDING * np.sum(choices_of(largest).sums + least.sums, axis=0)
    room = np.concatenate([np.empty(0), *(_room(smallest, job.platform.mcu, name) for name in scarce)])
    # Of whole plans it is known whether they fit, where nothing but what adds up counts.
    open_ended = np.isinf(room)

    def ends(rows: Choices) -> tuple[FloatArray, FloatArray]:
        sizes = np.concatenate([rows.added[:, open_ended], rows.largest], axis=1)
        low, high = (
            np.concatenate([totals.values(rows.sums + by), sizes], axis=1) for by in (-rounding, rounding)
        )
        return low, high

    *axes, last = _axes(name)
    for own in axes:
        part = choices_of(cut(own, LEAST), own).within(room).thinned(rounding)
        found = found.with_each(part, least).within(room).thinned(rounding)
    part = choices_of(cut(last, LEAST), last).within(room).thinned(rounding)
    known = _known(job, totals, front, int(np.sum(open_ended)) + least.largest.shape[1])
    found = combined(found, part, least, room, ends, known)
    if not len(found.at):
        return np.array([len(product) - 1])  # the one that fits best
    return np.asarray(np.ravel_multi_index((np.zeros(len(found.at), dtype=int), *found.at.T), product.shape))


def _known(job: Job, totals: Totals, front: FloatArray, sizes: int) -> FloatArray:
    """Give plans that are known, as they compare to others: they fit, whatever sizes others have.

    Of none is it known how it compares where more is compared than the objectives.
    """
    columns = [objective.name for objective in job.objectives]
    if not {objective.name for objective in totals.compared} <= set(columns):
        return np.empty((0, len(totals.compared) + sizes))
    alike = [i for i, name in enumerate(columns) if not FOLLOWS[name]]
    here = np.array([float(job.objectives[i].minimised(totals.one.costs).ravel()[0]) for i in alike])
    front = front[np.all(front[:, alike] <= here, axis=1)]
    front = front_of(front[:, [columns.index(objective.name) for objective in totals.compared]])
    return np.concatenate([front, np.full((len(front), sizes), -np.inf)], axis=1)


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
