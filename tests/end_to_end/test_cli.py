import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dse.catalogue import LISTINGS, entries
from tests.commands import Command, Outcome, assert_refused, plan_of, said

SAME_EVERY_TIME = ("trials.csv", "pareto.csv", "plan.json", "pareto.svg", "pareto.png", "pareto.html")
RUN_FILES = {*SAME_EVERY_TIME, "run.json", "study.journal"}
HEAVY = ("numpy", "optuna", "pandas", "matplotlib", "pydantic", "plotly", "moocore", "pint")
HELP = f"""
import sys
from dse.cli import main
sys.argv = ["dse", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code
print("imported:", *(name for name in {HEAVY} if name in sys.modules))
"""
SCOPES = {
    "model": "whole model",
    "block": "one block",
    "attention": "attention half of a block",
    "mlp": "MLP half of a block",
}
NAMES = sorted({name for what in LISTINGS for name in entries(what)})


def test_search_without_options_recommends_a_plan(first_search: tuple[Outcome, Path]) -> None:
    outcome, folder = first_search
    text = said(outcome)
    assert {path.name for path in folder.iterdir()} == RUN_FILES
    assert "exact front: all 808 plans of the space were evaluated" in text
    plan = plan_of(folder / "plan.json")
    decided, costs = plan["decisions"]["values"], plan["costs"]
    assert (plan["workload"]["name"], plan["platform"]["name"]) == ("tinyllama-42m", "siracusa-mipi")
    line = next(line for line in text.splitlines() if line.startswith("Recommended"))
    assert f"{decided['n_chips']} chips, head_wise, groups of {decided['group_size']}" in line
    assert f"{costs['latency_s'] * 1e3:.4g} ms, {costs['energy_j'] * 1e3:.4g} mJ" in line
    assert "objectives: latency (least), energy (least), number of chips (least)" in text
    assert "whole model, one token, context 128" in text
    causes = sorted(costs["latency_by_cause_s"].values(), reverse=True)
    limit = next(line for line in text.splitlines() if line.startswith("Most of the latency is"))
    assert f"{causes[0] / costs['latency_s']:.0%}; then" in limit
    assert f"{costs['throughput_tokens_per_s']:.4g} token/s" in line
    assert ", head from L3" in text
    assert all(name in text for name in RUN_FILES)
    front = pd.read_csv(folder / "pareto.csv")
    assert 8 in front["n_chips"].tolist()
    knee = front[front["knee"]].iloc[0]
    assert (knee["n_chips"], knee["latency_s"]) == (decided["n_chips"], costs["latency_s"])


def test_search_names_picks_marks_what_nobody_published_and_answers_whether_more_chips_help(
    first_search: tuple[Outcome, Path], dse: Command, tmp_path: Path
) -> None:
    outcome, folder = first_search
    lines = said(outcome).splitlines()
    trials, named = pd.read_csv(folder / "trials.csv"), plan_of(folder / "run.json")["picks"]
    assert list(named) == ["knee", "min-latency", "min-energy", "min-edp", "min-n_chips"]
    start = next(i for i, line in enumerate(lines) if line.startswith("pick "))
    table = lines[start + 1 : start + 1 + len(set(named.values()))]
    assert sorted(", ".join(line.split("  ")[0] for line in table).split(", ")) == sorted(named)
    for line in table:
        row = trials.iloc[named[line.split("  ")[0].split(", ")[0]]]
        mark = "" if row["published_ground"] else "*"
        assert f"  {row['n_chips']}{mark}  " in line
        assert f"{row['latency_s'] * 1e3:.4g}  " in line
    (note,) = (line for line in lines if line.startswith("*"))
    assert "more chips than the model's 8 heads" in note
    (another,) = (line for line in lines if line.startswith("Another chip: "))
    knee = trials.iloc[named["knee"]]
    assert f"the same plan on {knee['n_chips'] + 1} chips takes " in another
    assert any(line.startswith(("Latency still falls at 64 chips", "Of 64 chips, ")) for line in lines)
    for name, trial in named.items():
        said(dse("export", folder, "--pick", name, "--out", f"{name}.json"))
        plan = plan_of(tmp_path / f"{name}.json")
        assert plan["costs"]["energy_j"] == trials["energy_j"][trial]
        assert plan["published_ground"]["within"] == trials["published_ground"][trial]
        told = said(dse("evaluate", "--plan", f"{name}.json"))
        assert ("outside published ground" in told) != plan["published_ground"]["within"]


def test_a_pick_that_is_on_no_front_is_exported(dse: Command, tmp_path: Path) -> None:
    said(dse("search", "--objective", "energy", "--out", "run"))
    trials, front = (pd.read_csv(tmp_path / "run" / name) for name in ("trials.csv", "pareto.csv"))
    assert trials["latency_s"].min() < front["latency_s"].min()
    said(dse("export", "run", "--pick", "min-latency", "--out", "fast.json"))
    assert plan_of(tmp_path / "fast.json")["costs"]["latency_s"] == trials["latency_s"].min()


def test_run_folder_has_a_study_of_its_name(run: Path) -> None:
    storage = JournalStorage(JournalFileBackend(str(run / "study.journal")))
    study = optuna.load_study(study_name=run.name, storage=storage)
    assert len(study.trials) == len(pd.read_csv(run / "trials.csv")) == 808


def test_exhaustive_run_is_the_same_every_time(run: Path, program: Command, tmp_path: Path) -> None:
    said(program("search", "--out", "again", cwd=tmp_path))
    for name in SAME_EVERY_TIME:
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes(), name
    again, first = (plan_of(folder / "run.json") for folder in (tmp_path / "again", run))
    assert {key for key in first if again[key] != first[key]} <= {
        "arguments",
        "study",
        "wall_s",
        "git_commit",
    }


@pytest.mark.parametrize("engine", ["evolutionary", "tpe"])
def test_same_seed_gives_the_same_files(program: Command, dse: Command, tmp_path: Path, engine: str) -> None:
    options = ("search", "--engine", engine, "--budget", "60", "--constraint", "energy<=8mJ")
    for out in ("first", "again"):
        said(program(*options, "--seed", "7", "--out", out, cwd=tmp_path))
    said(dse(*options, "--seed", "8", "--out", "other"))
    for name in SAME_EVERY_TIME:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes(), name
    trials = [pd.read_csv(tmp_path / out / "trials.csv") for out in ("first", "other")]
    assert not trials[0].equals(trials[1])
    front = pd.read_csv(tmp_path / "first" / "pareto.csv")
    assert (front["energy_j"] <= 8e-3).all()
    assert set(front["distance_from_exact"]) == {"unknown"}


def test_second_search_takes_a_free_folder_and_overwrites_only_when_told(
    dse: Command, tmp_path: Path
) -> None:
    small = ("search", "--set", "n_chips=2,4", "--set", "group_size=2")
    for _ in range(2):
        said(dse(*small))
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["tinyllama-42m-siracusa-mipi", "tinyllama-42m-siracusa-mipi-2"]
    out = ("--out", f"results/{names[0]}")
    assert dse(*small, *out).code == 2
    said(dse("search", "--set", "n_chips=2", "--set", "group_size=2", *out, "--overwrite"))
    assert len(pd.read_csv(tmp_path / "results" / names[0] / "trials.csv")) == 1


def test_search_under_which_nothing_is_feasible_shows_the_nearest_plan(dse: Command, tmp_path: Path) -> None:
    outcome = dse("search", "--constraint", "latency<=1us", "--out", "none")
    assert (outcome.code, outcome.err) == (1, "")
    assert "No plan is feasible" in outcome.out
    assert "Nearest: 64 chips" in outcome.out
    assert "latency<=1us is missed by" in outcome.out
    assert not (tmp_path / "none" / "plan.json").exists()
    assert plan_of(tmp_path / "none" / "run.json")["nearest"]["exceeds"].startswith("latency<=1us is missed")


def test_evaluate_prints_json_of_the_plan(dse: Command, run: Path) -> None:
    settings = ("strategy=head_wise", "n_chips=8", "group_size=4")
    plan = json.loads(said(dse("evaluate", *(x for s in settings for x in ("--set", s)), "--json")))
    assert plan["decisions"] == {
        "strategy": "head_wise",
        "values": {
            "n_chips": 8,
            "group_size": 4,
            "partial_sum_bits": 16,
            "shares": 1,
            "kv_replication": 1,
            "pinning": 1,
            "weight_bits": 8,
        },
    }
    assert len(plan["chips"]) == 8
    costs = plan["costs"]
    assert sum(costs["latency_by_cause_s"].values()) == pytest.approx(costs["latency_s"])
    assert sum(costs["energy_by_cause_j"].values()) == pytest.approx(costs["energy_j"])
    trials = pd.read_csv(run / "trials.csv")
    row = trials[(trials["n_chips"] == 8) & (trials["group_size"] == 4)].iloc[0]
    assert (row["latency_s"], row["energy_j"]) == (costs["latency_s"], costs["energy_j"])


@pytest.mark.parametrize(
    ("options", "accounting", "kernels"),
    [
        ((), {"scope": "model", "prefetch": "steady", "head": True}, "date2025"),
        (("--no-head",), {"scope": "model", "prefetch": "steady", "head": False}, "date2025"),
        (("--scope", "block"), {"scope": "block", "prefetch": "steady", "head": True}, "date2025"),
        (("--scope", "attention"), {"scope": "attention", "prefetch": "steady", "head": True}, "date2025"),
        (("--scope", "mlp"), {"scope": "mlp", "prefetch": "steady", "head": True}, "date2025"),
        (("--prefetch", "hidden"), {"scope": "model", "prefetch": "hidden", "head": True}, "date2025"),
        (("--kernels", "pulp-gvsoc"), {"scope": "model", "prefetch": "steady", "head": True}, "pulp-gvsoc"),
    ],
)
def test_evaluate_says_what_is_counted(
    dse: Command, options: tuple[str, ...], accounting: dict, kernels: str
) -> None:
    plan = json.loads(said(dse("evaluate", "--set", "n_chips=8", *options, "--json")))
    assert plan["accounting"] == {**accounting, "message_loss": 0.0}
    assert plan["platform"]["kernels"] == kernels
    text = said(dse("evaluate", "--set", "n_chips=8", *options))
    assert f"prefetch accounting {accounting['prefetch']}" in text
    assert f"kernel set {kernels}" in text
    assert f"; {SCOPES[accounting['scope']]}" in text
    assert ("without embedding and LM head" in text) == (not accounting["head"])


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(("chips", "code"), [(1, 1), (64, 0)])
def test_evaluate_exits_with_one_when_the_plan_does_not_fit(
    dse: Command, chips: int, code: int, as_json: tuple[str, ...]
) -> None:
    outcome = dse("evaluate", "--workload", "stories110m", "--set", f"n_chips={chips}", *as_json)
    assert (outcome.code, outcome.err) == (code, "")
    if as_json:
        assert json.loads(outcome.out)["costs"]["feasible"] == (code == 0)
    else:
        assert ("The plan fits." in outcome.out) == (code == 0)
        assert ("The plan does not fit: L3 needs" in outcome.out) == (code == 1)


def test_search_takes_ranges_of_choices(dse: Command, tmp_path: Path) -> None:
    said(dse("search", "--set", "n_chips=1..4,9", "--set", "group_size=2..3", "--out", "run"))
    assert set(pd.read_csv(tmp_path / "run" / "trials.csv")["n_chips"]) == {1, 2, 3, 4, 9}
    choices = plan_of(tmp_path / "run" / "run.json")["space"]["choices"]
    assert choices["head_wise"]["group_size"] == {"low": 2, "high": 3}


@pytest.mark.parametrize("engine", ["random", "tpe"])
def test_budget_that_an_engine_leaves_is_spent_on_plans_at_random(
    dse: Command, tmp_path: Path, engine: str
) -> None:
    text = said(
        dse(
            "search",
            "--engine",
            engine,
            "--set",
            "n_chips=1..9",
            "--set",
            "shares=1",
            "--budget",
            "31",
            "--out",
            "run",
        )
    )
    front = plan_of(tmp_path / "run" / "run.json")["front"]
    assert (front["engine"], front["plans_evaluated"], front["distance"]) == (engine, 31, "exact")
    assert front["why"].endswith("plans were drawn at random")
    assert front["why"] in text


def test_exhaustive_takes_a_budget_of_all_plans(dse: Command) -> None:
    text = said(dse("search", "--engine", "exhaustive", "--set", "n_chips=1..8", "--budget", "40"))
    assert "exact front: all 40 plans" in text


@pytest.mark.parametrize("name", ["模型.toml", "a$b$c.toml", "$x.toml"])
def test_any_file_name_goes_into_the_figures(
    program: Command, copy_of: Callable[..., str], tmp_path: Path, name: str
) -> None:
    Path(copy_of("model/stories260k")).rename(tmp_path / name)
    said(program("search", "--workload", name, "--budget", "20", "--out", "run", cwd=tmp_path))
    assert f">{name}, " in (tmp_path / "run" / "pareto.svg").read_text(encoding="utf-8")


def test_evaluate_says_what_steady_state_accounting_changes(dse: Command) -> None:
    text = said(dse("evaluate", "--set", "n_chips=8", "--scope", "block"))
    line = next(line for line in text.splitlines() if line.startswith("prefetch accounting:"))
    assert "steady" in line
    assert "hidden" in line
    assert "times): loading the next block takes" in line


def test_export_overwrites_only_when_told(dse: Command, run: Path, tmp_path: Path) -> None:
    said(dse("export", run))
    before = (tmp_path / "plan.json").read_bytes()
    assert dse("export", run, "--pick", "0").code == 2
    assert (tmp_path / "plan.json").read_bytes() == before
    said(dse("export", run, "--pick", "0", "--overwrite"))
    assert (tmp_path / "plan.json").read_bytes() != before


def test_plot_draws_any_two_objectives(dse: Command, run: Path, tmp_path: Path) -> None:
    said(dse("plot", run, "--x", "n_chips", "--y", "edp", "--out", "figures"))
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {f"pareto-n_chips-edp.{ending}" for ending in ("svg", "png", "html")}
    said(dse("plot", run, "--out", "figures"))
    assert (tmp_path / "figures" / "pareto-latency-energy.svg").read_bytes() == (
        run / "pareto.svg"
    ).read_bytes()


@pytest.mark.parametrize("what", LISTINGS)
def test_list_names_what_there_is(dse: Command, what: str) -> None:
    text = said(dse("list", what))
    assert all(any(line.startswith(name) for line in text.splitlines()) for name in entries(what))


@pytest.mark.parametrize("name", NAMES)
def test_show_explains_a_name(dse: Command, name: str) -> None:
    assert name in said(dse("show", name))


def test_schema_is_that_of_the_plans(dse: Command, run: Path) -> None:
    schema = json.loads(said(dse("schema", "plan")))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plan_of(run / "plan.json"), schema)


def test_validate_exits_with_zero_and_gives_every_row(program: Command, dse: Command, tmp_path: Path) -> None:
    rows = json.loads(said(program("validate", "--json", cwd=tmp_path)))
    keys = {"id", "source", "quantity", "published", "model", "error", "tolerance", "status", "fitted"}
    assert all(row.keys() >= keys for row in rows)
    assert {row["status"] for row in rows} == {"ok", "miss"}
    missed = sum(row["status"] == "miss" for row in rows)
    text, every = said(dse("validate")), said(dse("validate", "--all"))
    assert all(row["quantity"] in every for row in rows)
    assert [row["quantity"] in text for row in rows] == [
        not row["detail"] or row["status"] == "miss" for row in rows
    ]
    assert {"gvsoc-median", "gvsoc-worst"} <= {row["id"] for row in rows}
    fitted = sum(row["fitted"] for row in rows)
    assert f"(calibration): {fitted} of {fitted} ok" in text
    assert f"(validation): {len(rows) - fitted - missed} of {len(rows) - fitted} ok" in text


def test_reproduce_writes_tables_and_figures(dse: Command, tmp_path: Path) -> None:
    said(dse("reproduce", "date2025", "--out", "again"))
    assert {path.suffix for path in (tmp_path / "again").iterdir()} == {".csv", ".svg", ".png"}


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, encoding="utf-8", timeout=60, check=True
    )
    assert "search" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported:"


def test_version_and_help(dse: Command) -> None:
    assert said(dse("--version")).startswith("dse 0.")
    for command in (
        "search",
        "evaluate",
        "cliff",
        "export",
        "plot",
        "importance",
        "validate",
        "list",
        "show",
        "schema",
        "reproduce",
    ):
        assert command in said(dse("--help"))
        assert "--help" in said(dse(command, "--help"))


def test_a_radio_run_is_read_back_exported_drawn_and_costed_again(dse: Command, tmp_path: Path) -> None:
    on = ("--workload", "cats-block", "--platform", "nrf52840-mixer")
    text = said(dse("search", *on, "--set", "n_chips=1,4,16", "--set", "prune=0,0.9", "--out", "run"))
    assert "exact front" in text
    assert "missing weights (least)" in text
    trials = pd.read_csv(tmp_path / "run" / "trials.csv")
    assert set(trials["strategy"]) == {
        "head_wise",
        "column_wise",
    }  # one chip is no strategy's but the first's
    said(dse("export", "run", "--pick", "min-latency", "--out", "mine.json"))
    assert "exactly" in said(dse("evaluate", "--plan", "mine.json"))
    said(dse("plot", "run", "--x", "missing_weights", "--y", "latency"))
    plan = plan_of(tmp_path / "mine.json")
    assert plan["decisions"]["strategy"] == "column_wise"
    first = plan["synchronisations"][0]
    assert first["round"]["rounds"] == 1
    assert len(first["messages"]) == len(plan["chips"])
    assert set(plan["chips"][0]["kept_columns"]) == {"qkv", "o", "ffn_in", "ffn_out"}


def test_scopes_of_half_a_block_are_costed(dse: Command) -> None:
    on = ("--workload", "cats-block", "--platform", "nrf52840-mixer", "--set", "strategy=column_wise")
    costs = {
        scope: json.loads(said(dse("evaluate", *on, "--set", "n_chips=8", "--scope", scope, "--json")))[
            "costs"
        ]
        for scope in ("attention", "mlp", "block")
    }
    halves = costs["attention"]["latency_s"] + costs["mlp"]["latency_s"]
    assert halves == pytest.approx(costs["block"]["latency_s"])


def test_context_is_room_and_tokens_are_what_is_costed(dse: Command, tmp_path: Path) -> None:
    few = ("--set", "n_chips=28", "--set", "pinning=0", "--set", "shares=0", "--set", "partial_sum_bits=8")
    near = said(dse("evaluate", *few, "--context", "230"))
    assert "one token, context 128 (room for 230)" in near
    room = int(near.split("there is room for ")[1].split()[0])
    ends = [json.loads(said(dse("evaluate", *few, "--context", str(c), "--json"))) for c in (room, room + 1)]
    assert [plan["costs"]["regime"] for plan in ends] == ["resident", "prefetched"]
    assert [plan["workload"]["context_max"] for plan in ends] == [room, room + 1]
    assert ends[0]["costs"]["latency_s"] < ends[1]["costs"]["latency_s"]
    assert ends[0]["context"]["latency_beyond_s"] == ends[1]["costs"]["latency_s"]
    said(dse("search", "--context", "512", "--set", "n_chips=20..24", "--out", "longer"))
    assert "room for 512" in said(dse("evaluate", "--plan", "longer/plan.json"))
    assert_refused(
        dse("evaluate", "--context", "20"), "context 20 must be 128, the tokens costed, to 1000000"
    )
    assert_refused(dse("evaluate", "--workload", "mobilebert", "--context", "300"), "an encoder keeps none")
