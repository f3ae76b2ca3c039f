"""Plans from a list: all of the space, whose front is then exact, or some, and then others at random."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.plans import Plans
from costmodel.strategies import Key, keys
from search_spaces import Candidates

LISTED_MOST = 1_000_000


class Listed:
    """Propose each of the plans given once, in their order."""

    batch = 10_000

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._done = 0

    def propose(self, k: int) -> Plans:
        """Give the next `k` plans."""
        positions = np.arange(self._done, min(self._done + k, len(self._plans)))
        self._done += len(positions)
        return self._plans.take(positions)

    def tell(self, values: NDArray[np.floating[Any]], violations: NDArray[np.floating[Any]]) -> None:
        """Learn nothing: the order is fixed."""


class ThenDrawn(Listed):
    """Propose each of the plans given once, then plans of the space at random."""

    def __init__(self, plans: Plans, candidates: Candidates, seed: int) -> None:
        super().__init__(plans)
        self._drawn = candidates.drawn(seed)

    def propose(self, k: int) -> Plans:
        """Give the next `k` plans."""
        return super().propose(k) if self._done < len(self._plans) else next(self._drawn)


def exhaustive(candidates: Candidates) -> Listed:
    """Every plan of the space, in order."""
    return Listed(candidates.all_plans)


def unseen(candidates: Candidates, seen: Container[Key], seed: int) -> Listed:
    """Every plan of the space that is not among `seen`, in random order; of a large one, plans at random."""
    if candidates.size > LISTED_MOST:
        return ThenDrawn(Plans.of([]), candidates, seed)
    plans = candidates.all_plans
    left = [i for i, key in enumerate(keys(plans).tolist()) if key not in seen]
    return Listed(plans.take(np.random.default_rng(seed).permutation(np.array(left, dtype=int))))
