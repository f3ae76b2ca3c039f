"""Weights streamed from L2 to L1 through two tile buffers, in closed form.

A DMA engine brings tiles in order; tile i + 2 is asked for when the kernel releases tile i. With
equal tiles inside a phase this is a max-plus recursion whose extremes are all-compute and all-DMA,
so a phase needs a handful of array operations however many tiles it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

WARM = -np.inf


@dataclass
class Timeline:
    """Cycle counts of a chip that computes while its DMA streams; entries broadcast over plans.

    Attributes
    ----------
    now : array
        Cycle at which the last step ended.
    start : float
        When the DMA could begin with the first tiles: 0 for cold buffers, `WARM` when the first
        two tiles were brought while the chip waited.
    """

    start: float = 0.0
    now: Any = field(default_factory=lambda: np.float64(0.0))
    _last_ready: Any = None
    _freed: tuple[Any, Any] | None = None

    def step(self, cycles: Any) -> None:
        """Compute for `cycles`, with no weights streamed."""
        self.now = self.now + cycles

    def stream(self, n_tiles: Any, dma_cycles: Any, compute_cycles: Any) -> None:
        """Compute on `n_tiles` >= 1 equal tiles, each brought in `dma_cycles`, used in `compute_cycles`.

        With r_i the cycle at which tile i is there and e_i at which it is released:
        ``e_i = max(e_(i-1), r_i) + compute`` and ``r_(i+2) = max(r_(i+1), e_i) + dma``.
        """
        ready = self.start if self._last_ready is None else self._last_ready
        before, latest = (self.start, self.start) if self._freed is None else self._freed
        r0 = np.maximum(ready, before) + dma_cycles
        r1 = np.maximum(r0, latest) + dma_cycles
        e0 = np.maximum(self.now, r0) + compute_cycles

        def released(i: Any) -> Any:
            waits = np.maximum(i - 1, 0)
            later = np.maximum(
                np.maximum(e0, r1) + i * compute_cycles,
                np.maximum(np.where(i >= 2, e0, r1), r1) + waits * dma_cycles + compute_cycles,
            )
            return np.where(i < 1, e0, later)

        last = n_tiles - 1
        end = released(last)
        penultimate = np.where(last >= 1, released(last - 1), latest)
        third = np.where(last >= 2, released(last - 2), WARM)
        arrived = np.maximum(
            np.maximum(r1, np.where(last >= 2, e0, WARM)) + (last - 1) * dma_cycles,
            third + dma_cycles,
        )
        self._last_ready = np.where(last < 1, r0, np.where(last < 2, r1, arrived))
        self._freed = (penultimate, end)
        self.now = end
