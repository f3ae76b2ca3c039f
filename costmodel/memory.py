"""Where weights live, what is loaded when, and how many bytes each memory level holds.

One block's weights and KV cache move together. Some blocks are *pinned*: they stay on chip. If any is
not, and the one that runs fits beside them and its activations, the next one is *prefetched* into what
is left, as far as it fits; else blocks are tiled over rows and their weights are *streamed*, once a
tile. A plan keeps all blocks or none, or, pinning, as many on each chip as make it wait least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.hardware import Mcu
from costmodel.loads import Pace
from costmodel.residency import Residency, Share, all_or_none, all_stays, least_late, table_stays

Array = NDArray[np.floating[Any]]


class Regime(IntEnum):
    """How a chip's weights reach its cores, best first."""

    RESIDENT = 0
    PINNED = 1
    PREFETCHED = 2
    STREAMED = 3


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Regimes and L3 traffic by role and class of chips; arrays of shape (r, c, n), bytes.

    Attributes
    ----------
    pinned, loaded : int
        Blocks that stay on chip, and that do not.
    tiled : bool
        Whether those that do not are streamed, once a row tile.
    block_once, block_streamed, block_prefetched : float
        Bytes that one loaded block moves while nothing computes (loads, spilled activations), that it
        loads so once a row tile, and that it loads while blocks before it run.
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
    passes : int
        Row tiles of a block.
    """

    pinned: NDArray[np.int64]
    loaded: NDArray[np.int64]
    tiled: NDArray[np.bool_]
    block_once: Array
    block_streamed: Array
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
    passes: int | NDArray[Any]

    @property
    def block_exposed(self) -> Array:
        """Bytes that one loaded block moves while nothing computes."""
        return self.block_once + self.block_streamed * self.passes

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

    def each(self, make: Callable[[NDArray[Any]], NDArray[Any]]) -> Placement:
        """Give a placement whose arrays are made of these."""
        arrays = {f.name: make(getattr(self, f.name)) for f in fields(self) if f.name != "passes"}
        return replace(self, **arrays)

    def at(self, where: NDArray[np.bool_]) -> Placement:
        """Give the chips of some roles and classes one by one."""
        return self.each(lambda sizes: sizes[where])

    def spread(self, where: NDArray[np.bool_]) -> Placement:
        """Give chips their places in an array: those that are not there repeat the first that is.

        Parameters
        ----------
        where : (r, c, ...) bool
            Roles and classes that plans have; at least one of each plan.
        """
        flat = prod(where.shape[:2]), prod(where.shape[2:])
        first = np.argmax(where.reshape(flat), axis=0)

        def full(values: NDArray[Any]) -> NDArray[Any]:
            found = np.empty(where.shape, dtype=values.dtype)
            found[where] = values
            one = found.reshape(flat)[first, np.arange(len(first))]
            return np.where(where, found, one.reshape(where.shape[2:]))

        return self.each(full)

    def held(self, mcu: Mcu) -> dict[str, Array]:
        """Give what is held in each memory level that an MCU has."""
        held = {mcu.l2_name: self.l2, "L3": self.l3, "flash": self.flash}
        return {name: held[name] for name in mcu.levels}


def placed(share: Share, choice: Residency, room: float) -> Placement:
    """Say what a choice loads and holds."""
    loaded = share.n_blocks - choice.pinned
    pinned = choice.pinned * share.stays
    left = room - pinned - share.activations
    spilled = np.where(choice.tiled, np.maximum(-left, 0.0), 0.0)
    once = np.where(choice.tiled, share.cache_read + 2 * spilled, share.runs - choice.ahead)
    running = np.where(loaded > 0, share.room_to_run, 0.0)
    held = pinned + running + np.maximum(choice.ahead, choice.head_ahead) + choice.kept
    beside = left - np.where(choice.tiled, 0.0, running) - choice.ahead - choice.kept
    stays = table_stays(share, beside, choice.kept)
    held = held + share.activations + np.where(stays, share.embedding, 0.0)
    return Placement(
        pinned=choice.pinned,
        loaded=loaded,
        tiled=choice.tiled,
        block_once=np.where(loaded > 0, once, 0.0),
        block_streamed=np.where((loaded > 0) & choice.tiled, share.weights, 0.0),
        block_prefetched=choice.ahead,
        block_stored=np.where(loaded > 0, share.stored, 0.0),
        head_kept=choice.kept,
        head_exposed=share.head - choice.kept - choice.head_ahead,
        head_prefetched=choice.head_ahead,
        table_off_chip=~stays,
        l2=np.minimum(held, room),
        l3=loaded * share.stays + spilled + share.head - choice.kept + np.where(stays, 0.0, share.embedding),
        flash=np.zeros_like(held),
        l2_needed=share.working,
        passes=share.passes,
    )


def place(mcu: Mcu, share: Share, pace: Pace, pinning: NDArray[np.bool_]) -> Placement:
    """Place chips' shares in their memories, one by one.

    Weights that are read in place from flash take no room on chip; without L3 all else stays there.

    Parameters
    ----------
    share, pace : of shape (m,)
    pinning : (m,) bool
        Whether a chip may keep some of its blocks: as many as make it wait least, then load least.
        Others keep all or none.
    """
    room = mcu.l2.usable_bytes
    if mcu.l3 is None:
        return _all_on_chip(mcu, share, np.zeros_like(share.activations))
    choice = all_or_none(share, room)
    where = np.flatnonzero(pinning & ~all_stays(share, room))
    if len(where):
        some = least_late(share.at(where), room, pace.at(where))
        for f in fields(Residency):
            getattr(choice, f.name)[where] = getattr(some, f.name)
    return placed(share, choice, room)


def place_all(
    mcu: Mcu, share: Share, pace: Pace, pinning: NDArray[np.bool_], roles: NDArray[np.int64]
) -> Placement:
    """Place the shares of all chips; `roles` says how many there are of each role and class, (r, c, ...)."""
    if mcu.l3 is None:  # no choice: sizes stay as small as what they depend on
        return _all_on_chip(mcu, share, np.zeros(roles.shape))
    shapes = map(np.shape, (roles, share.weights, share.activations, pace.block_s))
    where = np.broadcast_to(roles > 0, np.broadcast_shapes(*shapes))
    chips = place(mcu, share.of(where), pace.of(where), np.broadcast_to(pinning, where.shape)[where])
    return chips.spread(where)


def _all_on_chip(mcu: Mcu, share: Share, none: Array) -> Placement:
    """Give everything the one place there is."""
    weights = share.n_blocks * share.weights + share.head + share.embedding
    rest = share.n_blocks * share.cache + share.activations
    l2 = rest + (weights if mcu.flash is None else 0.0)
    return Placement(
        pinned=np.full(none.shape, share.n_blocks),
        loaded=np.zeros(none.shape, dtype=np.int64),
        tiled=np.zeros(none.shape, dtype=bool),
        block_once=none,
        block_streamed=none,
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
        passes=share.passes,
    )
