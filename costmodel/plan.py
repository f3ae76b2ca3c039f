"""Plans: how a workload is cut over chips, as values of decisions. One plan is a batch of one.

Nothing here knows a strategy: which decisions a strategy has, and which plans are the same to it, is
said in ``costmodel.strategies``.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import PlanError, cut, nearest

MAX_CHIPS = 64
WIDTHS = (4, 6, 8, 16, 32)

Ints = NDArray[np.int64]
Values = NDArray[Any]
Number = int | float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One number that a plan decides.

    Attributes
    ----------
    description : str
        What it decides, in a line.
    low, high : int or float
        Least and largest value.
    step : int or float
        Values are whole multiples of it, counted from zero.
    neutral : int or float
        Value where nothing depends on it.
    default : int or float, optional
        Value when none is given; without one it must be given.
    only : tuple, optional
        The only values allowed, ascending.
    of_one_chip : bool
        Whether a plan of one chip has it, which is no strategy's.
    steers : bool
        Whether canonical values of other decisions depend on it.
    """

    name: str
    description: str
    low: Number
    high: Number
    step: Number = 1
    neutral: Number
    default: Number | None
    only: tuple[Number, ...] = ()
    of_one_chip: bool = False
    steers: bool = False

    @property
    def whole(self) -> bool:
        """Whether values are whole numbers."""
        return isinstance(self.step, int)

    @property
    def dtype(self) -> type[np.int64] | type[np.float64]:
        """Type of a column of values."""
        return np.int64 if self.whole else np.float64

    @property
    def codes(self) -> int:
        """Number of different values, as `code` counts them."""
        return len(self.only) or round((self.high - self.low) / self.step) + 1

    def code(self, values: Values) -> Ints:
        """Count values from the least one on."""
        if self.only:
            return np.searchsorted(self.only, values).astype(np.int64)
        return np.rint((values - self.low) / self.step).astype(np.int64)

    def check(self, value: object) -> None:
        """Refuse a value that the decision cannot have.

        Raises
        ------
        PlanError
            No number of the right kind, or not allowed.
        """
        kind = "a whole number" if self.whole else "a number"
        right = type(value) is int or (not self.whole and type(value) is float)
        if not right:
            raise PlanError(f"{self.name} {cut(value)} must be {kind}")
        number: Any = value
        if self.only and number not in self.only:
            allowed = ", ".join(map(str, self.only))
            raise PlanError(f"{self.name} {cut(value)} must be one of {allowed}")
        if not self.low <= number <= self.high:
            raise PlanError(f"{self.name} {cut(value)} must be {self.low:g} to {self.high:g}")
        if abs(number / self.step - round(number / self.step)) > 1e-6:
            raise PlanError(f"{self.name} {cut(value)} must be a multiple of {self.step:g}")

    def read(self, text: str) -> Number:
        """Read a value from text.

        Raises
        ------
        PlanError
            It is no number.
        """
        try:
            return int(text) if self.whole else float(text)
        except ValueError:
            kind = "a whole number" if self.whole else "a number"
            raise PlanError(f"decision {self.name} = {text!r} must be {kind}") from None


def _decision(name: str, **attributes: Any) -> Any:
    """Declare a field of `Plan` as a decision; the only values allowed give the least and the largest."""
    if "only" in attributes:
        attributes |= {"low": attributes["only"][0], "high": attributes["only"][-1]}
    decision = Decision(name=name, **attributes)
    default: Any = MISSING if decision.default is None else decision.default
    return field(default=default, metadata={"decision": decision})


def _ratio(name: str, before: str) -> Any:
    """Declare a pruning ratio."""
    description = f"share of its columns that a chip does not send before {before}"
    return _decision(name, description=description, low=0.0, high=1.0, step=0.001, neutral=0.0, default=0.0)


def _width(name: str, what: str, *, of_one_chip: bool = False) -> Any:
    """Declare a width; the widest stands for the model's own."""
    description = f"width of {what}; the model's own where that is narrower"
    widest = WIDTHS[-1]
    return _decision(
        name,
        description=description,
        only=WIDTHS,
        neutral=widest,
        default=widest,
        of_one_chip=of_one_chip,
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One design point; its decisions are the rows of `DECISIONS`.

    Attributes
    ----------
    strategy : str
        How blocks are cut: a name out of ``costmodel.strategies.STRATEGIES``.
    n_chips : int
        1 to 64.
    group_size : int
        Chips that one level of a hierarchical reduction joins, at least 2; a flat reduction has
        ``group_size == n_chips``.
    partial_sum_bits : {8, 16, 32}
        Width of the partial sums that travel up the hierarchy.
    prune_qkv, prune_o, prune_ffn_in, prune_ffn_out : float
        Share of its columns that a chip does not send, before Q, K and V, before O, before the FFN's
        first and its last matrix; whole thousandths, 0 to 1.
    retransmission : {0, 1}
        Whether messages that are lost are sent again until all chips have them.
    message_dropout : float
        Share of the messages that were left out at random when the model was trained; 0 to 0.5.
    shares : {0, 1, 2}
        Whether columns of the FFN and vocabulary rows are dealt out evenly (0), or by the room that a chip's
        heads leave, as far as takes least time (1) or least energy (2).
    kv_replication : {0, 1}
        Whether query heads are dealt out as evenly as whole ones allow, and each chip has the key/value
        heads of its own (1), or groups that share a key/value head stay whole, as far as there are so many
        (0).
    pinning : {0, 1}
        Whether each chip keeps as many blocks on chip as make it wait least, or all or none.
    weight_bits, message_bits : {4, 6, 8, 16, 32}
        Width of weights, and of activations that are gathered: the model's own where that is narrower.
    """

    strategy: str
    n_chips: int = _decision(
        "n_chips",
        description="chips that the model is cut over",
        low=1,
        high=MAX_CHIPS,
        neutral=1,
        default=None,
        steers=True,
    )
    group_size: int = _decision(
        "group_size",
        description="chips that one level of a hierarchical reduction joins",
        low=2,
        high=MAX_CHIPS,
        neutral=2,
        default=4,
    )
    partial_sum_bits: int = _decision(
        "partial_sum_bits",
        description="width of the partial sums that travel",
        only=(8, 16, 32),
        neutral=8,
        default=16,
    )
    prune_qkv: float = _ratio("prune_qkv", "Q, K and V")
    prune_o: float = _ratio("prune_o", "O")
    prune_ffn_in: float = _ratio("prune_ffn_in", "the FFN's first matrices")
    prune_ffn_out: float = _ratio("prune_ffn_out", "the FFN's last matrix")
    retransmission: int = _decision(
        "retransmission",
        description="whether lost messages of gathers are sent again until all have them (1) or not (0)",
        only=(0, 1),
        neutral=0,
        default=0,
    )
    message_dropout: float = _decision(
        "message_dropout",
        description="share of the messages that were left out at random in training",
        low=0.0,
        high=0.5,
        step=0.001,
        neutral=0.0,
        default=0.0,
    )
    shares: int = _decision(
        "shares",
        description="whether chips with fewer heads take more: no (0), for least time (1) or energy (2)",
        only=(0, 1, 2),
        neutral=1,
        default=1,
    )
    kv_replication: int = _decision(
        "kv_replication",
        description="whether heads are even, and KV heads replicated for it (1), or KV groups stay whole (0)",
        only=(0, 1),
        neutral=1,
        default=1,
        steers=True,
    )
    pinning: int = _decision(
        "pinning",
        description="whether chips keep as many blocks on chip as is fastest (1), or all or none (0)",
        only=(0, 1),
        neutral=1,
        default=1,
        of_one_chip=True,
    )
    weight_bits: int = _width("weight_bits", "weights", of_one_chip=True)
    message_bits: int = _width("message_bits", "activations that are gathered")

    def __post_init__(self) -> None:
        for name, decision in DECISIONS.items():
            decision.check(getattr(self, name))


DECISIONS: dict[str, Decision] = {
    f.name: f.metadata["decision"] for f in fields(Plan) if "decision" in f.metadata
}


# Names that stand for several decisions at once.
SHORTHANDS: dict[str, tuple[str, ...]] = {
    "prune": ("prune_qkv", "prune_o", "prune_ffn_in", "prune_ffn_out"),
}


def plan_of(values: dict[str, Any]) -> Plan:
    """Build a plan from decision values by name, as text or numbers; a shorthand fills what is not given.

    Raises
    ------
    PlanError
        Unknown decision, one that is no number of the right kind, or one missing.
    """
    names = ("strategy", *DECISIONS, *SHORTHANDS)
    decided: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise PlanError(f"unknown decision {name!r}; {nearest(name, names)}")
        if name in SHORTHANDS:
            meant = (one for one in SHORTHANDS[name] if one not in values)
            decided |= {one: DECISIONS[one].read(str(value)) for one in meant}
            continue
        decided[name] = str(value) if name == "strategy" else DECISIONS[name].read(str(value))
    if "strategy" not in decided:
        raise PlanError("decision 'strategy' is missing")
    if "n_chips" not in decided:
        raise PlanError("decision 'n_chips' is missing", "add --set n_chips=8")
    return Plan(**decided)
