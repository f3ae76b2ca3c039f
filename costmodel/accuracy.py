"""What plans do to accuracy: weights missing, elements narrowed, messages lost.

U, the weights that are missing, ranks plans of one model before anybody has trained them; what it all
costs in points is for the calibration to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from costmodel.calibration import WHOLE, Calibration
from costmodel.drops import Drop
from costmodel.errors import PlanError
from costmodel.importance import BySize
from costmodel.message_loss import LossFitted
from costmodel.workload import Model, Workload

POINTS = ("qkv", "o", "ffn_in", "ffn_out")  # gather points


def weights_by_size(model: Model) -> dict[str, float]:
    """Share of a block's weights behind each gather point."""
    attention = model.head_size * model.embedding
    sizes = {
        "qkv": (model.heads + 2 * model.kv_heads) * attention,
        "o": model.heads * attention,
        "ffn_in": (model.ffn_matrices - 1) * model.embedding * model.ffn,
        "ffn_out": model.embedding * model.ffn,
    }
    total = sum(sizes.values())
    return {name: size / total for name, size in sizes.items()}


def weights_of(workload: Workload) -> dict[str, float]:
    """Importance of each gather point: the calibration's, or that of the family; they sum to 1."""
    importance = workload.importance
    stated = workload.calibration.weights
    if stated is None:
        if isinstance(importance, BySize):
            return weights_by_size(workload.model)
        stated = importance.weights
    total = sum(stated.values())
    return {name: weight / total for name, weight in stated.items()}


def weighted_mean(weights: Mapping[str, float], exponent: float, shares: Mapping[str, Any]) -> Any:
    """Give ``(sum w u^c)^(1/c)`` over the gather points that there are."""
    counted = {name: weights[name] for name in shares}
    total = sum(weight * np.maximum(shares[name], 0.0) ** exponent for name, weight in counted.items())
    return (total / sum(counted.values())) ** (1 / exponent)


def missing_weights(workload: Workload, missing: Mapping[str, Any]) -> Any:
    """Give U: a mean of the shares that no chip stores, weighed by importance.

    Parameters
    ----------
    missing : dict
        Gather point to the share of the weights behind it that no chip stores; none where all are.
    """
    if not missing:
        return 0.0
    return weighted_mean(weights_of(workload), workload.importance.exponent, missing)


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Accuracy that plans lose, by a calibration; arrays by plan.

    Attributes
    ----------
    drop : Drop
        In the unit of the calibration, with its 90 % interval.
    score : (...), optional
        Accuracy in per cent, or loss, that is left; none where nobody measured the whole model's.
    within : (...) bool
        Whether the calibration measured as much of all that a plan does.
    """

    drop: Drop
    score: Any
    within: Any


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What plans do to a model's accuracy; arrays by plan.

    Attributes
    ----------
    missing : float
        U, the weights that no chip stores.
    weight_bits : int
        Width below a byte; a byte where it is not.
    message_bits : tuple of int
        Such widths of each kind of message in a block, which all count alike.
    message_loss, message_dropout : float
        Messages that are lost for good, and those that were left out in training.
    """

    missing: Any
    weight_bits: Any = WHOLE
    message_bits: Sequence[Any] = (WHOLE,)
    message_loss: Any = 0.0
    message_dropout: Any = 0.0

    def within(self, known: Calibration) -> Any:
        """Whether U and rates of messages are among those that a calibration measured."""
        inside = known.within(self.missing)
        if known.message_loss is not None:
            inside = inside & known.message_loss.within(self.message_loss, self.message_dropout)
        return inside

    def uses(self, known: Calibration, key: str) -> bool:
        """Whether what is lost, or its interval, depends on a calibration's key."""
        table, _, rest = key.partition(".")
        if table == "narrow":
            bits = {"weights": (self.weight_bits,), "messages": self.message_bits}
            what, _, width = rest.partition(".")[0].partition("_")
            return any(np.any(one == int(width)) for one in bits[what])
        # Of other tasks, half widths are those of calibrations to come.
        if table == "message_loss":
            later = rest.startswith("half_width") and not isinstance(known.message_loss, LossFitted)
            return not later and bool(np.any(self.message_loss) or np.any(self.message_dropout))
        return not (table == "half_width" and rest) and bool(np.any(self.missing))

    def check(self, known: Calibration) -> None:
        """Refuse what nobody knows the cost of.

        Raises
        ------
        PlanError
            The calibration does not say what narrow elements lose, or lost messages.
        """
        if known.narrow is None and any(np.any(b < WHOLE) for b in (self.weight_bits, *self.message_bits)):
            raise PlanError(
                f"the calibration does not say what weights or messages below {WHOLE} bit lose, "
                f"nor partial sums of {WHOLE} bit: {known.description}",
                "take wider ones, or a calibration with a table 'narrow'",
            )
        measured, dropout = known.message_loss, np.any(self.message_dropout)
        if self._loses_messages and (measured is None or (measured.most_dropout == 0 and dropout)):
            what = "lost messages" if measured is None else "training with message dropout"
            raise PlanError(
                f"the calibration does not say what {what} cost in accuracy: {known.description}",
                "set retransmission=1 and message_dropout=0, or take one with a table 'message_loss'",
            )

    @property
    def _loses_messages(self) -> bool:
        return bool(np.any(self.message_loss) or np.any(self.message_dropout))

    def drop(self, known: Calibration) -> Drop:
        """Add up what is lost.

        Raises
        ------
        PlanError
            As `check` says.
        """
        self.check(known)
        total = known.drop(self.missing)
        for lost in self._besides(known):
            total = total.plus(lost)
        return total.clipped(*known.possible)

    def besides(self, known: Calibration) -> Drop:
        """Add up what is lost beside what missing weights lose."""
        none = np.zeros(1)
        return reduce(Drop.plus, self._besides(known), Drop(estimate=none, low=none, high=none))

    def _besides(self, known: Calibration) -> Iterator[Drop]:
        """Give what narrow elements lose, and lost messages."""
        if known.narrow is not None:
            yield from known.narrow.drops(self.weight_bits, self.message_bits)
        measured = known.message_loss
        if self._loses_messages and measured is not None:
            if isinstance(measured, LossFitted):
                of_loss = known.metric == "loss"
                yield measured.interval(self.message_loss, self.message_dropout, of_loss=of_loss)
            else:
                yield measured.drop(self.message_loss, self.message_dropout)

    def lost(self, known: Calibration) -> Lost:
        """Reckon what is lost, and what is left."""
        drop = self.drop(known)
        return Lost(drop=drop, score=known.score(drop.estimate), within=self.within(known))
