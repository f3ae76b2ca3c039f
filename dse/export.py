"""The run folder ``results/<run>/``: written whole, never over something else, and read back."""

from __future__ import annotations

import json
import platform as machine
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costmodel.errors import RunError, UsageError, cut, nearest
from costmodel.plan import DECISIONS, Number
from costmodel.strategies import STRATEGIES
from dse import __version__
from dse.deployment import deployment, inputs_of, workload_choice
from dse.document import Deployment, RunWorkload
from dse.objectives import KNOWN, OBJECTIVES, SCORES, Objective
from dse.picks import PICKS, picked_trial, picks
from dse.plots import save_front
from dse.search import Job, SearchResult
from dse.tables import exceeded, front_table, levers, trials_table

RUN_FILE = "run.json"
JOURNAL = "study.journal"
UNFINISHED = ".unfinished"  # where a run is written that is to replace another
RUN_FILES = (
    RUN_FILE,
    JOURNAL,
    "trials.csv",
    "pareto.csv",
    "plan.json",
    "pareto.svg",
    "pareto.png",
    "pareto.html",
)
PACKAGES = ("numpy", "optuna", "pandas", "moocore", "matplotlib", "plotly", "pydantic", "pint")


def new_run_folder(path: Path, *, overwrite: bool) -> Path:
    """Make the folder of a run, or give that of an earlier one if it may be overwritten.

    Raises
    ------
    RunError
        It exists and is not empty (and is no run, or may not be overwritten), or cannot be made.
    """
    try:
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} exists and is not a folder")
        if path.is_dir() and any(path.iterdir()):
            if not overwrite:
                raise RunError(f"{path} exists already", "name another --out, or add --overwrite")
            if not any((path / name).is_file() for name in (RUN_FILE, JOURNAL)):
                raise RunError(f"{path} is not empty and holds no run; it is not overwritten")
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror})") from None
    return path


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Give the folder to write a run in; what an earlier run left is replaced when the new one is whole.

    Of the earlier run, its own files are removed and no others.
    """
    if not any(folder.iterdir()):
        yield folder
        return
    work = folder / UNFINISHED
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
        for name in RUN_FILES:
            (folder / name).unlink(missing_ok=True)
        for path in work.iterdir():
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def free_run_folder(base: Path) -> Path:
    """Give `base`, or `base-2`, `base-3`, ... when it is taken."""
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}-{count}")
    return path


def git_commit() -> str | None:
    """Commit of the checkout that this program runs from, with a mark when it has changes."""
    here = Path(__file__).resolve().parent
    try:
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", "__init__.py"],
            cwd=here, check=True, capture_output=True, timeout=10,
        )  # fmt: skip
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=here, check=True, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of this program, of Python and of what results depend on."""
    found = {"dse": __version__, "python": machine.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def run_summary(result: SearchResult, wall_s: float) -> dict[str, Any]:
    """Contents of run.json: what was asked, with what, what came out, and how the front was found."""
    job, certificate = result.job, result.certificate
    recommended = result.recommended
    summary: dict[str, Any] = {
        "arguments": sys.argv[1:],
        "workloads": [
            RunWorkload(**workload_choice(one).model_dump(), inputs=inputs_of(one.records)).model_dump()
            for one in job.workloads
        ],
        "platform": job.platform.name,
        "kernels": job.platform.kernels_name,
        "accounting": vars_of(job.accounting),
        "space": {
            "name": job.space.name,
            "choices": {
                strategy: {name: extent(values) for name, values in choices.items()}
                for strategy, choices in job.space.choices.items()
            },
        },
        "objectives": [o.name for o in job.objectives],
        "constraints": [c.text for c in job.constraints],
        "budget": job.budget,
        "seed": job.seed,
        "front": vars_of(certificate),
        "recommended_trial": recommended,
        "picks": picks(result),
        "wall_s": round(wall_s, 3),
        "versions": versions(),
        "git_commit": git_commit(),
        "parameter_files": {
            f"{r.kind}/{r.name}": r.sha256
            for r in (*(r for one in job.workloads for r in one.records), *job.platform.records)
        },
    }
    if recommended is None:
        nearest_plan = result.nearest
        summary["nearest"] = {
            "trial": nearest_plan,
            "exceeds": exceeded(result, nearest_plan, levers(result)),
        }
    return summary


def extent(values: tuple[Number, ...]) -> dict[str, Number] | list[Number]:
    """Choices as a range where they are one, else as they are."""
    low, high = values[0], values[-1]
    whole = isinstance(low, int) and isinstance(high, int)
    if whole and values == tuple(range(int(low), int(high) + 1)):
        return {"low": low, "high": high}
    return list(values)


def vars_of(thing: object) -> dict[str, Any]:
    """Fields of a frozen data class."""
    return {name: getattr(thing, name) for name in thing.__dataclass_fields__}  # type: ignore[attr-defined]


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
    path.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_plan(path: Path, document: Deployment) -> None:
    """Write a deployment plan."""
    write_json(path, document.model_dump(mode="json"))


def plan_at(result: SearchResult, index: int) -> Deployment:
    """Write out plan `index` of a search."""
    job = result.job
    return deployment(result.workload(index), job.platform, result.plans.row(index), job.accounting)


def title(job: Job) -> str:
    """One line that names a job."""
    return _title([one.name for one in job.workloads], job.workloads[0].request, job.platform.name)


def figure_title(summary: dict[str, Any]) -> str:
    """Title of a run's figures: the job, and the objectives whose front is drawn."""
    workloads = summary["workloads"]
    job = _title([one["name"] for one in workloads], workloads[0]["request"], summary["platform"])
    *most, last = [KNOWN[name].title for name in summary["objectives"]]
    return f"{job}\nfront over {', '.join(most)}{' and ' if most else ''}{last}"


def _title(workloads: Sequence[str], request: str, platform: str) -> str:
    return f"{' or '.join(workloads)}, {request}, on {platform}"


def write_run(folder: Path, result: SearchResult, wall_s: float) -> list[Path]:
    """Write all files of a run but the record; give their paths."""
    trials, front, summary = trials_table(result), front_table(result), run_summary(result, wall_s)
    paths = [folder / "trials.csv", folder / "pareto.csv"]
    trials.to_csv(paths[0], lineterminator="\n")
    front.to_csv(paths[1], lineterminator="\n")
    recommended = result.recommended
    if recommended is not None:
        paths.append(folder / "plan.json")
        write_plan(paths[-1], plan_at(result, recommended))
        x, y = axes_of(result.job.objectives)
        paths += save_front(folder, "pareto", trials, front, x, y, figure_title(summary))
    paths.append(folder / RUN_FILE)
    write_json(paths[-1], summary)
    return paths


def axes_of(objectives: Sequence[Objective]) -> tuple[Objective, Objective]:
    """First two objectives; a single one is drawn over the number of chips."""
    x, *rest = objectives
    if rest:
        return x, rest[0]
    return OBJECTIVES["n_chips" if x.name != "n_chips" else "latency"], x


def read_run(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Read a run back: run.json, trials, front.

    Raises
    ------
    RunError
        A file is missing, or not as a search writes it.
    """
    if not (folder / RUN_FILE).is_file():
        raise RunError(f"{folder} holds no {RUN_FILE}: it is not a finished run")
    try:
        summary = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        named = [entry[key] for entry in summary["workloads"] for key in ("name", "request")]
        named += [summary["platform"]]
        known = (
            len(named) > 1 and all(isinstance(name, str) for name in named) and bool(summary["objectives"])
        )
        known = known and set(summary["objectives"]) <= set(KNOWN)
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise RunError(f"{folder / RUN_FILE} is not as a search writes it")
    trials = _read_table(folder / "trials.csv", "trial", ["feasible", "on_front", "published_ground"])
    front = _read_table(folder / "pareto.csv", "front_index", ["knee", "published_ground"])
    if "trial" not in front or not front["trial"].isin(trials.index).all():
        raise RunError(f"{folder / 'pareto.csv'}: column 'trial' must name rows of trials.csv")
    return summary, trials, front


def _read_table(path: Path, index: str, flags: list[str]) -> pd.DataFrame:
    """Read a table of plans and check its columns."""
    try:
        table = pd.read_csv(path, index_col=index)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    known = [s for name, s in STRATEGIES.items() if name in set(table.get("strategy", ()))]
    decisions = [name for name in DECISIONS if any(name in s.decisions for s in known)]
    numbers = list(dict.fromkeys((*decisions, *(o.column for o in OBJECTIVES.values()))))
    numbers += [o.column for o in SCORES.values() if o.column in table]
    for column in [*numbers, *flags, "workload", "strategy", "regime", "limited_by"]:
        if column not in table:
            raise RunError(f"{path}: column {column!r} is missing")
    if not len(table):
        return table
    for column in numbers:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise RunError(f"{path}: column {column!r} holds something that is no number")
        if not np.all(np.isfinite(table[column])):
            raise RunError(f"{path}: column {column!r} has a cell that is empty or infinite")
    for column in decisions:
        if DECISIONS[column].whole and not pd.api.types.is_integer_dtype(table[column]):
            raise RunError(f"{path}: column {column!r} holds something that is no whole number")
    if not table["strategy"].isin(STRATEGIES).all():
        raise RunError(f"{path}: column 'strategy' must be one of {', '.join(STRATEGIES)}")
    if table.index.tolist() != list(range(len(table))):
        raise RunError(f"{path}: column {index!r} must count from 0")
    for column in flags:
        if table[column].dtype != bool:
            raise RunError(f"{path}: column {column!r} must hold True and False")
    return table


def picked(trials: pd.DataFrame, front: pd.DataFrame, pick: str) -> int:
    """Trial that a pick means: the knee, the best feasible plan by an objective, or a front's position."""
    if not len(front):
        raise RunError("the front of this run is empty: no plan was feasible")
    if pick == "knee":
        return int(front["trial"][int(np.argmax(front["knee"].to_numpy()))])
    there = {name: o for name, o in PICKS.items() if o.column in trials}
    if pick in there and (trial := picked_trial(trials, there[pick])) is not None:
        return trial
    if pick.isascii() and pick.isdecimal() and len(pick) < 10:
        if int(pick) < len(front):
            return int(front["trial"][int(pick)])
        raise UsageError(f"pick {pick} is outside the front, 0 to {len(front) - 1}")
    raise UsageError(
        f"unknown pick {cut(pick)}; {nearest(pick, ['knee', *there])}, or a position of the front"
    )
