from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.accuracy import POINTS, weighted_mean
from costmodel.calibration import LEAST_EXPONENT, MOST_EXPONENT
from dse.fitting import USUAL_EXPONENT, Fit, Retrained, confidence, fit, half_width

WEIGHTS = {"qkv": 0.63, "o": 0.1, "ffn_in": 0.14, "ffn_out": 0.13}
OTHERS = {"qkv": 0.3, "o": 0.25, "ffn_in": 0.25, "ffn_out": 0.2}
SPARED = [[0.8] * 4, [0.5] * 4, [0.0, 0.8, 0.8, 0.8]]
ONE_AT_A_TIME = [
    [0.8, 0.0, 0.0, 0.0],
    [0.0, 0.8, 0.0, 0.0],
    [0.0, 0.0, 0.8, 0.0],
    [0.0, 0.0, 0.0, 0.8],
    [0.0, 0.8, 0.8, 0.8],
    [0.8, 0.0, 0.8, 0.8],
]


def retrained(shares: Any, drop: Any, seeds: int = 1, seed_std: float = 0.0) -> Retrained:
    """Plans of shares, (k, 4) by gather point or (k,) alike at every one."""
    rows = np.asarray(shares, dtype=float)
    columns = rows.T if rows.ndim == 2 else [rows] * 4
    return Retrained(
        missing=dict(zip(POINTS, columns, strict=True)),
        drop=np.asarray(drop, dtype=float),
        seeds=np.full(len(rows), seeds),
        whole_seeds=seeds,
        seed_std=seed_std,
    )


def lawful(scale: float, exponent: float, shares: Any, weights: dict[str, float] = WEIGHTS) -> Retrained:
    """Plans that lost exactly what a law with some importance says."""
    plans = retrained(shares, np.zeros(len(shares)))
    return replace(plans, drop=scale * weighted_mean(weights, 1.0, plans.missing) ** exponent)


def drops(found: Fit, shares: Any) -> np.ndarray:
    return found.scale * np.asarray(shares) ** found.exponent


@given(scale=st.floats(1, 60), exponent=st.floats(LEAST_EXPONENT, MOST_EXPONENT))
def test_one_plan_gives_the_scale_and_leaves_the_exponent_where_it_usually_is(
    scale: float, exponent: float
) -> None:
    plans = lawful(scale, exponent, [0.8])
    found = fit(plans, WEIGHTS, 1.0)
    assert found.exponent == pytest.approx(USUAL_EXPONENT, abs=1e-3)
    assert drops(found, [0.8]) == pytest.approx(plans.drop, rel=1e-6)
    assert found.residual == pytest.approx([0], abs=1e-6)
    assert found.fitted_points == ()
    assert found.weights == pytest.approx(WEIGHTS)


def test_one_plan_recovers_a_law_that_is_usual() -> None:
    found = fit(lawful(25.0, USUAL_EXPONENT, [0.8]), WEIGHTS, 1.0)
    assert (found.scale, found.exponent) == pytest.approx((25.0, USUAL_EXPONENT), rel=1e-3)


@pytest.mark.parametrize("shares", [[0.5, 0.85], [0.3, 0.45, 0.55, 0.65, 0.75, 0.85]])
@given(scale=st.floats(20, 60), exponent=st.floats(1, 5))
def test_plans_without_noise_give_their_law_back_but_for_the_ridge(
    shares: list[float], scale: float, exponent: float
) -> None:
    plans = lawful(scale, exponent, shares)
    found = fit(plans, WEIGHTS, 1.0)
    # Least squares with a free: what drops tell of b is how far drop x ln U is from the drops
    # themselves. The ridge of 0.01 pulls b to 3.5 by its share of both, to first order.
    slope = plans.drop * np.log(shares)
    told = slope @ slope - (slope @ plans.drop) ** 2 / (plans.drop @ plans.drop)
    pull = abs(exponent - USUAL_EXPONENT) * 0.01 / (0.01 + told)
    assert pull < 0.2, "or this would test nothing"
    assert found.exponent == pytest.approx(exponent, abs=1.5 * pull + 1e-3)
    assert abs(found.exponent - USUAL_EXPONENT) <= abs(exponent - USUAL_EXPONENT) + 1e-3
    assert found.scale == pytest.approx(scale, rel=0.3 * pull + 1e-3)
    assert found.residual == pytest.approx(np.zeros(len(shares)), abs=0.1)


@given(
    shares=st.lists(st.floats(0, 0.94), min_size=1, max_size=8),
    data=st.data(),
)
@settings(max_examples=60)
def test_whatever_was_measured_a_and_b_are_within_their_bounds(
    shares: list[float], data: st.DataObject
) -> None:
    k = len(shares)
    drop = data.draw(st.lists(st.floats(-20, 90), min_size=k, max_size=k))
    found = fit(retrained(shares, drop), WEIGHTS, 1.0)
    assert found.scale >= 0
    assert LEAST_EXPONENT <= found.exponent <= MOST_EXPONENT
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.missing == pytest.approx(shares, abs=1e-9)
    assert found.residual == pytest.approx(drops(found, found.missing) - np.array(drop), abs=1e-6)


@pytest.mark.parametrize("shares", [[0.8], [0.5, 0.85], SPARED])
def test_gains_of_accuracy_are_no_drops(shares: list[Any]) -> None:
    found = fit(retrained(shares, [-1.0] * len(shares)), WEIGHTS, 1.0)
    assert found.scale == 0
    assert found.residual == pytest.approx(np.ones(len(shares)))


def test_a_law_steeper_or_flatter_than_any_ends_at_a_bound() -> None:
    steep, flat = (fit(retrained([0.5, 0.85], drop), WEIGHTS, 1.0) for drop in ([0.0, 60.0], [60.0, 60.0]))
    assert steep.exponent == pytest.approx(MOST_EXPONENT, abs=1e-3)
    assert flat.exponent == pytest.approx(LEAST_EXPONENT, abs=1e-3)


def test_three_plans_of_which_one_spares_it_tell_how_important_qkv_is() -> None:
    plans = lawful(40.0, 2.0, SPARED, OTHERS)
    assert plans.uneven == 1
    found = fit(plans, WEIGHTS, 1.0)
    assert found.fitted_points == ("qkv",)
    # The ridge holds it back on its way from 0.63, by as much as drops of some points allow.
    assert found.weights["qkv"] == pytest.approx(0.3, abs=0.04)
    assert (found.scale, found.exponent) == pytest.approx((40.0, 2.0), rel=0.04)
    others = [found.weights[name] / WEIGHTS[name] for name in POINTS[1:]]
    assert others == pytest.approx([others[0]] * 3), "the others keep their proportions"
    assert sum(found.weights.values()) == pytest.approx(1)


def test_two_plans_or_even_ones_tell_nothing_of_importance() -> None:
    for shares in (
        SPARED[1:],
        [[0.8] * 4, [0.5] * 4, [0.3] * 4],
        [[0.8] * 4, [0.5] * 4, [0.8, 0.75, 0.8, 0.8]],
    ):
        found = fit(lawful(40.0, 2.0, shares, OTHERS), WEIGHTS, 1.0)
        assert found.fitted_points == ()
        assert found.weights == pytest.approx(WEIGHTS)


def test_six_uneven_plans_tell_how_important_each_gather_is() -> None:
    even = [[0.8] * 4, [0.5] * 4]
    plans = lawful(40.0, 2.0, [*ONE_AT_A_TIME, *even], OTHERS)
    assert plans.uneven == 6
    found = fit(plans, WEIGHTS, 1.0)
    assert found.fitted_points == POINTS[:-1]
    for name, weight in OTHERS.items():
        assert found.weights[name] == pytest.approx(weight, abs=0.03), name
    assert (found.scale, found.exponent) == pytest.approx((40.0, 2.0), rel=0.03)
    five = fit(lawful(40.0, 2.0, [*ONE_AT_A_TIME[:5], *even], OTHERS), WEIGHTS, 1.0)
    assert five.fitted_points == ("qkv",), "five do not tell all"


def test_importance_is_told_apart_in_a_quadratic_mean_too() -> None:
    plans = retrained(SPARED, np.zeros(3))
    plans = replace(plans, drop=40.0 * weighted_mean(OTHERS, 2.0, plans.missing) ** 2.0)
    found = fit(plans, WEIGHTS, 2.0)
    assert found.weights["qkv"] == pytest.approx(0.3, abs=0.04)
    assert found.missing[0] == pytest.approx(0.8)


@given(order=st.permutations(range(8)))
@settings(max_examples=15)
def test_the_order_of_plans_makes_no_difference(order: list[int]) -> None:
    noise = np.array([0.4, -0.3, 0.1, 0.2, -0.5, 0.3, -0.2, 0.1])
    plans = lawful(40.0, 2.0, [*ONE_AT_A_TIME, [0.8] * 4, [0.5] * 4], OTHERS)
    plans = replace(plans, drop=plans.drop + noise)
    one, other = fit(plans, WEIGHTS, 1.0), fit(plans.take(order), WEIGHTS, 1.0)
    assert (other.scale, other.exponent) == pytest.approx((one.scale, one.exponent), rel=1e-3)
    assert other.weights == pytest.approx(one.weights, rel=1e-3)
    assert other.residual == pytest.approx(one.residual[order], abs=1e-2)
    assert half_width(plans.take(order), other, 0.0) == pytest.approx(half_width(plans, one, 0.0), rel=1e-3)


@given(
    least=st.floats(0, 5),
    noise=st.floats(0, 3),
    more=st.floats(0, 3),
    seeds=st.integers(1, 10),
)
@settings(max_examples=40)
def test_a_half_width_is_at_least_what_is_known_and_grows_with_noise(
    least: float, noise: float, more: float, seeds: int
) -> None:
    plans = retrained([0.5, 0.85], [3.0, 20.0], seeds, noise)
    found = fit(plans, WEIGHTS, 1.0)
    width = half_width(plans, found, least)
    assert width >= least
    assert width >= half_width(plans, found, least / 2)
    assert width >= 1.6 * noise * (2 / seeds) ** 0.5
    assert half_width(replace(plans, seed_std=noise + more), found, least) >= width
    assert half_width(replace(plans, seeds=plans.seeds + 1), found, least) <= width


def test_a_half_width_counts_the_plan_with_the_fewest_seeds_and_what_the_law_misses_by() -> None:
    plans = replace(retrained([0.5, 0.85], [3.0, 20.0], seed_std=2.0), seeds=np.array([4, 9]))
    found = fit(plans, WEIGHTS, 1.0)
    assert half_width(replace(plans, whole_seeds=10**9), found, 0.1) == pytest.approx(1.65 * 2 / 2)
    assert half_width(plans, found, 0.1) == pytest.approx(1.65 * 2 * (1 / 4 + 1) ** 0.5)
    scattered = retrained([0.5, 0.5, 0.8, 0.8], [1.0, 5.0, 10.0, 14.0])
    found = fit(scattered, WEIGHTS, 1.0)
    assert found.residual_std == pytest.approx((4 * 4 / 2) ** 0.5, rel=0.01)  # off by 2, four times
    assert half_width(scattered, found, 0.1) == pytest.approx(1.65 * found.residual_std)


@pytest.mark.parametrize(
    ("shares", "lost"),
    [
        ([0.5, 0.85], [20.0, 3.0]),  # less for more
        ([0.7, 0.85], [-10.0, -8.0]),  # gains
        ([0.8, 0.8], [15.0, 0.0]),  # the same share
        ([[0.8] * 4, [0.6] * 4, [0.0, 0.8, 0.8, 0.8]], [25.0, 5.0, 35.0]),
    ],
)
def test_plans_that_no_law_meets_lie_in_its_interval(shares: Any, lost: list[float]) -> None:
    plans = retrained(shares, lost)
    found = fit(plans, WEIGHTS, 1.0)
    assert np.abs(found.residual).max() > 1
    assert half_width(plans, found, 0.1) >= np.abs(found.residual).max()


def test_plans_that_a_law_meets_say_nothing_of_scatter() -> None:
    plans = lawful(40.0, 2.0, [0.5, 0.85])
    assert half_width(plans, fit(plans, WEIGHTS, 1.0), 0.1) == 0.1


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_what_nine_tenths_of_fits_lie_between_holds_the_fit(noise: float) -> None:
    plans = lawful(40.0, 2.0, SPARED, OTHERS)
    found = fit(plans, WEIGHTS, 1.0)
    ends = confidence(plans, found, WEIGHTS, 1.0, noise)
    assert set(ends) == {"scale", "exponent", *POINTS}
    for name, value in {"scale": found.scale, "exponent": found.exponent, **found.weights}.items():
        low, high = ends[name]
        assert low <= value <= high, name
        # Without noise the ends differ from the fit by what the ridge does to a law that was fitted.
        assert high - low < 0.1 * value if not noise else high - low > 0.01
    assert ends["scale"][0] >= 0
    assert ends["exponent"][0] >= LEAST_EXPONENT
    assert ends["exponent"][1] <= MOST_EXPONENT


def test_more_noise_sets_the_ends_farther_apart_and_they_come_out_the_same_again() -> None:
    plans = lawful(40.0, 2.0, [0.5, 0.85])
    found = fit(plans, WEIGHTS, 1.0)
    little, much, again = (confidence(plans, found, WEIGHTS, 1.0, noise)["exponent"] for noise in (0.2, 2, 2))
    assert much[0] < little[0] < little[1] < much[1]
    assert again == much
