"""Uneven splits without a loop over chips: chips of a plan fall into a few classes of equal share.

Heads are dealt out whole, most to the first chips. Everything else (columns, rows)
is dealt evenly too, or by room: more to chips that have less to hold, up to the same level for all.
Spare units go to the last chips, so that the extra work of one does not meet the extra work of the
other. A class is a run of consecutive chips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.plan import MAX_CHIPS
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
    replicate : (...) int
        Whether heads are dealt out wherever KV groups end.
    """

    first: Array
    n_chips: Array
    heads: Array
    kv_heads: Array
    units: dict[str, Array]
    replicate: Array

    def total(self, units: Array) -> Array:
        """Sum what each chip has over all chips of a plan."""
        return np.asarray(np.sum(units * self.n_chips, axis=0))


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Consecutive units: `count` of them from `first` on."""

    first: int
    count: int

    def times(self, width: int) -> Extent:
        """Give the extent in smaller units, `width` of them to each."""
        return Extent(first=self.first * width, count=self.count * width)


def part(total: int | Array, n: int | Array, i: Array) -> tuple[Array, Array]:
    """First unit and number of units of run i of n: as even as whole units allow, longer runs first."""
    each, extra = total // n, total % n
    return each * i + np.minimum(i, extra), each + (i < extra)


def query_heads(heads: int, kv_heads: int, n: Array, replicate: Array, i: Array) -> tuple[Array, Array]:
    """First query head of run i of n, and how many there are.

    A KV group are the ``heads / kv_heads`` query heads that share one key/value head. To replicate is
    to deal query heads as evenly as whole ones allow, wherever groups end. Else up to `kv_heads` chips
    have whole groups, so that nothing is stored twice, and more chips share a group each.
    """
    group = heads // kv_heads
    evenly = part(heads, n, i)
    groups = part(kv_heads, n, i)
    chips, wider = n // kv_heads, n % kv_heads  # of each group
    at = np.minimum(i, wider * (chips + 1))
    of_group = at // (chips + 1) + (i - at) // np.maximum(chips, 1)
    first_chip, chips_there = part(n, kv_heads, of_group)
    within = part(group, np.maximum(chips_there, 1), i - first_chip)
    few = n <= kv_heads
    first = np.where(replicate, evenly[0], np.where(few, group * groups[0], group * of_group + within[0]))
    count = np.where(replicate, evenly[1], np.where(few, group * groups[1], within[1]))
    return first, count


def kv_heads_of(group: int, first: Array, count: Array) -> tuple[Array, Array]:
    """First key/value head that query heads need, and how many: one of each group they have a part of."""
    last = (first + count - 1) // group
    return first // group, np.where(count > 0, last - first // group + 1, 0)


@lru_cache(maxsize=256)
def _classes(heads: int, kv_heads: int) -> Array:
    """Heads, KV heads and chips of each class, of either way to deal and any n: (3, c, 2, MAX_CHIPS + 1)."""
    way, n, i = np.ogrid[:2, : MAX_CHIPS + 1, :MAX_CHIPS]
    first, held = query_heads(heads, kv_heads, np.maximum(n, 1), way, i)
    _, kv_held = kv_heads_of(heads // kv_heads, first, held)
    code = np.where(i < n, held * (kv_heads + 1) + kv_held, -1)
    code = -np.sort(-code, axis=-1)
    of_class = np.cumsum(np.diff(code, axis=-1, prepend=code[..., :1]) != 0, axis=-1)
    at = np.broadcast_arrays(of_class, way, n)
    found = np.zeros((3, int(of_class.max()) + 1, 2, MAX_CHIPS + 1), dtype=np.int64)
    found[0][*at] = code // (kv_heads + 1)
    found[1][*at] = code % (kv_heads + 1)
    np.add.at(found[2], tuple(at), code >= 0)
    return np.where(found[2] > 0, found, 0)


def head_classes(model: Model, n: Array, replicate: Any) -> tuple[Array, Array, Array]:
    """Heads, KV heads and number of chips of each class, most heads first; each of shape (c, ...)."""
    heads, kv_heads, chips = _classes(model.heads, model.kv_heads)[:, :, replicate, n]
    return heads, kv_heads, chips


def alike(model: Model, n: Array) -> NDArray[np.bool_]:
    """Whether KV groups are whole anyway where heads are dealt as evenly as whole ones allow, (...)."""
    classes = _classes(model.heads, model.kv_heads)
    return np.asarray(np.all(classes[:, :, 0] == classes[:, :, 1], axis=(0, 1))[n])


@dataclass(frozen=True, kw_only=True)
class Fills:
    """How columns of the FFN and vocabulary rows are dealt out: `Dimension.fill` of each, (...).

    `cached_tokens` is the context that chips hold when it is done; without it, the workload's longest.
    """

    columns: Any = 0.0
    rows: Any = 0.0
    cached_tokens: int | None = None


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
    replicate: Any = 1,
    head_bytes: Any = 0.0,
    kv_head_bytes: Any = 0.0,
) -> Shards:
    """Cut a model over n chips: heads first, then one dimension after the other.

    Parameters
    ----------
    n : int of any shape
        Number of chips of each plan.
    dimensions : dict of Dimension
        What to deal out besides heads, in this order.
    replicate : (...) int
        Whether heads are dealt out wherever KV groups end (1), see `query_heads`.
    head_bytes, kv_head_bytes : (...)
        What a chip holds for each of its heads, and of its key/value heads.
    """
    heads, kv_heads, count = head_classes(model, n, replicate)
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
        replicate=replicate + np.zeros_like(n),
    )


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
    count = shards.n_chips[:, 0]
    n = np.array([np.sum(count)])
    first, heads = query_heads(model.heads, model.kv_heads, n, shards.replicate[:1], np.arange(n[0]))
    kv_first, kv_heads = kv_heads_of(model.heads // model.kv_heads, first, heads)
    order = np.lexsort((-kv_heads, -heads))
    units = {name: _runs(np.repeat(each[:, 0], count)) for name, each in shards.units.items()}
    return [
        Share(
            heads=Extent(first=int(first[i]), count=int(heads[i])),
            kv_heads=Extent(first=int(kv_first[i]), count=int(kv_heads[i])),
            units={name: extents[chip] for name, extents in units.items()},
        )
        for chip, i in enumerate(order.tolist())
    ]


def _runs(counts: Array) -> list[Extent]:
    """Give runs of so many units, one after the other."""
    ends = np.cumsum(counts).tolist()
    return [Extent(first=end - count, count=count) for end, count in zip(ends, counts.tolist(), strict=True)]
