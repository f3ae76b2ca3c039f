import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, evaluate, load_platform, load_workload
from costmodel.draws import N_DRAWS, draws_of
from costmodel.intervals import PRICED_AT_ONCE, Interval, drawn_costs
from tests.strategies import changed

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
    found = drawn_costs(TINY, WIRED, MANY)
    for interval in found.intervals.values():
        assert interval.low.shape == (len(MANY),)
        assert np.all(np.diff(ends(interval), axis=0) > 0)


def test_many_plans_have_the_intervals_that_each_has_by_itself() -> None:
    found = drawn_costs(TINY, WIRED, MANY)
    for i in (0, 1, 7, PRICED_AT_ONCE, len(MANY) - 1):
        one = drawn_costs(TINY, WIRED, MANY.take(np.array([i])))
        assert one.basis == found.basis
        for many, alone in zip(found.intervals.values(), one.intervals.values(), strict=True):
            np.testing.assert_allclose(ends(many)[:, [i]], ends(alone), rtol=1e-12)


@pytest.mark.parametrize("platform", [WIRED, load_platform("nrf52840-mixer")])
def test_no_plans_have_no_costs_and_no_intervals(platform: Platform) -> None:
    none = MANY.take(np.empty(0, dtype=np.int64))
    found = drawn_costs(TINY, platform, none)
    assert found.latency_s.shape == found.energy_j.shape == (N_DRAWS, 0)
    assert all(interval.high.shape == (0,) for interval in found.intervals.values())
    assert found.basis == draws_of(platform).basis
    assert evaluate(TINY, platform, none).latency_s.shape == (0,)


@pytest.mark.parametrize("scope", ["model", "block", "attention"])
def test_intervals_are_of_what_is_counted(scope: str) -> None:
    counted = Accounting(scope=scope, prefetch="hidden")
    plans = Plans.of([Plan(strategy="head_wise", n_chips=8)])
    found, costs = (f(TINY, WIRED, plans, counted) for f in (drawn_costs, evaluate))
    assert 0.5 * costs.latency_s < found.intervals["latency_s"].median < 2 * costs.latency_s


def test_costs_that_no_draw_changes_have_no_interval() -> None:
    costs = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
    np.testing.assert_allclose(ends(Interval.of(costs)), [[np.nan, 2.1], [np.nan, 3], [np.nan, 3.9]])


def test_a_platform_that_is_not_as_its_files_say_has_no_draws() -> None:
    with pytest.raises(ValueError, match="siracusa-mipi is not as its files say"):
        drawn_costs(TINY, changed(WIRED, mcu={"clock_hz": 1e6}), MANY)
