"""What users of boards like these asked for, each with the value that is right by arithmetic."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, plan_of, said

CASES = Path(__file__).parents[1] / "field_cases"


def case(kind: str, name: str) -> str:
    return str(CASES / kind / f"{name}.toml")


@pytest.mark.parametrize("engine", ["random", "nsga2", "tpe"])
@pytest.mark.parametrize("chips", [16, 27])
def test_of_equal_plans_the_fastest_is_recommended_whatever_the_seed(
    dse: Command, tmp_path: Path, engine: str, chips: int
) -> None:
    # All plans of so many chips are equal in the one objective. Every run evaluated the least groups.
    on = ("--workload", case("models", "smollm2-135m"), "--platform", case("boards", "l2-large-slow"))
    asked = ("--objective", "n_chips", "--constraint", f"n_chips>={chips}", "--set", "partial_sum_bits=8")
    asked = (*asked, "--set", "shares=0", "--set", "pinning=0")
    found = set()
    for seed in range(2):
        out = f"{engine}-{chips}-{seed}"
        options = ("--engine", engine, "--budget", "300", "--seed", str(seed), "--out", out)
        said(dse("search", *on, *asked, *options))
        trials = pd.read_csv(tmp_path / out / "trials.csv")
        fewest = trials[trials["feasible"] & (trials["n_chips"] == chips)]
        costs = plan_of(tmp_path / out / "plan.json")["costs"]
        assert len(fewest) > 1
        assert costs["latency_s"] == fewest["latency_s"].min()
        found.add((round(costs["latency_s"], 2), round(costs["energy_j"], 3)))
    if chips == 16:
        assert found == {(3.38, 0.086)}


def test_chips_that_fit_are_named_where_more_are_worse(dse: Command, tmp_path: Path) -> None:
    # Sums that leaders hold take S E (2 + 5) = 1024 x 128 x 7 B, all of 896 KiB; alone, a chip has none.
    on = ("--workload", case("models", "one-block-encoder"), "--platform", case("boards", "m7-spi"))
    several = dse("search", *on, "--constraint", "n_chips>=2", "--out", "several")
    assert several.code == 1
    assert "fits on 1 chip, of 1 to 64 tried" in " ".join(several.out.split())
    said(dse("search", *on, "--out", "any"))
    trials = pd.read_csv(tmp_path / "any" / "trials.csv", keep_default_na=False)
    assert trials.loc[trials["feasible"], "n_chips"].tolist() == [1]
    assert set(trials.loc[~trials["feasible"], "exceeds"].str.split("; ").str[1]) == {
        "fits on 1 chip, of 1 to 64 tried"
    }
    none = dse("search", *on, "--set", "n_chips=2..64", "--out", "none")
    assert "none fits of 2 to 64 chips tried" in " ".join(none.out.split())


@pytest.mark.parametrize("pinning", [0, 1])
def test_a_bound_on_the_footprint_is_as_good_as_a_smaller_memory(
    dse: Command, tmp_path: Path, pinning: int
) -> None:
    # 512 KiB of 2 MiB, or all of 512 KiB: what is fetched ahead fills either, and is not needed.
    model = ("--workload", case("models", "smollm2-135m"), "--set", f"pinning={pinning}", "--set", "shares=1")
    bound = ("--constraint", "l2_footprint<=512KiB")
    said(dse("search", *model, "--platform", case("boards", "l2-large"), *bound, "--out", "bound"))
    said(dse("search", *model, "--platform", case("boards", "l2-small"), "--out", "small"))
    trials = [pd.read_csv(tmp_path / out / "trials.csv") for out in ("bound", "small")]
    assert [int(table["feasible"].sum()) for table in trials] == [407, 407]
    assert trials[0]["feasible"].tolist() == trials[1]["feasible"].tolist()


@pytest.mark.parametrize("chips", [2, 7, 22, 43, 64])
def test_more_memory_is_never_slower(dse: Command, chips: int) -> None:
    times = {}
    for board in ("l2-small", "l2-large"):
        on = ("--workload", case("models", "smollm2-135m"), "--platform", case("boards", board))
        decided = (f"n_chips={chips}", "group_size=2", "partial_sum_bits=8", "pinning=1")
        settings = [text for value in decided for text in ("--set", value)]
        times[board] = json.loads(dse("evaluate", *on, *settings, "--json").out)["costs"]["latency_s"]
    assert times["l2-large"] <= times["l2-small"]
    if chips == 43:
        assert times["l2-large"] <= 24.65e-3
