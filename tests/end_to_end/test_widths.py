"""Widths as decisions: searched, told, written out, refused."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, assert_refused, said
from tests.strategies import GATHER_BITS

ON = ("--workload", "cats-block", "--platform", "nrf52840-mixer")
FEW = ("--set", "n_chips=8,16", "--set", "prune=0,0.9")
SPACE = """description = "widths too"
[column_wise]
n_chips = [8]
prune = [0.0]
weight_bits = [8, 4]
message_bits = [8, 6, 4]
"""


def test_a_search_finds_narrow_plans_where_choices_name_them(dse: Command) -> None:
    asked = ("search", *ON, *FEW, "--set", "message_bits=8,6,4", "--objective", "latency")
    text = said(dse(*asked, "--objective", "accuracy_drop", "--budget", "5000", "--out", "run"))
    assert "messages of " in text
    front = pd.read_csv("run/pareto.csv")
    assert {4, 6} == set(front[[*GATHER_BITS]].to_numpy().ravel()), "six bits are expected to lose nothing"
    assert front[[*GATHER_BITS]].nunique(axis=1).max() > 1, "each gather has its own width"
    fastest = front.sort_values("latency_s").iloc[0]
    assert (*fastest[[*GATHER_BITS]], fastest["prune_qkv"]) == (4, 4, 4, 4, 0.9)
    assert fastest["accuracy_drop"] == front["accuracy_drop"].max()
    trials = pd.read_csv("run/trials.csv")
    assert len(trials) == 2 * 2**4 * 3**4
    whole = trials[(trials["missing_weights"] == 0) & (trials["n_chips"] == 16)]
    alike = whole[whole[[*GATHER_BITS]].eq(whole["bits_o"], axis=0).all(axis=1)].set_index("bits_o")
    assert alike.loc[4, "link_bytes"] < alike.loc[6, "link_bytes"] < alike.loc[8, "link_bytes"]
    plan = json.loads(Path("run/plan.json").read_text())
    assert plan["scales"]["messages"] == "static, each sender's own, one for each gather of each block"
    again = said(dse("evaluate", "--plan", "run/plan.json"))
    assert "The costs are exactly those in run/plan.json." in again


def test_a_space_names_widths_or_leaves_them_to_the_model(dse: Command) -> None:
    Path("space.toml").write_text(SPACE)
    said(dse("search", *ON, "--space", "space.toml", "--out", "run"))
    trials = pd.read_csv("run/trials.csv")
    assert len(trials) == 2 * 3**4
    assert set(trials["weight_bits"]) == {8, 4}
    Path("space.toml").write_text(SPACE.replace("weight_bits = [8, 4]\n", ""))
    said(dse("search", *ON, "--space", "space.toml", "--out", "own"))
    assert set(pd.read_csv("own/trials.csv")["weight_bits"]) == {8}


def test_a_narrow_plan_rests_on_what_packing_takes_and_loses(dse: Command) -> None:
    narrow = ("--set", "n_chips=8", "--set", "weight_bits=4", "--set", "message_bits=6", "--json")
    plan = json.loads(said(dse("evaluate", *ON, *narrow)))
    drop, rests_on = plan["costs"]["accuracy_drop"], " ".join(plan["rests_on"])
    assert (drop["low"], drop["estimate"]) == (0, 0.2)
    assert drop["high"] == pytest.approx(0.2 + (1.5**2 + 0.3**2) ** 0.5)
    for named in ("narrow.weights_4.high", "narrow.messages_6.high", "packing.bits_4.unpack"):
        assert named in rests_on
    for other in ("narrow.weights_6", "narrow.messages_4", "tasks.digits"):
        assert other not in rests_on
    whole = json.loads(said(dse("evaluate", *ON, "--set", "n_chips=16", "--json")))["rests_on"]
    assert not [line for line in whole if "packing." in line]


def test_sums_of_a_byte_are_said_to_risk_accuracy_and_wider_ones_are_not(dse: Command) -> None:
    plan = ("evaluate", "--set", "n_chips=8")
    narrow = said(dse(*plan, "--set", "partial_sum_bits=8"))
    assert "groups of 4, 8 bit sums" in narrow
    assert "accuracy drop, 90 %: 0.0 (0.0 to 0.3) points" in narrow
    assert "accuracy" not in said(dse(*plan))


@pytest.mark.parametrize(
    ("decision", "named"),
    [
        ("weight_bits=5", "weight_bits 5 must be one of 4, 6, 8, 16, 32"),
        ("message_bits=two", "message_bits"),
        ("weight_bit=4", "did you mean 'weight_bits'"),
    ],
)
def test_other_widths_are_refused(dse: Command, decision: str, named: str) -> None:
    assert_refused(dse("evaluate", *ON, "--set", "n_chips=8", "--set", decision), named)


def test_a_calibration_of_losses_has_no_narrow_plans(dse: Command) -> None:
    asked = ("--workload", "cats-timeseries", "--platform", "nrf52840-mixer", "--calibration", "cats-icd")
    narrow = ("--set", "n_chips=8", "--set", "weight_bits=4")
    assert_refused(dse("evaluate", *asked, *narrow), "does not say what weights or messages below 8 bit")
    assert_refused(dse("search", *asked, *narrow, "--out", "run"), "below 8 bit")
    assert not Path("run").exists()


def test_trainings_of_narrow_plans_are_refused_by_their_line(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,weight_bits,accuracy\n1,0,,95\n8,0.9,,90\n8,0.9,4,88\n")
    outcome = dse("calibrate", "--workload", "cats-vit", "--measurements", "t.csv")
    assert_refused(outcome, "t.csv, line 4: weight_bits 4: calibrations are of the model's own 8 bit")
