"""``dse importance``: which decision moves which objective of a run."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, assert_refused, plan_of, said


def test_a_run_says_which_decision_moves_which_objective(dse: Command, run: Path) -> None:
    text = said(dse("importance", run))
    assert text == said(dse("importance", run))
    lines = text.splitlines()
    heading = next(line for line in lines if line.startswith("variance explained by"))
    assert heading.split()[3:] == ["latency", "energy"]
    assert "Exact: of all 808 plans of the space" in text
    found = json.loads(said(dse("importance", run, "--json")))
    assert found == plan_of(run / "run.json")["importance"]
    trials = pd.read_csv(run / "trials.csv")
    means = trials.groupby("n_chips")["latency_s"].transform("mean")
    share = means.var() / trials["latency_s"].var()
    assert found["shares"]["latency"]["n_chips"] == pytest.approx(share)
    (row,) = (line for line in lines if line.startswith("n_chips"))
    assert f"{100 * share:.1f} %" in row
    assert "partial_sum_bits" not in text  # all plans that have it decide alike


def test_a_run_with_no_feasible_plan_is_refused(dse: Command, tmp_path: Path) -> None:
    assert dse("search", "--constraint", "latency<=1us", "--out", "none").code == 1
    assert plan_of(tmp_path / "none" / "run.json")["importance"]["n_plans"] == 0
    assert_refused(dse("importance", "none"), "no plan was feasible")


def test_a_folder_that_is_no_run_is_refused(dse: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(dse("importance", "empty"), "holds no run.json")


def test_a_run_that_does_not_say_how_its_front_was_found_is_refused(
    dse: Command, run: Path, tmp_path: Path
) -> None:
    for name in ("trials.csv", "pareto.csv"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    summary = plan_of(run / "run.json")
    del summary["front"]
    (tmp_path / "run.json").write_text(json.dumps(summary))
    assert_refused(dse("importance", tmp_path), "how the front was found")
