"""The record of a search: an Optuna study in a journal file, one finished trial a plan."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from costmodel.plan import DECISIONS, Decision, Plans
from costmodel.strategies import STRATEGIES
from dse.objectives import Objective


def quiet() -> None:
    """Keep Optuna's log of every trial off the terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class Record:
    """An Optuna study that takes finished trials and opens with plain ``optuna.load_study``.

    Values are in SI units and natural direction; constraints are at most 0 where met.
    """

    def __init__(self, journal: Path, name: str, objectives: Sequence[Objective]) -> None:
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
        workload: str,
        plans: Plans,
        values: NDArray[np.floating[Any]],
        slack: dict[str, NDArray[np.floating[Any]]],
    ) -> None:
        """Append finished trials.

        Parameters
        ----------
        workload : str
            Name of the workload that they are of, a user attribute of the trials.
        values : (k, m) float
            Objectives in SI units and natural direction.
        slack : dict of (k,) float
            Constraint name to how far it is missed.
        """
        self._study.add_trials(
            [
                optuna.trial.create_trial(
                    params=params,
                    distributions={name: DISTRIBUTIONS[name] for name in params},
                    values=row,
                    user_attrs={"workload": workload},
                    constraints={name: float(entry[i]) for name, entry in slack.items()},
                )
                for i, (params, row) in enumerate(zip(parameters(plans), values.tolist(), strict=True))
            ]
        )


def parameters(plans: Plans) -> Iterator[dict[str, Any]]:
    """Give each plan's strategy and the decisions that its strategy has."""
    columns = {name: plans[name].tolist() for name in DECISIONS}
    for i, strategy in enumerate(plans.strategies):
        decided = {name: columns[name][i] for name in STRATEGIES[strategy].decisions}
        yield {"strategy": strategy, **decided}


def _distribution(decision: Decision) -> BaseDistribution:
    """All values that a decision can have."""
    if decision.only:
        return CategoricalDistribution(decision.only)
    if decision.whole:
        return IntDistribution(int(decision.low), int(decision.high))
    return FloatDistribution(decision.low, decision.high)


DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "strategy": CategoricalDistribution(tuple(STRATEGIES)),
    **{name: _distribution(decision) for name, decision in DECISIONS.items()},
}
