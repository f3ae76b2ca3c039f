"""Message loss as the user gives it: searched with, told, written out, refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from costmodel import load_workload
from costmodel.message_loss import LossFitted
from tests.commands import Command, assert_refused, said

ON = ("--workload", "cats-timeseries", "--platform", "nrf52840-mixer", "--calibration", "cats-icd")
WAYS = ("--set", "retransmission=0,1", "--set", "message_dropout=0,0.05,0.1")


@pytest.fixture
def run(dse: Command) -> str:
    asked = (
        "--set",
        "n_chips=8",
        "--set",
        "prune=0",
        "--objective",
        "latency",
        "--objective",
        "accuracy_drop",
    )
    return said(dse("search", *ON, *WAYS, *asked, "--message-loss", "10%", "--out", "run"))


def test_a_search_weighs_sending_again_against_dropout(run: str) -> None:
    assert "10 % of messages lost" in run
    front = pd.read_csv("run/pareto.csv")
    ways = set(zip(front["retransmission"], front["message_dropout"], strict=True))
    assert (1, 0.0) in ways
    assert {dropout > 0 for again, dropout in ways if not again} == {True}
    trials = pd.read_csv("run/trials.csv").set_index(["retransmission", "message_dropout"])
    assert len(trials) == 6
    again, never = trials.loc[(1, 0.0)], trials.loc[(0, 0.0)]
    assert again["accuracy_drop"] == 0
    assert never["accuracy_drop"] == pytest.approx(2.24, abs=0.02)  # 1.24 times the lossless loss on top
    assert again["latency_link_s"] > 2 * never["latency_link_s"]
    assert again["energy_link_j"] > 2 * never["energy_link_j"]


def test_a_plan_carries_what_is_lost(dse: Command, run: str) -> None:
    plan = json.loads(Path("run/plan.json").read_text())
    assert plan["accounting"]["message_loss"] == 0.1
    assert "The costs are exactly those in run/plan.json." in said(dse("evaluate", "--plan", "run/plan.json"))
    assert json.loads(Path("run/run.json").read_text())["accounting"]["message_loss"] == 0.1


def test_a_report_says_what_becomes_of_lost_messages(dse: Command) -> None:
    asked = ("evaluate", *ON, "--set", "n_chips=8")
    none = said(dse(*asked))
    assert (
        "no message is taken to be lost; link mixer-ble2m states 0.001: --message-loss 0.001 counts it"
        in none
    )
    lost = said(dse(*asked, "--message-loss", "0.05"))
    assert "5 % of messages do not arrive and are not sent again: accuracy pays for it" in lost
    assert "% of the loss, by calibration cats-icd; it leaves loss 0.3" in lost
    again = said(dse(*asked, "--message-loss", "0.05", "--set", "retransmission=1"))
    assert "5 % of messages do not arrive and are sent again: 2.08 times as many are sent" in again
    assert "lost messages sent again" in again
    assert "accuracy" not in again
    assert "lost" not in said(dse("evaluate", "--set", "n_chips=8"))


def test_a_report_says_where_the_law_is_stretched(dse: Command) -> None:
    beyond = said(dse("evaluate", *ON, "--set", "n_chips=8", "--message-loss", "0.2"))
    assert "by calibration cats-icd, beyond what it measured" in beyond
    few = ("--set", "n_chips=8", "--set", "prune=0")
    text = said(dse("search", *ON, *few, "--message-loss", "0.2", "--out", "run"))
    assert "1 of the front's plans are beyond what it measured, their intervals wider." in text


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        ("1", "--message-loss 1.0 must be 0 to 0.9"),
        ("-1%", "--message-loss -0.01"),
        ("much", "'much' is no share"),
    ],
)
def test_a_share_that_cannot_be_is_refused(dse: Command, loss: str, named: str) -> None:
    assert_refused(dse("evaluate", *ON, "--set", "n_chips=8", f"--message-loss={loss}"), named)


def test_a_plan_rests_on_the_law_of_lost_messages_where_any_are_lost(dse: Command) -> None:
    asked = ("evaluate", *ON, "--set", "n_chips=8", "--json")
    none, lost, pruned = (
        " ".join(json.loads(said(dse(*asked, *more)))["rests_on"])
        for more in ((), ("--message-loss", "5%"), ("--set", "prune=0.5"))
    )
    assert "message_loss." not in none + pruned
    assert "calibration/cats-icd message_loss.scale" in lost
    assert "calibration/cats-icd scale" in pruned
    assert "calibration/cats-icd scale" not in lost


def test_a_calibration_of_accuracy_keeps_what_its_family_says_of_lost_messages(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,85\n8,0.5,94\n")
    said(dse("calibrate", "--workload", "cats-vit", "--measurements", "t.csv", "--out", "mine.toml"))
    asked = ("--workload", "cats-vit", "--platform", "nrf52840-mixer", "--set", "n_chips=16", "--json")
    own, family = (
        json.loads(said(dse("evaluate", *asked, *more, "--message-loss", "10%")))["costs"]["accuracy_drop"]
        for more in (("--calibration", "mine.toml"), ())
    )
    assert (own["low"], own["estimate"], own["high"]) == (family["low"], family["estimate"], family["high"])
    assert own["high"] > 10 * own["estimate"] * 0.99


def test_a_calibration_without_such_a_law_makes_no_run(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,loss\n1,0,0.2\n8,0.9,0.25\n")
    said(dse("calibrate", "--workload", "cats-vit", "--measurements", "t.csv", "--out", "mine.toml"))
    asked = ("search", "--workload", "cats-vit", "--platform", "nrf52840-mixer", "--calibration", "mine.toml")
    few = ("--set", "n_chips=8", "--set", "prune=0", "--out", "run")
    assert_refused(dse(*asked, *few, "--message-loss", "5%"), "does not say what lost messages cost")
    assert_refused(
        dse(*asked, *few, "--set", "message_dropout=0,0.1"), "does not say what lost messages cost"
    )
    assert not Path("run").exists()


MEASURED = """n_chips,prune,message_dropout,message_loss,accuracy
1,0,,,95
8,0.5,,,93
8,0.9,,,87
8,0,0,10%,93.9
8,0,0,20%,89.7
8,0.5,0,20%,87.7
8,0.5,0.2,0,91
8,0.5,0.2,10%,91.7
8,0.5,0.2,20%,91
8,0.5,0.2,40%,85.7
"""


def test_a_table_with_lost_messages_calibrates_what_they_cost(dse: Command) -> None:
    Path("t.csv").write_text(MEASURED)
    fit = said(dse("calibrate", "--workload", "cats-vit", "--measurements", "t.csv", "--out", "mine.toml"))
    assert "8 chips, column_wise, pruned by 0.5, trained with message dropout 0.2" in fit
    assert "law of lost messages: scale" in fit
    assert "90 % interval of it: +-1.5 points, up to 40 % lost" in fit
    table = load_workload("cats-vit", calibration="mine.toml").calibration.message_loss
    assert isinstance(table, LossFitted)
    assert (table.least_loss, table.most_loss, table.most_dropout) == (0.1, 0.4, 0.2)
    asked = (
        "--workload",
        "cats-vit",
        "--platform",
        "nrf52840-mixer",
        "--set",
        "n_chips=8",
        "--calibration",
        "mine.toml",
        "--json",
    )

    def drop(*how: str) -> dict[str, Any]:
        found = json.loads(dse("evaluate", *asked, *how).out)  # the plan does not fit
        return dict(found["costs"]["accuracy_drop"])

    untrained = drop("--message-loss", "20%")
    assert untrained["estimate"] == pytest.approx(5.3, abs=0.1)
    assert untrained["high"] - untrained["estimate"] == pytest.approx(1.5)
    assert untrained["within"]
    trained = drop("--message-loss", "20%", "--set", "message_dropout=0.2")
    assert trained["estimate"] == pytest.approx(2, abs=0.1)
    assert trained["within"]
    assert not drop("--message-loss", "45%")["within"]
    assert drop("--message-loss", "20%", "--set", "retransmission=1")["estimate"] == 0
