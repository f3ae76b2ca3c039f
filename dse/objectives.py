"""The table of objectives: name, unit, costs -> array."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.calibration import Metric
from costmodel.costs import Costs
from costmodel.errors import UsageError, nearest
from costmodel.plan import SHORTHANDS
from costmodel.workload import Workload
from dse.digits import digits

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One quantity to optimise or to bound.

    Attributes
    ----------
    column : str
        Name with its SI unit, as in tables.
    unit : str
        SI unit as the unit registry reads it; empty for a count.
    shown_unit, per_shown : str, float
        Unit that people see, and how many SI units one of it is.
    of : callable
        Costs to array of shape (n,), SI.
    maximise : bool
        Whether more is better.
    whole, share : bool
        Whether it counts something; whether it is a share of something, 0 to 1.
    units : dict
        Of one without SI unit: words that a bound may carry, and how many one of it is. It may be 0.
    decimals : int, optional
        Digits after the point that people see; without it, four digits in all.
    most : float, optional
        Highest value there can be, where how much it is missed by says more than the value.
    """

    name: str
    column: str
    unit: str
    shown_unit: str
    per_shown: float
    description: str
    of: Callable[[Costs], FloatArray]
    maximise: bool = False
    whole: bool = False
    share: bool = False
    units: Mapping[str, float] = field(default_factory=dict)
    decimals: int | None = None
    most: float | None = None

    def minimised(self, costs: Costs) -> FloatArray:
        """Array to be minimised: of what is best at some value, what is missed to it."""
        return self.sign * self.of(costs) + (self.most or 0.0)

    def natural(self, minimised: float) -> float:
        """Value of which this is what is minimised."""
        return self.sign * (minimised - (self.most or 0.0))

    @property
    def sign(self) -> float:
        """Factor that makes the objective one to minimise."""
        return -1.0 if self.maximise else 1.0

    @property
    def title(self) -> str:
        """Name in words."""
        return self.description if self.whole else self.name.replace("_", " ")

    @property
    def label(self) -> str:
        """Name in words with the unit that people see."""
        return f"{self.title} [{self.shown_unit}]" if self.shown_unit else self.title

    def shown(self, value: float) -> str:
        """Value in the unit that people see, three to four digits."""
        scaled = value / self.per_shown
        if self.decimals is not None:
            return f"{round(scaled, self.decimals) + 0.0:.{self.decimals}f}"  # no minus before nothing
        return f"{scaled:.0f}" if self.whole else digits(scaled)

    def short(self, value: float) -> str:
        """Value in the unit that people see, as short as an interval allows: three digits."""
        scaled = float(f"{value / self.per_shown:.3g}")
        return digits(scaled) if abs(scaled) >= 1e3 else f"{scaled:#.3g}".rstrip(".")

    def with_interval(self, value: float, low: float, high: float) -> str:
        """Say a value with its interval, in the unit that people see."""
        return f"{self.shown(value)} ({self.shown(low)} to {self.shown(high)})"


def _score(costs: Costs) -> FloatArray:
    if costs.score is None:
        raise UsageError("nobody measured what the whole model scores")
    return costs.score


def _n_chips(costs: Costs) -> FloatArray:
    return costs.n_chips.astype(np.float64)


POINTS = {"points": 1.0, "point": 1.0}
OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective(
            name="latency",
            column="latency_s",
            unit="second",
            shown_unit="ms",
            per_shown=1e-3,
            description="time of one inference",
            of=attrgetter("latency_s"),
        ),
        Objective(
            name="energy",
            column="energy_j",
            unit="joule",
            shown_unit="mJ",
            per_shown=1e-3,
            description="energy of one inference, all chips",
            of=attrgetter("energy_j"),
        ),
        Objective(
            name="edp",
            column="edp_js",
            unit="joule*second",
            shown_unit="mJ ms",
            per_shown=1e-6,
            description="energy-delay product of one inference",
            of=attrgetter("edp_js"),
        ),
        Objective(
            name="n_chips",
            column="n_chips",
            unit="",
            shown_unit="",
            per_shown=1.0,
            description="number of chips",
            of=_n_chips,
            whole=True,
        ),
        Objective(
            name="throughput",
            column="throughput_tokens_per_s",
            unit="token/second",
            shown_unit="token/s",
            per_shown=1.0,
            description="tokens per second, one inference after the other",
            of=attrgetter("throughput_tokens_per_s"),
            maximise=True,
        ),
        Objective(
            name="link_traffic",
            column="link_bytes",
            unit="byte",
            shown_unit="kB",
            per_shown=1e3,
            description="bytes on all links in one inference, headers included",
            of=attrgetter("link_bytes"),
        ),
        Objective(
            name="l3_traffic",
            column="l3_bytes",
            unit="byte",
            shown_unit="MB",
            per_shown=1e6,
            description="bytes between off-chip memory and L2 in one inference, all chips",
            of=attrgetter("l3_bytes"),
        ),
        Objective(
            name="l2_footprint",
            column="l2_footprint_bytes",
            unit="byte",
            shown_unit="kB",
            per_shown=1e3,
            description="bytes held on chip, in L2 or RAM, by the fullest chip",
            of=attrgetter("l2_footprint_bytes"),
        ),
        Objective(
            name="l3_footprint",
            column="l3_footprint_bytes",
            unit="byte",
            shown_unit="MB",
            per_shown=1e6,
            description="bytes held in off-chip memory by the fullest chip",
            of=attrgetter("l3_footprint_bytes"),
        ),
        Objective(
            name="flash_footprint",
            column="flash_footprint_bytes",
            unit="byte",
            shown_unit="kB",
            per_shown=1e3,
            description="bytes of weights held in flash by the fullest chip",
            of=attrgetter("flash_footprint_bytes"),
        ),
        Objective(
            name="missing_weights",
            column="missing_weights",
            unit="",
            shown_unit="",
            per_shown=1.0,
            description="U: share of weights that no chip stores, by importance",
            of=attrgetter("missing_weights"),
            share=True,
            units={"%": 0.01},
        ),
        Objective(
            name="accuracy_drop",
            column="accuracy_drop",
            unit="",
            shown_unit="points",
            per_shown=1.0,
            description="accuracy lost by what a plan leaves out; without a calibration, mean of other tasks",
            of=attrgetter("accuracy_drop"),
            units=POINTS,
            decimals=1,
        ),
        Objective(
            name="accuracy_drop_high",
            column="accuracy_drop_high",
            unit="",
            shown_unit="points",
            per_shown=1.0,
            description="accuracy lost at the upper end of its 90 % interval",
            of=attrgetter("accuracy_drop_high"),
            units=POINTS,
            decimals=1,
        ),
    )
}
OF_ACCURACY = ("accuracy_drop", "accuracy_drop_high")
# What a model still scores, by metric: the one thing about accuracy that compares models.
SCORES: dict[Metric, Objective] = {
    "accuracy": Objective(
        name="accuracy",
        column="accuracy_percent",
        unit="",
        shown_unit="%",
        per_shown=1.0,
        description="accuracy that is left, of models whose calibration measured it",
        of=_score,
        maximise=True,
        most=100.0,
        units={"%": 1.0},
        decimals=1,
    ),
    "loss": Objective(
        name="loss",
        column="loss",
        unit="",
        shown_unit="",
        per_shown=1.0,
        description="test loss, of models whose calibration measured it",
        of=_score,
    ),
}
BEYOND_PRUNING = frozenset({"weight_bits", *SHORTHANDS["message_bits"], "message_dropout", "retransmission"})
OF_ONE_MODEL = ("missing_weights", *OF_ACCURACY)  # counted from each model's own base
KNOWN = {**OBJECTIVES, **{o.name: o for o in SCORES.values()}}
DEFAULT_OBJECTIVES = ("latency", "energy", "n_chips")


def objectives_of(metric: Metric) -> dict[str, Objective]:
    """Give all objectives, those of accuracy in the unit of a metric."""
    found = {**OBJECTIVES, SCORES[metric].name: SCORES[metric]}
    if metric == "accuracy":
        return found
    return found | {
        name: replace(OBJECTIVES[name], shown_unit="% of the loss", per_shown=0.01, units={"%": 0.01})
        for name in OF_ACCURACY
    }


def objective_named(name: str, metric: Metric) -> Objective:
    """Look one up.

    Raises
    ------
    UsageError
        There is none of that name, or it is of another metric.
    """
    if name not in KNOWN:
        raise UsageError(f"unknown objective {name!r}; {nearest(name, KNOWN)}")
    found = objectives_of(metric)
    if name not in found:
        raise UsageError(f"objective {name!r}: the calibration measured {metric}, objective {metric!r} is it")
    return found[name]


def objectives_named(names: Sequence[str], metric: Metric = "accuracy") -> list[Objective]:
    """Look objectives up; each at most once, at least one."""
    return [objective_named(name, metric) for name in dict.fromkeys(names or DEFAULT_OBJECTIVES)]


def default_objectives(
    names: Sequence[str], workloads: Sequence[Workload], decided: Collection[str]
) -> list[str]:
    """Give the objectives of a search that names none.

    Several models compare by what they score. Of one, weights that are missing stand for its accuracy
    until that is calibrated, or plans choose between other damages.

    Parameters
    ----------
    names : sequence of str
        Those of the space; may be empty.
    decided : collection of str
        Decisions with several choices.
    """
    names = names or DEFAULT_OBJECTIVES
    known = workloads[0].calibrated_by is not None and "missing_weights" in names
    if len(workloads) > 1:
        last = SCORES[workloads[0].calibration.metric].name
    elif known or not BEYOND_PRUNING.isdisjoint(decided):
        last = "accuracy_drop"
    else:
        return list(names)
    return [*(name for name in names if name not in OF_ONE_MODEL), last]


def minimised(objectives: Sequence[Objective], costs: Costs) -> FloatArray:
    """Matrix of shape (n, m) of objectives, all to be minimised."""
    return np.stack([o.minimised(costs) for o in objectives], axis=-1)
