from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dse.search import Job, SearchResult, search
from dse.study import Record
from search_spaces import SearchSpace

BOUND = "latency<=100ms"


def opened(folder: Path, name: str) -> optuna.Study:
    """Open a study with plain Optuna."""
    backend = JournalFileBackend(str(folder / "study.journal"))
    return optuna.load_study(study_name=name, storage=JournalStorage(backend))


@pytest.fixture(scope="module")
def recorded(
    job: Callable[..., Job], space: SearchSpace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SearchResult, optuna.Study]:
    folder = tmp_path_factory.mktemp("record")
    asked = job(BOUND, objectives=("throughput", "energy", "n_chips"), space=space)
    result = search(asked, Record(folder / "study.journal", "demo", asked.objectives).add)
    return result, opened(folder, "demo")


def test_one_finished_trial_a_plan_in_order(recorded: tuple[SearchResult, optuna.Study]) -> None:
    result, study = recorded
    assert len(study.trials) == len(result.plans) == 808
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)
    names = ("n_chips", "group_size", "partial_sum_bits")
    rows = [tuple(getattr(plan, name) for name in names) for plan in result.plans]
    assert [tuple(t.params[name] for name in names) for t in study.trials] == rows
    assert {t.params["strategy"] for t in study.trials} == {"head_wise"}


def test_values_are_natural_with_directions_and_names(recorded: tuple[SearchResult, optuna.Study]) -> None:
    result, study = recorded
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert study.metric_names == ["throughput_tokens_per_s", "energy_j", "n_chips"]
    costs = result.costs
    columns = (costs.throughput_tokens_per_s, costs.energy_j, costs.n_chips)
    np.testing.assert_array_equal([t.values for t in study.trials], np.stack(columns, axis=-1))


def test_constraints_are_met_where_at_most_zero(recorded: tuple[SearchResult, optuna.Study]) -> None:
    result, study = recorded
    for i, trial in enumerate(study.trials):
        constraints = trial.constraints
        assert set(constraints) == {"fits L2", "fits L3", BOUND}
        assert constraints[BOUND] == result.slack[BOUND][i]
        assert all(c <= 0 for c in constraints.values()) == result.feasible[i]
    assert not result.feasible.all()


def test_best_trials_are_the_front(recorded: tuple[SearchResult, optuna.Study]) -> None:
    result, study = recorded
    best = {trial.number for trial in study.best_trials}
    assert set(result.front.tolist()) <= best
    front = {tuple(result.values[i]) for i in result.front}
    assert {(-t.values[0], t.values[1], t.values[2]) for t in study.best_trials} == front


def test_batches_follow_each_other_in_one_study(job: Callable[..., Job], tmp_path: Path) -> None:
    asked = job(engine="random", budget=20)
    result = search(asked, Record(tmp_path / "study.journal", "batches", asked.objectives).add)
    study = opened(tmp_path, "batches")
    assert [t.params["n_chips"] for t in study.trials] == result.plans["n_chips"].tolist()
    assert [t.number for t in study.trials] == list(range(20))


def test_another_session_can_go_on_with_the_study(recorded: tuple[SearchResult, optuna.Study]) -> None:
    _, study = recorded
    trial = study.trials[5]
    study.enqueue_trial(trial.params)
    assert study.ask(trial.distributions).params == trial.params
