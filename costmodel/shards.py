"""Uneven splits without a loop over chips: chips of a plan fall into a few classes of equal share.

``total`` units over n chips give ``total // n`` to each and one more to ``total % n`` of them. Heads
go to the first chips, spare FFN columns and vocabulary rows to the last ones, so that the extra work
of one does not meet the extra work of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.workload import Model

Array = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Shards:
    """What each class of chips holds; every array has shape (n plans, c classes).

    Attributes
    ----------
    n_chips : int
        Chips in the class; 0 for a class that a plan does not have (its other entries then repeat
        those of some chip, so that a maximum over classes stays right).
    heads, kv_heads : int
        Query heads, and the key/value heads they need.
    ffn_columns : int
        Hidden columns of the feed-forward network.
    vocabulary_rows : int
        Rows of the embedding and of the LM head.
    """

    n_chips: Array
    heads: Array
    kv_heads: Array
    ffn_columns: Array
    vocabulary_rows: Array


def share(total: int, n: Array) -> tuple[Array, Array]:
    """Units for every chip, and how many chips get one more."""
    return total // n, total % n


def head_groups(model: Model, n: Array) -> tuple[Array, Array, Array]:
    """Heads, KV heads and number of chips of each class, most heads first; shape (n, 4).

    Up to ``kv_heads`` chips split whole KV groups (``heads / kv_heads`` query heads that share one
    key/value head), so that nothing is stored twice. More chips share a KV group: each of them that
    has a head also holds that group's key/value head, the only replication there is. Chips left
    over have no head.
    """
    group = model.heads // model.kv_heads
    few = n <= model.kv_heads
    each, extra = share(model.kv_heads, n)
    zero = np.zeros_like(n)
    whole = np.stack([group * (each + 1), group * each, zero, zero], axis=-1)
    whole_count = np.stack([extra, n - extra, zero, zero], axis=-1)

    chips = np.maximum(n // model.kv_heads, 1)
    wider = n % model.kv_heads
    parts, counts = [], []
    for m, groups in ((chips, model.kv_heads - wider), (chips + 1, wider)):
        low, more = share(group, m)
        parts += [low + 1, low]
        counts += [groups * more, groups * (m - more)]
    split, split_count = np.stack(parts, axis=-1), np.stack(counts, axis=-1)

    heads = np.where(few[:, None], whole, split)
    count = np.where(few[:, None], whole_count, split_count)
    order = np.argsort(-heads, axis=-1, kind="stable")
    heads, count = np.take_along_axis(heads, order, -1), np.take_along_axis(count, order, -1)
    kv_heads = np.where(few[:, None], heads // group, np.minimum(heads, 1))
    return heads, kv_heads, count


def balanced(model: Model, n: Array) -> Shards:
    """Cut a model over n chips: heads, FFN columns and vocabulary rows as even as whole units allow.

    Parameters
    ----------
    n : (n plans,) int
        Number of chips of each plan.
    """
    heads, kv_heads, count = head_groups(model, n)
    head_ends = np.cumsum(count, axis=-1)
    columns, more_columns = share(model.ffn, n)
    rows, more_rows = share(model.vocabulary, n)
    first_column, first_row = n - more_columns, n - more_rows
    edges = np.sort(np.concatenate([head_ends, first_column[:, None], first_row[:, None]], -1), -1)
    starts = np.concatenate([np.zeros_like(n)[:, None], edges[:, :-1]], -1)
    size = edges - starts
    used = np.any(size > 0, axis=0)
    used[0] |= not used.any()  # a batch of no plans has one class of no chips
    starts, size = np.minimum(starts, n[:, None] - 1)[:, used], size[:, used]
    segment = np.sum(starts[:, :, None] >= head_ends[:, None, :], axis=-1)
    return Shards(
        n_chips=size,
        heads=np.take_along_axis(heads, segment, -1),
        kv_heads=np.take_along_axis(kv_heads, segment, -1),
        ffn_columns=columns[:, None] + (starts >= first_column[:, None]),
        vocabulary_rows=rows[:, None] + (starts >= first_row[:, None]),
    )


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one chip holds, unit by unit; ranges are (first, count)."""

    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    ffn_columns: tuple[int, int]
    vocabulary_rows: tuple[int, int]


def assignment(model: Model, n_chips: int) -> list[Share]:
    """Give every unit of the model to a chip, in agreement with the classes of `balanced`.

    >>> from costmodel.workload import load_workload
    >>> [share.heads for share in assignment(load_workload("tinyllama-42m").model, 3)]
    [(0, 1, 2), (3, 4, 5), (6, 7)]
    """
    group = model.heads // model.kv_heads
    if n_chips <= model.kv_heads:
        held = [
            tuple(head for kv in kvs for head in range(kv * group, (kv + 1) * group))
            for kvs in _even_parts(range(model.kv_heads), n_chips)
        ]
    else:
        held = []
        for kv, chips in enumerate(_even_parts(range(n_chips), model.kv_heads)):
            held += _even_parts(range(kv * group, (kv + 1) * group), len(chips))
        held.sort(key=len, reverse=True)
    columns = _even_ranges(model.ffn, n_chips)
    rows = _even_ranges(model.vocabulary, n_chips)
    return [
        Share(
            heads=heads,
            kv_heads=tuple(sorted({head // group for head in heads})),
            ffn_columns=columns[chip],
            vocabulary_rows=rows[chip],
        )
        for chip, heads in enumerate(held)
    ]


def _even_parts(units: range, n: int) -> list[tuple[int, ...]]:
    """Cut units in n runs as even as whole units allow, longer runs first."""
    each, extra = divmod(len(units), n)
    ends = [each * (i + 1) + min(i + 1, extra) for i in range(n)]
    return [tuple(units[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def _even_ranges(total: int, n: int) -> list[tuple[int, int]]:
    """Cut `total` units in n ranges (first, count), longer ones last."""
    each, extra = divmod(total, n)
    return [(each * i + max(0, i - (n - extra)), each + (i >= n - extra)) for i in range(n)]
