import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, evaluate, load_platform, load_workload
from costmodel.draws import draws_of
from costmodel.intervals import PRICED_AT_ONCE, Interval, intervals

WIRED = load_platform("siracusa-mipi", "date2025")
TINY = load_workload("tinyllama-42m")
MANY = Plans.of(
    Plan(strategy=strategy, n_chips=n, group_size=2, shares=n % 3, pinning=n % 2)
    for n in range(1, PRICED_AT_ONCE + 8)
    for strategy in ("head_wise", "column_wise")
    if n <= 64
)


def ends(interval: Interval) -> np.ndarray:
    return np.array([interval.low, interval.median, interval.high])


def test_low_median_and_high_are_in_order() -> None:
    found = intervals(TINY, WIRED, MANY)
    for interval in (found.latency_s, found.energy_j):
        assert interval.low.shape == (len(MANY),)
        assert np.all(np.diff(ends(interval), axis=0) > 0)


def test_many_plans_have_the_intervals_that_each_has_by_itself() -> None:
    found = intervals(TINY, WIRED, MANY)
    for i in (0, 1, 7, PRICED_AT_ONCE, len(MANY) - 1):
        one = intervals(TINY, WIRED, MANY.take(np.array([i])))
        assert one.basis == found.basis
        for many, alone in ((found.latency_s, one.latency_s), (found.energy_j, one.energy_j)):
            np.testing.assert_allclose(ends(many)[:, [i]], ends(alone), rtol=1e-12)


@pytest.mark.parametrize("platform", [WIRED, load_platform("nrf52840-mixer")])
def test_no_plans_have_no_costs_and_no_intervals(platform: Platform) -> None:
    none = MANY.take(np.empty(0, dtype=np.int64))
    found = intervals(TINY, platform, none)
    assert found.latency_s.low.shape == found.energy_j.high.shape == (0,)
    assert found.basis == draws_of(platform).basis
    assert evaluate(TINY, platform, none).latency_s.shape == (0,)


@pytest.mark.parametrize("scope", ["model", "block", "attention"])
def test_intervals_are_of_what_is_counted(scope: str) -> None:
    counted = Accounting(scope=scope, prefetch="hidden")
    plans = Plans.of([Plan(strategy="head_wise", n_chips=8)])
    found, costs = (f(TINY, WIRED, plans, counted) for f in (intervals, evaluate))
    assert 0.5 * costs.latency_s < found.latency_s.median < 2 * costs.latency_s
