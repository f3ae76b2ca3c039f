"""How long chips wait for loads from L3 that other work hides in part.

In a token after token, a chip runs block 1, ..., block L and the head. What it loads for a block may
come while the blocks before it run that load nothing, one at a time and in order; the rest keeps it
waiting. Which of its blocks are loaded is free, so each load gets as many blocks to hide behind as
makes the wait least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What loads can hide behind.

    Attributes
    ----------
    block_s, head_s : (...)
        Time of a block, and of the head, that nothing waits in; 0 where there is no head.
    hiding_s : (...)
        Time of a block beside which loads of its own weights may come.
    bandwidth_bytes_per_s : (...)
        Of L3, that one chip has.
    steady : bool
        Whether loads between blocks take time at all.
    """

    block_s: Array
    head_s: Array
    hiding_s: Array
    bandwidth_bytes_per_s: Array
    steady: bool

    def at(self, index: NDArray[Any] | np.int64) -> Pace:
        """Give the chips at `index`, of one axis."""
        return self.each(lambda times: times[index])

    def of(self, where: NDArray[np.bool_]) -> Pace:
        """Give the chips of some roles and classes one by one, (...) to (m,)."""
        return self.each(lambda times: np.broadcast_to(times, where.shape)[where])

    def each(self, make: Callable[[Array], Array]) -> Pace:
        """Give a pace whose arrays are made of these."""
        arrays: Any = {f.name: make(getattr(self, f.name)) for f in fields(self) if f.name != "steady"}
        return replace(self, **arrays)

    def load_s(self, size_bytes: Array) -> Array:
        """Seconds that L3 is busy with so many bytes between blocks."""
        return size_bytes / self.bandwidth_bytes_per_s * float(self.steady)

    def exposed_s(self, size_bytes: Array, load_s: Array) -> Array:
        """Seconds that a block waits for so many bytes of its own, while L3 is busy with others for `load_s`.

        Some of them may come beside its computing, in what time the others leave.
        """
        hidden = np.maximum(np.minimum(self.hiding_s, self.block_s - load_s), 0.0)
        return np.asarray(np.maximum(size_bytes / self.bandwidth_bytes_per_s - hidden, 0.0))


def waiting_s(
    pace: Pace, n_blocks: int, loaded: int | NDArray[np.int64], load_s: Array, head_load_s: Array
) -> Array:
    """Seconds of a token that a chip waits at least, when the blocks that it loads are well chosen.

    Each load hides behind a whole number of blocks, n_blocks in all: at least the one that runs just
    before it may begin. The first block's load hides behind the head too. A unit of hiding is worth a
    block's time to a load that needs as much, else what the load still needs; the best units are given
    away first, which is exact, as the first unit of a load is worth no less than the next.

    Parameters
    ----------
    n_blocks : int
        Blocks of the model.
    loaded : (...) int
        Blocks that are loaded for each token.
    load_s, head_load_s : (...)
        What loading one of them, and rows of the head, takes beside other work.
    """
    t = pace.block_s
    others = np.maximum(loaded - 1, 0)
    first_s = np.maximum(load_s - pace.head_s, 0.0)
    # Rows of the head and the first block's weights have one buffer: one of the two hides behind block L.
    head_load, first = np.minimum(head_load_s, t), np.where(head_load_s > 0, 0.0, np.minimum(first_s, t))
    hidden = others * np.minimum(load_s, t) + head_load + first
    spare = n_blocks - others - 1
    rest = [(others, np.maximum(load_s - t, 0.0)), (1, head_load_s - head_load), (1, first_s - first)]
    whole = [(many, np.floor(left / t)) for many, left in rest]
    full = sum((many * units for many, units in whole), 0.0)
    hidden = hidden + np.minimum(spare, full) * t
    parts = [left - units * t for (_, left), (_, units) in zip(rest, whole, strict=True)]
    units = np.maximum(spare - full, 0)
    gains = [
        np.where(
            units >= a + b, a * parts[1] + b * parts[2] + np.minimum(others, units - a - b) * parts[0], 0
        )
        for a in (0, 1)
        for b in (0, 1)
    ]
    hidden = hidden + np.max(gains, axis=0)
    late = others * load_s + first_s + head_load_s - hidden
    alone = np.maximum(head_load_s - n_blocks * t, 0.0)
    return np.asarray(np.where(loaded > 0, np.maximum(late, 0.0), alone))


def late_s(
    pace: Pace,
    n_blocks: int,
    loaded: int | NDArray[np.int64],
    *,
    block_exposed_bytes: Array,
    exposed_bytes: Array,
    between_bytes: Array,
    head_ahead_bytes: Array,
) -> Array:
    """Seconds of a token that a chip waits for L3: for what is exposed, and what other work hides in part.

    Parameters
    ----------
    loaded : (...) int
        Blocks that are loaded for each token.
    block_exposed_bytes : (...)
        What one loaded block loads of its own for its turn.
    exposed_bytes, head_ahead_bytes : (...)
        Of a whole token, beside blocks.
    between_bytes : (...)
        What one loaded block moves while others run.
    """
    bandwidth, load_s = pace.bandwidth_bytes_per_s, pace.load_s(between_bytes)
    waits = waiting_s(pace, n_blocks, loaded, load_s, head_ahead_bytes / bandwidth)
    return loaded * pace.exposed_s(block_exposed_bytes, load_s) + exposed_bytes / bandwidth + waits


def loaded_blocks(
    n_blocks: int, loaded: int, load_s: float, head_load_s: float, block_s: float, head_s: float
) -> list[int]:
    """Choose the blocks that one chip loads, as `waiting_s` reckons; numbers from 0 on.

    >>> loaded_blocks(8, 2, 3.0, 0.0, 1.0, 0.0)
    [3, 7]
    >>> loaded_blocks(8, 2, 3.0, 2.0, 1.0, 0.0)
    [3, 6]
    """
    if not loaded:
        return []
    ahead = head_load_s > 0
    needs = [head_load_s, max(load_s - head_s, 0.0), *[load_s] * (loaded - 1)]
    given = [int(ahead), int(not ahead), *[1] * (loaded - 1)]
    for _ in range(n_blocks - sum(given)):
        gains = [min(need - units * block_s, block_s) for need, units in zip(needs, given, strict=True)]
        # Units that are worth nothing go where they keep the loads apart.
        best = max(range(int(not ahead), len(needs)), key=lambda i: (max(gains[i], 0.0), -given[i]))
        given[best] += 1
    _, first, *between = given
    ends = [first - int(not ahead), *between]
    return [int(block) for block in np.cumsum(ends)]
