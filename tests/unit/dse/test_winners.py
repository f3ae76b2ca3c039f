import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from dse.constraints import constraints
from dse.job import Job
from dse.objectives import objectives_named
from dse.search import SearchResult, search
from dse.winners import standings, winners_sentence
from search_spaces import load_space


def found_in(space: str, workload: Workload, platform: Platform, *bounds: str, **other: int) -> SearchResult:
    searched = load_space(space)
    asked = Job(
        workloads=(workload,),
        platform=platform,
        accounting=Accounting(),
        space=searched,
        objectives=objectives_named(searched.objectives),
        constraints=constraints(bounds),
        **{"budget": 2000} | other,
    )
    return search(asked, lambda *_: None)


@pytest.fixture(scope="module")
def mixed(tinyllama: Workload, siracusa: Platform) -> SearchResult:
    return found_in("all", tinyllama, siracusa)


def test_standings_count_the_plans_of_each_strategy_on_the_front(mixed: SearchResult) -> None:
    found = standings(mixed)
    assert {s.strategy for s in found} == {"head_wise", "column_wise"}
    assert sum(s.on_front for s in found) == len(mixed.front)
    assert found[0].on_front >= found[1].on_front
    names = np.array(mixed.plans.strategies)
    for standing in found:
        chips = mixed.costs.n_chips[mixed.front[names[mixed.front] == standing.strategy]]
        assert (standing.least_chips, standing.most_chips) == (chips.min(), chips.max())
        assert standing.fastest is not None
        assert (
            mixed.costs.latency_s[standing.fastest] == mixed.costs.latency_s[names == standing.strategy].min()
        )


def test_one_sentence_says_which_strategy_wins_where_and_why(mixed: SearchResult) -> None:
    text = winners_sentence(mixed)
    assert text.count(".\n") == 0
    assert text.endswith(".")
    for standing in standings(mixed):
        assert f"{standing.strategy} has {standing.on_front} plans on the front" in text
    assert "fastest is head_wise with" in text
    assert "mostly for off-chip memory (L3): " in text


def test_a_space_of_one_strategy_needs_no_such_sentence(tinyllama: Workload, siracusa: Platform) -> None:
    assert winners_sentence(found_in("head_wise", tinyllama, siracusa)) == ""


def test_a_strategy_without_a_plan_that_fits_is_told(tinyllama: Workload, siracusa: Platform) -> None:
    text = winners_sentence(found_in("all", tinyllama, siracusa, "n_chips>=20"))
    assert "column_wise has no plan that fits" in text
    assert "fastest" not in text


def test_a_radio_search_under_a_bound_on_missing_weights_finds_pruned_plans_faster_than_any_other() -> None:
    workload, platform = load_workload("cats-block"), load_platform("nrf52840-mixer")
    result = found_in("cats", workload, platform, "missing_weights<=0.5")
    whole = evaluate(
        workload, platform, Plans.of(Plan(strategy="column_wise", n_chips=n) for n in range(1, 17))
    )
    best = result.front[0]
    assert result.plans.row(int(best)).prune_ffn_in > 0
    assert result.costs.missing_weights[best] <= 0.5
    assert result.costs.latency_s[best] < 0.6 * whole.latency_s[whole.feasible].min()
