"""Searches that are interrupted, killed, or meet a full disk lose no finished trial, and go on."""

import json
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from dse.run_folder import JOURNAL, RUN_FILE
from tests.commands import Command, Outcome, assert_refused, said
from tests.end_to_end.conftest import PROGRAM

SEARCH = ("search", "--space", "cats", "--platform", "nrf52840-mixer", "--workload", "cats-block")
SEARCH = (*SEARCH, "--engine", "nsga2", "--seed", "3")
SAME_BYTES = ("trials.csv", "pareto.csv", "plan.json")
LINES = 150  # of the journal, after which a search is stopped
BUDGET = 600


def trials(folder: Path, name: str = "run") -> list[optuna.trial.FrozenTrial]:
    """Trials of a run as plain Optuna reads them."""
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.load_study(study_name=name, storage=storage).trials


def interruptible() -> None:
    """Let Ctrl-C reach a process of a test runner that ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def started(cwd: Path, *more: str, before: Callable[[], None] = interruptible) -> subprocess.Popen[str]:
    command = [PROGRAM, *SEARCH, "--budget", str(BUDGET), "--out", "run", *more]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )


def underway(search: subprocess.Popen[str], journal: Path, lines: int = LINES) -> None:
    """Wait until so many trials are recorded."""
    until = time.monotonic() + 100
    while not (journal.exists() and journal.read_bytes().count(b"\n") > lines):
        assert search.poll() is None, search.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(program: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The search that nothing stops."""
    cwd = tmp_path_factory.mktemp("whole")
    said(program(*SEARCH, "--budget", str(BUDGET), "--out", "run", cwd=cwd))
    return cwd / "run"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was killed."""
    cwd = tmp_path_factory.mktemp("killed")
    search = started(cwd)
    underway(search, cwd / "run" / JOURNAL)
    search.kill()
    search.communicate()
    return cwd / "run"


def assert_all_there(folder: Path, n: int) -> None:
    """All trials of a run are finished, counted up, of different plans, and those of its table."""
    found, table = trials(folder), pd.read_csv(folder / "trials.csv")
    assert len(found) == len(table) == n
    assert [trial.number for trial in found] == list(range(n))
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert len({json.dumps(trial.params, sort_keys=True) for trial in found}) == n
    assert [trial.values[0] for trial in found] == pytest.approx(table["latency_s"].tolist())


def test_a_killed_search_goes_on_as_if_nothing_had_happened(
    killed: Path, whole: Path, program: Command, tmp_path: Path
) -> None:
    shutil.copytree(killed, tmp_path / "run")
    before = [trial.params for trial in trials(tmp_path / "run")]
    text = said(program("search", "--resume", "run", cwd=tmp_path))
    assert f"{BUDGET} plans evaluated" in text
    assert [trial.params for trial in trials(tmp_path / "run")][: len(before)] == before
    assert_all_there(tmp_path / "run", BUDGET)
    for name in SAME_BYTES:
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize("cut", [1, 100, 1999])
def test_a_torn_last_line_costs_one_trial_at_most(
    killed: Path, whole: Path, dse: Command, tmp_path: Path, cut: int
) -> None:
    shutil.copytree(killed, tmp_path / "run")
    journal = tmp_path / "run" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    said(dse("search", "--resume", "run"))
    assert_all_there(tmp_path / "run", BUDGET)
    assert (tmp_path / "run" / "pareto.csv").read_bytes() == (whole / "pareto.csv").read_bytes()


def test_a_folder_of_a_killed_search_is_known_as_such(killed: Path, dse: Command, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "run")
    for command in (("export", "run"), ("plot", "run"), ("search", "--out", "run")):
        outcome = dse(*command)
        assert_refused(outcome, "run")
        assert "--resume run" in outcome.err
    said(dse("search", "--set", "n_chips=4", "--out", "run", "--overwrite"))
    assert {trial.params["n_chips"] for trial in trials(tmp_path / "run")} == {4}


def test_more_plans_are_added_to_a_finished_run(whole: Path, dse: Command, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    before = [trial.params for trial in trials(whole)]
    (tmp_path / "run" / "pareto-latency-edp.svg").write_text("of before")
    said(dse("search", "--resume", "run", "--budget", "+100"))
    assert [trial.params for trial in trials(tmp_path / "run")][:BUDGET] == before
    assert_all_there(tmp_path / "run", BUDGET + 100)
    assert not (tmp_path / "run" / "pareto-latency-edp.svg").exists()
    assert json.loads((tmp_path / "run" / RUN_FILE).read_text())["budget"] == BUDGET + 100


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(program: Command, tmp_path: Path) -> None:
    search = started(tmp_path)
    underway(search, tmp_path / "run" / JOURNAL)
    search.send_signal(signal.SIGINT)
    out, err = search.communicate()
    n = len(trials(tmp_path / "run"))
    assert (search.returncode, out) == (130, "")
    hint = f"hint: {n} plans are kept; go on with dse search --resume run"
    assert err.splitlines() == ["error: interrupted", hint]
    said(program("search", "--resume", "run", cwd=tmp_path))
    assert_all_there(tmp_path / "run", BUDGET)


def test_a_second_search_in_a_folder_is_refused_while_the_first_runs(dse: Command, tmp_path: Path) -> None:
    search = started(tmp_path)
    underway(search, tmp_path / "run" / JOURNAL, lines=5)
    search.send_signal(signal.SIGSTOP)
    try:
        for how in (("--overwrite", "--out", "run"), ("--resume", "run")):
            assert_refused(dse("search", *how), "run is in use: a search is running there")
    finally:
        search.send_signal(signal.SIGCONT)
    _, err = search.communicate()
    assert (search.returncode, err) == (0, "")
    assert_all_there(tmp_path / "run", BUDGET)


def test_a_run_that_is_to_replace_another_is_gone_on_with_and_the_old_one_stands_until_then(
    whole: Path, program: Command, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    search = started(tmp_path, "--overwrite", "--message-loss", "2%")
    underway(search, tmp_path / "run" / ".unfinished" / JOURNAL)
    search.kill()
    search.communicate()
    for name in (*SAME_BYTES, RUN_FILE):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    said(program("export", "run", cwd=tmp_path))
    said(program("search", "--resume", "run", cwd=tmp_path))
    assert_all_there(tmp_path / "run", BUDGET)
    summary = json.loads((tmp_path / "run" / RUN_FILE).read_text())
    assert summary["accounting"]["message_loss"] == 0.02


@pytest.mark.parametrize("kilobytes", [150, 900])
def test_a_full_disk_is_said_in_a_line_and_what_was_recorded_is_kept(
    whole: Path, program: Command, tmp_path: Path, kilobytes: int
) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1000, resource.RLIM_INFINITY))

    search = started(tmp_path, before=small_files)
    out, err = search.communicate()
    assert (search.returncode, out) == (2, "")
    n = len(trials(tmp_path / "run"))
    error, hint = err.splitlines()
    assert error.startswith("error: run/")
    assert "cannot be written (File too large)" in error
    assert hint == f"hint: {n} plans are kept; go on with dse search --resume run"
    said(program("search", "--resume", "run", cwd=tmp_path))
    assert_all_there(tmp_path / "run", BUDGET)
    assert (tmp_path / "run" / "pareto.csv").read_bytes() == (whole / "pareto.csv").read_bytes()


def test_a_search_with_nothing_to_go_on_with_is_refused(dse: Command, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(dse("search", "--resume", "nowhere"), "nowhere holds no run to go on with")
    assert_refused(dse("search", "--resume", "empty"), "empty holds no run to go on with")
    shutil.copytree(whole, tmp_path / "run")
    assert_refused(dse("search", "--resume", "run", "--seed", "1"), "--resume carries all that was asked for")
    assert_refused(dse("search", "--resume", "run", "--budget", "+0"), "--budget 0")
    assert_refused(dse("search", "--resume", "run", "--budget", "many"), "--budget many")


EDITS = [
    (lambda run: run.pop("seed"), "key 'seed' is missing"),
    (lambda run: run["space"]["choices"].update(ring={}), "ring"),
    (lambda run: run.update(study="other"), "study.journal is not as a search writes it"),
    (lambda run: run["platform_inputs"][1]["data"].update(clock=3), "are not those hashed"),
    (lambda run: run["objectives"].reverse(), "cost something else"),
]


@pytest.mark.parametrize(("edit", "named"), EDITS, ids=[named for _, named in EDITS])
def test_a_run_that_was_edited_is_refused_and_left_as_it_is(
    whole: Path, dse: Command, tmp_path: Path, edit: Callable[[dict[str, object]], object], named: str
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    run = json.loads((whole / RUN_FILE).read_text())
    edit(run)
    (tmp_path / "run" / RUN_FILE).write_text(json.dumps(run))
    outcome: Outcome = dse("search", "--resume", "run")
    assert_refused(outcome, named)
    assert json.loads((tmp_path / "run" / RUN_FILE).read_text()) == run
    assert (tmp_path / "run" / JOURNAL).read_bytes() == (whole / JOURNAL).read_bytes()
    assert (tmp_path / "run" / "trials.csv").read_bytes() == (whole / "trials.csv").read_bytes()
