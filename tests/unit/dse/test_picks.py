from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from costmodel import Plans, evaluate, load_platform, load_workload
from dse.console import ground_lines, summary_lines
from dse.job import Job
from dse.objectives import OBJECTIVES
from dse.picks import (
    NAMED,
    PICKS,
    MoreChips,
    UsedChips,
    merged,
    more_chips,
    more_chips_sentences,
    picked_trial,
    picks,
    used_chips,
    used_chips_sentences,
)
from dse.search import SearchResult, search
from dse.tables import front_table, trials_table
from search_spaces import load_space

MakeJob = Callable[..., Job]
DROP = OBJECTIVES["accuracy_drop"]
ROWS = {
    "latency_s": [1.0, 3.0, 3.0, 3.0, 3.0],
    "energy_j": [1.0, 5.0, 4.0, 4.0, 4.0],
    "n_chips": [1, 2, 2, 2, 2],
    "accuracy_drop": [0.0, 0.0, 0.0, 0.0, 0.0],
    "feasible": [False, True, True, True, True],
    "on_front": [False, False, False, True, True],
}


def unrecorded(*_: object) -> None:
    """Take a batch and keep nothing of it."""


@pytest.fixture(scope="module")
def pruned(job: MakeJob) -> SearchResult:
    """Column-wise plans, some of them pruned."""
    space = load_space("cats").with_choices("prune", (0.0, 0.5, 0.9))
    models = (load_workload("cats-vit"),)
    return search(
        job(workloads=models, platform=load_platform("nrf52840-mixer"), space=space, budget=300), unrecorded
    )


def test_of_equal_plans_the_fastest_the_thriftiest_and_that_of_the_front_are_picked() -> None:
    assert picked_trial(pd.DataFrame(ROWS), OBJECTIVES["n_chips"]) == 3
    assert picked_trial(ROWS | {"on_front": [False] * 5}, OBJECTIVES["n_chips"]) == 2
    assert picked_trial(ROWS | {"latency_s": [1.0, 2.0, 3.0, 3.0, 3.0]}, OBJECTIVES["n_chips"]) == 1
    assert picked_trial(ROWS | {"accuracy_drop": [0.0, 0.0, 1.0, 1.0, 0.0]}, OBJECTIVES["n_chips"]) == 4
    assert picked_trial(ROWS | {"feasible": [False] * 5}, OBJECTIVES["n_chips"]) is None


def test_most_of_an_objective_is_picked_where_it_is_maximised() -> None:
    throughput = OBJECTIVES["throughput"]
    rows = ROWS | {throughput.column: [9.0, 1.0, 2.0, 1.0, 1.0]}
    assert picked_trial(rows, throughput) == 2
    assert PICKS["max-throughput"] == throughput


@pytest.mark.parametrize("which", ["found", "pruned"])
def test_picks_are_least_of_all_feasible_plans_and_the_same_in_the_tables(
    which: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(which)
    trials, named = trials_table(result), picks(result)
    assert list(named) == ["knee", *NAMED]
    assert named["knee"] == result.recommended
    feasible = trials[trials["feasible"]]
    for name in NAMED:
        column = PICKS[name].column
        assert trials[column][named[name]] == feasible[column].min()
        assert picked_trial(trials, PICKS[name]) == named[name]
    fewest = feasible[feasible["n_chips"] == feasible["n_chips"].min()]
    assert trials["latency_s"][named["min-n_chips"]] == fewest["latency_s"].min()


def test_nothing_is_picked_where_nothing_is_feasible(nothing_found: SearchResult) -> None:
    assert picks(nothing_found) == {}
    assert more_chips(nothing_found) is used_chips(nothing_found) is None


def test_picks_that_coincide_are_one() -> None:
    assert merged(dict(zip(("knee", *NAMED), (4, 2, 2, 4, 1), strict=True))) == [
        (["knee", "min-edp"], 4),
        (["min-latency", "min-energy"], 2),
        (["min-n_chips"], 1),
    ]
    assert merged({}) == []


@pytest.mark.parametrize("which", ["found", "pruned"])
def test_another_chip_changes_the_number_of_chips_alone(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    more = more_chips(result)
    assert more is not None
    assert result.recommended is not None
    plan, job = result.plans.row(result.recommended), result.job
    assert (more.n_chips, more.added) == (plan.n_chips + 1, 1)
    other = Plans.of([replace(plan, n_chips=plan.n_chips + 1)])
    costs = evaluate(job.workloads[0], job.platform, other, job.accounting)
    assert (more.latency_s, more.energy_j) == (costs.latency_s[0], costs.energy_j[0])
    assert more.latency_ratio == costs.latency_s[0] / result.costs.latency_s[result.recommended]
    assert (more.drop is None) == (costs.accuracy_drop_high[0] == 0)


def test_another_chip_is_not_told_where_none_is_left_or_allowed(job: MakeJob) -> None:
    space = load_space("head_wise")
    for asked in (
        job(space=space.with_choices("n_chips", (4,))),
        job(space=space.with_choices("n_chips", (1,))),
        job("n_chips<=4", "n_chips>=4", space=space.with_choices("n_chips", (4, 8))),
    ):
        assert more_chips(search(asked, unrecorded)) is None
    two = more_chips(search(job("n_chips<=5", space=space.with_choices("n_chips", (3, 5))), unrecorded))
    assert two is None or two.added == 2


TIMES = "the same plan on 9 chips takes 2 ms (-4.0 %) and 3 mJ (+12.5 %)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"Another chip: {TIMES}."),
        ({"latency_ratio": 0.99996}, f"Another chip: {TIMES}.".replace("-4.0", "+0.0")),
        ({"added": 4}, f"4 more chips: {TIMES}."),
        (
            {"drop": (1.0, -1.0, 2.5)},
            f"Another chip: {TIMES}, at an accuracy drop of 1.0 (-1.0 to 2.5) points.",
        ),
    ],
)
def test_another_chip_is_told_in_a_sentence(changes: dict[str, object], said: str) -> None:
    more = MoreChips(
        n_chips=9, added=1, latency_s=2e-3, energy_j=3e-3, latency_ratio=0.96, energy_ratio=1.125, drop=None
    )
    assert more_chips_sentences(replace(more, **changes), DROP) == [said]
    assert more_chips_sentences(None, DROP) == []


def test_chips_in_use_are_those_of_the_best_plans(found: SearchResult) -> None:
    used, chips = used_chips(found), found.costs.n_chips
    assert used is not None
    assert (used.least, used.most) == (chips[found.feasible].min(), chips[found.feasible].max())
    fastest = found.costs.latency_s[found.feasible].min()
    assert not np.any(found.costs.latency_s[found.feasible & (chips > used.fastest)] <= fastest)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((1, 8, 7, 1), "Of 8 chips, 1 is better left out: no plan evaluated with more than 7 is faster."),
        ((1, 8, 8, 1), "Latency still falls at 8 chips, the most that fit or were tried."),
        ((4, 4, 4, 4), None),
    ],
)
def test_chips_better_left_out_are_told(numbers: tuple[int, int, int, int], said: str | None) -> None:
    least, most, fastest, thriftiest = numbers
    used = UsedChips(least=least, most=most, fastest=fastest, thriftiest=thriftiest)
    assert used_chips_sentences(used) == ([] if said is None else [f"{said} Energy is least on 1 chip."])


def test_a_footnote_explains_asterisks_where_there_are_some(found: SearchResult, job: MakeJob) -> None:
    note = "* outside published ground: more chips than the model's 8 heads; no published system ran so"
    lines = [str(line) for line in summary_lines(found, front_table(found))]
    assert lines.count(note) == 1
    few = search(job(space=load_space("head_wise").with_choices("n_chips", (1, 2, 4, 8))), unrecorded)
    assert ground_lines(few, range(len(few.plans))) == []
