"""What chips keep on chip and what they load: all blocks or none, or as many as make them wait least."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.loads import Pace, late_s

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Share:
    """What chips have to put somewhere; arrays of bytes, by role and class (r, c, ...) or one by one (m,).

    Attributes
    ----------
    weights, cache
        One block's weights, and its KV cache.
    cache_read, stored
        What a block reads of that cache, and its new keys and values.
    room_to_read
        What it reads at most, with the longest context.
    activations, working
        Most activations alive at once; what of them cannot be spilled: those of one tile of rows, and
        packets under way.
    head, embedding
        Rows of the LM head, and of the embedding beyond them; 0 when not counted.
    looked_up
        What all chips look up of the embedding, where any row of it is not on chip.
    n_blocks : int
        Blocks that the chip must hold.
    passes : int
        Row tiles of a block: times its weights are read when they do not stay.
    """

    weights: Array
    cache: Array
    cache_read: Array
    room_to_read: Array
    stored: Array
    activations: Array
    working: Array
    head: Array
    embedding: Array
    looked_up: Array
    n_blocks: int
    passes: int

    def each(self, make: Callable[[Array], Array]) -> Share:
        """Give a share whose arrays are made of these."""
        counts = ("n_blocks", "passes")
        arrays: Any = {f.name: make(getattr(self, f.name)) for f in fields(self) if f.name not in counts}
        return replace(self, **arrays)

    def at(self, index: NDArray[Any]) -> Share:
        """Give the chips at `index`, of one axis."""
        return self.each(lambda sizes: sizes[index])

    def of(self, where: NDArray[np.bool_]) -> Share:
        """Give the chips of some roles and classes one by one, (r, c, ...) to (m,)."""
        return self.each(lambda sizes: np.broadcast_to(sizes, where.shape)[where])

    @property
    def stays(self) -> Array:
        """What one block takes that stays."""
        return self.weights + self.cache

    @property
    def runs(self) -> Array:
        """What is loaded of one block for its turn."""
        return self.weights + self.cache_read

    @property
    def room_to_run(self) -> Array:
        """What one block takes that is loaded for its turn."""
        return self.weights + self.room_to_read


@dataclass(frozen=True, kw_only=True)
class Residency:
    """What chips keep on chip, and how they load the rest; (m,).

    Attributes
    ----------
    pinned : int
        Blocks that stay.
    tiled : bool
        Whether the others are streamed, once a row tile.
    ahead : float
        Bytes of a block that are loaded before its turn.
    kept, head_ahead : float
        Bytes of the head's rows that stay, and that are loaded before their turn.
    """

    pinned: NDArray[np.int64]
    tiled: NDArray[np.bool_]
    ahead: Array
    kept: Array
    head_ahead: Array


def all_stays(share: Share, room: float) -> NDArray[np.bool_]:
    """Whether chips keep all that they have, so that there is nothing to choose, (m,)."""
    tables = share.head + share.embedding
    return np.asarray(share.n_blocks * share.stays + share.activations + tables <= room)


def all_or_none(share: Share, room: float) -> Residency:
    """Keep all blocks if they fit, else none; the head's rows if they fit beside all blocks."""
    resident = share.n_blocks * share.stays + share.activations <= room
    running = share.room_to_run + share.activations <= room
    held = np.where(resident, share.n_blocks * share.stays, share.room_to_run)
    left = np.maximum(room - share.activations - held, 0.0)
    head_room = np.where(resident | running, left, 0.0)
    stays = all_stays(share, room)
    return Residency(
        pinned=np.where(resident, share.n_blocks, 0),
        tiled=~resident & ~running,
        ahead=np.where(running & ~resident, np.minimum(share.runs, left), 0.0),
        kept=np.where(stays, share.head, 0.0),
        head_ahead=np.where(stays, 0.0, np.minimum(share.head, head_room)),
    )


def still_fits(
    share: Share, room: float, *, pinned: NDArray[np.int64], tiled: NDArray[np.bool_], beside: Array
) -> NDArray[np.bool_]:
    """Whether chips can keep so many blocks, and run the others in L2 unless those are streamed, (m,).

    Parameters
    ----------
    beside : (m,)
        Bytes that stay besides blocks.
    """
    runs = np.where((pinned < share.n_blocks) & ~tiled, share.room_to_run, 0.0)
    left = room - share.activations - pinned * share.stays
    return np.asarray((left >= runs + beside) | (tiled & (pinned == 0)))


def table_stays(share: Share, beside: Array, kept: Array) -> NDArray[np.bool_]:
    """Whether the embedding stays on chip, in what is left beside all else: once all rows of the head do."""
    return np.asarray((kept >= share.head) & (share.embedding <= beside))


def streamed_bytes(share: Share, left: Array) -> Array:
    """Bytes that a block moves which has no room: weights once a row tile, activations that spill."""
    return np.asarray(share.weights * share.passes + share.cache_read + 2 * np.maximum(-left, 0.0))


def least_late(share: Share, room: float, pace: Pace) -> Residency:
    """Keep as many blocks and rows of the head as make each chip wait least, then load least.

    All that fits is tried, so that more room, or less to put there, never makes a chip wait longer.

    Parameters
    ----------
    share, pace : of shape (m,)
        Chips one by one.
    """
    m = len(share.activations)
    types = {"pinned": np.int64, "tiled": np.bool_}
    found: dict[str, NDArray[Any]] = {
        f.name: np.zeros(m, dtype=types.get(f.name, np.float64)) for f in fields(Residency)
    }
    late, moved = np.full(m, np.inf), np.full(m, np.inf)
    for pinned in range(share.n_blocks + 1):
        left = room - share.activations - pinned * share.stays
        fits = np.flatnonzero((left >= 0) | (pinned == 0))
        if not len(fits):
            break
        loaded = share.n_blocks - pinned
        for at, tiled, ahead, kept in _ways(share, left, fits, loaded):
            some, then = share.at(at), pace.at(at)
            head_ahead = np.minimum(some.head - kept, ahead)
            exposed = streamed_bytes(some, left[at]) if tiled else some.runs - ahead
            between = ahead + some.stored
            running = some.room_to_run if loaded and not tiled else 0.0
            stays = table_stays(some, left[at] - running - ahead - kept, kept)
            at_once = some.head - kept + np.where(stays, 0.0, some.looked_up)
            total = loaded * (exposed + between) + at_once
            wait = late_s(
                then,
                share.n_blocks,
                loaded,
                block_exposed_bytes=exposed,
                exposed_bytes=at_once - head_ahead,
                between_bytes=between,
                head_ahead_bytes=head_ahead,
            )
            better = (wait < late[at]) | ((wait == late[at]) & (total < moved[at]))
            to = at[better]
            late[to], moved[to] = wait[better], total[better]
            values = (pinned, tiled, ahead[better], kept[better], head_ahead[better])
            for name, value in zip(found, values, strict=True):
                found[name][to] = value
    return Residency(**found)


def _ways(
    share: Share, left: Array, fits: NDArray[np.int64], loaded: int
) -> Iterator[tuple[NDArray[np.int64], bool, Array, Array]]:
    """Give ways to use what is left beside pinned blocks: chips, whether blocks are streamed, ahead, kept.

    Blocks that are loaded have no room at all; or one has, and what is left goes to the prefetch buffer
    first, or to rows of the head.
    """
    spare = np.maximum(left[fits], 0.0)
    yield fits, loaded > 0, np.zeros(len(fits)), np.minimum(share.head[fits], spare)
    if not loaded:
        return
    runs = fits[left[fits] >= share.room_to_run[fits]]
    if not len(runs):
        return
    block, head = share.runs[runs], share.head[runs]
    beside = left[runs] - share.room_to_run[runs]
    ahead = np.minimum(block, beside)
    yield runs, False, ahead, np.minimum(head, beside - ahead)
    short = head + block > beside
    kept = np.minimum(head, beside)[short]
    yield runs[short], False, np.minimum(block[short], beside[short] - kept), kept
