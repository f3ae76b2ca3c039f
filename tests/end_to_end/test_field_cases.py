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
    asked = (
        *asked,
        *(text for name in ("shares", "pinning", "kv_replication") for text in ("--set", f"{name}=0")),
    )
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
    decided = (f"pinning={pinning}", "shares=1", "kv_replication=0")
    model = ("--workload", case("models", "smollm2-135m"), *(x for d in decided for x in ("--set", d)))
    bound = ("--constraint", "l2_footprint<=512KiB")
    said(dse("search", *model, "--platform", case("boards", "l2-large"), *bound, "--out", "bound"))
    said(dse("search", *model, "--platform", case("boards", "l2-small"), "--out", "small"))
    trials = [pd.read_csv(tmp_path / out / "trials.csv") for out in ("bound", "small")]
    assert [int(table["feasible"].sum()) for table in trials] == [407, 407]
    assert trials[0]["feasible"].tolist() == trials[1]["feasible"].tolist()


@pytest.mark.parametrize(
    ("chips", "heads", "compute_ms"),
    [
        (3, [11, 11, 10], 392.3),
        (5, [7, 7, 6, 6, 6], 244.6),
        (7, [5, 5, 5, 5, 4, 4, 4], 178.0),
        (16, [2] * 16, None),
        (4, [8] * 4, None),
        (13, [3] * 6 + [2] * 7, None),
    ],
)
def test_heads_are_as_even_as_whole_heads_allow(
    dse: Command, chips: int, heads: list[int], compute_ms: float | None
) -> None:
    # 2 x 64 x 2048 x 2 MAC a head, half of it a KV head, 3 x 2048 a column, 2 MAC a cycle on 8 cores:
    # on 7 chips (5 x 524,288 + 2 x 262,144 + 805 x 6,144) x 22 / 1e9 s.
    on = ("--workload", case("models", "tinyllama-1.1b"), "--platform", case("boards", "l2-large"))
    counted = ("--tokens", "2048", "--prefetch", "hidden", "--no-head")
    found = {}
    for replicate in (0, 1):
        decided = (f"n_chips={chips}", "shares=0", f"kv_replication={replicate}")
        settings = [text for value in decided for text in ("--set", value)]
        found[replicate] = json.loads(dse("evaluate", *on, *counted, *settings, "--json").out)
    held = [chip["owns"] for chip in found[1]["chips"]]
    assert [one["heads"]["count"] for one in held] == heads
    assert max(one["kv_heads"]["count"] for one in held) <= 2
    times = [found[replicate]["costs"]["latency_by_cause_s"]["compute"] for replicate in (1, 0)]
    if compute_ms is None:
        assert times[0] >= times[1]  # as many heads on the fullest chip, and never fewer KV heads
    else:
        assert times[0] < times[1]
        assert times[0] * 1e3 == pytest.approx(compute_ms, abs=0.05)
        # Even heads have their price: a KV head that two chips share is held, and loaded, by both.
        assert found[1]["costs"]["l3_bytes"] > found[0]["costs"]["l3_bytes"]


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
