"""Bounds on objectives, such as ``latency<=1ms``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.calibration import Metric
from costmodel.costs import Costs
from costmodel.errors import UsageError
from costmodel.parameters import to_unit
from costmodel.parameters.quantity import LARGEST, SMALLEST
from dse.objectives import OF_ACCURACY, FloatArray, Objective, objective_named


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A bound on an objective, such as ``latency<=1ms``."""

    objective: Objective
    at_most: bool
    bound: float
    text: str

    def slack(self, costs: Costs) -> FloatArray:
        """How far the bound is missed, relative to it unless it is 0: at most 0 where it is met."""
        excess = (self.objective.of(costs) - self.bound) * (1.0 if self.at_most else -1.0)
        return np.asarray(excess / (abs(self.bound) or 1.0))


EXPRESSION = re.compile(
    r"\s*(?P<name>[A-Za-z][\w ]*?)\s*(?P<operator><=|>=|<|>|==?|!=)\s*"
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z/*^µ ]*[A-Za-z]|%|)\s*"
)
MAX_EXPRESSION_CHARS = 80


def constraint(text: str, metric: Metric = "accuracy") -> Constraint:
    """Read a bound: name, ``<=`` or ``>=``, number, unit.

    >>> constraint("latency<=1ms").bound
    0.001
    """
    form = "write it like latency<=1ms, n_chips<=8 or throughput>=100token/s"
    match = EXPRESSION.fullmatch(text) if len(text) <= MAX_EXPRESSION_CHARS else None
    if match is None:
        raise UsageError(f"constraint {text[:MAX_EXPRESSION_CHARS]!r} cannot be read", form)
    name, operator, unit = match["name"].replace(" ", "_"), match["operator"], match["unit"]
    try:
        objective, number = objective_named(name, metric), float(match["number"])
    except UsageError as error:
        raise UsageError(f"constraint {text!r}: {error.message}") from None
    if unit in objective.units:
        number, unit = number * objective.units[unit], ""
    if operator not in ("<=", ">="):
        raise UsageError(f"constraint {text!r}: operator {operator!r} must be <= or >=", form)
    if number < 0 or (number == 0 and not objective.units):
        least = "at least" if objective.units else "above"
        raise UsageError(f"constraint {text!r}: the bound must be a number {least} 0")
    if objective.most is not None and ((not unit and not match["unit"]) or number > objective.most):
        raise UsageError(f"constraint {text!r}: {name} is 0 to {objective.most:g} {objective.shown_unit}")
    if not objective.unit:
        if unit:
            known = f"is in {' or '.join(objective.units)} here" if objective.units else "has no unit"
            raise UsageError(f"constraint {text!r}: {name} {known}, got {unit!r}")
        if name in OF_ACCURACY and metric == "loss" and not match["unit"]:
            raise UsageError(
                f"constraint {text!r}: unit is missing; the calibration is of a loss, {name} is in %"
            )
        bound = number
    elif not unit:
        raise UsageError(
            f"constraint {text!r}: unit is missing; {name} is given in, say, {objective.shown_unit}"
        )
    else:
        try:
            bound = to_unit(number, unit, objective.unit)
        except ValueError as error:
            raise UsageError(f"constraint {text!r}: {error}") from None
    if bound and not SMALLEST <= bound <= LARGEST:
        raise UsageError(f"constraint {text!r}: the bound is beyond {SMALLEST:g} to {LARGEST:g} in SI units")
    return Constraint(objective=objective, at_most=operator == "<=", bound=bound, text=text.strip())


def constraints(texts: Sequence[str], metric: Metric = "accuracy") -> list[Constraint]:
    """Read bounds and refuse those that contradict each other."""
    bounds = [constraint(text, metric) for text in texts]
    for low in bounds:
        for high in bounds:
            if (
                low.objective.name == high.objective.name
                and not low.at_most
                and high.at_most
                and low.bound > high.bound
            ):
                raise UsageError(f"constraints {low.text!r} and {high.text!r} contradict each other")
    return bounds
