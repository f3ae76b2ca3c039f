"""From a table to fill in to a search with the calibration, and what is said where there is none."""

import csv
import json
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import tomli_w

from costmodel import Accounting, Plans, evaluate, load_platform, load_workload, parameters
from costmodel.parameters import load
from costmodel.plan import plan_of
from dse.words import UNCALIBRATED
from tests.commands import Command, assert_refused, said

CALIBRATIONS = Path(parameters.__file__).parent / "calibration"
MODEL = ("--workload", "cats-vit")
ON = (*MODEL, "--platform", "nrf52840-mixer")
SERIES = ("--workload", "cats-timeseries", "--platform", "nrf52840-mixer")
SMALL = ("--set", "n_chips=8,16", "--set", "prune=0,0.5,0.9", "--budget", "80")
BASE, SCALE, EXPONENT = 92.0, 12.0, 2.0
NOISE = {"0": -0.1, "1": 0.0, "2": 0.1}


def fill_in(path: Path) -> None:
    """Train each plan of a table: what is lost follows a law in U, with a little noise."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    decisions = [name for name in rows[0] if name not in ("message_loss", "seed", "accuracy")]
    plans = Plans.of(plan_of({name: row[name] for name in decisions}) for row in rows)
    u = evaluate(load_workload("cats-vit"), load_platform("nrf52840-mixer"), plans, Accounting())
    for row, share in zip(rows, u.missing_weights.tolist(), strict=True):
        assert row["accuracy"] == ""
        row["accuracy"] = f"{BASE - SCALE * share**EXPONENT + NOISE[row['seed']]:.3f}"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def made(program: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder of the template's table, filled in, and of its calibration; and what was said of that."""
    cwd = tmp_path_factory.mktemp("calibrated")
    template = program("calibrate", *MODEL, "--template", "--out", "table.csv", cwd=cwd)
    assert said(template) == "written: table.csv\n"
    fill_in(cwd / "table.csv")
    fit = ("calibrate", *MODEL, "--measurements", "table.csv", "--out", "mine.toml")
    return cwd, said(program(*fit, cwd=cwd))


@pytest.fixture
def table(made: tuple[Path, str], dse: Command, tmp_path: Path) -> Path:
    """A table of the template's plans, filled in."""
    return Path(shutil.copy(made[0] / "table.csv", tmp_path))


@pytest.fixture
def calibrated(made: tuple[Path, str], table: Path, tmp_path: Path) -> str:
    """What is said of a calibration, which is in ``mine.toml``."""
    shutil.copy(made[0] / "mine.toml", tmp_path)
    return made[1]


def rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text().splitlines()))


def front_of(folder: str) -> pd.DataFrame:
    return pd.read_csv(Path(folder) / "pareto.csv", index_col="front_index", keep_default_na=False)


def test_a_template_holds_the_whole_model_and_three_plans_by_three_seeds(dse: Command) -> None:
    rows = list(csv.DictReader(said(dse("calibrate", *MODEL, "--template")).splitlines()))
    assert [row["seed"] for row in rows] == ["0", "1", "2"] * 4
    assert [row["n_chips"] for row in rows] == ["1"] * 3 + ["8"] * 9
    assert [row["prune_qkv"] for row in rows[::3]] == ["0.0", "0.9", "0.7", "0.0"]
    assert {row["accuracy"] for row in rows} == {""}


def test_a_table_that_is_not_filled_in_is_refused_by_its_first_line(dse: Command) -> None:
    said(dse("calibrate", *MODEL, "--template", "--out", "t.csv"))
    assert_refused(dse("calibrate", *MODEL, "--measurements", "t.csv"), "t.csv, line 2: accuracy '' must be")


def test_a_calibration_says_its_law_and_gives_every_value_a_source(calibrated: str) -> None:
    text = " ".join(calibrated.split())
    assert "whole model: accuracy 92 %" in text
    assert "drop = a U^b: a = 12" in text
    assert "b = 2.0" in text
    assert "importance of the gathers, fitted along: qkv 0.6" in text
    assert "90 % interval of a drop: +-2.6 points, up to U 0.78; wider the farther beyond" in text
    assert calibrated.endswith("written: mine.toml\n")
    data = tomllib.loads(Path("mine.toml").read_text())
    assert data["scale"]["value"] == pytest.approx(SCALE, abs=0.3)
    assert data["exponent"]["value"] == pytest.approx(EXPONENT, abs=0.2)
    assert data["base"]["value"] == pytest.approx(BASE, abs=1e-3)
    assert data["half_width"]["value"] == 2.6
    assert data["plans"]["value"] == 3
    values = dict(load("calibration", "mine.toml").values())
    assert {"scale", "exponent", "half_width", "importance.qkv"} <= set(values)
    for key, entry in values.items():
        source = "dse_accuracy2026" if key.startswith(("narrow.", "message_loss.")) else "table.csv sha256 "
        assert entry.source.startswith(source)
    assert data["scale"]["fitted_on"][0] == "8 chips, column_wise, pruned by 0.9"


def test_a_calibration_that_is_only_shown_says_how_to_keep_it(dse: Command, table: Path) -> None:
    text = said(dse("calibrate", *MODEL, "--measurements", "table.csv"))
    assert "Add --out calibration.toml" in text
    assert sorted(path.name for path in Path().iterdir()) == ["table.csv"]


def test_a_plan_that_was_measured_is_within_its_own_calibration(dse: Command) -> None:
    for n in (3, 5):
        Path("t.csv").write_text(f"n_chips,prune,accuracy\n1,0,95\n{n},0.9,85\n{n},0.5,94\n")
        said(dse("calibrate", *MODEL, "--measurements", "t.csv", "--out", "t.toml", "--overwrite"))
        asked = ("--set", f"n_chips={n}", "--set", "prune=0.9", "--calibration", "t.toml")
        found = json.loads(dse("evaluate", *ON, *asked, "--json").out)["costs"]["accuracy_drop"]
        assert found["within"], n
        assert found["high"] - found["low"] == pytest.approx(2 * 2.6)


def test_a_search_keeps_a_bound_on_the_drop_by_the_calibration(dse: Command, calibrated: str) -> None:
    asked = (*ON, *SMALL, "--calibration", "mine.toml")
    text = said(dse("search", *asked, "--constraint", "accuracy_drop<=2", "--out", "run"))
    assert "Accuracy by calibration mine.toml: cats-vit: 3 retrained plans, 12 trainings." in text
    assert "not calibrated" not in text
    assert "accuracy drop [points], 90 %" in text
    front = front_of("run")
    low, drop, high = (front[f"accuracy_drop{end}"] for end in ("_low", "", "_high"))
    assert len(front) > 3
    assert (drop <= 2).all()
    assert drop.max() > 0.5, "the bound leaves pruned plans"
    assert ((low <= drop) & (drop <= high)).all()
    lossy = front["missing_weights"] > 0
    assert (high - low)[lossy].to_numpy() == pytest.approx(2 * 2.6)
    assert set(front["accuracy_unit"]) == {"points"}
    assert set(front["calibration"]) == {"mine.toml"}
    trials = pd.read_csv("run/trials.csv")
    assert (trials["accuracy_drop"] > 2).any(), "or the bound would bind nothing"
    assert not (trials["feasible"] & (trials["accuracy_drop"] > 2)).any()
    plan = json.loads(Path("run/plan.json").read_text())
    stated = plan["costs"]["accuracy_drop"]
    knee = front[front["knee"]].iloc[0]
    assert stated["calibration"] == "mine.toml"
    assert stated["unit"] == "points"
    assert (stated["low"], stated["estimate"], stated["high"]) == pytest.approx(
        (knee["accuracy_drop_low"], knee["accuracy_drop"], knee["accuracy_drop_high"])
    )
    assert stated["estimate"] <= 2
    Path("mine.toml").unlink()  # a plan carries its calibration
    again = said(dse("evaluate", "--plan", "run/plan.json"))
    assert "The costs are exactly those in run/plan.json." in again
    assert "by calibration mine.toml" in again


def test_a_bound_on_the_upper_end_keeps_fewer_plans(dse: Command, calibrated: str) -> None:
    asked = (*ON, *SMALL, "--calibration", "mine.toml", "--constraint", "accuracy_drop_high<=4points")
    said(dse("search", *asked, "--out", "run"))
    front = front_of("run")
    assert (front["accuracy_drop_high"] <= 4).all()
    assert front["accuracy_drop"].max() <= 4 - 2.6


def test_a_search_without_a_calibration_says_so(dse: Command) -> None:
    text = said(dse("search", *ON, *SMALL, "--constraint", "accuracy_drop<=2", "--out", "run"))
    assert UNCALIBRATED in text
    assert "not calibrated" in text
    assert "accuracy_drop<=2 holds for the mean of those tasks; accuracy_drop_high<=2 would for nine" in text
    front = front_of("run")
    assert set(front["calibration"]) == {"none"}
    assert (front["accuracy_drop"] <= 2).all()
    assert (front["accuracy_drop_high"] > 2).any()
    plan = json.loads(Path("run/plan.json").read_text())
    assert plan["costs"]["accuracy_drop"]["calibration"] is None
    assert not plan["costs"]["accuracy_drop"]["within"]
    assert "not calibrated" in said(dse("evaluate", "--plan", "run/plan.json"))


def test_nothing_is_said_of_accuracy_where_nothing_is_left_out(dse: Command) -> None:
    text = said(dse("search", *ON, "--set", "n_chips=8,16", "--set", "prune=0", "--out", "run"))
    assert "calibrated" not in text
    assert "accuracy" not in text


def test_plans_of_a_run_are_proposed_measured_and_not_proposed_again(dse: Command) -> None:
    said(dse("search", *ON, *SMALL, "--out", "run"))
    text = said(dse("calibrate", "--propose", "3", "--run", "run", "--out", "next.csv"))
    assert "misses most of the front" in text
    assert text.endswith("written: next.csv\n")
    front = front_of("run")
    rows = rows_of("next.csv")
    assert len(rows) == 3 * (1 + 3)
    most = front.loc[front["missing_weights"].idxmax()]
    assert [float(rows[3][name]) for name in ("n_chips", "prune_qkv", "prune_o")] == [
        most["n_chips"],
        most["prune_qkv"],
        most["prune_o"],
    ]
    fill_in(Path("next.csv"))
    assert "written" in said(dse("calibrate", *MODEL, "--measurements", "next.csv", "--out", "mine.toml"))
    asked = ("--propose", "3", "--run", "run", "--measurements", "next.csv", "--out", "more.csv")
    assert "farthest in U" in said(dse("calibrate", *asked))
    done, more = (
        {tuple(list(row.values())[:-2]) for row in rows_of(name) if row["n_chips"] != "1"}
        for name in ("next.csv", "more.csv")
    )
    assert len(done) == len(more) == 3
    assert not done & more


def test_with_everything_measured_there_is_nothing_to_propose(dse: Command) -> None:
    said(dse("search", *ON, "--set", "n_chips=8", "--set", "prune=0,0.9", "--out", "run"))
    said(dse("calibrate", "--propose", "20", "--run", "run", "--out", "all.csv"))
    fill_in(Path("all.csv"))
    asked = ("--propose", "1", "--run", "run", "--measurements", "all.csv")
    assert_refused(dse("calibrate", *asked), "nothing is left to retrain")


def test_a_file_is_replaced_only_when_asked(dse: Command, calibrated: str) -> None:
    mine, before = Path("mine.toml"), Path("mine.toml").read_text()
    mine.write_text("kept")
    fit = ("calibrate", *MODEL, "--measurements", "table.csv", "--out", "mine.toml")
    for argv in (fit, ("calibrate", "--template", "--out", "mine.toml")):
        assert_refused(dse(*argv), "mine.toml exists already")
        assert mine.read_text() == "kept"
    said(dse(*fit, "--overwrite"))
    assert mine.read_text() == before
    assert not list(Path().glob(".*"))


def test_a_table_with_a_fault_leaves_the_earlier_file_as_it_was(dse: Command, calibrated: str) -> None:
    before = Path("mine.toml").read_text()
    Path("table.csv").write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,zero\n")
    fit = ("calibrate", *MODEL, "--measurements", "table.csv", "--out", "mine.toml", "--overwrite")
    assert_refused(dse(*fit), "table.csv, line 3: accuracy 'zero'")
    assert Path("mine.toml").read_text() == before


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ("", "one thing at a time, got none"),
        ("--run run", "one thing at a time, got none"),
        ("--template --measurements t.csv", "got --template and --measurements"),
        ("--template --propose 1 --run run", "got --template and --propose"),
        ("--propose 1", "--propose needs --run"),
        ("--propose 0 --run run", "--propose 0 must be 1 to 20"),
        ("--propose 21 --run run", "--propose 21 must be 1 to 20"),
        ("--propose -1 --run run", "--propose -1 must be 1 to 20"),
        ("--propose many --run run", "--propose"),
        ("--propose 1 --run nowhere", "nowhere holds no run.json"),
        ("--measurements t.csv", "--measurements needs --workload"),
        ("--workload cats-vit --measurements nowhere.csv", "nowhere.csv cannot be read"),
        ("--workload cats-vit --measurements .", "cannot be read"),
        ("--workload cats-vitt --measurements t.csv", "did you mean 'cats-vit'"),
        ("--workload cats-vitt --template", "did you mean 'cats-vit'"),
        ("--template --out nowhere/t.csv", "nowhere"),
        ("--template --out .", "exists already"),
        ("--template --out . --overwrite", "cannot be written"),
        ("--template --out t.csv/t.csv", "Not a directory"),
    ],
)
def test_what_makes_no_sense_is_refused(dse: Command, argv: str, named: str) -> None:
    Path("t.csv").write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,90\n")
    assert_refused(dse("calibrate", *argv.split()), named)
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("n_chips,prune_o,accuracy\n1,0,95\n2,0.1,90\n", "a scale is at most 1e+06"),
        ("n_chips,prune,loss\n1,0,1e-9\n8,0.9,100\n", "a scale is at most 1e+06"),
        ("n_chips,prune,loss\n1,0,1e308\n8,0.9,1\n", "line 2: loss '1e308'"),
    ],
)
def test_no_file_is_written_that_would_be_refused(dse: Command, text: str, named: str) -> None:
    Path("t.csv").write_text(text)
    assert_refused(dse("calibrate", *MODEL, "--measurements", "t.csv", "--out", "mine.toml"), named)
    assert not Path("mine.toml").exists()


def test_a_calibration_of_another_family_is_refused(dse: Command, calibrated: str) -> None:
    named = "mine.toml: key 'family' is 'encoder', model 'tinyllama-42m' is one of 'decoder'"
    assert_refused(dse("search", "--calibration", "mine.toml", "--out", "run"), named)


def test_trainings_that_lost_nothing_are_said_to_be_within_noise(dse: Command) -> None:
    rows = [f"{n},{p},{seed},{95 + seed / 10}" for n, p in ((1, 0), (8, 0.9), (8, 0.5)) for seed in (0, 1)]
    Path("t.csv").write_text("\n".join(["n_chips,prune,seed,accuracy", *rows]))
    text = said(dse("calibrate", *MODEL, "--measurements", "t.csv"))
    assert "nothing to lose was found" in text
    assert "trained once" not in text
    Path("t.csv").write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,80\n")
    text = said(dse("calibrate", *MODEL, "--measurements", "t.csv"))
    assert "nothing to lose" not in text
    assert "Every plan was trained once" in text
    assert "One plan says nothing of b, here 3.5 as is usual" in text
    assert "+-3.5 points" in text


def test_a_calibration_by_loss_is_bounded_in_per_cent_of_the_loss(dse: Command) -> None:
    asked = ("search", *SERIES, *SMALL, "--calibration", "cats-icd", "--out", "run")
    assert_refused(
        dse(*asked, "--constraint", "accuracy_drop<=2points"), "accuracy_drop is in % here, got 'points'"
    )
    assert not Path("run").exists()
    text = said(dse(*asked, "--constraint", "accuracy_drop<=4%"))
    assert "accuracy drop [% of the loss], 90 %" in text
    front = front_of("run")
    assert (front["accuracy_drop"] <= 0.04).all()
    assert front["accuracy_drop"].max() > 0.001
    assert set(front["accuracy_unit"]) == {"loss ratio"}
    assert set(front["calibration"]) == {"cats-icd"}
    assert "% of the loss, by calibration cats-icd" in said(dse("evaluate", "--plan", "run/plan.json"))


def test_a_table_of_losses_gives_drops_as_a_ratio(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,loss\n1,0,0.2\n8,0.9,0.25\n")
    text = said(dse("calibrate", *MODEL, "--measurements", "t.csv", "--out", "mine.toml"))
    assert "whole model: loss 0.2\n" in text
    assert "90 % interval of a drop: +-3.2 % of the loss" in text
    assert tomllib.loads(Path("mine.toml").read_text())["metric"]["value"] == "loss"
    asked = (*ON, "--set", "n_chips=8", "--set", "prune=0.9", "--calibration", "mine.toml")
    drop = json.loads(said(dse("evaluate", *asked, "--json")))["costs"]["accuracy_drop"]
    assert drop["unit"] == "loss ratio"
    assert (drop["low"], drop["estimate"], drop["high"]) == pytest.approx((0.218, 0.25, 0.282), abs=1e-4)
    assert "accuracy drop, 90 %: 25.0 (21.8 to 28.2) % of the loss" in said(dse("evaluate", *asked))


def test_points_are_no_per_cent(dse: Command) -> None:
    asked = ("search", *ON, "--constraint", "accuracy_drop<=4%", "--out", "run")
    assert_refused(dse(*asked), "accuracy_drop is in points or point here, got '%'")


def test_a_figure_of_drops_is_in_the_unit_of_their_calibration(dse: Command) -> None:
    few = ("--set", "n_chips=8", "--set", "prune=0,0.5,0.9")
    for name, calibration, label in (("a", "cats-icd", "[% of the loss]"), ("b", "decoder", "[points]")):
        said(dse("search", *SERIES, *few, "--calibration", calibration, "--out", name))
        said(dse("plot", name, "--x", "accuracy_drop", "--y", "energy"))
        page = Path(name, "pareto-accuracy_drop-energy.html").read_text()
        assert f"accuracy drop {label}" in page


def test_a_table_of_trainings_is_never_the_file_that_is_written(dse: Command) -> None:
    table = Path("t.csv")
    table.write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,90\n")
    asked = ("calibrate", *MODEL, "--measurements", "t.csv", "--overwrite", "--out", "./t.csv")
    assert_refused(dse(*asked), "--out t.csv is the table of --measurements")
    assert table.read_text().startswith("n_chips")


def test_a_small_loss_keeps_its_digits(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,loss\n1,0,2.34567e-7\n8,0.9,3e-7\n")
    said(dse("calibrate", *MODEL, "--measurements", "t.csv", "--out", "mine.toml"))
    assert tomllib.loads(Path("mine.toml").read_text())["base"]["value"] == 2.34567e-7


def test_a_law_of_one_plan_says_that_its_exponent_is_assumed(dse: Command) -> None:
    Path("t.csv").write_text("n_chips,prune,accuracy\n1,0,95\n8,0.9,90\n")
    said(dse("calibrate", *MODEL, "--measurements", "t.csv", "--out", "mine.toml"))
    exponent = tomllib.loads(Path("mine.toml").read_text())["exponent"]
    assert (exponent["status"], exponent["low"], exponent["high"]) == ("assumed", 0.5, 8.0)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("least_loss", 0.0, "key 'message_loss': least_loss must be above 0"),
        ("scale", None, "key 'message_loss.scale' is missing"),
        ("scales", 1.0, "unknown key 'message_loss.scales'; did you mean 'scale'"),
    ],
)
def test_a_fault_inside_a_table_with_forms_is_named_as_the_file_has_it(
    dse: Command, key: str, value: float | None, named: str
) -> None:
    data = tomllib.loads((CALIBRATIONS / "cats-icd.toml").read_text())
    table = data["message_loss"]
    if value is None:
        del table[key]
    else:
        table[key] = {**table["scale"], "value": value, "low": value, "high": value}
    Path("mine.toml").write_text(tomli_w.dumps(data))
    on = ("--workload", "cats-timeseries", "--platform", "nrf52840-mixer", "--set", "n_chips=8")
    assert_refused(dse("evaluate", *on, "--calibration", "mine.toml"), named)


def test_gathers_that_do_not_matter_are_refused(dse: Command) -> None:
    data = tomllib.loads((CALIBRATIONS / "cats-icd.toml").read_text())
    nothing = {"value": 0.0, "source": "table", "where": "row", "status": "measured"}
    data["importance"] = dict.fromkeys(("qkv", "o", "ffn_in", "ffn_out"), nothing)
    Path("mine.toml").write_text(tomli_w.dumps(data))
    on = ("--workload", "cats-timeseries", "--platform", "nrf52840-mixer", "--set", "n_chips=8")
    assert_refused(
        dse("evaluate", *on, "--calibration", "mine.toml"), "qkv, o, ffn_in and ffn_out must be above 0"
    )
