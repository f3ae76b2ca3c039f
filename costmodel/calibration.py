"""What a share of missing weights costs in accuracy: as measured on a user's own model, or on others.

Two forms of one thing. `Fitted` is a law ``a U^b`` of one model and task, out of plans that were
retrained. `Tasks` is all that is known before: such laws of other tasks, between which a new one is
expected to lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.drops import Drop, among
from costmodel.message_loss import LossFitted, LossOfTasks
from costmodel.parameters import Record, choice, count, fraction, real, validate_form

FILE = ConfigDict(frozen=True, extra="forbid")
Metric = Literal["accuracy", "loss"]
Unit = Literal["points", "loss ratio"]
UNITS: dict[Metric, Unit] = {"accuracy": "points", "loss": "loss ratio"}
MOST_POINTS, MOST_EXPONENT = 100.0, 8.0
MOST_BASE, MOST_SCALE = 1e9, 1e6
LEAST_EXPONENT = 0.5
WHOLE = 8  # bits of an element, from which on accuracy loses nothing
ROUNDED = 1e-5  # of a share, what files lose of it that carry six digits of U and of importance


def power_law(scale: Any, exponent: Any, missing: Any) -> Any:
    """Give ``a U^b``: none where nothing is missing.

    >>> power_law(40.0, 2.0, np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 10.0, 40.0]
    """
    return scale * np.asarray(missing, dtype=float) ** exponent


def drop_of(metric: Metric, base: Any, score: Any) -> Any:
    """Give what a score is below that of the whole model: points, or the ratio of losses less one.

    >>> drop_of("accuracy", 95.0, 93.0), drop_of("loss", 0.5, 0.75)
    (2.0, 0.5)
    """
    return base - score if metric == "accuracy" else score / base - 1


def score_after(metric: Metric, base: float, drop: Any) -> Any:
    """Give the score that is left after a drop, the inverse of `drop_of`."""
    return base - drop if metric == "accuracy" else base * (1 + drop)


class Law(BaseModel):
    """Law ``a U^b`` of one task."""

    model_config = FILE

    scale: Annotated[float, real(0, MOST_POINTS)]
    exponent: Annotated[float, real(LEAST_EXPONENT, MOST_EXPONENT)]


class HalfWidth(BaseModel):
    """Half of the 90 % interval of a calibration, at least: with one retrained plan, or with more.

    In points of accuracy, and for metrics that are losses as a ratio.
    """

    model_config = FILE

    one_plan: Annotated[float, real(0, MOST_POINTS)]
    more_plans: Annotated[float, real(0, MOST_POINTS)]
    one_plan_loss: Annotated[float, real(0, MOST_POINTS)]
    more_plans_loss: Annotated[float, real(0, MOST_POINTS)]


class Narrowed(BaseModel):
    """Accuracy lost by elements of some width: what is expected, and the upper end of its 90 % interval.

    The lower end is nothing. In points of accuracy, and for metrics that are losses as a ratio.
    """

    model_config = FILE

    drop: Annotated[float, real(0, MOST_SCALE)]
    high: Annotated[float, real(0, MOST_SCALE)]

    @model_validator(mode="after")
    def _in_order(self) -> Narrowed:
        if self.high < self.drop:
            raise ValueError(f"high {self.high:g} must be at least drop {self.drop:g}")
        return self


class Narrow(BaseModel):
    """Accuracy lost by weights, and by messages, of 6 and of 4 bit; those of 8 bit lose none."""

    model_config = FILE

    weights_6: Narrowed
    weights_4: Narrowed
    messages_6: Narrowed
    messages_4: Narrowed

    @model_validator(mode="after")
    def _narrower_loses_more(self) -> Narrow:
        for what in ("weights", "messages"):
            six, four = (getattr(self, f"{what}_{bits}") for bits in (6, 4))
            if four.drop < six.drop or four.high < six.high:
                raise ValueError(f"{what}_4 must lose at least as much as {what}_6")
        return self

    def drops(self, weight_bits: Any, message_bits: Sequence[Any]) -> Iterator[Drop]:
        """Give what weights lose, and messages, of each width: each kind of message an equal part."""
        for what, bits in (("weights", (weight_bits,)), ("messages", message_bits)):
            for width in (6, 4):
                lost: Narrowed = getattr(self, f"{what}_{width}")
                here = np.asarray(sum((np.asarray(of_kind) == width) / len(bits) for of_kind in bits))
                yield Drop(estimate=lost.drop * here, low=0.0 * here, high=lost.high * here)


class Tasks(BaseModel):
    """No calibration: laws of several tasks, in points of accuracy.

    Attributes
    ----------
    family : str
        Family of models that these tasks' models were of.
    tasks : dict
        Task to its law.
    residual : float
        Standard deviation of measured points about the law of their own task.
    quantile : float
        Student's t that leaves a twentieth on either side, for so many tasks.
    half_width : HalfWidth
        What a calibration of this family is known to no better than.
    narrow : Narrow
        What narrow weights and messages lose.
    message_loss : LossOfTasks
        What lost messages cost.
    base : float, optional
        Accuracy in per cent of one whole model, where nothing else of it was measured.
    """

    model_config = FILE

    form: Literal["tasks"]
    description: str
    family: Annotated[str, choice("encoder", "decoder")]
    tasks: dict[str, Law] = Field(min_length=2)
    residual: Annotated[float, real(0, MOST_POINTS)]
    quantile: Annotated[float, real(1, 13)]
    half_width: HalfWidth
    narrow: Narrow
    message_loss: LossOfTasks
    base: Annotated[float, real(0, MOST_POINTS)] | None = None

    @property
    def metric(self) -> Metric:
        """What drops are drops of."""
        return "accuracy"

    @property
    def weights(self) -> None:
        """Importance of each gather point: none of its own."""
        return

    def drop(self, missing: Any) -> Drop:
        """Expect a new task to lie among these: mean, and the interval of one draw more."""
        u = np.asarray(missing, dtype=float)
        curves = [power_law(law.scale, law.exponent, u) for law in self.tasks.values()]
        band = among(curves, self.quantile, self.residual)
        low, high = (np.where(u > 0, end, 0.0) for end in (band.low, band.high))
        return Drop(estimate=band.estimate, low=low, high=high)

    @property
    def possible(self) -> tuple[float, float]:
        """Least and most that can be lost: accuracy is 0 to 100 per cent."""
        if self.base is None:
            return -MOST_POINTS, MOST_POINTS
        return self.base - MOST_POINTS, self.base

    def score(self, drop: Any) -> Any:
        """Accuracy in per cent that is left after a drop; none where nobody measured the whole model's."""
        return None if self.base is None else score_after(self.metric, self.base, drop)

    def within(self, missing: Any) -> Any:
        """Whether a share is among those that were measured: none is."""
        return np.zeros(np.shape(missing), dtype=bool)


class Weights(BaseModel):
    """Importance of each gather point."""

    model_config = FILE

    qkv: Annotated[float, fraction()]
    o: Annotated[float, fraction()]
    ffn_in: Annotated[float, fraction()]
    ffn_out: Annotated[float, fraction()]

    @model_validator(mode="after")
    def _all_matter(self) -> Weights:
        if not all(self.model_dump().values()):
            raise ValueError("qkv, o, ffn_in and ffn_out must be above 0")
        return self


class Fitted(BaseModel):
    """Calibration: the law ``a U^b`` of one model and task.

    Attributes
    ----------
    metric : {"accuracy", "loss"}
        Accuracy: drops are in points, of a hundred. Loss: drops are the ratio to the loss of the whole
        model, less one.
    base : float
        Accuracy in per cent, or loss, of the model that nothing is missing of.
    scale, exponent : float
        a and b.
    half_width : float
        Half of the 90 % interval, in the unit of drops.
    most_missing : float
        Highest U that was measured; the whole model, with none missing, is the other end.
    plans : int
        Plans that were measured, beside that which misses nothing.
    importance : Weights, optional
        Importance that was fitted along; that of the family where there is none.
    narrow : Narrow, optional
        What narrow weights and messages lose; without it, nobody knows.
    message_loss : LossFitted or LossOfTasks, optional
        What lost messages cost: as measured on this model or, in points, on others.
    """

    model_config = FILE

    form: Literal["fitted"]
    description: str
    family: Annotated[str, choice("encoder", "decoder")]
    metric: Annotated[Metric, choice("accuracy", "loss")]
    base: Annotated[float, real(0, MOST_BASE)]
    scale: Annotated[float, real(0, MOST_SCALE)]
    exponent: Annotated[float, real(LEAST_EXPONENT, MOST_EXPONENT)]
    half_width: Annotated[float, real(0, MOST_SCALE)]
    most_missing: Annotated[float, real(0, 1)]
    plans: Annotated[int, count()]
    importance: Weights | None = None
    narrow: Narrow | None = None
    message_loss: LossFitted | LossOfTasks | None = Field(default=None, discriminator="form")

    @model_validator(mode="after")
    def _of_a_hundred(self) -> Fitted:
        if self.metric == "accuracy" and self.base > MOST_POINTS:
            raise ValueError(f"base {self.base} of metric accuracy must be at most {MOST_POINTS:g} per cent")
        if self.base == 0:
            raise ValueError("base must be above 0")
        if self.metric == "loss" and isinstance(self.message_loss, LossOfTasks):
            raise ValueError("message_loss of form 'tasks' is in points of accuracy, metric is a loss")
        return self

    @property
    def weights(self) -> dict[str, float] | None:
        """Importance of each gather point that was fitted along; none of its own where none was."""
        return None if self.importance is None else self.importance.model_dump()

    def drop(self, missing: Any) -> Drop:
        """Follow the law; beyond the shares that were measured, the interval holds every exponent."""
        u = np.asarray(missing, dtype=float)
        estimate = power_law(self.scale, self.exponent, u)
        half = self.half_width * (u > 0)
        end = power_law(self.scale, self.exponent, self.most_missing)
        low, high = end - self.half_width, end + self.half_width
        times = np.maximum(u / max(self.most_missing, ROUNDED), 1.0)
        low = low * times ** (LEAST_EXPONENT if low > 0 else 0.0)
        most = min(self.possible[1], MOST_SCALE)
        high = np.maximum(np.minimum(high * times**MOST_EXPONENT, most), estimate)
        within = self.within(u)
        return Drop(
            estimate=estimate,
            low=np.where(within, estimate - half, np.minimum(low, estimate)),
            high=np.where(within, estimate + half, high),
        )

    @property
    def possible(self) -> tuple[float, float]:
        """Least and most that can be lost: accuracy is 0 to 100 per cent, a loss at least nothing."""
        return (self.base - MOST_POINTS, self.base) if self.metric == "accuracy" else (-1.0, np.inf)

    def score(self, drop: Any) -> Any:
        """Accuracy in per cent, or loss, that is left after a drop."""
        return score_after(self.metric, self.base, drop)

    def within(self, missing: Any) -> Any:
        """Whether a share lies between those that were measured, of which none missing is one."""
        return np.asarray(missing) <= self.most_missing + ROUNDED


Calibration = Tasks | Fitted


FORMS: dict[str, type[Tasks] | type[Fitted]] = {"tasks": Tasks, "fitted": Fitted}


def calibration_of(record: Record) -> Calibration:
    """Build the calibration of a record; its key `form` says which kind it is."""
    return validate_form(FORMS, record)
