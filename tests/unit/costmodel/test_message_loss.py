"""Lost messages: what they cost in accuracy, or in rounds where they are sent again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from costmodel import Accounting, Plan, Plans, evaluate, load_platform, load_workload
from costmodel.accuracy import Damage
from costmodel.calibration import calibration_of
from costmodel.drops import Drop
from costmodel.errors import ParameterError, PlanError, UsageError
from costmodel.message_loss import WIDER, LossFitted, LossLaw, LossOfTasks
from costmodel.parameters import load
from dse.loss_fitting import fit_losses
from dse.validation.message_loss import DATASETS, evaluations, of_tasks
from tests.conftest import Copy
from tests.strategies import RADIO

SERIES, BLOCK = load_workload("cats-timeseries"), load_workload("cats-block")
FAMILIES, CURVES = ("encoder", "decoder"), ("cats-ett", "cats-icd", "cats-london")
Q = np.linspace(0, 0.4, 41)


def lossy(name: str) -> LossOfTasks | LossFitted:
    found = calibration_of(load("calibration", name)).message_loss
    assert found is not None
    return found


def counted(loss: float) -> Accounting:
    return Accounting(message_loss=loss)


def plan(**decisions: float) -> Plan:
    return Plan(strategy="column_wise", **{"n_chips": 8, **decisions})


# The law

CONSTANTS = st.builds(
    LossLaw.model_construct,
    scale=st.floats(0, 100),
    exponent=st.floats(1, 4),
    saturation=st.floats(0, 100),
    relief=st.floats(0, 1000),
    at=st.floats(0, 20),
    below=st.floats(0, 20),
)
SHARE = st.floats(0, 1)


@given(law=CONSTANTS)
def test_nothing_is_lost_without_loss_and_dropout(law: LossLaw) -> None:
    assert law.drop(0.0, 0.0) == 0


@given(law=CONSTANTS, one=SHARE, other=SHARE)
def test_without_dropout_more_lost_messages_never_cost_less(law: LossLaw, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert law.drop(less, 0.0) <= law.drop(more, 0.0) * (1 + 1e-12)


@given(law=CONSTANTS, q=SHARE, q0=SHARE)
def test_the_law_by_hand(law: LossLaw, q: float, q0: float) -> None:
    assume(q + q0 > 1e-9)
    trained = law.at * min(q, q0) + (law.below * (q0 - q) ** 2 / (q0 + q) if q < q0 else 0)
    x = max(q - q0, 0)
    lost = law.scale * x**law.exponent / (1 + law.saturation * x + law.relief * q0)
    assert law.drop(q, q0) == pytest.approx(trained + lost, rel=1e-12, abs=1e-15)


def test_dropout_costs_where_nothing_is_lost_and_pays_where_much_is() -> None:
    for name in CURVES:
        known = lossy(name)
        assert isinstance(known, LossFitted)
        never, trained = (known.drop(np.array([0.0, 0.1]), q0) for q0 in (0.0, 0.1))
        assert trained[0] > never[0] == 0
        assert trained[1] < never[1]


def test_after_dropout_a_loss_falls_up_to_its_rate_where_below_is_more_than_at() -> None:
    known = lossy("cats-ett")
    assert isinstance(known, LossFitted)
    assert known.below > known.at
    assert (np.diff(known.drop(np.linspace(0, 0.05, 6), 0.1)) < 0).all()


# Intervals


@pytest.mark.parametrize("name", CURVES)
def test_an_interval_is_wider_beyond_what_was_measured(name: str) -> None:
    known = lossy(name)
    assert isinstance(known, LossFitted)
    inside, beyond = (known.interval(q, 0.0, of_loss=False) for q in (0.1, 0.11))
    assert known.within([0.1, 0.11], 0.0).tolist() == [True, False]
    assert known.within(0.05, [0.1, 0.11]).tolist() == [True, False]
    assert inside.high - inside.low == pytest.approx(2 * known.half_width)
    assert inside.estimate - beyond.low == pytest.approx(known.half_width * WIDER)
    assert beyond.high > beyond.estimate + known.half_width * WIDER
    of_loss = known.interval(0.1, 0.0, of_loss=True)
    assert of_loss.high - of_loss.low == pytest.approx(2 * known.half_width * (1 + of_loss.estimate))


@pytest.mark.parametrize("name", [*FAMILIES, *CURVES])
def test_deviations_shrink_with_the_loss_and_are_none_without(name: str) -> None:
    known = lossy(name)
    loss = known.least_loss * np.array([0, 0.1, 0.5, 1])

    def widths() -> np.ndarray:
        drop = (
            known.interval(loss, 0.0, of_loss=False)
            if isinstance(known, LossFitted)
            else known.drop(loss, 0.0)
        )
        assert ((drop.low <= drop.estimate) & (drop.estimate <= drop.high)).all()
        return np.asarray(drop.high - drop.low)

    assert widths()[0] == 0
    assert (np.diff(widths()) > 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_built_in_band_holds_its_own_tasks_and_what_others_lost(family: str) -> None:
    known = lossy(family)
    assert isinstance(known, LossOfTasks)
    band = known.drop(Q, 0.0)
    for law in known.tasks.values():
        curve = law.drop(Q, 0.0)
        assert np.mean((band.low <= curve) & (curve <= band.high)) > 0.9
    assert (band.high >= np.minimum(100, known.most_times * band.estimate)).all()
    assert (band.high <= 100).all()
    assert (np.diff(band.high) >= 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_built_in_tasks_are_what_their_evaluations_give(family: str) -> None:
    known = lossy(family)
    assert isinstance(known, LossOfTasks)
    assert set(known.tasks) == set(of_tasks())
    deviations = []
    for name, rows in of_tasks().items():
        found = fit_losses(rows)
        deviations.append(found.deviation)
        for constant in found.free:
            stated, value = (getattr(law, constant) for law in (known.tasks[name], found.law))
            assert stated == pytest.approx(value, rel=5e-3), (name, constant)
    assert known.residual == pytest.approx(np.sqrt(np.mean(np.concatenate(deviations) ** 2)), rel=5e-3)
    assert known.quantile == pytest.approx(stats.t.ppf(0.95, len(known.tasks) - 1), rel=1e-3)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_built_in_curves_are_what_their_evaluations_give(dataset: str) -> None:
    known, (_, rows) = lossy(f"cats-{dataset}"), evaluations(dataset)
    assert isinstance(known, LossFitted)
    found = fit_losses(rows)
    np.testing.assert_allclose(
        1 + known.drop(rows.loss, rows.dropout), 1 + found.law.drop(rows.loss, rows.dropout), rtol=5e-3
    )
    assert known.half_width == pytest.approx(1.65 * found.deviation_std, rel=5e-3)
    assert np.mean(np.abs(rows.deviation(known.drop(rows.loss, rows.dropout))) <= known.half_width) > 0.85


# Plans


def test_what_is_lost_for_good_costs_accuracy_and_no_time() -> None:
    series = load_workload("cats-timeseries", calibration="cats-icd")
    plans = Plans.of([plan(), plan(message_dropout=0.05)])
    none, some = (evaluate(series, RADIO, plans, counted(loss)) for loss in (0.0, 0.05))
    for name in ("latency_s", "energy_j", "link_bytes", "link_messages", "link_bound_s"):
        np.testing.assert_array_equal(getattr(none, name), getattr(some, name))
    known = lossy("cats-icd")
    assert isinstance(known, LossFitted)
    assert some.accuracy_drop.tolist() == pytest.approx([known.drop(0.05, 0.0), known.drop(0.05, 0.05)])
    assert none.accuracy_drop.tolist() == pytest.approx([0, known.drop(0.0, 0.05)])
    assert none.accuracy_drop_high[0] == 0


@pytest.mark.parametrize("loss", [0.001, 0.1, 0.5])
def test_what_is_sent_again_costs_time_and_energy_and_no_accuracy(loss: float) -> None:
    plans = Plans.of([plan(n_chips=n, retransmission=1) for n in (1, 2, 8, 16)])
    none, some = (evaluate(BLOCK, RADIO, plans, counted(one)) for one in (0.0, loss))
    np.testing.assert_array_equal(some.accuracy_drop_high, np.zeros(4))
    n = np.array([1, 2, 8, 16])
    times = np.array([expected_rounds(loss, m) for m in n * (n - 1)])
    for array in ("link_messages", "link_bytes", "link_bound_s"):
        np.testing.assert_allclose(getattr(some, array), times * getattr(none, array), rtol=1e-9)
    for cause in ("latency_by_cause_s", "energy_by_cause_j"):
        np.testing.assert_allclose(
            getattr(some, cause)["link"], times * getattr(none, cause)["link"], rtol=1e-9
        )
    np.testing.assert_allclose(
        some.latency_s - none.latency_s, (times - 1) * none.latency_by_cause_s["link"], rtol=1e-9, atol=1e-15
    )


def expected_rounds(loss: float, receptions: int) -> float:
    """Simulated in closed form: the sum over k of the probability that k rounds were not enough."""
    return sum(1 - (1 - loss**k) ** receptions for k in range(200)) if receptions else 1.0


@pytest.mark.parametrize(("loss", "receptions"), [(0.1, 2), (0.1, 240), (0.3, 56)])
def test_rounds_that_are_expected_are_those_of_a_simulation(loss: float, receptions: int) -> None:
    draw = np.random.default_rng(0)
    # Each reception takes a geometric number of rounds; the last one decides.
    rounds = np.max(draw.geometric(1 - loss, size=(20_000, receptions)), axis=1)
    standard_error = np.std(rounds) / len(rounds) ** 0.5
    assert abs(float(RADIO.link.sends(loss, receptions)) - np.mean(rounds)) < 4 * standard_error


def test_on_wires_each_message_is_sent_again_by_itself() -> None:
    wires, tiny = load_platform("siracusa-mipi"), load_workload("tinyllama-42m")
    plans = Plans.of([Plan(strategy="head_wise", n_chips=8), plan(retransmission=1)])
    none, some = (evaluate(tiny, wires, plans, counted(loss)) for loss in (0.0, 0.2))
    for name in ("link_messages", "link_bytes"):
        np.testing.assert_allclose(getattr(some, name), getattr(none, name) / 0.8, rtol=1e-12)
    np.testing.assert_allclose(
        some.latency_by_cause_s["link"], none.latency_by_cause_s["link"] / 0.8, rtol=1e-12
    )


@pytest.mark.parametrize("platform", ["siracusa-mipi", "nrf52840-mixer"])
def test_sums_are_always_sent_again_for_nobody_can_do_without_one(platform: str) -> None:
    tiny = load_workload("stories260k")
    plans = Plans.of([Plan(strategy="head_wise", n_chips=4)])
    none, some = (evaluate(tiny, load_platform(platform), plans, counted(loss)) for loss in (0.0, 0.1))
    assert some.latency_by_cause_s["link"] > none.latency_by_cause_s["link"]
    assert some.accuracy_drop_high.tolist() == none.accuracy_drop_high.tolist() == [0]


def test_one_chip_loses_no_message() -> None:
    for one in (plan(n_chips=1, message_dropout=0.2), Plan(strategy="head_wise", n_chips=1)):
        none, some = (evaluate(BLOCK, RADIO, Plans.of([one]), counted(loss)) for loss in (0.0, 0.5))
        assert some.latency_s == none.latency_s
        assert some.accuracy_drop_high.tolist() == [0]


def test_pruning_and_lost_messages_add_up_and_deviate_apart() -> None:
    known = calibration_of(load("calibration", "encoder"))
    pruned = Damage(missing=0.6).drop(known)
    lost = Damage(missing=0.0, message_loss=0.1).drop(known)
    both = Damage(missing=0.6, message_loss=0.1).drop(known)
    assert both.estimate == pytest.approx(pruned.estimate + lost.estimate)
    assert both.high - both.estimate == pytest.approx(
        np.hypot(pruned.high - pruned.estimate, lost.high - lost.estimate)
    )
    assert both.estimate - both.low == pytest.approx(
        np.hypot(pruned.estimate - pruned.low, lost.estimate - lost.low)
    )


@given(estimate=st.floats(0, 10), below=st.floats(0, 5), above=st.floats(0, 5))
def test_nothing_for_sure_changes_nothing(estimate: float, below: float, above: float) -> None:
    one = Drop(estimate=estimate, low=estimate - below, high=estimate + above)
    same = one.plus(Drop(estimate=0.0, low=0.0, high=0.0))
    assert (same.estimate, same.low, same.high) == (one.estimate, one.low, one.high)


# What is refused


def test_a_calibration_that_knows_nothing_of_lost_messages_refuses_them() -> None:
    icd = calibration_of(load("calibration", "cats-icd"))
    silent = replace(SERIES, calibration=icd.model_copy(update={"message_loss": None}))
    assert evaluate(silent, RADIO, Plans.of([plan(retransmission=1)]), counted(0.1))
    with pytest.raises(PlanError, match="does not say what lost messages cost in accuracy"):
        evaluate(silent, RADIO, Plans.of([plan()]), counted(0.1))
    untrained = icd.message_loss.model_copy(update={"most_dropout": 0.0})
    never = replace(SERIES, calibration=icd.model_copy(update={"message_loss": untrained}))
    assert evaluate(never, RADIO, Plans.of([plan()]), counted(0.1))
    with pytest.raises(PlanError, match="does not say what training with message dropout cost"):
        evaluate(never, RADIO, Plans.of([plan(message_dropout=0.1)]))


@pytest.mark.parametrize("loss", [-0.01, 0.91, 1.0, float("nan")])
def test_a_share_that_cannot_be_is_refused(loss: float) -> None:
    with pytest.raises(UsageError, match=r"message_loss .* must be 0 to 0\.9"):
        Accounting(message_loss=loss)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('[message_loss]\nform = "tasks"', '[message_loss]\nform = "task"', "message_loss"),
        (
            "[message_loss.tasks.digits]\nscale = { value = 200.0",
            "[message_loss.tasks.digits]\nscale = { value = -1",
            "scale",
        ),
        ("most_times = { value = 10.0", "most_times = { value = 0.5", "most_times"),
        ("most_dropout =", "most_drop =", "most_drop"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_its_key(copy_of: Copy, old: str, new: str, named: str) -> None:
    with pytest.raises(ParameterError) as error:
        load_workload("cats-vit", calibration=copy_of("calibration/encoder", old, new))
    assert named in error.value.message


def test_points_of_other_tasks_say_nothing_of_a_loss() -> None:
    data = {
        **load("calibration", "cats-icd").data,
        "message_loss": load("calibration", "decoder").data["message_loss"],
    }
    with pytest.raises(ParameterError, match="is in points of accuracy, metric is a loss"):
        calibration_of(replace(load("calibration", "cats-icd"), data=data))
