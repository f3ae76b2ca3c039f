"""Uneven splits without a loop over chips: chips of a plan fall into a few classes of equal share.

``total`` units over n chips give ``total // n`` to each and one more to ``total % n`` of them. Heads
go to the first chips, spare units of everything else (columns, rows) to the last ones, so that the
extra work of one does not meet the extra work of the other. A class is a run of consecutive chips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.workload import Model

Array = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Shards:
    """What each class of chips has; every array has shape (c classes, ...), as the plans behind it.

    Attributes
    ----------
    first, n_chips : int
        First chip of the class, and chips in it: 0 for a class that a plan does not have (its other
        entries then repeat those of some chip, so that a maximum over classes stays right).
    heads, kv_heads : int
        Query heads, and the key/value heads they need.
    units : dict of int
        Units of each dimension dealt out, by its name.
    """

    first: Array
    n_chips: Array
    heads: Array
    kv_heads: Array
    units: dict[str, Array]

    def total(self, units: Array) -> Array:
        """Sum what each chip has over all chips of a plan."""
        return np.asarray(np.sum(units * self.n_chips, axis=0))


def share(total: int, n: Array) -> tuple[Array, Array]:
    """Units for every chip, and how many chips get one more."""
    return total // n, total % n


def head_groups(model: Model, n: Array) -> tuple[Array, Array, Array]:
    """Heads, KV heads and number of chips of each class, most heads first; shape (4, ...).

    Up to ``kv_heads`` chips split whole KV groups (``heads / kv_heads`` query heads that share one
    key/value head), so that nothing is stored twice. More chips share a KV group: each of them that
    has a head also holds that group's key/value head, the only replication there is. Chips left
    over have no head.
    """
    group = model.heads // model.kv_heads
    few = n <= model.kv_heads
    each, extra = share(model.kv_heads, n)
    zero = np.zeros_like(n)
    whole = np.stack([group * (each + 1), group * each, zero, zero])
    whole_count = np.stack([extra, n - extra, zero, zero])

    chips = np.maximum(n // model.kv_heads, 1)
    wider = n % model.kv_heads
    parts, counts = [], []
    for m, groups in ((chips, model.kv_heads - wider), (chips + 1, wider)):
        low, more = share(group, m)
        parts += [low + 1, low]
        counts += [groups * more, groups * (m - more)]
    split, split_count = np.stack(parts), np.stack(counts)

    heads = np.where(few, whole, split)
    count = np.where(few, whole_count, split_count)
    order = np.argsort(-heads, axis=0, kind="stable")
    heads, count = np.take_along_axis(heads, order, 0), np.take_along_axis(count, order, 0)
    kv_heads = np.where(few, heads // group, np.minimum(heads, 1))
    return heads, kv_heads, count


def balanced(model: Model, n: Array, totals: dict[str, int]) -> Shards:
    """Cut a model over n chips: heads and other dimensions as even as whole units allow.

    Parameters
    ----------
    n : int of any shape
        Number of chips of each plan.
    totals : dict
        Units of each dimension to deal out besides heads.
    """
    heads, kv_heads, count = head_groups(model, n)
    head_ends = np.cumsum(count, axis=0)
    each = {name: share(total, n) for name, total in totals.items()}
    spare_from = {name: n - more for name, (_, more) in each.items()}
    edges = np.sort(np.concatenate([head_ends, *(first[None] for first in spare_from.values())]), axis=0)
    starts = np.concatenate([np.zeros_like(n)[None], edges[:-1]])
    size = edges - starts
    used = np.any(size > 0, axis=tuple(range(1, size.ndim)))
    used[0] |= not used.any()  # a batch of no plans has one class of no chips
    starts, size = np.minimum(starts, n - 1)[used], size[used]
    segment = np.sum(starts[:, None] >= head_ends[None], axis=1)
    return Shards(
        first=starts,
        n_chips=size,
        heads=np.take_along_axis(heads, segment, 0),
        kv_heads=np.take_along_axis(kv_heads, segment, 0),
        units={name: units + (starts >= spare_from[name]) for name, (units, _) in each.items()},
    )


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Consecutive units: `count` of them from `first` on."""

    first: int
    count: int

    def times(self, width: int) -> Extent:
        """Give the extent in smaller units, `width` of them to each."""
        return Extent(first=self.first * width, count=self.count * width)


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one chip has, unit by unit."""

    heads: Extent
    kv_heads: Extent
    units: dict[str, Extent]


def assignment(model: Model, n_chips: int, totals: dict[str, int]) -> list[Share]:
    """Give every unit of the model to a chip, in agreement with the classes of `balanced`.

    >>> from costmodel.workload import load_workload
    >>> shares = assignment(load_workload("tinyllama-42m").model, 3, {"columns": 10})
    >>> [(share.heads.count, share.units["columns"].count) for share in shares]
    [(3, 3), (3, 3), (2, 4)]
    """
    group = model.heads // model.kv_heads
    if n_chips <= model.kv_heads:
        held = [kv.times(group) for kv in _even_parts(Extent(first=0, count=model.kv_heads), n_chips)]
    else:
        held = []
        for kv, chips in enumerate(_even_parts(Extent(first=0, count=n_chips), model.kv_heads)):
            held += _even_parts(Extent(first=kv * group, count=group), chips.count)
        held.sort(key=lambda heads: heads.count, reverse=True)
    dealt = {name: _even_ranges(total, n_chips) for name, total in totals.items()}
    return [
        Share(
            heads=heads,
            kv_heads=_kv_heads(heads, group),
            units={name: extents[chip] for name, extents in dealt.items()},
        )
        for chip, heads in enumerate(held)
    ]


def _kv_heads(heads: Extent, group: int) -> Extent:
    first = heads.first // group
    last = (heads.first + heads.count - 1) // group
    return Extent(first=first, count=last - first + 1 if heads.count else 0)


def _even_parts(units: Extent, n: int) -> list[Extent]:
    """Cut units in n runs as even as whole units allow, longer runs first."""
    each, extra = divmod(units.count, n)
    return [Extent(first=units.first + each * i + min(i, extra), count=each + (i < extra)) for i in range(n)]


def _even_ranges(total: int, n: int) -> list[Extent]:
    """Cut `total` units in n runs, longer ones last."""
    each, extra = divmod(total, n)
    return [Extent(first=each * i + max(0, i - (n - extra)), count=each + (i >= n - extra)) for i in range(n)]
