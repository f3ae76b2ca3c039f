"""Optuna's samplers as engines: a study in memory is asked, the search evaluates, the study is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler

from costmodel.plan import DECISIONS
from costmodel.plans import Plans
from dse.engines.corners import corners
from search_spaces import Candidates, SearchSpace


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Give each decision its distribution: a range of numbers where its choices are one, else a choice."""
    result: dict[str, BaseDistribution] = {}
    if len(space.choices) > 1:
        result["strategy"] = CategoricalDistribution(tuple(space.choices))
    for name in space.named:
        values = space.union(name)
        whole = all(isinstance(v, int) for v in values)
        if whole and values == tuple(range(int(values[0]), int(values[-1]) + 1)):
            result[name] = IntDistribution(int(values[0]), int(values[-1]))
        else:
            result[name] = CategoricalDistribution(values)
    return result


class OptunaEngine:
    """A sampler of Optuna that is asked for `batch` trials at a time, those of `first` before all others."""

    def __init__(
        self,
        candidates: Candidates,
        n_objectives: int,
        sampler: BaseSampler,
        batch: int,
        first: Iterable[dict[str, Any]] = (),
    ) -> None:
        self.batch = batch
        self._candidates = candidates
        self._distributions = distributions(candidates.space)
        self._study = optuna.create_study(directions=["minimize"] * n_objectives, sampler=sampler)
        for params in first:
            self._study.enqueue_trial(params)
        self._asked: list[optuna.trial.Trial] = []

    def propose(self, k: int) -> Plans:
        """Ask the sampler for `k` trials and make their plans canonical."""
        self._asked = [self._study.ask(self._distributions) for _ in range(k)]
        space = self._candidates.space
        first, *_ = strategies = list(space.choices)
        codes = [strategies.index(trial.params.get("strategy", first)) for trial in self._asked]
        columns = {
            name: np.array([trial.params[name] for trial in self._asked], dtype=DECISIONS[name].dtype)
            for name in space.named
        }
        return self._candidates.plans(np.array(codes, dtype=np.int64), columns)

    def tell(self, values: NDArray[np.floating[Any]], violations: NDArray[np.floating[Any]]) -> None:
        """Tell the study the values and constraints of the trials asked for last."""
        for trial, row, slack in zip(self._asked, values.tolist(), violations.tolist(), strict=True):
            for position, value in enumerate(slack):
                trial.set_constraint(f"c{position}", value)
            self._study.tell(trial, row)


def random(candidates: Candidates, n_objectives: int, seed: int) -> OptunaEngine:
    """Draw plans at random."""
    return OptunaEngine(candidates, n_objectives, RandomSampler(seed=seed), batch=100)


def nsga2(candidates: Candidates, n_objectives: int, seed: int) -> OptunaEngine:
    """Evolve plans with NSGA-II, a population of 50 at a time."""
    sampler = NSGAIISampler(seed=seed, population_size=50)
    return OptunaEngine(candidates, n_objectives, sampler, batch=50, first=corners(candidates.space))


def nsga3(candidates: Candidates, n_objectives: int, seed: int) -> OptunaEngine:
    """Evolve plans with NSGA-III, a population of 50 at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = NSGAIIISampler(seed=seed, population_size=50)
    return OptunaEngine(candidates, n_objectives, sampler, batch=50, first=corners(candidates.space))


def tpe(candidates: Candidates, n_objectives: int, seed: int) -> OptunaEngine:
    """Model good plans with TPE, ten at a time."""
    sampler = TPESampler(seed=seed, constant_liar=True)
    return OptunaEngine(candidates, n_objectives, sampler, batch=10, first=corners(candidates.space))
