"""The run folder ``results/<run>/``: one owner at a time, files whole or not there, nothing else touched.

While a search runs, its folder holds ``run.json``, which says what was asked for, and the record. At the
end all other files come, and ``run.json`` again, last, with what was found. A run that is to replace an
earlier one is made in a folder inside; the earlier one goes when the new one is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from costmodel.errors import InterruptionError, RunError

RUN_FILE = "run.json"
JOURNAL = "study.journal"
LOCK = ".lock"
UNFINISHED = ".unfinished"  # where a run is made that is to replace another
NEW = ".new"  # where the files of a run are written before they take their places
FILES = ("trials.csv", "pareto.csv", "plan.json", JOURNAL, RUN_FILE)
PICTURES = ("svg", "png", "html")  # of the front: pareto.*, and pareto-<x>-<y>.* by dse plot
MAX_RUN_BYTES = 50_000_000


def free_run_folder(base: Path) -> Path:
    """Make `base`, or `base-2`, `base-3`, ... when it is taken.

    Raises
    ------
    RunError
        It cannot be made.
    """
    path, count = base, 1
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                path.mkdir()
            except FileExistsError:
                count += 1
                path = base.with_name(f"{base.name}-{count}")
            else:
                return path
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror})") from None


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Be the one process that writes in a folder, which is made if need be.

    Raises
    ------
    RunError
        Another process is, or the folder cannot be written.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} exists and is not a folder")
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise RunError(f"{folder} is in use: a search is running there", "name another --out") from None
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror})") from None
    try:
        _settle(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / UNFINISHED).rmdir()  # where nothing came of it
        with suppress(OSError):
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):
            folder.rmdir()


def new_run(folder: Path, *, overwrite: bool) -> Path:
    """Give the place to make a run in, of a folder that is owned.

    Raises
    ------
    RunError
        It holds something, and that is no run, or may not be overwritten.
    """
    if not any(path.name != LOCK for path in folder.iterdir()):
        return folder
    if not overwrite:
        hint = "name another --out, or add --overwrite"
        if interrupted(folder):
            raise RunError(f"{folder} holds a search that was interrupted", f"{going_on(folder)}, or {hint}")
        raise RunError(f"{folder} exists already", hint)
    if not any((folder / name).is_file() for name in (RUN_FILE, JOURNAL)):
        raise RunError(f"{folder} is not empty and holds no run; it is not overwritten")
    work = folder / UNFINISHED
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return work


def interrupted(folder: Path) -> bool:
    """Whether a folder holds a run that was begun and not finished."""
    begun = [work for work in (folder / UNFINISHED, folder) if (work / JOURNAL).is_file()]
    return any(not _finished(work) for work in begun)


def going_on(folder: Path) -> str:
    """Say how to go on with a run that was interrupted."""
    return f"go on with dse search --resume {folder}"


def begun_run(folder: Path) -> Path:
    """Give the place of the run to go on with: of one that was to replace another first.

    Raises
    ------
    RunError
        There is none.
    """
    for work in (folder / UNFINISHED, folder):
        if (work / RUN_FILE).is_file() and (work / JOURNAL).is_file():
            return work
    raise RunError(f"{folder} holds no run to go on with: {RUN_FILE} and {JOURNAL} are not both there")


def read_summary(folder: Path) -> dict[str, Any]:
    """Read run.json.

    Raises
    ------
    RunError
        It is not there, or is no JSON.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise RunError(f"{folder} holds no {RUN_FILE}: it is not a finished run")
    try:
        if path.stat().st_size > MAX_RUN_BYTES:
            raise RunError(f"{path}: larger than {MAX_RUN_BYTES} bytes")
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path} is not as a search writes it") from None
    if not isinstance(summary, dict):
        raise RunError(f"{path} is not as a search writes it")
    return summary


def _finished(work: Path) -> bool:
    try:
        return read_summary(work).get("finished") is True
    except RunError:
        return False


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place, then move it there: it is whole, or as it was."""
    if path.is_dir():
        raise RunError(f"{path} cannot be written (Is a directory)")
    work = path.with_name(f".{path.name}.unfinished")
    try:
        work.write_text(text, encoding="utf-8")
        work.replace(path)
    except OSError as error:
        with suppress(OSError):
            work.unlink()
        raise RunError(f"{path} cannot be written ({error.strerror})") from None


def write_json(path: Path, data: object) -> None:
    """Write JSON for people to read; floats keep every digit."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def begin(work: Path, asked: Mapping[str, Any]) -> None:
    """Write down what is asked for."""
    write_json(work / RUN_FILE, {"finished": False, **asked})


@contextmanager
def kept(folder: Path, work: Path, count: Callable[[], int]) -> Iterator[None]:
    """Say what is kept of a search that is stopped, and how to go on; of one without a trial nothing is."""
    try:
        yield
    except (KeyboardInterrupt, RunError) as stop:
        n = count()
        if not n:
            for path in (work / RUN_FILE, work / JOURNAL):
                path.unlink(missing_ok=True)
            raise
        hint = f"{n} plans are kept; {going_on(folder)}"
        if isinstance(stop, RunError):
            raise RunError(stop.message, hint) from None
        raise InterruptionError("interrupted", hint) from None


@contextmanager
def new_files(work: Path) -> Iterator[Path]:
    """Give a folder to write the files of a run in; they take their places when all are written."""
    new = work / NEW
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        yield new
        for path in sorted(new.iterdir()):
            path.replace(work / path.name)
    except OSError as error:
        raise RunError(f"{error.filename or work} cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def finish(folder: Path, work: Path, summary: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write run.json, with which a run of these files is finished; what was of an earlier one goes."""
    names = sorted({*files, JOURNAL, RUN_FILE})
    write_json(work / RUN_FILE, {"finished": True, **summary, "files": names})
    _remove_others(work, names)
    _settle(folder)


def _remove_others(folder: Path, files: Collection[str]) -> None:
    """Remove what is of a run and none of these files."""
    for path in folder.iterdir():
        if _is_of_a_run(path) and path.name not in files:
            path.unlink()


def _is_of_a_run(path: Path) -> bool:
    picture = path.suffix[1:] in PICTURES and (path.stem == "pareto" or path.stem.startswith("pareto-"))
    return path.is_file() and (path.name in FILES or picture)


def _settle(folder: Path) -> None:
    """Let a whole run take the place of an earlier one; done again where it was stopped halfway."""
    work = folder / UNFINISHED
    if not _finished(work):
        return
    files = read_summary(work).get("files", [])
    for name in files:
        if name != RUN_FILE and (work / name).is_file():
            (work / name).replace(folder / name)
    _remove_others(folder, files)
    (work / RUN_FILE).replace(folder / RUN_FILE)
    shutil.rmtree(work, ignore_errors=True)
