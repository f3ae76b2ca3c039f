import json
import multiprocessing as mp
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel.errors import InterruptionError, RunError
from dse import run_folder
from dse.run_folder import (
    JOURNAL,
    LOCK,
    RUN_FILE,
    UNFINISHED,
    begin,
    begun_run,
    finish,
    free_run_folder,
    kept,
    new_files,
    new_run,
    owned,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


def run_in(folder: Path, work: Path, text: str, *files: str) -> None:
    """Make a run of files that hold a text."""
    begin(work, {"said": text})
    (work / JOURNAL).write_text(text)
    with new_files(work) as new:
        for name in files:
            (new / name).write_text(text)
    finish(folder, work, {"said": text}, files)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A finished run, pictures of `dse plot` and notes of its owner."""
    folder = tmp_path / "run"
    with owned(folder):
        run_in(folder, new_run(folder, overwrite=False), "old", "trials.csv", "plan.json", "pareto.svg")
    for name in ("pareto-n_chips-edp.html", "notes.txt", "pareto.txt"):
        (folder / name).write_text("old")
    return folder


def test_a_folder_is_made_with_its_parents_and_goes_where_nothing_came_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with owned(folder):
        assert new_run(folder, overwrite=False) == folder
    assert not folder.exists()
    assert folder.parent.is_dir()


@pytest.mark.parametrize("name", [RUN_FILE, "notes.txt"])
def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with owned(tmp_path), pytest.raises(RunError, match="exists already"):
        new_run(tmp_path, overwrite=False)
    assert names(tmp_path) == [name]


def test_overwriting_removes_a_run_with_its_pictures_and_nothing_else(old: Path) -> None:
    with owned(old):
        work = new_run(old, overwrite=True)
        begin(work, {})
        assert json.loads((old / RUN_FILE).read_text())["said"] == "old"
        run_in(old, work, "new", "trials.csv", "pareto.png")
    assert names(old) == ["notes.txt", "pareto.png", "pareto.txt", RUN_FILE, JOURNAL, "trials.csv"]
    assert (old / "trials.csv").read_text() == (old / JOURNAL).read_text() == "new"
    assert json.loads((old / RUN_FILE).read_text())["said"] == "new"


def test_a_run_that_is_done_again_has_no_files_of_before(old: Path) -> None:
    with owned(old):
        run_in(old, begun_run(old), "more", "trials.csv")
    assert names(old) == ["notes.txt", "pareto.txt", RUN_FILE, JOURNAL, "trials.csv"]


@pytest.mark.parametrize("failure", [RunError("no"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("trials", [0, 7])
def test_a_run_that_fails_leaves_the_earlier_one_as_it_was(
    old: Path, failure: BaseException, trials: int
) -> None:
    before = {name: (old / name).read_text() for name in names(old)}

    def fails() -> None:
        with owned(old):
            work = new_run(old, overwrite=True)
            begin(work, {})
            (work / JOURNAL).write_text("half")
            with kept(old, work, lambda: trials):
                raise failure

    said = InterruptionError if trials and isinstance(failure, KeyboardInterrupt) else type(failure)
    with pytest.raises(said) as stop:
        fails()
    rest = {name: (old / name).read_text() for name in names(old) if name != UNFINISHED}
    assert rest == before
    if isinstance(failure, MemoryError) or trials:
        assert begun_run(old) == old / UNFINISHED
    else:
        assert begun_run(old) == old
    if said is InterruptionError:
        assert stop.value.hint == f"7 plans are kept; go on with dse search --resume {old}"


STEPS = ("replace", "unlink", "rmtree")


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Stop at a step of moving and removing files; the list says at which."""
    at, count = [-1], [0]

    def guarded(step: object) -> object:
        def guard(*args: object, **others: object) -> object:
            count[0] += 1
            if count[0] == at[0]:
                raise KeyboardInterrupt
            return step(*args, **others)  # type: ignore[operator]

        return guard

    monkeypatch.setattr(Path, "replace", guarded(Path.replace))
    monkeypatch.setattr(Path, "unlink", guarded(Path.unlink))
    monkeypatch.setattr(run_folder.shutil, "rmtree", guarded(run_folder.shutil.rmtree))
    yield at
    at[0] = -1


@pytest.mark.parametrize("step", range(1, 22))
def test_wherever_a_run_is_stopped_the_folder_holds_one_whole_run_afterwards(
    old: Path, stopping: list[int], step: int
) -> None:
    stopping[0] = step
    stopped = False
    try:
        with owned(old):
            run_in(old, new_run(old, overwrite=True), "new", "trials.csv", "pareto.png")
    except KeyboardInterrupt:
        stopped = True
    stopping[0] = -1
    with owned(old):
        pass
    said = json.loads((old / RUN_FILE).read_text())["said"]
    assert said == "new" or stopped
    ours = [name for name in names(old) if name not in ("notes.txt", "pareto.txt", UNFINISHED)]
    texts = {(old / name).read_text() for name in ours if name != RUN_FILE}
    assert texts == {said}
    assert "notes.txt" in names(old)


def _hold(folder: Path, ready: object, done: object) -> None:
    with owned(folder):
        ready.set()  # type: ignore[attr-defined]
        done.wait()  # type: ignore[attr-defined]


def test_a_folder_in_use_is_refused_until_its_owner_is_gone(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    ready, done = context.Event(), context.Event()
    owner = context.Process(target=_hold, args=(tmp_path / "run", ready, done))
    owner.start()
    assert ready.wait(60)
    with pytest.raises(RunError, match="is in use"), owned(tmp_path / "run"):
        pass
    owner.kill()
    owner.join()
    with owned(tmp_path / "run"):
        pass


def test_overwriting_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("mine")
    with owned(tmp_path), pytest.raises(RunError, match="not overwritten"):
        new_run(tmp_path, overwrite=True)
    assert (tmp_path / "plan.json").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_way_is_an_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="file"), owned(tmp_path / "file" / below):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_search_that_was_interrupted_is_known_as_such(tmp_path: Path) -> None:
    begin(tmp_path, {})
    (tmp_path / JOURNAL).write_text("some")
    with owned(tmp_path), pytest.raises(RunError, match="was interrupted") as refusal:
        new_run(tmp_path, overwrite=False)
    assert f"dse search --resume {tmp_path}" in refusal.value.hint


def test_a_folder_without_a_run_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run to go on with"):
        begun_run(tmp_path)


def test_free_folder_counts_up_and_is_made(tmp_path: Path) -> None:
    found = [free_run_folder(tmp_path / "deep" / "demo") for _ in range(3)]
    assert [path.name for path in found] == ["demo", "demo-2", "demo-3"]
    assert all(path.is_dir() for path in found)
