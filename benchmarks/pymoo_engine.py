"""pymoo's NSGA-II as an engine, to compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair

from costmodel import Plans
from dse.engines.corners import corners
from dse.engines.genes import Genes
from search_spaces import Candidates

POPULATION = 100


class PymooEngine:
    """pymoo's NSGA-II as its guide has it for whole numbers, with the first plans that other engines have."""

    batch = POPULATION

    def __init__(self, candidates: Candidates, n_objectives: int, seed: int) -> None:
        self._genes = Genes(candidates)
        most = self._genes.sizes.max(axis=0) - 1
        drawn = self._genes.drawn(np.random.default_rng(seed), POPULATION)
        first = np.concatenate([self._genes.of(corners(candidates.space)), drawn])[:POPULATION]
        problem = Problem(
            n_var=len(most), n_obj=n_objectives, n_ieq_constr=1, xl=0 * most, xu=most, vtype=int
        )
        repair = RoundingRepair()
        self._algorithm = NSGA2(
            pop_size=POPULATION,
            sampling=first.astype(float),
            crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=repair),
            mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=repair),
        )
        self._algorithm.setup(problem, seed=seed, verbose=False)

    def propose(self, _k: int) -> Plans:
        """Give the next generation."""
        self._asked = self._algorithm.ask()
        return self._genes.plans(self._genes.within(self._asked.get("X").astype(np.int64)))

    def tell(self, values: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        """Tell the algorithm, as one constraint, by how much all are missed."""
        missed = np.sum(np.maximum(violations, 0.0), axis=1, keepdims=True)
        self._asked.set("F", values)
        self._asked.set("G", missed)
        self._asked.apply(lambda one: one.evaluated.update(("F", "G", "H")))
        self._algorithm.tell(infills=self._asked)


def pymoo_nsga2(candidates: Candidates, n_objectives: int, seed: int) -> PymooEngine:
    """Make pymoo's NSGA-II, a population of 100."""
    return PymooEngine(candidates, n_objectives, seed)
