"""Fit the law ``a U^b`` to plans that were retrained, with importance where they tell it apart.

Drops are in per cent: points of accuracy, or per cent of the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from costmodel.accuracy import POINTS, weighted_mean
from costmodel.calibration import LEAST_EXPONENT, MOST_EXPONENT, power_law

USUAL_EXPONENT, EXPONENT_RIDGE = 3.5, 0.01  # b where plans do not tell; squared per cent for one of b
# Squared per cent for importance e times as large: drops are known to some 1.3 points, importance of another
# family to a factor of e.
IMPORTANCE_RIDGE = 1.7
STARTS = (1.0, USUAL_EXPONENT, 6.0)
CLOSE = 1e-14  # relative step at which least squares stop
DECIMALS = 6  # of what they found; where it is above 10, as many less as it has digits more
NORMAL_90 = 1.65  # of a normal distribution, nine tenths lie within so many standard deviations
PLANS_FOR_QKV, PLANS_FOR_ALL = 3, 6  # that tell how important one gather is, and how important each is
DRAWS, LOW, HIGH = 200, 5.0, 95.0

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """Plans that were retrained, k of them.

    Attributes
    ----------
    missing : dict of (k,)
        Gather point to the share of the weights behind it that no chip stores.
    drop : (k,)
        Mean drop over the seeds, per cent.
    seeds : (k,) int
        Trainings of each plan.
    whole_seeds : int
        Trainings of the model that nothing is missing of.
    seed_std : float
        Standard deviation of the drop of a single training; 0 where every plan was trained once.
    """

    missing: dict[str, Array]
    drop: Array
    seeds: NDArray[np.int64]
    whole_seeds: int
    seed_std: float

    def take(self, which: Any) -> Retrained:
        """Give some of them."""
        return Retrained(
            missing={name: share[which] for name, share in self.missing.items()},
            drop=self.drop[which],
            seeds=self.seeds[which],
            whole_seeds=self.whole_seeds,
            seed_std=self.seed_std,
        )

    @property
    def uneven(self) -> int:
        """Plans that do not miss the same share everywhere."""
        shares = np.array([self.missing[name] for name in POINTS])
        return int(np.sum(np.ptp(shares, axis=0) > 0.1))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A law and how well it fits; drops in per cent.

    Attributes
    ----------
    weights : dict
        Importance of each gather point.
    fitted_points : tuple of str
        Those whose importance was fitted; the others keep their proportions.
    missing : (k,)
        U of the plans.
    residual : (k,)
        Law less drop.
    """

    scale: float
    exponent: float
    weights: dict[str, float]
    fitted_points: tuple[str, ...]
    missing: Array
    residual: Array

    @property
    def residual_std(self) -> float:
        """Standard deviation of the residuals.

        Where there are no more plans than constants it takes one to be free: such plans are met unless no
        law meets them, and then they say how far off laws are.
        """
        free = max(len(self.residual) - 2 - len(self.fitted_points), 1)
        return float(np.sqrt(np.sum(self.residual**2) / free))


def _scale(bases: Array, drop: Array) -> float:
    """Give the best a at least 0, for values of U^b."""
    total = float(np.sum(bases**2))
    return max(0.0, float(np.sum(bases * drop)) / total) if total else 0.0


def _weights(weights: Mapping[str, float], names: tuple[str, ...], logs: Array) -> dict[str, float]:
    """Give importance with some gather points e^log times as large; they sum to 1."""
    raised = dict(weights)
    for name, log in zip(names, logs.tolist(), strict=True):
        raised[name] *= float(np.exp(log))
    total = sum(raised.values())
    return {name: weight / total for name, weight in raised.items()}


def settled(theta: Array) -> Array:
    """Give constants that least squares found with so many digits as they have wherever it ran.

    Where it stops differs a little from one make of processor to another.
    """
    whole = np.floor(np.log10(np.maximum(np.abs(theta), 1.0))).astype(int)
    return np.array(
        [round(value, DECIMALS - n) for value, n in zip(theta.tolist(), whole.tolist(), strict=True)]
    )


def fit(plans: Retrained, weights: Mapping[str, float], mean_exponent: float) -> Fit:
    """Fit scale and exponent, and importance where plans miss different shares.

    Least squares with a at least 0 and b between its bounds, drawn to its usual value by a little; one
    plan alone leaves b there. Three plans of which one is uneven tell how important the gather before Q,
    K and V is; six uneven ones how important each is.

    Parameters
    ----------
    weights : dict
        Importance of each gather point as the family has it.
    mean_exponent : float
        Exponent of the mean over gather points.
    """
    k = len(plans.drop)
    names: tuple[str, ...] = ()
    if plans.uneven >= PLANS_FOR_ALL:
        names = POINTS[:-1]
    elif k >= PLANS_FOR_QKV and plans.uneven:
        names = POINTS[:1]

    def missing(logs: Array) -> Array:
        return np.asarray(weighted_mean(_weights(weights, names, logs), mean_exponent, plans.missing))

    def residual(theta: Array) -> Array:
        bases = power_law(1.0, theta[0], missing(theta[1:]))
        return np.asarray(_scale(bases, plans.drop) * bases - plans.drop)

    def cost(theta: Array) -> Array:
        ridge = np.sqrt(EXPONENT_RIDGE) * (theta[0] - USUAL_EXPONENT)
        return np.concatenate([residual(theta), [ridge], np.sqrt(IMPORTANCE_RIDGE) * theta[1:]])

    rest = len(names)
    found = [
        least_squares(
            cost,
            np.array([start, *(0.0,) * rest]),
            bounds=([LEAST_EXPONENT, *(-3.0,) * rest], [MOST_EXPONENT, *(3.0,) * rest]),
            jac="3-point",
            ftol=CLOSE,
            xtol=CLOSE,
            gtol=CLOSE,
        )
        for start in STARTS
    ]
    theta = settled(min(found, key=lambda one: float(one.cost)).x)
    u = missing(theta[1:])
    return Fit(
        scale=_scale(power_law(1.0, theta[0], u), plans.drop),
        exponent=float(theta[0]),
        weights=_weights(weights, names, theta[1:]),
        fitted_points=names,
        missing=u,
        residual=residual(theta),
    )


def half_width(plans: Retrained, found: Fit, least: float) -> float:
    """Half of the 90 % interval of a fit, per cent: at least `least`, seed noise, and what it misses by."""
    noise = NORMAL_90 * plans.seed_std * float(np.sqrt(1 / np.min(plans.seeds) + 1 / plans.whole_seeds))
    return max(least, noise, NORMAL_90 * found.residual_std)


def confidence(
    plans: Retrained, found: Fit, weights: Mapping[str, float], mean_exponent: float, noise: float
) -> dict[str, tuple[float, float]]:
    """Fit again with noise on the drops, and give what nine tenths of the laws lie between."""
    draw = np.random.default_rng(0)
    law = found.residual + plans.drop
    drawn = []
    for _ in range(DRAWS):
        noisy = replace(plans, drop=law + draw.normal(0.0, noise, len(law)))
        one = fit(noisy, weights, mean_exponent)
        drawn.append([one.scale, one.exponent, *one.weights.values()])
    names = ("scale", "exponent", *found.weights)
    values = (found.scale, found.exponent, *found.weights.values())
    return nine_tenths(dict(zip(names, values, strict=True)), drawn)


def nine_tenths(found: Mapping[str, float], drawn: list[list[float]]) -> dict[str, tuple[float, float]]:
    """Give what nine tenths of draws of some constants lie between, and the constants themselves."""
    low, high = np.percentile(np.array(drawn), [LOW, HIGH], axis=0)
    return {
        name: (min(float(a), value), max(float(b), value))
        for (name, value), a, b in zip(found.items(), low, high, strict=True)
    }
