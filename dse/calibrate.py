"""Calibrate accuracy on a user's own retrained plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costmodel.accuracy import weights_of
from costmodel.calibration import MOST_SCALE, Tasks
from costmodel.errors import UsageError
from costmodel.message_loss import LossOfTasks
from costmodel.workload import Workload
from dse.fitting import NORMAL_90, Fit, confidence, fit, half_width
from dse.loss_fitting import MOST as MOST_LOST
from dse.loss_fitting import LossFit, fit_losses, loss_confidence, loss_half_width
from dse.measurements import Evaluations, Measurements


@dataclass(frozen=True, kw_only=True)
class LossCalibrated:
    """The law of lost messages that was fitted, as `Calibrated` has it of missing weights."""

    fit: LossFit
    half_width: float
    ends: dict[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A calibration that was fitted.

    Attributes
    ----------
    half_width : float
        Half of the 90 % interval, in the unit of drops.
    ends : dict
        Of each fitted value, what nine tenths of the fits with other noise lie between; drops in per cent.
    insensitive : bool
        Whether the law's drop is within seed noise at every plan.
    lost : LossCalibrated, optional
        What left-out messages cost, of a table that says it.
    """

    measured: Measurements
    fit: Fit
    half_width: float
    ends: dict[str, tuple[float, float]]
    insensitive: bool
    lost: LossCalibrated | None


def calibrated(workload: Workload, measured: Measurements, known: Tasks) -> Calibrated:
    """Fit the law of a model; `known` is what its family makes one expect.

    Raises
    ------
    UsageError
        The law is steeper than any that a calibration may state.
    """
    plans, unit = measured.retrained, per_cent(measured)
    weights, exponent = weights_of(workload), workload.importance.exponent
    found = fit(plans, weights, exponent)
    widths = known.half_width
    several = len(plans.drop) > 1
    least = (
        (widths.more_plans if several else widths.one_plan)
        if measured.metric == "accuracy"
        else 100 * (widths.more_plans_loss if several else widths.one_plan_loss)
    )
    width = half_width(plans, found, least)
    if max(found.scale, width) * unit > MOST_SCALE:
        raise UsageError(
            f"{measured.path}: the law would be {found.scale * unit:.3g} U^{found.exponent:.2f}; "
            f"a scale is at most {MOST_SCALE:g}",
            "retrain a plan that misses more",
        )
    law = found.residual + plans.drop
    noise = plans.seed_std / np.sqrt(plans.seeds)
    return Calibrated(
        measured=measured,
        fit=found,
        half_width=width * unit,
        ends=confidence(plans, found, weights, exponent, width / NORMAL_90),
        insensitive=bool(np.all(law <= NORMAL_90 * noise)),
        lost=None if measured.lost is None else _lost(measured.lost, known.message_loss),
    )


def _lost(measured: Evaluations, known: LossOfTasks) -> LossCalibrated:
    """Fit the law of lost messages; `known` is what the family makes one expect."""
    rows = measured.rows
    found = fit_losses(rows)
    if found.law.scale >= MOST_LOST:
        raise UsageError(
            f"the law of lost messages would be steeper than any that is known: scale {MOST_LOST:g} and more",
            "leave rows out that lost nearly everything, or add rows with less message_loss",
        )
    least = known.half_width_loss if rows.of_loss else known.half_width
    width = loss_half_width(found, max(least, NORMAL_90 * measured.noise))
    return LossCalibrated(fit=found, half_width=width, ends=loss_confidence(rows, found, width / NORMAL_90))


def per_cent(measured: Measurements) -> float:
    """How many units of drops a per cent is."""
    return 1.0 if measured.metric == "accuracy" else 0.01
