from collections.abc import Callable

import numpy as np
import pytest

from costmodel import load_workload
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from dse.export import plan_at
from dse.job import Job
from dse.objectives import OBJECTIVES
from dse.search import SearchResult, search
from dse.tables import exceeded, front_table, levers, trials_table


@pytest.fixture(scope="module")
def crowded(job: Callable[..., Job]) -> SearchResult:
    """A model that few chips cannot hold."""
    return search(job("n_chips<=21", workloads=(load_workload("stories110m"),)), lambda *_: None)


def test_one_row_a_plan_in_order_of_evaluation(found: SearchResult) -> None:
    table = trials_table(found)
    decided = ("n_chips", "group_size", "partial_sum_bits")
    rows = [tuple(getattr(plan, name) for name in decided) for plan in found.plans]
    assert list(zip(*(table[name] for name in decided), strict=True)) == rows
    assert table.index.name == "trial"
    assert set(table["strategy"]) == {"head_wise"}
    for o in OBJECTIVES.values():
        np.testing.assert_array_equal(table[o.column], o.of(found.costs))


def test_causes_sum_to_totals(found: SearchResult) -> None:
    table = trials_table(found)
    np.testing.assert_allclose(sum(table[f"latency_{c}_s"] for c in LATENCY_CAUSES), table["latency_s"])
    np.testing.assert_allclose(sum(table[f"energy_{c}_j"] for c in ENERGY_CAUSES), table["energy_j"])
    np.testing.assert_allclose(table["latency_s"] * table["energy_j"], table["edp_js"])


def test_tables_say_what_comes_from_off_chip_memory(found: SearchResult) -> None:
    trials, front = trials_table(found), front_table(found)
    for i in (0, 80, 200, 408):
        plan = plan_at(found, i)
        outside = [chip.footprint_bytes["L3"] > 0 for chip in plan.chips]
        heads = [share.home for chip in plan.chips for share in chip.weights if "head" in share.matrix]
        assert trials["chips_with_l3"][i] == sum(outside)
        assert trials["head_from_l3"][i] == ("L3" in heads)
    assert set(trials["head_from_l3"]) == {True, False}
    assert trials.loc[trials["regime"] == "streamed", "chips_with_l3"].min() > 0
    for column in ("chips_with_l3", "head_from_l3"):
        assert front[column].tolist() == trials.loc[found.front, column].tolist()


def test_limit_is_the_largest_cause(found: SearchResult) -> None:
    table = trials_table(found)
    causes = table[[f"latency_{c}_s" for c in LATENCY_CAUSES]]
    largest = causes.idxmax(axis=1).str.removeprefix("latency_").str.removesuffix("_s")
    assert largest.tolist() == table["limited_by"].tolist()
    assert set(table["regime"]) == {"resident", "pinned", "prefetched", "streamed"}


@pytest.mark.parametrize("which", ["found", "nothing_found", "crowded"])
def test_a_plan_exceeds_something_exactly_when_it_is_not_feasible(
    which: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(which)
    table = trials_table(result)
    assert ((table["exceeds"] == "") == table["feasible"]).all()
    assert table["feasible"].tolist() == result.feasible.tolist()
    assert (~table["feasible"]).any()
    assert np.flatnonzero(table["on_front"]).tolist() == sorted(result.front.tolist())


def test_missed_bound_is_shown_with_the_value(nothing_found: SearchResult) -> None:
    text = exceeded(nothing_found, 0, levers(nothing_found))
    latency, energy = text.split(" | ")
    costs = nothing_found.costs
    late, much = costs.latency_s[0] / 1e-6 - 1, costs.energy_j[0] / 1e-3 - 1
    assert latency == f"latency<=1us is missed by {late:.1%}: {costs.latency_s[0] * 1e3:.4g} ms"
    assert energy == f"energy<=1mJ is missed by {much:.1%}: {costs.energy_j[0] * 1e3:.4g} mJ"


def test_resource_says_from_how_many_chips_on_it_suffices(crowded: SearchResult) -> None:
    fits = crowded.costs.slack["L3"] <= 0
    least = int(crowded.plans["n_chips"][fits].min())
    assert least > 1
    assert levers(crowded)[0, "L3"] == f"fits from {least} chips on"
    alone = crowded.plans["n_chips"].tolist().index(1)
    text = exceeded(crowded, alone, levers(crowded))
    assert text.startswith("L3 needs")
    assert text.endswith(f"fits from {least} chips on")
    many = crowded.plans["n_chips"].tolist().index(40)
    assert exceeded(crowded, many, levers(crowded)) == "n_chips<=21 is missed by 90.5%: 40"


def test_resource_that_no_plan_fits_says_so(job: Callable[..., Job]) -> None:
    asked = job(workloads=(load_workload("stories110m"),))
    few = asked.space.with_choices("n_chips", [1])
    result = search(job(workloads=asked.workloads, space=few), lambda *_: None)
    assert levers(result)[0, "L3"] == "no other number of chips was tried"
    assert exceeded(result, 0, levers(result)).endswith("no other number of chips was tried")
    some = search(job(workloads=asked.workloads, space=few.with_choices("n_chips", [1, 2])), lambda *_: None)
    assert levers(some)[0, "L3"] == "fits on 2 chips, of 1 to 2 tried"


def test_chips_that_fit_are_those_of_each_workload(job: Callable[..., Job]) -> None:
    small, large = load_workload("stories15m"), load_workload("stories110m")
    result = search(job("n_chips<=3", workloads=(small, large)), lambda *_: None)
    assert levers(result)[0, "L3"] == "fits from 1 chips on"
    least = int(result.plans["n_chips"][(result.of_workload == 1) & (result.costs.slack["L3"] <= 0)].min())
    assert levers(result)[1, "L3"] == f"fits from {least} chips on"
    assert least > 1


def test_front_is_in_order_of_the_first_objective_with_one_knee(found: SearchResult) -> None:
    table = front_table(found)
    assert table["trial"].tolist() == found.front.tolist()
    assert table["latency_s"].is_monotonic_increasing
    assert table.loc[table["knee"], "trial"].tolist() == [found.recommended]
    assert set(table["distance_from_exact"]) == {"exact"}
    assert table.index.tolist() == list(range(len(table)))
    assert table.index.name == "front_index"


def test_empty_front_keeps_its_columns(found: SearchResult, nothing_found: SearchResult) -> None:
    empty = front_table(nothing_found)
    assert len(empty) == 0
    assert list(empty.columns) == list(front_table(found).columns)
