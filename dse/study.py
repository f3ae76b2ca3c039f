"""The record of a search: an Optuna study in a journal file, one finished trial a plan."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
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
    distribution_to_json,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._storage import JournalOperation
from optuna.study import StudyDirection
from optuna.trial import TrialState

from costmodel.errors import PlanError, RunError
from costmodel.plan import DECISIONS, Decision, Plan
from costmodel.plans import Plans
from costmodel.strategies import STRATEGIES
from dse.objectives import Objective

WORKLOAD = "workload"  # user attribute of a trial
CONSTRAINTS = "constraints"  # system attribute of a trial that Optuna 4 and 5 read; names, of the study
NEUTRAL = {name: decision.neutral for name, decision in DECISIONS.items()}


def quiet() -> None:
    """Keep Optuna's log of every trial off the terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class _Unlocked(JournalFileSymlinkLock):
    """The run folder has one owner; a lock of its own would outlast an owner that is killed."""

    def acquire(self) -> bool:
        """Take nothing."""
        return True

    def release(self) -> None:
        """Give nothing back."""


class _Journal(BaseJournalBackend):
    """A journal file with one writer, which does not read back from the file what it wrote itself."""

    def __init__(self, path: Path) -> None:
        self._file = JournalFileBackend(str(path), lock_obj=_Unlocked(str(path)))
        self._path = path
        self._own: list[dict[str, Any]] | None = None

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Give entries from a position on: first those of the file, then what came since."""
        own, self._own = self._own, []
        yield from self._file.read_logs(log_number_from) if own is None else own

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries, all of them or none."""
        size = self._path.stat().st_size
        try:
            self._file.append_logs(logs)
        except OSError as error:
            with self._path.open("r+b") as file:
                file.truncate(size)
            raise RunError(f"{self._path} cannot be written ({error.strerror})") from None
        (self._own if self._own is not None else []).extend(logs)


def mend(journal: Path) -> None:
    """Cut off what a writer that was stopped left of its last entry."""
    with journal.open("r+b") as file:
        whole = file.read()
        file.truncate(whole.rfind(b"\n") + 1)


def _count(backend: JournalFileBackend) -> int:
    """Count the trials of all studies in a journal."""
    storage = JournalStorage(backend)
    return sum(
        len(storage.get_all_trials(one._study_id, deepcopy=False)) for one in storage.get_all_studies()
    )


class Record:
    """An Optuna study that takes finished trials and opens with plain ``optuna.load_study``.

    Values are in SI units and natural direction; constraints are at most 0 where met, their names a user
    attribute of the study.
    """

    def __init__(self, journal: Path, name: str, objectives: Sequence[Objective]) -> None:
        """Open a study, or create it where there is none; what was left of an entry is cut off.

        Raises
        ------
        RunError
            The journal cannot be read or written, or holds no such study.
        """
        self._journal = journal
        try:
            if journal.exists():
                mend(journal)
            begun = journal.exists() and journal.stat().st_size > 0
            self._backend = _Journal(journal)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._storage = JournalStorage(self._backend)
                if begun:
                    self._study = optuna.load_study(study_name=name, storage=self._storage)
                else:
                    directions = [
                        StudyDirection.MAXIMIZE if o.maximise else StudyDirection.MINIMIZE for o in objectives
                    ]
                    self._study = optuna.create_study(
                        study_name=name, storage=self._storage, directions=directions
                    )
                if self._study.metric_names is None:
                    self._study.set_metric_names([o.column for o in objectives])
                self._constraints = self._study.user_attrs.get(CONSTRAINTS)
        except OSError as error:
            raise RunError(f"{journal} cannot be written ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise RunError(f"{journal} is not as a search writes it: {error}") from None

    def add(
        self,
        workload: str,
        plans: Plans,
        values: NDArray[np.floating[Any]],
        slack: dict[str, NDArray[np.floating[Any]]],
    ) -> None:
        """Append finished trials, all of them at once or none.

        Parameters
        ----------
        workload : str
            Name of the workload that they are of, a user attribute of the trials.
        values : (k, m) float
            Objectives in SI units and natural direction.
        slack : dict of (k,) float
            Constraint name to how far it is missed.

        Raises
        ------
        RunError
            The journal cannot be written.
        """
        if self._constraints != list(slack):
            self._study.set_user_attr(CONSTRAINTS, list(slack))
            self._constraints = list(slack)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        missed = np.stack(list(slack.values()), axis=-1).tolist()
        # Entries as `JournalStorage.create_new_trial` writes them, but without the study that it goes through
        # for each: what this process wrote is replayed only where it reads the study.
        of_all = {
            "op_code": JournalOperation.CREATE_TRIAL,
            "worker_id": self._storage._replay_result.worker_id,
            "study_id": self._study._study_id,
            "datetime_start": now,
            "state": TrialState.COMPLETE,
        }
        self._backend.append_logs(
            [
                {
                    **of_all,
                    "value": None if len(of_trial) > 1 else of_trial[0],
                    "values": of_trial if len(of_trial) > 1 else None,
                    "datetime_complete": now,
                    "distributions": {name: WRITTEN[name] for name in params},
                    "params": {
                        name: DISTRIBUTIONS[name].to_internal_repr(value) for name, value in params.items()
                    },
                    "user_attrs": {WORKLOAD: workload},
                    "system_attrs": {CONSTRAINTS: off},
                    "intermediate_values": {},
                }
                for params, of_trial, off in zip(parameters(plans), values.tolist(), missed, strict=True)
            ]
        )

    def recorded(self, workload: str) -> tuple[Plans, NDArray[np.float64]]:
        """Give the finished trials of a workload in their order: plans, and objectives, (k, m).

        Raises
        ------
        RunError
            A trial has no such plan.
        """
        trials = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if trial.user_attrs.get(WORKLOAD) == workload
        ]
        try:
            plans = Plans.of(Plan(**(NEUTRAL | trial.params)) for trial in trials)
        except (PlanError, TypeError) as error:
            raise RunError(f"{self._study.study_name}: the record holds no plans: {error}") from None
        return plans, np.array([trial.values for trial in trials])

    def __len__(self) -> int:
        """Count the trials in the file, wherever this process was stopped; what is torn is cut off."""
        mend(self._journal)
        return _count(JournalFileBackend(str(self._journal), lock_obj=_Unlocked(str(self._journal))))


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
WRITTEN = {name: distribution_to_json(distribution) for name, distribution in DISTRIBUTIONS.items()}
