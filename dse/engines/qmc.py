"""Quasi-Monte Carlo: plans spread more evenly over a space than at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats.qmc import Halton

from costmodel.plans import Plans
from dse.engines.genes import Genes
from search_spaces import Candidates


class Spread:
    """Propose plans along a scrambled Halton sequence; where choices are few, some come again."""

    batch = 100

    def __init__(self, genes: Genes, seed: int) -> None:
        self._genes = genes
        self._sequence = Halton(genes.sizes.shape[1], rng=np.random.default_rng(seed))

    def propose(self, k: int) -> Plans:
        """Give the next `k` plans."""
        return self._genes.plans(self._genes.at(self._sequence.random(k)))

    def tell(self, values: NDArray[np.floating[Any]], violations: NDArray[np.floating[Any]]) -> None:
        """Learn nothing: the sequence is fixed."""


def qmc(candidates: Candidates, _n_objectives: int, seed: int) -> Spread:
    """Spread plans over a space."""
    return Spread(Genes(candidates), seed)
