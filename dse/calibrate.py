"""Calibrate accuracy on a user's own retrained plans, and say which plans to retrain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.accuracy import POINTS, weights_of
from costmodel.calibration import MOST_SCALE, Tasks
from costmodel.errors import UsageError
from costmodel.workload import Workload
from dse.fitting import NORMAL_90, Fit, confidence, fit, half_width
from dse.measurements import Measurements
from dse.words import whole_words

DIGITS = 6  # of fitted values in a file


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
    """

    measured: Measurements
    fit: Fit
    half_width: float
    ends: dict[str, tuple[float, float]]
    insensitive: bool


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
    )


def per_cent(measured: Measurements) -> float:
    """How many units of drops a per cent is."""
    return 1.0 if measured.metric == "accuracy" else 0.01


def calibration_file(workload: Workload, done: Calibrated) -> dict[str, Any]:
    """Give the contents of a calibration's file: every value with its source."""
    measured, found, unit = done.measured, done.fit, per_cent(done.measured)
    known = workload.calibration
    source = f"{measured.path.name} sha256 {measured.sha256[:12]}"
    cases = [f"{whole_words(plan)}" for plan in measured.plans]

    def entry(value: Any, status: str, where: str, **more: Any) -> dict[str, Any]:
        return {"value": value, "source": source, "where": where, "status": status, **more}

    def fitted(value: float, where: str, low: float, high: float) -> dict[str, Any]:
        value = round(value, DIGITS)
        return entry(
            value,
            "fitted",
            where,
            low=min(round(low, DIGITS), value),
            high=max(round(high, DIGITS), value),
            fitted_on=cases,
        )

    ends = done.ends
    data: dict[str, Any] = {
        "description": f"{workload.name}: {len(cases)} retrained plans, {measured.trainings} trainings",
        "form": "fitted",
        "family": entry(workload.calibration.family, "derived", f"model {workload.name}"),
        "metric": entry(measured.metric, "measured", f"column {measured.metric}"),
        "base": entry(round(measured.base, DIGITS), "measured", "mean of the rows that miss no weights"),
        "scale": fitted(
            found.scale * unit, "drop where everything is missing", *(x * unit for x in ends["scale"])
        ),
        "exponent": fitted(found.exponent, "how late the loss sets in", *ends["exponent"]),
        "half_width": fitted(
            done.half_width,
            "90 % interval: seeds, residuals, other tasks",
            0.5 * done.half_width,
            2 * done.half_width,
        ),
        "most_missing": entry(
            round(float(np.max(found.missing)), DIGITS),
            "derived",
            "highest U of the plans that were retrained",
        ),
        "plans": entry(len(cases), "measured", "plans that miss weights"),
    }
    if found.fitted_points:
        data["importance"] = {
            name: fitted(found.weights[name], "plans that miss different shares", *ends[name])
            for name in POINTS
        }
    if isinstance(known, Tasks) and measured.metric == known.metric:
        # What was not measured is known of the family alone, with its own sources.
        data |= {name: workload.calibration_record.data[name] for name in ("narrow", "message_loss")}
    return data
