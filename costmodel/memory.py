"""Where weights live, what is loaded when, and how many bytes each memory level holds.

One block's weights and KV cache move together. A chip whose blocks all fit on chip is `resident`;
else, when the block that runs fits beside its activations, the next one is `prefetched` into what is
left, as far as it fits; else the block is tiled over rows and its weights are `streamed`, once a tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.hardware import FlashMemory, Mcu, MemoryLevel

Array = NDArray[np.floating[Any]]


class Regime(IntEnum):
    """How a chip's weights reach its cores, best first."""

    RESIDENT = 0
    PREFETCHED = 1
    STREAMED = 2


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Regimes and L3 traffic by role and class of chips; arrays of shape (r, c, n), bytes.

    Attributes
    ----------
    regime : int
        `Regime` of the blocks.
    block_exposed, block_prefetched : float
        Bytes that one block moves while nothing computes (loads, spilled activations), and that it
        loads while the block before it runs.
    block_stored : float
        Bytes of new keys and values that one block writes back; they share L3's channel and hide
        like prefetched ones.
    head_exposed, head_prefetched : float
        The same for the LM head's rows.
    l2, l3, flash : float
        Footprint by memory level.
    """

    regime: NDArray[np.int64]
    block_exposed: Array
    block_prefetched: Array
    block_stored: Array
    head_exposed: Array
    head_prefetched: Array
    l2: Array
    l3: Array
    flash: Array

    @property
    def block_traffic(self) -> Array:
        """L3 bytes of one block, loads and stores."""
        return self.block_exposed + self.block_prefetched + self.block_stored

    @property
    def head_traffic(self) -> Array:
        """L3 bytes of the LM head."""
        return self.head_exposed + self.head_prefetched

    def levels(self, mcu: Mcu) -> dict[str, tuple[MemoryLevel | FlashMemory, Array]]:
        """Give the memory levels that an MCU has, each with its footprint."""
        held = {mcu.l2_name: self.l2, "L3": self.l3, "flash": self.flash}
        return {name: (level, held[name]) for name, level in mcu.levels.items()}


def place(
    mcu: Mcu,
    *,
    weights: Array,
    cache: Array,
    cache_read: Array,
    stored: Array,
    activations: Array,
    head: Array,
    embedding: Array,
    n_blocks: int,
    passes: int,
) -> Placement:
    """Place a chip's share in its memories.

    Weights that are read in place from flash take no room on chip; without L3 all else stays there.

    Parameters
    ----------
    weights, cache : (c, n) float
        Bytes of one block's weights, and of its KV cache.
    cache_read, stored : (c, n) float
        Bytes of that cache which a block reads, and bytes of new keys and values.
    activations : (r, c, n) float
        Most activation bytes alive at once, by role too.
    head, embedding : (c, n) float
        Bytes of LM-head rows, and of embedding rows beyond them; 0 when not counted.
    n_blocks : int
        Blocks that the chip must hold.
    passes : int
        Row tiles of a block: times its weights are read when they do not stay.
    """
    room = mcu.l2.usable_bytes
    if mcu.flash is not None:
        none = np.zeros_like(activations)
        return Placement(
            regime=np.full(activations.shape, Regime.RESIDENT),
            block_exposed=none,
            block_prefetched=none,
            block_stored=none,
            head_exposed=none,
            head_prefetched=none,
            l2=n_blocks * cache + activations,
            l3=none,
            flash=n_blocks * weights + head + embedding + none,
        )
    block = weights + cache_read
    blocks = n_blocks * (weights + cache)
    resident = blocks + activations <= room
    if mcu.l3 is None:
        resident = np.ones_like(resident)
    running = ~resident & (block + activations <= room)
    streamed = ~resident & ~running

    left = np.maximum(room - activations - np.where(resident, blocks, block), 0.0)
    prefetched = np.where(running, np.minimum(block, left), 0.0)
    exposed = np.where(running, block - prefetched, np.where(streamed, weights * passes + cache_read, 0.0))
    spilled = np.where(streamed, 2 * np.maximum(activations - room, 0.0), 0.0)
    exposed = exposed + spilled

    head_room = np.where(streamed, 0.0, left)
    head_stays = resident & (head + embedding <= head_room)
    if mcu.l3 is None:
        head_stays = np.ones_like(resident)
    head_ahead = np.where(head_stays, 0.0, np.minimum(head, head_room))
    head_exposed = np.where(head_stays, 0.0, head - head_ahead)

    held = np.where(resident, blocks, block + np.maximum(prefetched, head_ahead)) + activations
    held = held + np.where(head_stays, head + embedding, np.where(resident, head_ahead, 0.0))
    off_chip = np.where(resident, 0.0, blocks + spilled / 2)
    return Placement(
        regime=np.where(resident, Regime.RESIDENT, np.where(running, Regime.PREFETCHED, Regime.STREAMED)),
        block_exposed=exposed,
        block_prefetched=prefetched,
        block_stored=np.where(resident, 0.0, stored),
        head_exposed=head_exposed,
        head_prefetched=head_ahead,
        l2=held if mcu.l3 is None else np.minimum(held, room),
        l3=off_chip + np.where(head_stays, 0.0, head + embedding),
        flash=np.zeros_like(held),
    )
