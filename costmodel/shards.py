"""Uneven splits without a loop over chips: chips of a plan fall into a few classes of equal share.

Heads are dealt as evenly as whole units allow, most to the first chips. Everything else (columns, rows)
is dealt evenly too, or by room: more to chips that have less to hold, up to the same level for all.
Spare units go to the last chips, so that the extra work of one does not meet the extra work of the
other. A class is a run of consecutive chips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.workload import Model

Array = NDArray[np.int64]
ROUNDING = 1e-6  # of units, in floating point


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """Units to deal out.

    Attributes
    ----------
    total : int
        How many there are.
    unit_bytes : (...), optional
        What a chip holds for each.
    fill : (...), optional
        0 gives all chips as many; 1 fills those that hold least, up to one level; between, in between.
    """

    total: int
    unit_bytes: Any = 1.0
    fill: Any = 0.0


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


@dataclass(frozen=True, kw_only=True)
class Fills:
    """How columns of the FFN and vocabulary rows are dealt out: `Dimension.fill` of each, (...)."""

    columns: Any = 0.0
    rows: Any = 0.0


EVEN = Fills()


def level(total: int, taken: NDArray[Any], count: Array) -> NDArray[Any]:
    """Give the level up to which classes of chips are filled, with so many units in all.

    The classes that hold least take part, as many as make the level lowest.

    Parameters
    ----------
    taken : (c, ...)
        What each chip of a class holds already, in units.
    count : (c, ...) int
        Chips of each class.

    >>> level(10, np.array([4.0, 1.0, 0.0]), np.array([1, 1, 2])).tolist()
    3.6666666666666665
    """
    order = np.argsort(taken, axis=0)
    taken, count = np.take_along_axis(taken, order, 0), np.take_along_axis(count, order, 0)
    held, chips = np.cumsum(count * taken, axis=0), np.cumsum(count, axis=0)
    levels = np.where(chips > 0, (total + held) / np.maximum(chips, 1), np.inf)
    return np.asarray(np.min(levels, axis=0))


def dealt(dimension: Dimension, held_bytes: NDArray[Any], count: Array) -> NDArray[Any]:
    """Give the units of each class of chips, not yet whole, (c, ...).

    Parameters
    ----------
    held_bytes : (c, ...)
        What each chip of a class holds already.
    """
    taken = held_bytes / dimension.unit_bytes
    filled = np.maximum(level(dimension.total, taken, count) - taken, 0.0)
    even = dimension.total / np.sum(count, axis=0)
    return np.asarray((1.0 - dimension.fill) * even + dimension.fill * filled)


def balanced(
    model: Model,
    n: Array,
    dimensions: Mapping[str, Dimension],
    *,
    head_bytes: Any = 0.0,
    kv_head_bytes: Any = 0.0,
) -> Shards:
    """Cut a model over n chips: heads as even as whole units allow, then one dimension after the other.

    Parameters
    ----------
    n : int of any shape
        Number of chips of each plan.
    dimensions : dict of Dimension
        What to deal out besides heads, in this order.
    head_bytes, kv_head_bytes : (...)
        What a chip holds for each of its heads, and of its key/value heads.
    """
    heads, kv_heads, count = head_groups(model, n)
    head_ends = np.cumsum(count, axis=0)
    held = heads * head_bytes + kv_heads * kv_head_bytes + np.zeros(heads.shape)
    whole, spare_from = {}, {}
    for name, dimension in dimensions.items():
        units = dealt(dimension, held, count)
        held = held + units * dimension.unit_bytes
        whole[name] = np.floor(units + ROUNDING).astype(np.int64)
        spare_from[name] = n - (dimension.total - np.sum(whole[name] * count, axis=0))
    edges = np.sort(np.concatenate([head_ends, *(first[None] for first in spare_from.values())]), axis=0)
    starts = np.concatenate([np.zeros_like(n)[None], edges[:-1]])
    size = edges - starts
    used = np.any(size > 0, axis=tuple(range(1, size.ndim)))
    used[0] |= not used.any()  # a batch of no plans has one class of no chips
    starts, size = np.minimum(starts, n - 1)[used], size[used]
    segment = np.sum(starts[:, None] >= head_ends[None], axis=1)

    def of_segment(values: Array) -> Array:
        return np.take_along_axis(values, segment, 0)

    return Shards(
        first=starts,
        n_chips=size,
        heads=of_segment(heads),
        kv_heads=of_segment(kv_heads),
        units={name: of_segment(units) + (starts >= spare_from[name]) for name, units in whole.items()},
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


def assignment(model: Model, shards: Shards) -> list[Share]:
    """Give every unit of the model to a chip, in agreement with the classes of one plan, (c, 1).

    >>> from costmodel.workload import load_workload
    >>> model = load_workload("tinyllama-42m").model
    >>> shards = balanced(model, np.array([3]), {"columns": Dimension(total=10)})
    >>> [(share.heads.count, share.units["columns"].count) for share in assignment(model, shards)]
    [(3, 3), (3, 3), (2, 4)]
    """
    group = model.heads // model.kv_heads
    count = shards.n_chips[:, 0]
    n_chips = int(np.sum(count))
    if n_chips <= model.kv_heads:
        held = [kv.times(group) for kv in _even_parts(Extent(first=0, count=model.kv_heads), n_chips)]
    else:
        held = []
        for kv, chips in enumerate(_even_parts(Extent(first=0, count=n_chips), model.kv_heads)):
            held += _even_parts(Extent(first=kv * group, count=group), chips.count)
        held.sort(key=lambda heads: heads.count, reverse=True)
    units = {name: _runs(np.repeat(each[:, 0], count)) for name, each in shards.units.items()}
    return [
        Share(
            heads=heads,
            kv_heads=_kv_heads(heads, group),
            units={name: extents[chip] for name, extents in units.items()},
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


def _runs(counts: Array) -> list[Extent]:
    """Give runs of so many units, one after the other."""
    ends = np.cumsum(counts).tolist()
    return [Extent(first=end - count, count=count) for end, count in zip(ends, counts.tolist(), strict=True)]
