"""Plans at random out of those that were not proposed yet: what is left when an engine has run dry."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.plan import Plans
from search_spaces import SearchSpace


class Unseen:
    """Propose each plan of the space that is not among `seen`, in random order."""

    batch = 1000

    def __init__(self, space: SearchSpace, seen: Container[tuple[int, ...]], seed: int) -> None:
        left = [i for i, key in enumerate(space.all_plans.keys()) if key not in seen]
        self._plans = space.all_plans.take(np.random.default_rng(seed).permutation(np.array(left, dtype=int)))
        self._done = 0

    def propose(self, k: int) -> Plans:
        """Give the next `k` plans."""
        positions = np.arange(self._done, min(self._done + k, len(self._plans)))
        self._done += len(positions)
        return self._plans.take(positions)

    def tell(self, values: NDArray[np.floating[Any]], violations: NDArray[np.floating[Any]]) -> None:
        """Learn nothing: the order is drawn."""
