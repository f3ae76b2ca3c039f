"""Fit what the built-in calibrations say: laws of measured tasks, of published curves, and their widths.

Prints the fitted values; files under ``costmodel/parameters/calibration`` carry them. Run: ``make fit``.
"""

from __future__ import annotations

import numpy as np

from dse.fitting import NORMAL_90, confidence, half_width
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

DATASETS = ("ett", "icd", "london")


def published_errors(plans: tuple[int, ...]) -> list[float]:
    """Errors on published curves of laws fitted to the plans at some positions, per cent of the loss."""
    errors = []
    for name in DATASETS:
        measured = published(name)[1]
        found = fitted(measured.take(np.array(plans)))
        law = found.scale * measured.missing["qkv"] ** found.exponent
        errors += np.delete(np.abs(law - measured.drop), plans).tolist()
    return errors


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


if __name__ == "__main__":
    main()
