"""A plan's file is costed again as it is, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from costmodel.parameters import hash_of
from tests.commands import Command, assert_refused, plan_of, said

Place = tuple[str | int, ...]
PLAN_EDITS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("wrkload",), 1, "did you mean 'workload'"),
    (("schema_version",), "1", "schema_version"),
    (("costs", "latency_s"), "fast", "costs.latency_s"),
    (("costs", "latency_s"), float("nan"), "costs.latency_s"),
    (("costs", "regime"), "lost", "costs.regime"),
    (("decisions", "values", "n_chips"), 65, "n_chips 65"),
    (("decisions", "values", "n_chips"), 0, "n_chips 0"),
    (("decisions", "values", "n_chips"), 10**30, "n_chips 1000"),
    (("decisions", "values", "n_chips"), "eight", "decisions.values.n_chips"),
    (("decisions", "values", "n_chips"), None, "decisions.values.n_chips"),
    (("decisions", "values", "n_chips"), "8", "decisions.values.n_chips"),
    (("workload", "n_tokens"), "128", "workload.n_tokens"),
    (("accounting", "head"), "true", "accounting.head"),
    (("costs", "latency_s"), "0.001", "costs.latency_s"),
    (("decisions", "values", "n_chips"), 8.0, "n_chips = '8.0' must be a whole number"),
    (("decisions", "values", "group_sise"), 4, "did you mean 'group_size'"),
    (("decisions", "value"), {}, "did you mean 'values'"),
    (("decisions", "strategy"), "headwise", "plan plan.json: unknown strategy 'headwise'; did you mean"),
    (("workload", "n_tokens"), -1, "tokens -1"),
    (("workload", "request"), "encoder", "'encoder'"),
    (("accounting", "scope"), "blok", "accounting.scope"),
    (("chips", 0, "owns", "heads"), "all", "chips.0.owns.heads"),
    (("inputs", 0, "kind"), "modl", "inputs.0.kind"),
    (("inputs", 0, "data", "heads", "value"), 4, "model 'tinyllama-42m' are not those hashed"),
    (("inputs", 0, "sha256"), "0" * 64, "model 'tinyllama-42m' are not those hashed"),
    (("inputs", 0, "sha"), "0", "unknown key 'inputs.0.sha'"),
    (("inputs", 0, "data"), [], "inputs.0.data"),
    (("inputs",), [], "'inputs' holds no mcu"),
]
CHANGES: list[tuple[Place, Callable[[Any], Any]]] = [
    (("costs", "latency_s"), lambda v: v * (1 + 1e-12)),
    (("costs", "energy_j"), lambda v: v * (1 + 1e-12)),
    (("costs", "link_messages"), lambda v: v + 1),
    (("costs", "l2_bytes"), lambda v: v * 2),
    (("costs", "regime"), lambda _: "streamed"),
    (("chips", 3, "kv_cache_bytes"), lambda v: v / 2),
    (("chips", 3, "owns", "heads", "first"), lambda v: v + 1),
    (("synchronisations", 1, "times"), lambda v: v + 1),
    (("synchronisations", 1, "messages", 0, "sender"), lambda v: v + 1),
    (("rests_on", 0), lambda v: v.upper()),
    (("platform", "link"), lambda _: "spi"),
    (("generator",), lambda _: "dse 0.0.0"),
]
OTHERS = [
    *(["--workload", "mobilebert"], ["--workload", "tinyllama-42m"], ["--workload", ""]),
    *(["--platform", "siracusa-mipi"], ["--request", "prompt"], ["--tokens", "9"]),
    *(["--kernels", "date2025"], ["--scope", "block"], ["--scope", "model"], ["--prefetch", "hidden"]),
    *(["--prefetch", "steady"], ["--no-head"], ["--head"], ["--set", "n_chips=8"]),
]


def replaced(plan: dict[str, Any], place: Place, change: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Change one value of a plan; give the old and the new one."""
    at: Any = plan
    for key in place[:-1]:
        at = at[key]
    old = at[place[-1]] if isinstance(at, list) else at.get(place[-1])
    at[place[-1]] = change(old)
    return old, at[place[-1]]


def test_plan_of_a_run_costs_exactly_the_same_again(dse: Command, run: Path) -> None:
    assert f"The costs are exactly those in {run / 'plan.json'}." in said(
        dse("evaluate", "--plan", run / "plan.json")
    )
    again = json.loads(said(dse("evaluate", "--plan", run / "plan.json", "--json")))
    plan = plan_of(run / "plan.json")
    assert again["costs"] == plan["costs"]
    del plan["inputs"]
    assert again == plan


def test_plan_of_own_files_outlives_them(dse: Command, copy_of: Callable[..., str], tmp_path: Path) -> None:
    model = Path(copy_of("model/stories260k", "layers = { value = 5", "layers = { value = 7"))
    said(dse("search", "--workload", model.name, "--request", "prompt", "--tokens", "9", "--budget", "20"))
    model.unlink()
    folder = tmp_path / "results" / "stories260k-siracusa-mipi"
    assert "exactly" in said(dse("evaluate", "--plan", folder / "plan.json"))
    plan = plan_of(folder / "plan.json")
    assert plan["workload"] == {
        "name": "stories260k.toml",
        "request": "prompt",
        "n_tokens": 9,
        "context_max": 9,
    }
    assert plan["synchronisations"][1]["times"] == 7


@pytest.mark.parametrize("pick", ["knee", "min-latency", "min-energy", "min-edp", "min-n_chips", "0", "3"])
def test_export_writes_the_plan_that_was_picked(dse: Command, run: Path, tmp_path: Path, pick: str) -> None:
    front = pd.read_csv(run / "pareto.csv")
    said(dse("export", run, "--pick", pick, "--out", "mine.json"))
    plan = plan_of(tmp_path / "mine.json")
    costs = plan["costs"] | plan["decisions"]["values"]
    if pick.isdigit():
        assert costs["latency_s"] == front["latency_s"][int(pick)]
    elif pick == "knee":
        assert (tmp_path / "mine.json").read_bytes() == (run / "plan.json").read_bytes()
    else:
        column = {"latency": "latency_s", "energy": "energy_j", "edp": "edp_js"}.get(pick[4:], pick[4:])
        assert costs[column] == front[column].min()
    assert "exactly" in said(dse("evaluate", "--plan", "mine.json"))


def test_plans_of_own_files_are_exported_as_they_were(
    dse: Command, copy_of: Callable[..., str], tmp_path: Path
) -> None:
    model = Path(copy_of("model/stories260k")).name
    said(dse("search", "--workload", model, "--budget", "20", "--out", "run"))
    (tmp_path / model).unlink()
    said(dse("export", "run", "--out", "mine.json"))
    assert (tmp_path / "mine.json").read_bytes() == (tmp_path / "run" / "plan.json").read_bytes()
    assert plan_of(tmp_path / "mine.json")["inputs"][0]["path"] == model


@pytest.mark.parametrize(("place", "value", "named"), PLAN_EDITS)
def test_edited_plan_is_refused(
    dse: Command, run: Path, tmp_path: Path, place: tuple[str | int, ...], value: Any, named: str
) -> None:
    plan = plan_of(run / "plan.json")
    at = plan
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert_refused(dse("evaluate", "--plan", "plan.json"), named)


@pytest.mark.parametrize("key", ["costs", "synchronisations", "decisions", "inputs", "generator"])
def test_plan_without_a_part_is_refused(dse: Command, run: Path, tmp_path: Path, key: str) -> None:
    plan = plan_of(run / "plan.json")
    del plan[key]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert_refused(dse("evaluate", "--plan", "plan.json"), f"'{key}' is missing")


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(("place", "change"), CHANGES, ids=[".".join(map(str, p)) for p, _ in CHANGES])
def test_changed_plan_is_refused_with_both_values(
    dse: Command,
    run: Path,
    tmp_path: Path,
    place: Place,
    change: Callable[[Any], Any],
    as_json: tuple[str, ...],
) -> None:
    plan = plan_of(run / "plan.json")
    old, new = replaced(plan, place, change)
    (tmp_path / "edited.json").write_text(json.dumps(plan))
    outcome = dse("evaluate", "--plan", "edited.json", *as_json)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)[1:]
    assert_refused(outcome, f"error: plan edited.json: key {key!r} is {repr(new)[:40]}")
    assert f"its parameters give {repr(old)[:40]}" in outcome.err
    assert "the file was edited" in outcome.err


def test_other_parameters_with_their_hash_make_another_plan(dse: Command, run: Path, tmp_path: Path) -> None:
    plan = plan_of(run / "plan.json")
    entry = plan["inputs"][0]
    entry["data"]["layers"]["value"] += 1
    entry["sha256"] = hash_of(entry["data"])
    (tmp_path / "edited.json").write_text(json.dumps(plan))
    assert_refused(dse("evaluate", "--plan", "edited.json"), "key 'costs.latency_s' is ")


def test_two_inputs_of_one_kind_are_refused(dse: Command, run: Path, tmp_path: Path) -> None:
    plan = plan_of(run / "plan.json")
    plan["inputs"].append(plan["inputs"][0])
    (tmp_path / "edited.json").write_text(json.dumps(plan))
    assert_refused(dse("evaluate", "--plan", "edited.json"), "'inputs' holds two of kind 'model'")


@pytest.mark.parametrize("options", OTHERS, ids=" ".join)
def test_plan_takes_no_other_option(dse: Command, run: Path, options: list[str]) -> None:
    assert_refused(dse("evaluate", "--plan", run / "plan.json", *options), "--plan carries")


def test_a_plan_file_carries_its_message_loss(dse: Command, run: Path) -> None:
    asked = ("evaluate", "--plan", run / "plan.json", "--message-loss", "5%")
    assert_refused(dse(*asked), "--plan carries workload")
