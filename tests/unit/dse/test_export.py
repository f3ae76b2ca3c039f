import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from costmodel.errors import RunError, UsageError
from costmodel.parameters import KINDS, hash_of
from costmodel.parameters.files import BUILT_IN
from costmodel.strategies import STRATEGIES
from costmodel.strategies.head_wise import HEAD_WISE
from dse.export import (
    axes_of,
    figure_title,
    picked,
    plan_at,
    read_run,
    run_summary,
    write_run,
)
from dse.job import Job
from dse.job_file import extent, numbers
from dse.objectives import objectives_named
from dse.picks import picks
from dse.plan_file import read_deployment
from dse.run_folder import RUN_FILE, write_json
from dse.search import SearchResult, search
from dse.tables import front_table, trials_table
from dse.words import plan_of_row
from search_spaces import SearchSpace
from search_spaces.space import Range

TABLES = ("trials.csv", "pareto.csv")


def written(folder: Path, result: SearchResult, wall_s: float) -> None:
    """Write a run, without a record."""
    folder.mkdir()
    write_run(folder, folder, result, front_table(result), wall_s, "study")


@pytest.fixture(scope="module")
def run(found: SearchResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    written(folder, found, 1.2345678)
    return folder


@pytest.fixture(scope="module")
def empty_run(nothing_found: SearchResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "empty"
    written(folder, nothing_found, 1.0)
    return folder


def test_tables_are_read_back_as_written(run: Path, found: SearchResult) -> None:
    _, trials, front = read_run(run)
    for read, table in ((trials, trials_table(found)), (front, front_table(found))):
        for name in table.columns:
            if pd.api.types.is_numeric_dtype(table[name]):
                np.testing.assert_array_equal(read[name], table[name])
            else:
                assert read[name].fillna("").tolist() == table[name].tolist()


def test_run_file_says_what_was_asked_and_how_the_front_was_found(run: Path, found: SearchResult) -> None:
    summary = json.loads((run / RUN_FILE).read_text())
    (workload,) = summary["workloads"]
    inputs = workload.pop("inputs")
    assert workload == {
        "name": "tinyllama-42m",
        "request": "autoregressive",
        "n_tokens": 128,
        "context_max": 128,
    }
    assert [one["kind"] for one in inputs] == ["model", "importance", "calibration"]
    assert summary["platform"] == "siracusa-mipi"
    assert summary["kernels"] == "date2025"
    assert summary["accounting"] == {
        "scope": "model",
        "prefetch": "steady",
        "head": True,
        "message_loss": 0.0,
    }
    assert summary["objectives"] == ["latency", "energy", "n_chips"]
    assert summary["constraints"] == ["latency<=100ms"]
    assert (summary["budget"], summary["seed"], summary["wall_s"]) == (2000, 0, 1.235)
    assert summary["space"]["choices"]["head_wise"]["n_chips"] == {"low": 1, "high": 64}
    assert summary["front"]["distance"] == "exact"
    assert summary["front"]["plans_evaluated"] == 808
    assert summary["front"]["front_size"] == len(found.front)
    assert summary["recommended_trial"] == summary["picks"]["knee"] == found.recommended
    assert summary["picks"] == picks(found)
    assert {"dse", "python", "numpy", "optuna"} <= summary["versions"].keys()
    assert "unknown" not in summary["versions"].values()
    assert {"arguments", "git_commit"} <= summary.keys()
    assert "nearest" not in summary


def test_run_file_has_the_hash_of_every_parameter_file(run: Path) -> None:
    hashes = json.loads((run / RUN_FILE).read_text())["parameter_files"]
    assert {name.split("/")[0] for name in hashes} == set(KINDS)
    for name, digest in hashes.items():
        assert digest == hash_of(tomllib.loads((BUILT_IN / f"{name}.toml").read_text()))


def test_recommended_plan_is_written_out(run: Path, found: SearchResult) -> None:
    document, _ = read_deployment(run / "plan.json")
    assert found.recommended is not None
    assert document == plan_at(found, found.recommended)
    assert document.costs.latency_s == found.costs.latency_s[found.recommended]


def test_run_has_all_its_files(run: Path, empty_run: Path) -> None:
    figures = {"pareto.svg", "pareto.png", "pareto.html"}
    always = {"trials.csv", "pareto.csv", RUN_FILE}
    assert {path.name for path in run.iterdir()} == always | figures | {"plan.json"}
    assert {path.name for path in empty_run.iterdir()} == always


def test_run_without_a_feasible_plan_names_the_nearest(empty_run: Path, nothing_found: SearchResult) -> None:
    summary, trials, front = read_run(empty_run)
    assert summary["recommended_trial"] is None
    assert summary["picks"] == {}
    assert summary["nearest"]["trial"] == nothing_found.nearest
    assert summary["nearest"]["exceeds"] == trials["exceeds"][nothing_found.nearest]
    assert len(front) == 0
    with pytest.raises(RunError, match="no plan was feasible"):
        picked(trials, front, "knee")


def test_picks_are_what_they_say() -> None:
    columns = {"knee": "knee", "min-latency": "latency_s", "min-energy": "energy_j", "min-edp": "edp_js"}
    columns |= {"min-n_chips": "n_chips", "min-missing_weights": "missing_weights"}
    front = pd.DataFrame({name: np.full(6, 4.0) for name in columns.values()})
    front["knee"] = False
    for position, name in enumerate(columns.values()):
        front.loc[position, name] = name == "knee" or 3.0
    front["trial"] = range(10, 16)
    trials = pd.concat([front.iloc[[0]].assign(**dict.fromkeys(front, 1.0), feasible=False)] * 10)
    trials = pd.concat([trials, front]).assign(accuracy_drop=0.0, on_front=True)
    trials["feasible"] = trials["feasible"].isna()
    assert [picked(trials, front, pick) for pick in columns] == [10, 11, 12, 13, 14, 15]
    assert [picked(trials, front, str(i)) for i in range(6)] == list(range(10, 16))


@pytest.mark.parametrize(
    ("pick", "named"),
    [
        ("min-throughput", "unknown pick"),
        ("min-latncy", "did you mean 'min-latency'"),
        ("999", "pick 999"),
        ("-1", "'-1'"),
        ("", "''"),
    ],
)
def test_pick_that_means_nothing_is_refused(run: Path, pick: str, named: str) -> None:
    _, trials, front = read_run(run)
    with pytest.raises(UsageError) as error:
        picked(trials, front, pick)
    assert named in error.value.message


def test_plans_of_the_front_come_back_from_its_table(run: Path, found: SearchResult) -> None:
    _, _, front = read_run(run)
    assert [plan_of_row(front.loc[i]) for i in range(len(front))] == [found.plans.row(i) for i in found.front]


def test_run_of_a_strategy_with_fewer_decisions_is_read_back(
    job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = replace(
        HEAD_WISE,
        name="pairs",
        decisions=("n_chips",),
        canonical=lambda _workload, _platform, plans: plans.neutralised(("n_chips",)),
    )
    monkeypatch.setitem(STRATEGIES, "pairs", alone)
    pairs = SearchSpace(name="x", description="x", choices={"pairs": {"n_chips": (8, 24)}})
    result = search(job(space=pairs), lambda *_: None)
    trials_table(result).to_csv(tmp_path / "trials.csv")
    front_table(result).to_csv(tmp_path / "pareto.csv")
    write_json(
        tmp_path / RUN_FILE, {"finished": True, **run_summary(result, trials_table(result), 1.0, "study")}
    )
    _, trials, front = read_run(tmp_path)
    assert "group_size" not in trials
    assert [plan_of_row(front.loc[i]) for i in range(len(front))] == [
        result.plans.row(i) for i in result.front
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (RUN_FILE, b"{"),
        (RUN_FILE, b"\xff\xfe"),
        (RUN_FILE, b"[]"),
        (RUN_FILE, b'{"finished": true, "workloads": 3}'),
        ("trials.csv", b"a,b\n1,2\n"),
        ("pareto.csv", b""),
        ("pareto.csv", None),
    ],
)
def test_damaged_run_is_refused(tmp_path: Path, empty_run: Path, name: str, content: bytes | None) -> None:
    for path in empty_run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    told = "is not as a search writes it" if name == RUN_FILE else "cannot be read"
    with pytest.raises(RunError, match=rf"{name} {told}"):
        read_run(tmp_path)


@pytest.mark.parametrize("key", ["workloads", "platform", "objectives"])
@pytest.mark.parametrize("value", [None, 3, ["speed"], [], [{"name": 3, "request": "prompt"}]])
def test_run_file_without_its_job_is_refused(tmp_path: Path, run: Path, key: str, value: Any) -> None:
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    summary = json.loads((tmp_path / RUN_FILE).read_text())
    write_json(tmp_path / RUN_FILE, {**summary, key: value})
    with pytest.raises(RunError, match=rf"{RUN_FILE} is not as a search writes it"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "column", "value", "told"),
    [
        *((name, column, None, "is missing") for name in TABLES for column in ("energy_j", "n_chips")),
        *((name, column, None, "is missing") for name in TABLES for column in ("strategy", "regime")),
        *((name, "latency_s", "fast", "holds something that is no number") for name in TABLES),
        *((name, "group_size", "two", "holds something that is no number") for name in TABLES),
        ("trials.csv", "feasible", None, "is missing"),
        ("trials.csv", "feasible", 1, "must hold True and False"),
        ("trials.csv", "on_front", None, "is missing"),
        *((name, "published_ground", None, "is missing") for name in TABLES),
        ("pareto.csv", "trial", None, "must name rows of trials.csv"),
        ("pareto.csv", "trial", 808, "must name rows of trials.csv"),
        ("pareto.csv", "knee", None, "is missing"),
        ("pareto.csv", "knee", "yes", "must hold True and False"),
    ],
)
def test_damaged_table_is_refused_with_file_and_column(
    tmp_path: Path, run: Path, name: str, column: str, value: Any, told: str
) -> None:
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = pd.read_csv(tmp_path / name)
    table = table.drop(columns=column) if value is None else table.assign(**{column: value})
    table.to_csv(tmp_path / name, index=False)
    with pytest.raises(RunError) as error:
        read_run(tmp_path)
    assert error.value.message == f"{tmp_path / name}: column {column!r} {told}"


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a finished run"):
        read_run(tmp_path)


def test_json_keeps_every_digit_and_no_infinity(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"x": 0.1 + 0.2})
    assert json.loads(path.read_text()) == {"x": 0.1 + 0.2}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(path, {"x": value})


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((1, 2, 3), Range(low=1, high=3)),
        ((8,), Range(low=8, high=8)),
        ((2, 4), [2, 4]),
        ((3, 2), [3, 2]),
    ],
)
def test_choices_are_shown_as_a_range_where_they_are_one(values: tuple[int, ...], shown: Any) -> None:
    assert extent(values) == shown
    assert numbers(extent(values)) == values


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("edp", "energy", "latency"), ("edp", "energy")),
        (("energy",), ("n_chips", "energy")),
        (("n_chips",), ("latency", "n_chips")),
    ],
)
def test_figures_have_two_axes(names: tuple[str, ...], axes: tuple[str, str]) -> None:
    assert tuple(o.name for o in axes_of(objectives_named(names))) == axes


@pytest.mark.parametrize(
    ("objectives", "told"),
    [((), "front over latency, energy and number of chips"), (("l3_traffic",), "front over l3 traffic")],
)
def test_title_of_a_figure_names_the_objectives(
    job: Callable[..., Job], found: SearchResult, objectives: tuple[str, ...], told: str
) -> None:
    summary = {
        **run_summary(found, trials_table(found), 1.0, "study"),
        "objectives": [o.name for o in job(objectives=objectives).objectives],
    }
    first, second = figure_title(summary).split("\n")
    assert first == "tinyllama-42m, autoregressive, on siracusa-mipi"
    assert second == told
