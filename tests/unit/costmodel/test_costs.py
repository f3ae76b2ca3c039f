import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Violation, Workload, evaluate, load_workload
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from tests.strategies import changed

BOTH = Plans.of([Plan(strategy="head_wise", n_chips=1), Plan(strategy="head_wise", n_chips=8)])


def test_a_violation_says_resource_demand_and_limit() -> None:
    violation = Violation(resource="L3", demand=41.6e6, limit=16e6, unit="B")
    assert str(violation) == "L3 needs 41,600.0 kB on a chip, 16,000.0 kB are usable"


def test_a_plan_that_does_not_fit_is_data(tinyllama: Workload, siracusa: Platform) -> None:
    small = changed(siracusa, l3={"size_bytes": 16e6})
    costs = evaluate(tinyllama, small, BOTH)
    assert costs.feasible.tolist() == [False, True]
    (violation,) = costs.violations(0)
    assert (violation.resource, violation.limit, violation.unit) == ("L3", 16e6, "B")
    assert violation.demand == costs.l3_footprint_bytes[0]
    assert costs.slack["L3"][0] == violation.demand / 16e6 - 1 > 0
    assert costs.violations(1) == []


def test_a_demand_of_exactly_the_limit_fits(tinyllama: Workload, siracusa: Platform) -> None:
    need = evaluate(tinyllama, siracusa, BOTH).l3_footprint_bytes[0]
    for size, fits in ((need, True), (need - 1, False)):
        costs = evaluate(tinyllama, changed(siracusa, l3={"size_bytes": size}), BOTH)
        assert (bool(costs.feasible[0]), costs.violations(0) == []) == (fits, fits)


def test_latency_is_limited_by_its_largest_cause(tinyllama: Workload, siracusa: Platform) -> None:
    counted = Accounting(scope="block", prefetch="hidden")
    costs = evaluate(tinyllama, siracusa, BOTH, counted)
    assert costs.limited_by(0) == "l3"
    assert costs.limited_by(1) == "compute"
    slow_link = changed(siracusa, link={"message_latency_s": 1.0})
    assert evaluate(tinyllama, slow_link, BOTH, counted).limited_by(1) == "link"


def test_causes_are_those_broken_down(tinyllama: Workload, siracusa: Platform) -> None:
    costs = evaluate(tinyllama, siracusa, BOTH)
    assert tuple(costs.latency_by_cause_s) == LATENCY_CAUSES
    assert tuple(costs.energy_by_cause_j) == ENERGY_CAUSES


@pytest.mark.parametrize("tokens", [1, 16])
def test_throughput_counts_all_tokens_of_an_inference(siracusa: Platform, tokens: int) -> None:
    workload = load_workload("tinyllama-42m", "prompt", tokens)
    costs = evaluate(workload, siracusa, BOTH)
    np.testing.assert_allclose(costs.throughput_tokens_per_s, tokens / costs.latency_s, rtol=1e-15)


def test_chips_that_need_l3_and_a_head_that_comes_from_it_are_told(siracusa: Platform) -> None:
    workload = load_workload("stories15m")
    costs = evaluate(workload, siracusa, Plans.of(Plan(strategy="head_wise", n_chips=n) for n in (1, 8, 64)))
    assert costs.n_chips_with_l3.tolist() == [1, 6, 0]  # two of eight chips have no head
    assert costs.head_from_l3.tolist() == [True, True, False]
    blocks = evaluate(
        workload, siracusa, Plans.of([Plan(strategy="head_wise", n_chips=1)]), Accounting(head=False)
    )
    assert (blocks.n_chips_with_l3.tolist(), blocks.head_from_l3.tolist()) == ([1], [False])
