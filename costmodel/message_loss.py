"""What lost messages cost in accuracy, of models trained with message dropout and without.

A chip computes with nothing in the place of what it did not get. Message dropout is training with as many
messages left out at random; it costs something and makes the model lose less later.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.drops import Drop, among
from costmodel.parameters import fraction, real

FILE = ConfigDict(frozen=True, extra="forbid")
MOST = 1e6
MOST_POINTS, MOST_EXPONENT = 100.0, 4.0
WIDER = 1.5  # judgement: how much an interval widens beyond the rates that were measured
STEP = 1e-3  # share of the highest rate over which its slope is taken


class LossLaw(BaseModel):
    """Drop of one model at a message loss `q`, after training with message dropout `q0`.

    ``at min(q, q0) + below (q0 - q)+^2 / (q0 + q) + scale x^exponent / (1 + saturation x + relief q0)``
    with ``x = (q - q0)+``: what training costs at its own rate, and more where fewer messages are lost;
    what is lost beyond it, which saturates, and is less the more dropout there was.
    """

    model_config = FILE

    scale: Annotated[float, real(0, MOST)]
    exponent: Annotated[float, real(0.5, MOST_EXPONENT)]
    saturation: Annotated[float, real(0, MOST)] = 0.0
    relief: Annotated[float, real(0, MOST)] = 0.0
    at: Annotated[float, real(-MOST, MOST)] = 0.0
    below: Annotated[float, real(-MOST, MOST)] = 0.0

    def drop(self, loss: Any, dropout: Any) -> Any:
        """Give the drop, (...)."""
        q, q0 = np.asarray(loss, dtype=float), np.asarray(dropout, dtype=float)
        more, less = np.maximum(q - q0, 0.0), np.maximum(q0 - q, 0.0)
        trained = self.at * np.minimum(q, q0) + self.below * less**2 / np.maximum(q + q0, 1e-300)
        lost = self.scale * more**self.exponent / (1 + self.saturation * more + self.relief * q0)
        return trained + lost


class Rates(BaseModel):
    """The rates that were measured.

    Attributes
    ----------
    least_loss, most_loss : float
        Lowest message loss but none, and highest. Below the lowest, deviations shrink to none.
    most_dropout : float
        Highest rate of message dropout that a model was trained with; 0 where none was.
    """

    model_config = FILE

    least_loss: Annotated[float, fraction()]
    most_loss: Annotated[float, fraction()]
    most_dropout: Annotated[float, real(0, 1)]

    @model_validator(mode="after")
    def _in_order(self) -> Rates:
        if not 0 < self.least_loss <= self.most_loss:
            raise ValueError("least_loss must be above 0, and most_loss at least that")
        return self

    def within(self, loss: Any, dropout: Any) -> Any:
        """Whether rates lie between those that were measured."""
        return (np.asarray(loss) <= self.most_loss) & (np.asarray(dropout) <= self.most_dropout)

    def known(self, loss: Any, dropout: Any) -> Any:
        """Share of a measured deviation that there is: none without loss and dropout."""
        return np.where(np.asarray(dropout) > 0, 1.0, np.minimum(np.asarray(loss) / self.least_loss, 1.0))


class LossOfTasks(Rates):
    """Laws of several tasks, in points of accuracy, between which a new one is expected to lie.

    Attributes
    ----------
    tasks : dict
        Task to its law.
    residual : float
        Standard deviation of measured points about the law of their own task.
    quantile : float
        Student's t that leaves a twentieth on either side, for so many tasks.
    most_times : float
        How many times the mean of these tasks others lost.
    half_width, half_width_loss : float
        Half of the 90 % interval of a calibration, at least: in points, and as a share of the loss.
    """

    form: Literal["tasks"]
    tasks: dict[str, LossLaw] = Field(min_length=2)
    residual: Annotated[float, real(0, MOST_POINTS)]
    quantile: Annotated[float, real(1, 13)]
    most_times: Annotated[float, real(1, 100)]
    half_width: Annotated[float, real(0, MOST_POINTS)]
    half_width_loss: Annotated[float, real(0, 1)]

    def drop(self, loss: Any, dropout: Any) -> Drop:
        """Expect a new task to lie among these, or to lose so many times their mean."""
        curves = [law.drop(loss, dropout) for law in self.tasks.values()]
        band = among(curves, self.quantile, self.residual * self.known(loss, dropout))
        mean = band.estimate
        high = np.minimum(np.maximum(band.high, self.most_times * mean), np.maximum(MOST_POINTS, mean))
        return Drop(estimate=mean, low=np.minimum(band.low, mean), high=high)


class LossFitted(Rates, LossLaw):
    """The law of one model, out of evaluations with messages left out.

    Attributes
    ----------
    half_width : float
        Half of the 90 % interval: in points; of metrics that are losses, as a share of the loss.
    """

    form: Literal["fitted"]
    half_width: Annotated[float, real(0, MOST)]

    def interval(self, loss: Any, dropout: Any, *, of_loss: bool) -> Drop:
        """Follow the law; the interval widens beyond the rates that were measured.

        There a loss rises as steeply as at the highest rate or not at all; points may follow any power.
        """
        estimate, within = self.drop(loss, dropout), self.within(loss, dropout)
        half = self.half_width * self.known(loss, dropout) * np.where(within, 1.0, WIDER)
        half = half * (1 + np.maximum(estimate, 0.0)) if of_loss else half
        beyond = np.maximum(np.asarray(loss, dtype=float) - self.most_loss, 0.0)
        end = self.drop(np.minimum(loss, self.most_loss), dropout)
        if of_loss:
            before = self.drop(np.minimum(loss, self.most_loss * (1 - STEP)), dropout)
            high = end + beyond * np.maximum(end - before, 0.0) / (STEP * self.most_loss)
        else:
            times = (1 + beyond / self.most_loss) ** MOST_EXPONENT
            high = np.minimum((np.maximum(end, 0.0) + half) * times, MOST_POINTS) - half
        return Drop(
            estimate=estimate,
            low=np.minimum(estimate, end) - half,
            high=np.maximum(estimate, np.where(within, estimate, high)) + half,
        )
