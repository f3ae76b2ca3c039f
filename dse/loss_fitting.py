"""Fit what lost messages cost to evaluations of a trained model with messages left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from costmodel.message_loss import MOST_EXPONENT, LossLaw
from dse.fitting import CLOSE, DRAWS, NORMAL_90, nine_tenths, settled

USUAL_EXPONENT = 2.2  # of accuracy in points, where evaluations do not tell
EXPONENT_RIDGE = 0.1  # squared points for one of it
LEAST_EXPONENT = 1.0
SCALES, BENDS, RELIEFS = (1.0, 10.0, 100.0), (0.1, 10.0, 30.0), (5.0, 300.0)
MOST, MOST_TRAINED = 1e4, 100.0  # ends of the constants, of those of training

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Lossy:
    """Evaluations with messages left out, k of them, of models with message dropout or without.

    Attributes
    ----------
    loss, dropout : (k,)
        Message loss, and message dropout in training.
    drop : (k,)
        What was lost by them alone, points or ratio of the loss.
    of_loss : bool
        Whether drops are ratios of a loss; deviations are shares of the loss then.
    """

    loss: Array
    dropout: Array
    drop: Array
    of_loss: bool

    def take(self, which: Any) -> Lossy:
        """Give some of them."""
        return Lossy(
            loss=self.loss[which], dropout=self.dropout[which], drop=self.drop[which], of_loss=self.of_loss
        )

    def deviation(self, predicted: Array) -> Array:
        """How far predictions are off, points or share of the loss."""
        off = predicted - self.drop
        return off / (1 + self.drop) if self.of_loss else off


@dataclass(frozen=True, kw_only=True)
class LossFit:
    """A law and how well it fits; `free` names the constants that were fitted."""

    law: LossLaw
    free: tuple[str, ...]
    deviation: Array

    @property
    def deviation_std(self) -> float:
        """Standard deviation of the deviations; 0 where there are no more of them than constants."""
        free = len(self.deviation) - len(self.free)
        return float(np.sqrt(np.sum(self.deviation**2) / free)) if free > 0 else 0.0


def free_constants(rows: Lossy) -> dict[str, tuple[float, float, tuple[float, ...]]]:
    """Name what evaluations can tell: bounds of each constant, and where its search begins.

    Accuracy falls by a power of message loss; a loss rises in proportion, and then less.
    """
    untrained = np.unique(rows.loss[(rows.dropout == 0) & (rows.loss > 0)])
    trained = rows.dropout > 0
    found: dict[str, tuple[float, float, tuple[float, ...]]] = {"scale": (0.0, MOST, SCALES)}
    if not rows.of_loss and len(untrained) > 1:
        found["exponent"] = (LEAST_EXPONENT, MOST_EXPONENT, (USUAL_EXPONENT,))
    if rows.of_loss and len(untrained) > 2:
        found["saturation"] = (0.0, MOST, BENDS)
    if rows.of_loss and np.any(trained & (rows.loss > rows.dropout)):
        found["relief"] = (0.0, MOST, RELIEFS)
    if np.any(trained & (rows.loss > 0)):
        found["at"] = (-MOST_TRAINED, MOST_TRAINED, (1.0,))
    if np.any(trained & (rows.loss < rows.dropout)):
        found["below"] = (-MOST_TRAINED, MOST_TRAINED, (1.0,))
    return found


def fit_losses(rows: Lossy, near: LossLaw | None = None) -> LossFit:
    """Fit the law by least squares of deviations; an exponent is drawn to its usual value by a little.

    The search begins at several laws, or at one that is `near`.
    """
    free = free_constants(rows)
    fixed = {"exponent": 1.0 if rows.of_loss else USUAL_EXPONENT}

    def law(theta: Array) -> LossLaw:
        return LossLaw.model_construct(**fixed | dict(zip(free, theta.tolist(), strict=True)))

    def cost(theta: Array) -> Array:
        off = rows.deviation(law(theta).drop(rows.loss, rows.dropout))
        if "exponent" not in free:
            return off
        ridge = np.sqrt(EXPONENT_RIDGE) * (law(theta).exponent - USUAL_EXPONENT)
        return np.concatenate([off, [ridge]])

    low, high, starts = zip(*free.values(), strict=True)
    begin = product(*starts) if near is None else [[getattr(near, name) for name in free]]
    found = [
        least_squares(
            cost,
            np.clip(start, low, high),
            bounds=(low, high),
            jac="3-point",
            ftol=CLOSE,
            xtol=CLOSE,
            gtol=CLOSE,
        )
        for start in begin
    ]
    best = law(settled(min(found, key=lambda one: float(one.cost)).x))
    return LossFit(law=best, free=tuple(free), deviation=rows.deviation(best.drop(rows.loss, rows.dropout)))


def loss_half_width(found: LossFit, least: float) -> float:
    """Half of the 90 % interval of a fit: at least `least`, and what it misses by."""
    return max(least, NORMAL_90 * found.deviation_std)


def loss_confidence(rows: Lossy, found: LossFit, noise: float) -> dict[str, tuple[float, float]]:
    """Fit again with noise on the deviations, and give what nine tenths of the constants lie between."""
    draw = np.random.default_rng(0)
    law = found.law.drop(rows.loss, rows.dropout)
    per = 1 + law if rows.of_loss else 1.0
    drawn = []
    for _ in range(DRAWS):
        noisy = replace(rows, drop=law + per * draw.normal(0.0, noise, len(law)))
        one = fit_losses(noisy, found.law).law
        drawn.append([getattr(one, name) for name in found.free])
    return nine_tenths({name: float(getattr(found.law, name)) for name in found.free}, drawn)
