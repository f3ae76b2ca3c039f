"""How far latency and energy may be off, as people and programs read it."""

import csv
import json
import re
from pathlib import Path

from tests.commands import Command, said
from tests.end_to_end.test_field_cases import case

ENDS = ("low", "median", "high")


def test_a_report_and_a_plan_give_the_same_ends_and_say_what_they_are_of(dse: Command) -> None:
    text = said(dse("evaluate", "--set", "n_chips=8"))
    ends = json.loads(said(dse("evaluate", "--set", "n_chips=8", "--json")))["costs"]["intervals"]
    assert ends["basis"] == "sample"
    shown = [f"{ends['latency_s'][end] * 1e3:.4g} ms" for end in ENDS]
    assert " ".join(next(line for line in text.splitlines() if line.startswith("latency")).split()).endswith(
        " ".join(shown)
    )
    assert "are of 200 sets of the platform's constants that keep what those stated keep" in text
    assert "Held, though their files say how far they may be off: mcu.l2.reserve, mcu.l3.size" in text
    assert ends["held"] == ["mcu.l2.reserve", "mcu.l3.size", "link.loss"]


def test_a_front_has_the_ends_of_each_plan(dse: Command, tmp_path: Path) -> None:
    text = said(dse("search", "--set", "n_chips=4,8", "--out", "run"))
    with (tmp_path / "run" / "pareto.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for cost in ("latency_s", "energy_j"):
            low, median, high = (float(row[f"{cost}_{end}"]) for end in ENDS)
            assert low < median < high
    assert text.count("5, 50, 95 %") == 2
    assert "Over the draws, 5 to 95 %: " in text
    assert sum(float(row["knee_share"]) for row in rows) == 1
    plan = json.loads((tmp_path / "run" / "plan.json").read_text(encoding="utf-8"))
    (knee,) = (row for row in rows if row["knee"] == "True")
    assert float(knee["energy_j_high"]) == plan["costs"]["intervals"]["energy_j"]["high"]


def test_draws_from_ranges_are_named_as_such(dse: Command) -> None:
    text = said(dse("evaluate", "--kernels", "pulp-gvsoc", "--set", "n_chips=8"))
    assert "200 draws of the platform's constants, each by itself, from low to high of its file" in text


def test_without_ranges_no_interval_is_shown(dse: Command, tmp_path: Path) -> None:
    on = ("--workload", case("models", "smollm2-135m"), "--platform", case("boards", "l2-large"))
    text = said(dse("search", *on, "--set", "n_chips=2,4", "--out", "run"))
    assert "No constant that these costs depend on says how far it may be off." in text
    assert "Over the draws" not in text
    assert "5, 50, 95 %" not in text
    plan = json.loads((tmp_path / "run" / "plan.json").read_text(encoding="utf-8"))
    assert plan["costs"]["intervals"] == {
        "basis": "none",
        "latency_s": None,
        "energy_j": None,
        "held": [],
        "time_uncertainty": None,
    }
    with (tmp_path / "run" / "pareto.csv").open(encoding="utf-8") as file:
        assert {row["latency_s_low"] for row in csv.DictReader(file)} == {""}
    assert "as stated" not in said(dse("evaluate", "--plan", "run/plan.json"))


def test_a_value_outside_its_interval_is_marked(dse: Command) -> None:
    on = ("--workload", "stories260k")
    text = said(dse("evaluate", *on, "--set", "n_chips=8"))
    assert "The latency as stated is less than 95 % of the draws give." in text
    text = said(dse("search", *on, "--set", "n_chips=4,8", "--out", "run"))
    assert "< and >: as stated, less or more than that." in text


def test_what_is_bounded_is_met_in_a_share_of_the_draws(dse: Command) -> None:
    bound = ("--constraint", "latency<=16ms", "--constraint", "n_chips<=8")
    text = said(dse("search", "--set", "n_chips=4,8", *bound, "--out", "run"))
    (share,) = re.findall(r"It meets latency<=16ms in (\d+)% of the draws\.", text)
    assert 5 < int(share) < 95
    assert "It meets n_chips<=8" not in text
