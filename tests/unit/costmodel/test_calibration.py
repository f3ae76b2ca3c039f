from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from costmodel import Plan, Plans, Workload, evaluate, load_workload
from costmodel.accuracy import POINTS, missing_weights, weights_of
from costmodel.calibration import (
    LEAST_EXPONENT,
    MOST_EXPONENT,
    Calibration,
    Fitted,
    HalfWidth,
    Law,
    Tasks,
    Weights,
    calibration_of,
    power_law,
)
from costmodel.drops import Drop
from costmodel.errors import ParameterError
from costmodel.parameters import load
from costmodel.parameters.files import built_in_names
from dse.fitting import half_width
from dse.validation.accuracy import fitted, published, tasks, uncalibrated
from tests.conftest import Copy
from tests.strategies import RADIO

NONE = HalfWidth.model_construct(one_plan=0.0, more_plans=0.0, one_plan_loss=0.0, more_plans_loss=0.0)
CURVES = ("cats-ett", "cats-icd", "cats-london")
FAMILIES = ("encoder", "decoder")
ALL = (*CURVES, *FAMILIES)
GRID = np.linspace(0, 1, 101)


def calibration(name: str) -> Calibration:
    return calibration_of(load("calibration", name))


def with_calibration(name: str) -> Workload:
    """A small model of the family that the calibration is of."""
    return load_workload("cats-vit" if name == "encoder" else "cats-timeseries", calibration=name)


def law(scale: float, exponent: float) -> Law:
    return Law.model_construct(scale=scale, exponent=exponent)


def of_tasks(laws: list[Law], residual: float, quantile: float = 2.0) -> Tasks:
    return Tasks.model_construct(
        form="tasks",
        description="",
        family="encoder",
        tasks={f"task{i}": one for i, one in enumerate(laws)},
        residual=residual,
        quantile=quantile,
        half_width=NONE,
    )


def of_a_model(scale: float, exponent: float, half: float, most: float) -> Fitted:
    return Fitted.model_construct(
        form="fitted",
        description="",
        family="encoder",
        metric="accuracy",
        base=90.0,
        scale=scale,
        exponent=exponent,
        half_width=half,
        most_missing=most,
        plans=1,
        importance=None,
    )


EXPONENTS = st.floats(0.5, 8)
LAWS = st.builds(law, st.floats(0, 100), EXPONENTS)
TASKS = st.builds(of_tasks, st.lists(LAWS, min_size=2, max_size=6), st.floats(0, 5), st.floats(1, 13))
FITTED = st.builds(of_a_model, st.floats(0, 100), EXPONENTS, st.floats(0, 20), st.floats(0, 1))
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(lambda shares: np.array(sorted(shares)))


def width(drop: Drop) -> np.ndarray:
    return drop.high - drop.low


@given(known=TASKS | FITTED, u=SHARES)
def test_a_drop_never_falls_with_u_and_lies_in_its_interval(known: Calibration, u: np.ndarray) -> None:
    drop = known.drop(u)
    rounding = 1e-12 * (1 + np.abs(drop.estimate))
    assert (np.diff(drop.estimate) >= -rounding[1:]).all()
    assert (drop.low <= drop.estimate + rounding).all()
    assert (drop.estimate <= drop.high + rounding).all()
    assert (drop.estimate >= 0).all()


@given(known=TASKS | FITTED)
def test_nothing_missing_costs_nothing_for_sure(known: Calibration) -> None:
    for u in (0.0, np.zeros(3)):
        drop = known.drop(u)
        for one in (drop.estimate, drop.low, drop.high):
            assert np.shape(one) == np.shape(u)
            assert not np.any(one)


@given(known=TASKS | FITTED, u=SHARES)
def test_a_batch_of_shares_is_its_shares_one_by_one(known: Calibration, u: np.ndarray) -> None:
    drop = known.drop(u)
    for i, share in enumerate(u.tolist()):
        alone = known.drop(share)
        for field in fields(Drop):
            np.testing.assert_allclose(getattr(drop, field.name)[i], getattr(alone, field.name), rtol=1e-12)


@given(scale=st.floats(0, 100), exponent=EXPONENTS, half=st.floats(0.1, 20), most=st.floats(0.1, 0.9))
def test_a_fitted_interval_holds_every_exponent_beyond_what_was_measured(
    scale: float, exponent: float, half: float, most: float
) -> None:
    known = of_a_model(scale, exponent, half, most)
    u = np.array([most / 2, most, most + 0.01, 1.0])
    drop = known.drop(u)
    np.testing.assert_allclose(drop.estimate, scale * u**exponent)
    np.testing.assert_allclose(width(drop)[:2], 2 * half, rtol=1e-9)
    end = scale * most**exponent
    for other in (LEAST_EXPONENT, exponent, MOST_EXPONENT):
        for through in (max(end - half, 0.0), end + half):
            law = through * (u / most) ** other
            assert (drop.low[2:] <= law[2:] * (1 + 1e-9)).all()
            assert (np.minimum(law, known.base)[2:] <= drop.high[2:] * (1 + 1e-9)).all()
    assert known.within(u).tolist() == [True, True, False, False]


@pytest.mark.parametrize("most", [0.599116, 0.717137, 0.805])
def test_the_highest_plan_that_was_measured_is_within_although_a_file_rounds_its_share(most: float) -> None:
    known = of_a_model(10.0, 2.0, 1.0, most)
    assert known.within(most + 0.49e-6)
    assert width(known.drop(most + 0.49e-6)) == pytest.approx(2.0)
    assert not known.within(most + 1e-4)


@given(laws=st.lists(LAWS, min_size=2, max_size=6), residual=st.floats(0, 5), more=st.floats(0.1, 5))
def test_more_scatter_makes_a_wider_band_with_the_same_mean(
    laws: list[Law], residual: float, more: float
) -> None:
    u = np.array([0.1, 0.5, 1.0])
    narrow, wide = (of_tasks(laws, r).drop(u) for r in (residual, residual + more))
    np.testing.assert_array_equal(narrow.estimate, wide.estimate)
    assert (wide.high > narrow.high).all()
    assert (wide.low < narrow.low).all()


@given(middle=st.floats(20, 50), apart=st.floats(0, 15), more=st.floats(0.5, 4))
def test_tasks_that_differ_more_make_a_wider_band_with_the_same_mean(
    middle: float, apart: float, more: float
) -> None:
    near, far = (
        of_tasks([law(middle - a, 2.0), law(middle, 2.0), law(middle + a, 2.0)], 0.5).drop(np.array([0.5, 1]))
        for a in (apart, apart + more)
    )
    np.testing.assert_allclose(near.estimate, far.estimate)
    assert (far.high > near.high).all()
    assert (far.low <= near.low).all()


def test_the_band_of_two_tasks_by_hand() -> None:
    # drops 10 and 30: mean 20, variance 200; (1 + 1/2) 200 + 4 = 304
    drop = of_tasks([law(10, 1), law(30, 1)], 2.0, 1.5).drop(1.0)
    assert drop.estimate == 20
    assert drop.high == pytest.approx(20 + 1.5 * 304**0.5)
    assert drop.low == -3, "below nothing there is scatter alone, 1.5 times 2"
    assert of_tasks([law(20, 1), law(20, 1)], 2.0, 1.5).drop(1.0).low == pytest.approx(17)


def test_tasks_have_measured_no_share_of_a_new_one() -> None:
    assert not calibration("encoder").within(GRID).any()
    assert calibration("cats-icd").within(GRID).tolist() == (GRID <= 0.7875).tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_built_in_band_holds_nearly_all_of_each_of_its_own_tasks(family: str) -> None:
    known = calibration(family)
    assert isinstance(known, Tasks)
    drop = known.drop(GRID)
    for name, one in known.tasks.items():
        curve = power_law(one.scale, one.exponent, GRID)
        assert np.mean((drop.low <= curve) & (curve <= drop.high)) >= 0.8, name


def test_the_built_in_band_would_not_hold_a_task_that_loses_much_more() -> None:
    high = calibration("encoder").drop(GRID[50:]).high
    assert (power_law(100.0, 1.0, GRID[50:]) > high).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_quantile_leaves_a_twentieth_on_either_side(family: str) -> None:
    known = calibration(family)
    assert isinstance(known, Tasks)
    assert known.quantile == pytest.approx(stats.t.ppf(0.95, len(known.tasks) - 1), abs=5e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_built_in_laws_of_tasks_are_what_the_measurements_give(family: str) -> None:
    known, again = calibration(family), uncalibrated(list(tasks()))
    assert isinstance(known, Tasks)
    assert set(known.tasks) == set(tasks()) == set(again.tasks)
    for name, one in known.tasks.items():
        assert one.scale == pytest.approx(again.tasks[name].scale, rel=5e-3, abs=5e-3), name
        assert one.exponent == pytest.approx(again.tasks[name].exponent, abs=5e-3), name
    assert known.residual == pytest.approx(again.residual, abs=5e-3)
    np.testing.assert_allclose(known.drop(GRID).high, again.drop(GRID).high, atol=0.05)


@pytest.mark.parametrize("dataset", ["ett", "icd", "london"])
def test_the_built_in_published_curves_are_what_their_tables_give(dataset: str) -> None:
    known, (base, measured) = calibration(f"cats-{dataset}"), published(dataset)
    found = fitted(measured)
    assert isinstance(known, Fitted)
    assert known.metric == "loss"
    assert known.base == base
    assert known.scale == pytest.approx(found.scale / 100, abs=5e-4)
    assert known.exponent == pytest.approx(found.exponent, abs=5e-3)
    assert known.half_width == pytest.approx(half_width(measured, found, 0.0) / 100, abs=5e-5)
    assert known.most_missing == pytest.approx(found.missing.max())
    assert known.plans == len(measured.drop)


@pytest.mark.parametrize(
    ("model", "other"), [("cats-vit", "decoder"), ("tinyllama-42m", "encoder"), ("cats-vit", "cats-icd")]
)
def test_a_calibration_of_another_family_is_refused(model: str, other: str) -> None:
    mine = load_workload(model).model.family_name
    with pytest.raises(ParameterError) as error:
        load_workload(model, calibration=other)
    theirs = calibration(other).family
    assert f"key 'family' is '{theirs}', model '{model}' is one of '{mine}'" in error.value.message
    assert error.value.message.startswith(f"calibration/{other}.toml: ")
    assert len(error.value.message.splitlines()) == 1


def test_every_built_in_calibration_is_tried_here() -> None:
    assert set(built_in_names("calibration")) == {*CURVES, "encoder", "decoder"}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('form = "tasks"', 'form = "task"', "did you mean 'tasks'"),
        ("residual = { value = 0.77", "residual = { value = -1", "'residual'"),
        ("quantile = { value = 2.015", "quantile = { value = 0.5", "'quantile'"),
        ("exponent = { value = 5.86", "exponent = { value = 0.4", "'tasks.digits.exponent'"),
        ("scale = { value = 44.8", "scale = { value = 101", "'tasks.digits.scale'"),
        ("residual =", "residuals =", "did you mean 'residual'"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_its_key(copy_of: Copy, old: str, new: str, named: str) -> None:
    with pytest.raises(ParameterError) as error:
        load_workload("cats-vit", calibration=copy_of("calibration/encoder", old, new))
    assert named in error.value.message


def test_an_accuracy_above_a_hundred_per_cent_is_refused_and_a_loss_is_not(copy_of: Copy) -> None:
    base = ("base = { value = 0.1095", "base = { value = 109.5")
    assert load_workload("cats-timeseries", calibration=copy_of("calibration/cats-icd", *base)).calibration
    data = load("calibration", "cats-icd").data
    for key, value in (("base", 109.5), ("metric", "accuracy")):
        data = data | {key: {**data[key], "value": value}}
    with pytest.raises(ParameterError, match=r"base 109\.5 of metric accuracy must be at most 100"):
        calibration_of(replace(load("calibration", "cats-icd"), data=data))


def test_importance_that_was_fitted_along_goes_before_the_familys() -> None:
    vit = load_workload("cats-vit")
    weights = Weights.model_construct(qkv=0.1, o=0.2, ffn_in=0.3, ffn_out=0.2)
    own = of_a_model(10.0, 2.0, 1.0, 0.9).model_copy(update={"importance": weights})
    assert weights_of(replace(vit, calibration=own)) == pytest.approx(
        {"qkv": 1 / 8, "o": 2 / 8, "ffn_in": 3 / 8, "ffn_out": 2 / 8}
    )
    without = replace(vit, calibration=of_a_model(10.0, 2.0, 1.0, 0.9))
    assert weights_of(without) == weights_of(vit)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("point", POINTS)
def test_a_drop_rises_with_every_ratio_and_is_nothing_without(name: str, point: str) -> None:
    workload = with_calibration(name)
    ratios = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]
    costs = evaluate(
        workload,
        RADIO,
        Plans.of(Plan(strategy="column_wise", n_chips=8, **{f"prune_{point}": p}) for p in ratios),
    )
    u, drop = costs.missing_weights, costs.accuracy_drop
    assert u[0] == drop[0] == costs.accuracy_drop_low[0] == costs.accuracy_drop_high[0] == 0
    assert (np.diff(u) > 0).all()
    assert ((u >= 0) & (u <= 1)).all()
    assert (np.diff(drop) >= 0).all()
    assert name == "cats-london" or drop[-1] > 0, "on London nothing was lost"
    assert (costs.accuracy_drop_high[1:] > drop[1:]).all()


RATIOS = st.integers(0, 1000).map(lambda code: code / 1000)
PRUNED = st.builds(
    Plan,
    strategy=st.just("column_wise"),
    n_chips=st.integers(1, 16),
    **{f"prune_{point}": RATIOS for point in POINTS},
)


@settings(max_examples=30)
@given(name=st.sampled_from(ALL), plans=st.lists(PRUNED, min_size=1, max_size=6))
def test_drops_of_plans_are_the_calibrations_and_each_is_its_own(name: str, plans: list[Plan]) -> None:
    workload = with_calibration(name)
    costs = evaluate(workload, RADIO, Plans.of(plans))
    drop = workload.calibration.drop(costs.missing_weights)
    np.testing.assert_array_equal(costs.accuracy_drop, drop.estimate)
    np.testing.assert_array_equal(costs.accuracy_drop_low, drop.low)
    np.testing.assert_array_equal(costs.accuracy_drop_high, drop.high)
    assert ((costs.missing_weights >= 0) & (costs.missing_weights <= 1)).all()
    for i, plan in enumerate(plans):
        alone = evaluate(workload, RADIO, Plans.of([plan]))
        for array in ("missing_weights", "accuracy_drop", "accuracy_drop_low", "accuracy_drop_high"):
            assert getattr(alone, array)[0] == pytest.approx(getattr(costs, array)[i], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", ALL)
def test_head_wise_plans_lose_nothing_for_sure(name: str) -> None:
    workload = with_calibration(name)
    plans = [Plan(strategy="head_wise", n_chips=n) for n in (1, 4, 16)]
    costs = evaluate(workload, RADIO, Plans.of([*plans, replace(plans[0], strategy="column_wise")]))
    for array in (costs.accuracy_drop, costs.accuracy_drop_low, costs.accuracy_drop_high):
        assert array.tolist() == [0, 0, 0, 0]


def test_a_calibration_changes_the_drop_and_nothing_else() -> None:
    plans = Plans.of([Plan(strategy="column_wise", n_chips=8, prune_qkv=0.5)])
    one, other = (evaluate(with_calibration(name), RADIO, plans) for name in CURVES[:2])
    assert one.accuracy_drop[0] != other.accuracy_drop[0]
    assert (
        one.missing_weights
        == other.missing_weights
        == missing_weights(
            load_workload("cats-timeseries"),
            {point: np.array(7 / 16 if point == "qkv" else 0) for point in POINTS},
        )
    )
    assert one.latency_s == other.latency_s
