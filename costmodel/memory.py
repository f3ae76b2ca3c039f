"""Where weights live, what is loaded when, and how many bytes each memory level holds.

One block's weights and KV cache move together. Some blocks are *pinned*: they stay on chip. If any is
not, and the one that runs fits beside them and its activations, the next one is *prefetched* into what
is left, as far as it fits; else blocks are tiled over rows and their weights are *streamed*, once a
tile. A plan keeps all blocks or none, or, pinning, as many on each chip as make it wait least.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.hardware import Mcu
from costmodel.loads import Pace, waiting_s

Array = NDArray[np.floating[Any]]


class Regime(IntEnum):
    """How a chip's weights reach its cores, best first."""

    RESIDENT = 0
    PINNED = 1
    PREFETCHED = 2
    STREAMED = 3


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a chip has to put somewhere; arrays of bytes, (c, n) or (r, c, n).

    Attributes
    ----------
    weights, cache : (c, n)
        One block's weights, and its KV cache.
    cache_read, stored : (c, n)
        What a block reads of that cache, and its new keys and values.
    activations, working : (r, c, n)
        Most activations alive at once, by role too; what of them cannot be spilled: those of one tile
        of rows, and packets under way.
    head, embedding : (c, n)
        Rows of the LM head, and of the embedding beyond them; 0 when not counted.
    n_blocks : int
        Blocks that the chip must hold.
    passes : int
        Row tiles of a block: times its weights are read when they do not stay.
    """

    weights: Array
    cache: Array
    cache_read: Array
    stored: Array
    activations: Array
    working: Array
    head: Array
    embedding: Array
    n_blocks: int
    passes: int

    @property
    def stays(self) -> Array:
        """What one block takes that stays."""
        return self.weights + self.cache

    @property
    def runs(self) -> Array:
        """What one block takes that is loaded for its turn."""
        return self.weights + self.cache_read


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Regimes and L3 traffic by role and class of chips; arrays of shape (r, c, n), bytes.

    Attributes
    ----------
    pinned, loaded : int
        Blocks that stay on chip, and that do not.
    tiled : bool
        Whether those that do not are streamed, once a row tile.
    block_exposed, block_prefetched : float
        Bytes that one loaded block moves while nothing computes (loads, spilled activations), and that
        it loads while blocks before it run.
    block_stored : float
        Bytes of new keys and values that it writes back; they share L3's channel and hide like
        prefetched ones.
    head_kept, head_exposed, head_prefetched : float
        Rows of the LM head that stay, and that are loaded like blocks.
    table_off_chip : bool
        Whether rows of the embedding are looked up in L3.
    l2, l3, flash : float
        Footprint by memory level: what is held there.
    l2_needed : float
        What a chip cannot do without on chip.
    """

    pinned: NDArray[np.int64]
    loaded: NDArray[np.int64]
    tiled: NDArray[np.bool_]
    block_exposed: Array
    block_prefetched: Array
    block_stored: Array
    head_kept: Array
    head_exposed: Array
    head_prefetched: Array
    table_off_chip: NDArray[np.bool_]
    l2: Array
    l3: Array
    flash: Array
    l2_needed: Array

    @property
    def regime(self) -> NDArray[np.int64]:
        """`Regime` of the blocks."""
        none = np.where(self.tiled, Regime.STREAMED, Regime.PREFETCHED)
        return np.where(self.loaded == 0, Regime.RESIDENT, np.where(self.pinned > 0, Regime.PINNED, none))

    @property
    def block_traffic(self) -> Array:
        """L3 bytes of all blocks, loads and stores."""
        return self.loaded * (self.block_exposed + self.block_prefetched + self.block_stored)

    @property
    def head_traffic(self) -> Array:
        """L3 bytes of the LM head."""
        return self.head_exposed + self.head_prefetched

    def held(self, mcu: Mcu) -> dict[str, Array]:
        """Give what is held in each memory level that an MCU has."""
        held = {mcu.l2_name: self.l2, "L3": self.l3, "flash": self.flash}
        return {name: held[name] for name in mcu.levels}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a chip keeps on chip, and how it loads the rest; (r, c, n).

    `ahead` is the prefetch buffer that a block finds, `kept` and `head_ahead` are bytes of the head's
    rows that stay and that are loaded before their turn.
    """

    pinned: NDArray[np.int64]
    tiled: NDArray[np.bool_]
    ahead: Array
    kept: Array
    head_ahead: Array

    def unless(self, better: NDArray[np.bool_], other: Choice) -> Choice:
        """Take the other one where it is better."""
        return Choice(
            **{f.name: np.where(better, getattr(other, f.name), getattr(self, f.name)) for f in fields(self)}
        )


def all_or_none(share: Share, room: float) -> Choice:
    """Keep all blocks if they fit, else none; the head's rows if they fit beside all blocks."""
    resident = share.n_blocks * share.stays + share.activations <= room
    running = share.runs + share.activations <= room
    held = np.where(resident, share.n_blocks * share.stays, share.runs)
    left = np.maximum(room - share.activations - held, 0.0)
    head_room = np.where(resident | running, left, 0.0)
    stays = resident & (share.head + share.embedding <= head_room)
    return Choice(
        pinned=np.where(resident, share.n_blocks, 0),
        tiled=~resident & ~running,
        ahead=np.where(running & ~resident, np.minimum(share.runs, left), 0.0),
        kept=np.where(stays, share.head, 0.0),
        head_ahead=np.where(stays, 0.0, np.minimum(share.head, head_room)),
    )


def partly(share: Share, room: float) -> Iterator[tuple[NDArray[np.bool_], Choice]]:
    """Give all ways to keep some blocks and some of the head's rows, each with where it is possible.

    What is left beside pinned blocks goes to the prefetch buffer first, or to rows of the head; or
    blocks that are loaded have no room at all, and are streamed.
    """
    none = np.zeros_like(share.activations)
    for pinned in range(share.n_blocks + 1):
        beside = room - share.activations - pinned * share.stays
        tiled = (beside >= 0) if pinned else np.ones(none.shape, dtype=bool)
        if not np.any(tiled):
            return
        whole = np.full(none.shape, pinned)
        spare = np.maximum(beside, 0.0)
        kept = np.minimum(share.head, spare)
        streams = np.full(none.shape, pinned < share.n_blocks)
        yield tiled, Choice(pinned=whole, tiled=streams, ahead=none, kept=kept, head_ahead=none)
        left = beside - share.runs
        running = left >= 0
        if pinned == share.n_blocks or not np.any(running):
            continue
        left = np.maximum(left, 0.0)
        for ahead_first in (True, False):
            most = np.minimum(share.runs if ahead_first else share.head, left)
            rest = np.minimum(share.head if ahead_first else share.runs, left - most)
            ahead, kept = (most, rest) if ahead_first else (rest, most)
            yield (
                running,
                Choice(
                    pinned=whole,
                    tiled=~streams,
                    ahead=ahead,
                    kept=kept,
                    head_ahead=np.minimum(share.head - kept, ahead),
                ),
            )


def placed(share: Share, choice: Choice, room: float) -> Placement:
    """Say what a choice loads and holds."""
    loaded = share.n_blocks - choice.pinned
    pinned = choice.pinned * share.stays
    left = room - pinned - share.activations
    spilled = np.where(choice.tiled, 2 * np.maximum(-left, 0.0), 0.0)
    streamed = share.weights * share.passes + share.cache_read + spilled
    exposed = np.where(choice.tiled, streamed, share.runs - choice.ahead)
    running = np.where(loaded > 0, share.runs, 0.0)
    held = pinned + running + np.maximum(choice.ahead, choice.head_ahead) + choice.kept
    beside = left - np.where(choice.tiled, 0.0, running) - choice.ahead - choice.kept
    stays = (choice.kept >= share.head) & (share.embedding <= beside)
    held = held + share.activations + np.where(stays, share.embedding, 0.0)
    return Placement(
        pinned=choice.pinned,
        loaded=loaded,
        tiled=choice.tiled,
        block_exposed=np.where(loaded > 0, exposed, 0.0),
        block_prefetched=choice.ahead,
        block_stored=np.where(loaded > 0, share.stored, 0.0),
        head_kept=choice.kept,
        head_exposed=share.head - choice.kept - choice.head_ahead,
        head_prefetched=choice.head_ahead,
        table_off_chip=~stays,
        l2=np.minimum(held, room),
        l3=loaded * share.stays
        + spilled / 2
        + share.head
        - choice.kept
        + np.where(stays, 0.0, share.embedding),
        flash=np.zeros_like(held),
        l2_needed=share.working,
    )


def late_s(placement: Placement, pace: Pace, n_blocks: int) -> Array:
    """Seconds of a token that each chip waits for L3 by itself, (r, c, n)."""
    load = pace.load_s(placement.block_prefetched + placement.block_stored)
    exposed = placement.loaded * placement.block_exposed + placement.head_exposed
    hidden = placement.head_prefetched / pace.bandwidth_bytes_per_s
    return exposed / pace.bandwidth_bytes_per_s + waiting_s(pace, n_blocks, placement.loaded, load, hidden)


def place(mcu: Mcu, share: Share, pace: Pace, pinning: NDArray[np.bool_]) -> Placement:
    """Place chips' shares in their memories.

    Weights that are read in place from flash take no room on chip; without L3 all else stays there.

    Parameters
    ----------
    pinning : (n,) bool
        Whether a plan's chips may keep some of their blocks: as many as make each wait least, then load
        least. Others keep all or none.
    """
    room = mcu.l2.usable_bytes
    if mcu.l3 is None:
        return _all_on_chip(mcu, share)
    best = all_or_none(share, room)
    if np.any(pinning):
        found = placed(share, best, room)
        late, traffic = late_s(found, pace, share.n_blocks), found.block_traffic + found.head_traffic
        for possible, choice in partly(share, room):
            found = placed(share, choice, room)
            then, moved = late_s(found, pace, share.n_blocks), found.block_traffic + found.head_traffic
            better = pinning & possible & ((then < late) | ((then == late) & (moved < traffic)))
            best = best.unless(better, choice)
            late, traffic = np.where(better, then, late), np.where(better, moved, traffic)
    return placed(share, best, room)


def _all_on_chip(mcu: Mcu, share: Share) -> Placement:
    """Give everything the one place there is."""
    none = np.zeros_like(share.activations)
    weights = share.n_blocks * share.weights + share.head + share.embedding
    rest = share.n_blocks * share.cache + share.activations
    l2 = rest + (weights if mcu.flash is None else 0.0)
    return Placement(
        pinned=np.full(none.shape, share.n_blocks),
        loaded=np.zeros(none.shape, dtype=np.int64),
        tiled=np.zeros(none.shape, dtype=bool),
        block_exposed=none,
        block_prefetched=none,
        block_stored=none,
        head_kept=share.head + none,
        head_exposed=none,
        head_prefetched=none,
        table_off_chip=np.zeros(none.shape, dtype=bool),
        l2=l2,
        l3=none,
        flash=none if mcu.flash is None else weights + none,
        l2_needed=l2,
    )
