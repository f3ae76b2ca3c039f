"""The file of a calibration that was fitted: every value with its source."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.accuracy import POINTS
from costmodel.calibration import LEAST_EXPONENT, MOST_EXPONENT, Tasks
from costmodel.message_loss import MOST_EXPONENT as MOST_LOSS_EXPONENT
from costmodel.workload import Workload
from dse.calibrate import Calibrated, per_cent
from dse.loss_fitting import LEAST_EXPONENT as LEAST_LOSS_EXPONENT
from dse.loss_fitting import USUAL_EXPONENT
from dse.measurements import Measurements
from dse.words import whole_words

LATE = "how late the loss sets in"
DIGITS = 6  # of fitted values
ROLES = {
    "scale": "what is lost by the first messages that are",
    "exponent": "how late it sets in",
    "saturation": "how soon it saturates",
    "relief": "how much less it is after message dropout",
    "at": "what message dropout costs where as many messages are lost",
    "below": "what it costs more where fewer are",
}  # of constants of the law of lost messages


def rounded(value: float) -> float:
    """Give a value with as many digits as a file has.

    >>> rounded(1.23456789e-7)
    1.23457e-07
    """
    return float(f"{value:.{DIGITS}g}")


class Entries:
    """Values of a file with their source, a table of measurements."""

    def __init__(self, measured: Measurements) -> None:
        self._source = f"{measured.path.name} sha256 {measured.sha256[:12]}"

    def entry(self, value: Any, status: str, where: str, **more: Any) -> dict[str, Any]:
        """Give a value as it stands in the table or follows from it."""
        value = rounded(value) if isinstance(value, float) else value
        return {"value": value, "source": self._source, "where": where, "status": status, **more}

    def fitted(self, value: float, where: str, lies: tuple[float, float], cases: list[str]) -> dict[str, Any]:
        """Give a value that was fitted to some cases, and what it lies between."""
        value, (low, high) = rounded(value), lies
        ends = {"low": min(rounded(low), value), "high": max(rounded(high), value)}
        return self.entry(value, "fitted", where, **ends, fitted_on=cases)


def calibration_file(workload: Workload, done: Calibrated) -> dict[str, Any]:
    """Give the contents of a calibration's file."""
    measured, found, unit = done.measured, done.fit, per_cent(done.measured)
    known, make, ends = workload.calibration, Entries(measured), done.ends
    cases = [whole_words(plan) for plan in measured.plans]
    data: dict[str, Any] = {
        "description": f"{workload.name}: {len(cases)} retrained plans, {measured.trainings} trainings",
        "form": "fitted",
        "family": make.entry(known.family, "derived", f"model {workload.name}"),
        "metric": make.entry(measured.metric, "measured", f"column {measured.metric}"),
        "base": make.entry(measured.base, "measured", "mean of the rows that miss no weights"),
        "scale": make.fitted(
            found.scale * unit,
            "drop where everything is missing",
            (ends["scale"][0] * unit, ends["scale"][1] * unit),
            cases,
        ),
        "exponent": make.fitted(found.exponent, LATE, ends["exponent"], cases)
        if len(cases) > 1
        else make.entry(
            found.exponent,
            "assumed",
            LATE,
            low=LEAST_EXPONENT,
            high=MOST_EXPONENT,
            reason="one plan does not tell; as is usual of other tasks",
        ),
        "half_width": _half_width(make, done.half_width, cases),
        "most_missing": make.entry(
            float(np.max(found.missing)), "derived", "highest U of the plans that were retrained"
        ),
        "plans": make.entry(len(cases), "measured", "plans that miss weights"),
    }
    if found.fitted_points:
        data["importance"] = {
            name: make.fitted(
                found.weights[name],
                "plans that miss different shares"
                if name in found.fitted_points or len(found.fitted_points) > 1
                else "in the proportions of the family",
                ends[name],
                cases,
            )
            for name in POINTS
        }
    if isinstance(known, Tasks) and measured.metric == known.metric:
        # What was not measured is known of the family alone, with its own sources.
        data |= {name: workload.calibration_record.data[name] for name in ("narrow", "message_loss")}
    if done.lost is not None:
        data["message_loss"] = _lost_messages(make, done)
    return data


def base_file(workload: Workload, measured: Measurements) -> dict[str, Any]:
    """Give the contents of a calibration's file of which nothing was measured but the whole model."""
    return {
        **workload.calibration_record.data,
        "description": f"{workload.name}: whole model, {measured.trainings} trainings; plans as others",
        "base": Entries(measured).entry(measured.base, "measured", "mean of all rows"),
    }


def _half_width(make: Entries, value: float, cases: list[str]) -> dict[str, Any]:
    return make.fitted(value, "90 % interval: seeds, residuals, other tasks", (0.5 * value, 2 * value), cases)


def _lost_messages(make: Entries, done: Calibrated) -> dict[str, Any]:
    """Give the table of the law of lost messages."""
    lost, measured = done.lost, done.measured.lost
    if lost is None or measured is None:
        return {}
    rows = measured.rows
    cases = [
        f"{whole_words(plan)}: {100 * loss:.3g} % of the messages lost"
        for plan, loss in zip(measured.plans, rows.loss.tolist(), strict=True)
    ]
    exponent = (
        make.entry(lost.fit.law.exponent, "derived", "the loss rises in proportion at first")
        if rows.of_loss
        else make.entry(
            USUAL_EXPONENT,
            "assumed",
            ROLES["exponent"],
            low=LEAST_LOSS_EXPONENT,
            high=MOST_LOSS_EXPONENT,
            reason="one message loss does not tell; that of other tasks",
        )
    )
    rates = {
        "least_loss": rows.loss[rows.loss > 0].min(),
        "most_loss": rows.loss.max(),
        "most_dropout": rows.dropout.max(),
    }
    return {
        "form": "fitted",
        "exponent": exponent,
        **{
            name: make.fitted(getattr(lost.fit.law, name), ROLES[name], lost.ends[name], cases)
            for name in lost.fit.free
        },
        "half_width": _half_width(make, lost.half_width, cases),
        **{name: make.entry(float(rate), "measured", "rates of the table") for name, rate in rates.items()},
    }
