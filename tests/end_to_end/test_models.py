"""Several models in one front: searched with, told, written out, exported, refused."""

import json
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, assert_refused, said

RADIO = ("--platform", "nrf52840-mixer", "--set", "prune=0,0.5,0.9", "--budget", "3000")
BASES = {"wide": 95.0, "narrow": 92.0}
BOTH = ("--workload", "wide.toml", "--workload", "narrow.toml")
MEASURED = ("--calibration", "wide-known.toml", "--calibration", "narrow-known.toml")


@pytest.fixture(scope="module")
def made(program: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two models, their calibrations, and a run of both."""
    cwd = tmp_path_factory.mktemp("models")
    text = (files("costmodel.parameters") / "model" / "cats-vit.toml").read_text(encoding="utf-8")
    for name, embedding, ffn, head in (("wide", 384, 384, 24), ("narrow", 96, 96, 6)):
        changed = text.replace("\nembedding = { value = 384", f"\nembedding = {{ value = {embedding}")
        changed = changed.replace("\nffn = { value = 384", f"\nffn = {{ value = {ffn}")
        changed = changed.replace("\nhead_size = { value = 24", f"\nhead_size = {{ value = {head}")
        (cwd / f"{name}.toml").write_text(changed, encoding="utf-8")
        base = BASES[name]
        rows = f"n_chips,prune,accuracy\n1,0,{base}\n8,0.5,{base - 1}\n8,0.9,{base - 5}\n"
        (cwd / f"{name}.csv").write_text(rows)
        fit = ("--measurements", f"{name}.csv", "--out", f"{name}-known.toml")
        said(program("calibrate", "--workload", f"{name}.toml", *fit, cwd=cwd))
    (cwd / "told").write_text(said(program("search", *BOTH, *MEASURED, *RADIO, "--out", "run", cwd=cwd)))
    return cwd


@pytest.fixture
def front(made: Path) -> pd.DataFrame:
    """The front of both."""
    return pd.read_csv(made / "run" / "pareto.csv")


def test_a_front_of_two_models_is_exact_and_each_scores_from_its_own_base(
    made: Path, front: pd.DataFrame
) -> None:
    told = (made / "told").read_text()
    assert "wide.toml or narrow.toml, encoder, on nrf52840-mixer" in told
    assert "objectives: latency (least), energy (least), number of chips (least), accuracy (most)" in told
    assert "exact front: all" in told
    assert "accuracy [%]" in told
    assert set(front["workload"]) == {"wide.toml", "narrow.toml"}
    for _, row in front.iterrows():
        base = BASES[row["workload"].removesuffix(".toml")]
        assert row["accuracy_percent"] == pytest.approx(base - row["accuracy_drop"])
    assert set(front["calibration"]) == {"wide-known.toml", "narrow-known.toml"}


def test_no_plan_of_either_model_dominates_one_of_the_front(made: Path, front: pd.DataFrame) -> None:
    trials = pd.read_csv(made / "run" / "trials.csv")
    fits = trials[trials["feasible"]]
    assert set(fits["workload"]) == {"wide.toml", "narrow.toml"}
    for _, row in front.iterrows():
        no_worse = fits[
            (fits["latency_s"] <= row["latency_s"])
            & (fits["energy_j"] <= row["energy_j"])
            & (fits["n_chips"] <= row["n_chips"])
            & (fits["accuracy_percent"] >= row["accuracy_percent"])
        ]
        better = (
            (no_worse["latency_s"] < row["latency_s"])
            | (no_worse["energy_j"] < row["energy_j"])
            | (no_worse["n_chips"] < row["n_chips"])
            | (no_worse["accuracy_percent"] > row["accuracy_percent"])
        )
        assert not better.any()


def test_plans_of_each_model_are_exported_and_costed_again(
    made: Path, front: pd.DataFrame, program: Command
) -> None:
    for name in BASES:
        index = int(front.index[front["workload"] == f"{name}.toml"][0])
        plan = f"{name}.json"
        said(program("export", "run", "--pick", str(index), "--out", plan, cwd=made))
        document = json.loads((made / plan).read_text())
        assert document["workload"]["name"] == f"{name}.toml"
        assert document["costs"]["latency_s"] == front.loc[index, "latency_s"]
        drop = document["costs"]["accuracy_drop"]
        assert drop["score"] == pytest.approx(BASES[name] - drop["estimate"])
        assert "exactly those in" in said(program("evaluate", "--plan", plan, cwd=made))


def test_plans_to_retrain_are_of_one_of_the_models(made: Path, program: Command) -> None:
    ask = ("calibrate", "--propose", "2", "--run", "run")
    assert_refused(program(*ask, cwd=made), "--workload, one of wide.toml, narrow.toml")
    assert "misses most of the front" in said(program(*ask, "--workload", "narrow.toml", cwd=made))
    assert_refused(program(*ask, "--workload", "wide", cwd=made), "the run has no workload 'wide'")


def test_a_front_is_drawn_over_accuracy(made: Path, program: Command) -> None:
    said(program("plot", "run", "--y", "accuracy", "--out", "drawn", cwd=made))
    picture = (made / "drawn" / "pareto-latency-accuracy.svg").read_text()
    for text in ("accuracy [%]", "Pareto front, wide.toml", "Pareto front, narrow.toml"):
        assert text in picture
    assert_refused(
        program("plot", "run", "--y", "loss", "--out", "drawn", cwd=made),
        "objective 'loss': the calibration measured accuracy, objective 'accuracy' is it",
    )


def test_a_bound_on_accuracy_is_kept(made: Path, program: Command) -> None:
    bound = ("--constraint", "accuracy>=93%")
    said(program("search", *BOTH, *MEASURED, *RADIO, *bound, "--out", "bounded", cwd=made))
    kept = pd.read_csv(made / "bounded" / "pareto.csv")
    assert set(kept["workload"]) == {"wide.toml"}
    assert kept["accuracy_percent"].min() >= 93


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (BOTH, "objective 'accuracy': nobody measured it of wide.toml"),
        ((*BOTH, *MEASURED[:2]), "1 --calibration for 2 --workload"),
        ((*BOTH[:2], *BOTH[:2], *MEASURED), "workload wide.toml is given twice"),
        (
            (*BOTH, *MEASURED, "--objective", "latency", "--objective", "accuracy_drop"),
            "objective 'accuracy_drop' is counted from each model's own base",
        ),
        (
            (*BOTH, *MEASURED, "--objective", "loss"),
            "the calibration measured accuracy, objective 'accuracy'",
        ),
        ((*BOTH, *MEASURED, "--budget", "1"), "--budget 1 must be at least 2, one a workload"),
        (
            (*BOTH[:2], "--workload", "cats-timeseries", *MEASURED[:2], "--calibration", "cats-icd"),
            "calibrations of workloads must all be of accuracy, or all of a loss",
        ),
        (
            (*BOTH[:2], "--workload", "tinyllama-42m"),
            "workloads have requests autoregressive and encoder",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    made: Path, program: Command, argv: tuple[str, ...], named: str
) -> None:
    outcome = program("search", *RADIO, *argv, "--out", "refused", cwd=made)
    assert_refused(outcome, named)
    assert not (made / "refused").exists()


def test_of_a_narrower_model_the_accuracy_of_the_whole_suffices(made: Path, program: Command) -> None:
    (made / "base.csv").write_text("n_chips,accuracy\n1,91\n1,92\n")
    fit = ("--workload", "narrow.toml", "--measurements", "base.csv", "--out", "base.toml")
    told = said(program("calibrate", *fit, cwd=made))
    assert "whole model: accuracy 91.5 %, 2 trainings" in told
    assert "what plans lose is what other tasks make one expect" in told
    known = (*MEASURED[:2], "--calibration", "base.toml")
    told = said(program("search", *BOTH, *known, *RADIO, "--out", "based", cwd=made))
    assert "Accuracy of narrow.toml is not calibrated" in told
    front = pd.read_csv(made / "based" / "pareto.csv")
    mine = front[front["workload"] == "narrow.toml"]
    assert mine["accuracy_percent"].tolist() == pytest.approx((91.5 - mine["accuracy_drop"]).tolist())
    assert set(mine["calibration"]) == {"none"}
    whole = mine[mine["n_chips"] == 1]
    assert whole["accuracy_percent"].tolist() == [91.5]


def test_a_budget_is_shared_and_the_time_that_suffices_for_all_is_named(made: Path, program: Command) -> None:
    few = (*BOTH, *MEASURED, *RADIO, "--budget", "200")
    told = said(program("search", *few, "--exact-seconds", "0", "--out", "few", cwd=made))
    trials = pd.read_csv(made / "few" / "trials.csv")
    assert trials["workload"].value_counts().to_dict() == {"wide.toml": 100, "narrow.toml": 100}
    assert "distance from the exact front: unknown" in told
    assert told.count("--exact-seconds 1 makes the front exact") == 2
    told = said(program("search", *few, "--out", "all", cwd=made))
    assert "exact front: all " in told
    fronts = [pd.read_csv(made / run / "pareto.csv").drop(columns="trial") for run in ("all", "run")]
    pd.testing.assert_frame_equal(*fronts)


def test_models_that_are_scored_by_a_loss_are_compared_by_it(dse: Command) -> None:
    one = ("--workload", "cats-timeseries", "--calibration", "cats-icd", *RADIO)
    said(dse("search", *one, "--objective", "latency", "--objective", "loss", "--out", "run"))
    front = pd.read_csv("run/pareto.csv")
    assert front["loss"].tolist() == pytest.approx((0.1095 * (1 + front["accuracy_drop"])).tolist())
