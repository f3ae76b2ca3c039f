"""The record of a search: an Optuna study in a journal file, one finished trial a plan."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from costmodel.plan import Plans
from dse.engines.optuna_samplers import distributions
from dse.objectives import Objective
from search_spaces import SearchSpace


def quiet() -> None:
    """Keep Optuna's log of every trial off the terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class Record:
    """An Optuna study that takes finished trials and opens with plain ``optuna.load_study``.

    Values are in SI units and natural direction; constraints are at most 0 where met.
    """

    def __init__(self, journal: Path, name: str, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        self._distributions = {
            "strategy": CategoricalDistribution((space.strategy,)),
            **distributions(_canonical_choices(space)),
        }
        self._strategy = space.strategy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                study_name=name,
                storage=JournalStorage(JournalFileBackend(str(journal))),
                directions=["maximize" if o.maximise else "minimize" for o in objectives],
            )
            self._study.set_metric_names([o.column for o in objectives])

    def add(
        self,
        plans: Plans,
        values: NDArray[np.floating[Any]],
        slack: dict[str, NDArray[np.floating[Any]]],
    ) -> None:
        """Append finished trials.

        Parameters
        ----------
        values : (k, m) float
            Objectives in SI units and natural direction.
        slack : dict of (k,) float
            Constraint name to how far it is missed.
        """
        self._study.add_trials(
            [
                optuna.trial.create_trial(
                    params={"strategy": self._strategy, **dict(zip(self._names(), key, strict=True))},
                    distributions=self._distributions,
                    values=row,
                    constraints={name: float(entry[i]) for name, entry in slack.items()},
                )
                for i, (key, row) in enumerate(zip(plans.keys(), values.tolist(), strict=True))
            ]
        )

    def _names(self) -> list[str]:
        return [name for name in self._distributions if name != "strategy"]


def _canonical_choices(space: SearchSpace) -> dict[str, tuple[int, ...]]:
    """Values that decisions have in canonical plans: a group may be cut to the number of chips."""
    plans = space.all_plans
    return {name: tuple(np.unique(getattr(plans, name)).tolist()) for name in space.choices}
