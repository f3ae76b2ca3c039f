"""Fit what the built-in calibrations say: laws of measured tasks, of published curves, and their widths.

Prints the fitted values; files under ``costmodel/parameters/calibration`` carry them. Run: ``make fit``.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from costmodel.message_loss import WIDER, LossLaw
from dse.fitting import NORMAL_90, confidence, half_width
from dse.loss_fitting import LossFit, Lossy, fit_losses, loss_confidence
from dse.validation.accuracy import (
    ONE_PLAN,
    TWO_PLANS,
    after_retraining,
    encoder_weights,
    fitted,
    published,
    tasks,
    uncalibrated,
)
from dse.validation.message_loss import DATASETS, evaluations, of_tasks, predicted

TWO_RATES = tuple((low / 100, high / 100) for low in range(5, 40, 5) for high in range(low + 5, 45, 5))


def published_errors(plans: tuple[int, ...]) -> list[float]:
    """Errors on published curves of laws fitted to the plans at some positions, per cent of the loss."""
    errors = []
    for name in DATASETS:
        measured = published(name)[1]
        found = fitted(measured.take(np.array(plans)))
        law = found.scale * measured.missing["qkv"] ** found.exponent
        errors += np.delete(np.abs(law - measured.drop), plans).tolist()
    return errors


def law_of_losses(name: str, rows: Lossy) -> LossFit:
    """Fit the law of lost messages, and print it."""
    found = fit_losses(rows)
    ends = loss_confidence(rows, found, found.deviation_std)
    texts = [
        f"{key} {getattr(found.law, key):.3g} ({low:.3g} to {high:.3g})" for key, (low, high) in ends.items()
    ]
    print(f"{name}, lost messages: {', '.join(texts)}; half width {NORMAL_90 * found.deviation_std:.3g}")
    return found


def errors_between(rows: Lossy) -> list[float]:
    """Errors of laws fitted to two rates without message dropout, at the rates between and below, points."""
    errors: list[float] = []
    plain = rows.take(rows.dropout == 0)
    for low, high in TWO_RATES:
        chosen = np.isclose(plain.loss, low) | np.isclose(plain.loss, high)
        if len(np.unique(plain.loss[chosen])) < 2:
            continue
        others = plain.take(~chosen & (plain.loss > 0) & (plain.loss < high))
        law: LossLaw = fit_losses(plain.take(chosen)).law
        errors += np.abs(others.deviation(law.drop(others.loss, others.dropout))).tolist()
    return errors


def lost_messages() -> None:
    """Print the laws of lost messages."""
    tasks = of_tasks()
    found = [law_of_losses(name, rows) for name, rows in tasks.items()]
    residual = np.sqrt(np.mean(np.concatenate([one.deviation for one in found]) ** 2))
    between = np.concatenate([errors_between(rows) for rows in tasks.values()])
    print(
        f"lost messages: residual {residual:.3f} points, "
        f"Student's t {stats.t.ppf(0.95, len(tasks) - 1):.3f}, nine tenths of the rates "
        f"between or below two within {np.quantile(between, 0.9):.2f} points"
    )
    misses = []
    for name in DATASETS:
        law_of_losses(name, evaluations(name)[1])
        rows, band = predicted(name)
        misses.append(np.abs(rows.deviation(band.estimate)))
    share = np.quantile(np.concatenate(misses), 0.9)
    print(f"7 to 10 % lost out of 0 to 6 %: nine tenths within {share:.3f} of the loss, {WIDER} half widths")


def main() -> None:
    """Print all of it."""
    for name, (_, measured) in tasks().items():
        found = fitted(measured)
        noise = max(measured.seed_std / np.sqrt(3), found.residual_std)
        ends = confidence(measured, found, encoder_weights(), 1.0, float(noise))
        texts = [
            f"{key} {value:.4g} ({ends[key][0]:.3g} to {ends[key][1]:.3g})"
            for key, value in (("scale", found.scale), ("exponent", found.exponent))
        ]
        print(f"{name}: {', '.join(texts)}; misses by {np.mean(np.abs(found.residual)):.2f} points")
    band = uncalibrated(list(tasks()))
    print(f"residual {band.residual:.3f} points, Student's t {band.quantile:.3f}")
    for label, chosen in (("one plan", ONE_PLAN), ("two plans", TWO_PLANS)):
        errors = np.concatenate([np.abs(after_retraining(name, chosen)[1]) for name in tasks()])
        print(f"{label}: nine tenths of the others within {np.quantile(errors, 0.9):.2f} points")
    for label, plans in (("one plan", ((6,), (7,), (8,))), ("two plans", ((4, 8), (5, 8), (6, 8), (7, 8)))):
        misses = [error for positions in plans for error in published_errors(positions)]
        print(f"{label}: nine tenths of the others within {np.quantile(misses, 0.9):.2f} % of the loss")
    for name in DATASETS:
        base, measured = published(name)
        found = fitted(measured)
        width = half_width(measured, found, 0.0)
        ends = confidence(measured, found, encoder_weights(), 1.0, width / NORMAL_90)
        print(
            f"{name}: base {base}, scale {found.scale / 100:.4g} ({ends['scale'][0] / 100:.3g} to "
            f"{ends['scale'][1] / 100:.3g}), exponent {found.exponent:.3g} ({ends['exponent'][0]:.3g} to "
            f"{ends['exponent'][1]:.3g}), half width {width / 100:.4f}, U to "
            f"{found.missing.max():.4f}"
        )
    lost_messages()


if __name__ == "__main__":
    main()
