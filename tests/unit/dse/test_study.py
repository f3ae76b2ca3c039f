import errno
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from costmodel.errors import RunError
from dse.job import Job
from dse.search import SearchResult, search
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
        constraints = dict(zip(study.user_attrs["constraints"], trial.constraints.values(), strict=True))
        assert set(constraints) == {"fits L2", "fits L3", BOUND}
        assert trial.system_attrs["constraints"] == list(constraints.values())  # as Optuna 4 reads them
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


def test_a_record_is_opened_again_and_what_is_torn_off_is_cut(
    job: Callable[..., Job], tmp_path: Path
) -> None:
    asked, journal = job(engine="random", budget=20), tmp_path / "study.journal"
    result = search(asked, Record(journal, "again", asked.objectives).add)
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[-700:-1])
    record = Record(journal, "again", asked.objectives)
    assert journal.read_bytes() == whole
    plans, values = record.recorded("tinyllama-42m")
    assert list(plans) == list(result.plans)
    np.testing.assert_array_equal(values, result.values)
    assert len(record.recorded("another")[0]) == 0
    slack = {name: some[:5] for name, some in result.slack.items()}
    record.add("tinyllama-42m", plans.take(np.arange(5)), values[:5], slack)
    assert [t.number for t in opened(tmp_path, "again").trials] == list(range(25))


@pytest.mark.parametrize("content", ["no journal\n", '{"op_code": 4}\n', "[1]\n", "\x00\x01\n"])
def test_what_is_no_record_is_refused(job: Callable[..., Job], tmp_path: Path, content: str) -> None:
    (tmp_path / "study.journal").write_text(content)
    with pytest.raises(RunError, match=r"study\.journal is not as a search writes it"):
        Record(tmp_path / "study.journal", "x", job().objectives)


def test_trials_are_written_whole_or_not_at_all(
    job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, journal = job(engine="random", budget=20), tmp_path / "study.journal"
    record = Record(journal, "full", asked.objectives)
    search(asked, record.add)
    before = journal.read_bytes()

    def full(_self: JournalFileBackend, logs: list[object]) -> None:
        with journal.open("ab") as file:
            file.write(json.dumps(logs).encode()[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    with pytest.raises(RunError, match="No space left on device"):
        search(asked, record.add)
    assert journal.read_bytes() == before


@pytest.mark.parametrize("objectives", [("latency",), ("throughput", "energy")])
def test_entries_are_those_that_optuna_writes(
    job: Callable[..., Job], tmp_path: Path, objectives: tuple[str, ...]
) -> None:
    asked = job(BOUND, objectives=objectives, engine="random", budget=20)
    search(asked, Record(tmp_path / "study.journal", "ours", asked.objectives).add)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "optuna.journal")))
    theirs = optuna.create_study(
        study_name="ours", storage=storage, directions=["minimize"] * len(objectives)
    )
    for trial in opened(tmp_path, "ours").trials:
        storage.create_new_trial(theirs._study_id, trial)
    entries = [
        [
            entry
            for line in (tmp_path / name).read_text().splitlines()
            if "state" in (entry := json.loads(line))
        ]
        for name in ("study.journal", "optuna.journal")
    ]
    assert len(entries[0]) == 20
    for own, optunas in zip(*entries, strict=True):
        # No worker is the same, and Optuna takes the times that it reads for local ones.
        others = {"worker_id": "", "datetime_start": "", "datetime_complete": ""}
        assert list(own) == list(optunas)
        assert own | others == optunas | others


def test_another_session_can_go_on_with_the_study(recorded: tuple[SearchResult, optuna.Study]) -> None:
    _, study = recorded
    trial = study.trials[5]
    study.enqueue_trial(trial.params)
    assert study.ask(trial.distributions).params == trial.params
