"""A law of lost messages is found again from its own values, with as many constants as rows can tell."""

import numpy as np
import pytest

from costmodel.message_loss import LossLaw
from dse.loss_fitting import USUAL_EXPONENT, Lossy, fit_losses, loss_confidence, loss_half_width

POINTS = LossLaw.model_construct(scale=150.0, exponent=2.5, saturation=0.0, relief=0.0, at=8.0, below=12.0)
RATIO = LossLaw.model_construct(scale=40.0, exponent=1.0, saturation=12.0, relief=200.0, at=1.5, below=2.5)


def rows(law: LossLaw, rates: list[tuple[float, float]], *, of_loss: bool, noise: float = 0.0) -> Lossy:
    loss, dropout = np.array(rates).T
    scatter = np.random.default_rng(3).normal(0, noise, len(loss))
    return Lossy(loss=loss, dropout=dropout, drop=law.drop(loss, dropout) + scatter, of_loss=of_loss)


EVERY = [(q / 100, q0) for q in range(0, 45, 5) for q0 in (0.0, 0.2)]


def test_points_are_a_power_of_the_loss_and_training_costs() -> None:
    found = fit_losses(rows(POINTS, EVERY, of_loss=False))
    assert found.free == ("scale", "exponent", "at", "below")
    for name in found.free:
        assert getattr(found.law, name) == pytest.approx(getattr(POINTS, name), rel=0.01), name
    assert found.deviation_std < 0.05


def test_losses_rise_in_proportion_and_saturate() -> None:
    found = fit_losses(rows(RATIO, EVERY, of_loss=True))
    assert found.free == ("scale", "saturation", "relief", "at", "below")
    for name in found.free:
        assert getattr(found.law, name) == pytest.approx(getattr(RATIO, name), rel=0.01), name
    assert found.law.exponent == 1


@pytest.mark.parametrize(
    ("rates", "of_loss", "free"),
    [
        ([(0.1, 0.0)], False, ("scale",)),
        ([(0.1, 0.0), (0.2, 0.0)], False, ("scale", "exponent")),
        ([(0.1, 0.0), (0.2, 0.0)], True, ("scale",)),
        ([(0.1, 0.0), (0.2, 0.0), (0.3, 0.0)], True, ("scale", "saturation")),
        ([(0.1, 0.0), (0.0, 0.2)], False, ("scale", "below")),
        ([(0.1, 0.0), (0.2, 0.2)], False, ("scale", "at")),
        ([(0.1, 0.0), (0.3, 0.2)], True, ("scale", "relief", "at")),
    ],
)
def test_rows_fit_no_more_than_they_tell(
    rates: list[tuple[float, float]], of_loss: bool, free: tuple[str, ...]
) -> None:
    found = fit_losses(rows(RATIO if of_loss else POINTS, rates, of_loss=of_loss))
    assert found.free == free
    assert found.deviation_std == 0 or len(rates) > len(free)


def test_one_evaluation_of_accuracy_has_the_usual_exponent() -> None:
    found = fit_losses(rows(POINTS, [(0.2, 0.0)], of_loss=False))
    assert found.law.exponent == USUAL_EXPONENT
    assert found.law.drop(0.2, 0.0) == pytest.approx(POINTS.drop(0.2, 0.0))


def test_an_interval_is_at_least_the_familys_and_wider_where_the_law_misses() -> None:
    exact = fit_losses(rows(POINTS, EVERY, of_loss=False))
    assert loss_half_width(exact, 1.3) == 1.3
    noisy = fit_losses(rows(POINTS, EVERY, of_loss=False, noise=2.0))
    assert loss_half_width(noisy, 1.3) == pytest.approx(1.65 * noisy.deviation_std)
    assert 1.3 < noisy.deviation_std < 2.7


def test_deviations_of_a_loss_are_shares_of_it() -> None:
    one = rows(RATIO, [(0.1, 0.0), (0.4, 0.0)], of_loss=True)
    predicted = one.drop + np.array([0.1, 0.1])
    np.testing.assert_allclose(one.deviation(predicted), 0.1 / (1 + one.drop))
    points = rows(POINTS, [(0.1, 0.0), (0.4, 0.0)], of_loss=False)
    np.testing.assert_allclose(points.deviation(points.drop + 0.1), [0.1, 0.1])


def test_constants_are_known_the_better_the_less_noise_there_is() -> None:
    evaluated = rows(POINTS, EVERY, of_loss=False)
    found = fit_losses(evaluated)
    little, much = (loss_confidence(evaluated, found, noise) for noise in (0.1, 1.0))
    for name in found.free:
        value = getattr(found.law, name)
        assert much[name][0] < little[name][0] < value < little[name][1] < much[name][1], name


def test_nine_tenths_of_the_ends_hold_the_law_that_made_the_rows() -> None:
    held = 0
    for seed in range(10):
        scatter = np.random.default_rng(seed).normal(0, 1.0, len(EVERY))
        clean = rows(POINTS, EVERY, of_loss=False)
        noisy = Lossy(loss=clean.loss, dropout=clean.dropout, drop=clean.drop + scatter, of_loss=False)
        found = fit_losses(noisy)
        ends = loss_confidence(noisy, found, found.deviation_std)
        held += sum(low <= getattr(POINTS, name) <= high for name, (low, high) in ends.items())
    assert 0.75 <= held / 40 <= 0.98
