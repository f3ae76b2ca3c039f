"""The files of a run: tables, plan, figures and what was found; written, and read back."""

from __future__ import annotations

import platform as machine
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costmodel.errors import RunError, UsageError, cut, nearest
from costmodel.plan import DECISIONS
from costmodel.strategies import STRATEGIES
from dse import __version__
from dse.deployment import deployment
from dse.document import Deployment
from dse.importance import importance
from dse.job import Job
from dse.job_file import asked
from dse.objectives import KNOWN, OBJECTIVES, SCORES, Objective
from dse.picks import PICKS, picked_trial, picks
from dse.plots import save_front
from dse.run_folder import RUN_FILE, finish, going_on, new_files, read_summary, write_json
from dse.search import SearchResult
from dse.tables import exceeded, levers, trials_table

PACKAGES = ("numpy", "optuna", "pandas", "moocore", "matplotlib", "plotly", "pydantic", "pint")


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


def run_summary(result: SearchResult, trials: pd.DataFrame, wall_s: float, study: str) -> dict[str, Any]:
    """Contents of run.json: what was asked, with what, what came out, and how the front was found."""
    job, front = result.job, vars_of(result.certificate)
    recommended = result.recommended
    summary: dict[str, Any] = {
        "arguments": sys.argv[1:],
        **asked(job, study),
        "front": front,
        "recommended_trial": recommended,
        "picks": picks(result),
        "importance": vars_of(importance(trials, front, job.objectives)),
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


def vars_of(thing: object) -> dict[str, Any]:
    """Fields of a frozen data class."""
    return {name: getattr(thing, name) for name in thing.__dataclass_fields__}  # type: ignore[attr-defined]


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


def write_run(
    folder: Path, work: Path, result: SearchResult, front: pd.DataFrame, wall_s: float, study: str
) -> list[Path]:
    """Write all files of a run but the record, and finish it; give the paths that they have then."""
    trials = trials_table(result)
    summary = run_summary(result, trials, wall_s, study)
    with new_files(work) as new:
        paths = [new / "trials.csv", new / "pareto.csv"]
        trials.to_csv(paths[0], lineterminator="\n")
        front.to_csv(paths[1], lineterminator="\n")
        recommended = result.recommended
        if recommended is not None:
            paths.append(new / "plan.json")
            write_plan(paths[-1], plan_at(result, recommended))
            x, y = axes_of(result.job.objectives)
            paths += save_front(new, "pareto", trials, front, x, y, figure_title(summary))
    names = [path.name for path in paths]
    finish(folder, work, summary, names)
    return [folder / name for name in (*names, RUN_FILE)]


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
    summary = read_summary(folder)
    if summary.get("finished") is not True:
        raise RunError(f"{folder} holds a search that is not finished", going_on(folder))
    try:
        named = [entry[key] for entry in summary["workloads"] for key in ("name", "request")]
        named += [summary["platform"]]
        known = (
            len(named) > 1 and all(isinstance(name, str) for name in named) and bool(summary["objectives"])
        )
        known = known and set(summary["objectives"]) <= set(KNOWN)
    except (KeyError, TypeError):
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
