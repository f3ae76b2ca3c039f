"""How far latency and energy may be off, as people and programs read it."""

import csv
import json
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
    assert (
        "5, 50 and 95 % are of 200 sets of the platform's constants that keep all that was published" in text
    )


def test_a_front_has_the_ends_of_each_plan(dse: Command, tmp_path: Path) -> None:
    text = said(dse("search", "--set", "n_chips=4,8", "--out", "run"))
    with (tmp_path / "run" / "pareto.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for cost in ("latency_s", "energy_j"):
            low, median, high = (float(row[f"{cost}_{end}"]) for end in ENDS)
            assert low < median < high
    assert text.count("5, 50, 95 %") == 2
    plan = json.loads((tmp_path / "run" / "plan.json").read_text(encoding="utf-8"))
    (knee,) = (row for row in rows if row["knee"] == "True")
    assert float(knee["energy_j_high"]) == plan["costs"]["intervals"]["energy_j"]["high"]


def test_draws_from_ranges_are_named_as_such(dse: Command) -> None:
    text = said(dse("evaluate", "--kernels", "pulp-gvsoc", "--set", "n_chips=8"))
    assert "200 draws of the platform's constants, each by itself, from low to high of its file" in text


def test_without_ranges_no_interval_is_shown(dse: Command, tmp_path: Path) -> None:
    on = ("--workload", case("models", "smollm2-135m"), "--platform", case("boards", "l2-large"))
    text = said(dse("search", *on, "--set", "n_chips=2,4", "--out", "run"))
    assert "No constant of the platform states how far it may be off." in text
    assert "5, 50, 95 %" not in text
    plan = json.loads((tmp_path / "run" / "plan.json").read_text(encoding="utf-8"))
    assert plan["costs"]["intervals"] == {
        "basis": "none",
        "latency_s": None,
        "energy_j": None,
        "time_uncertainty": None,
    }
    with (tmp_path / "run" / "pareto.csv").open(encoding="utf-8") as file:
        assert {row["latency_s_low"] for row in csv.DictReader(file)} == {""}
    assert "as stated" not in said(dse("evaluate", "--plan", "run/plan.json"))
