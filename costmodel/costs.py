"""The costs of plans: totals, their breakdowns, traffic, footprints and what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from costmodel.accuracy import Lost

T = TypeVar("T")
Array = NDArray[np.floating[Any]]
LATENCY_CAUSES = ("compute", "root", "link", "l3")
ENERGY_CAUSES = ("compute", "root", "idle", "l3", "l2", "link", "controller", "l3_standby", "link_idle")
Causes = Mapping[str, Any]
SHARED_L3 = "shared L3"  # the resource that off-chip memory is where all chips have one


def latency_of(by_cause: Causes) -> Array:
    """Seconds by cause in all, added in one order."""
    return np.asarray(sum(by_cause[cause] for cause in LATENCY_CAUSES))


def energy_of(by_cause: Causes) -> Array:
    """Joules by cause in all, added in one order."""
    return np.asarray(sum(by_cause[cause] for cause in ENERGY_CAUSES))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A resource that a plan asks more of than there is: data, not an error."""

    resource: str
    demand: float
    limit: float
    unit: str

    def __str__(self) -> str:
        if self.unit == "B":
            of = "of all chips" if self.resource == SHARED_L3 else "on a chip"
            return (
                f"{self.resource} needs {self.demand / 1e3:,.1f} kB {of}, "
                f"{self.limit / 1e3:,.1f} kB are usable"
            )
        if self.resource == "ports":
            return f"a chip has links to {self.demand:g} others, {self.limit:g} {self.unit} are there"
        return (
            f"the messages of one exchange take {self.demand:g} {self.unit}, as they do not fit fewer; "
            f"{self.limit:g} can be run"
        )


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What plans ask of a resource, (n,), and how much there is of it, in one unit."""

    asked: Array
    limit: float
    unit: str


@dataclass(frozen=True)
class Later(Generic[T]):
    """Something that takes time and is made when it is first asked for."""

    make: Callable[[], T]

    @cached_property
    def value(self) -> T:
        """Make it, once."""
        return self.make()


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of n plans, per inference: one token (autoregressive) or one pass (prompt, encoder).

    With the accounting's scope "block", an inference is that of one block.

    Every array has shape (n,).

    Attributes
    ----------
    latency_by_cause_s : dict
        Seconds on the critical path by cause: compute (the slowest chip of each
        phase), root (and leaders that add up), link, l3 (waits for off-chip memory).
    energy_by_cause_j : dict
        Joules of all chips by cause: what compute, root, waiting chips, traffic at each memory level and
        on links take; what controller cores, off-chip memories and links draw all the time.
    tokens : array of int
        Tokens that one inference works on.
    n_chips, n_chips_with_l3 : array of int
        Chips, and those that need off-chip memory.
    head_from_l3 : array of bool
        Whether any chip loads rows of the LM head from off-chip memory.
    link_bytes, link_messages : array
        Bytes and messages on all links, headers included.
    link_partners : array of int
        Chips that the chip with most links has one to; 0 where a medium has no links of two.
    l3_bytes, l2_bytes : array
        Traffic at each memory level, all chips.
    l2_footprint_bytes, l3_footprint_bytes, flash_footprint_bytes : array
        Of the fullest chip.
    link_bound_s : array
        Time for messages that no round exceeds; what latency counts is what is expected.
    missing_weights : array
        U, the share of the weights that no chip stores, weighed by importance.
    lost : Later of Lost
        Accuracy that is lost.
    regime : array of int
        Worst `Regime` of any chip.
    on_chip_s : array
        Time of one block without any wait for L3.
    prefetch_s : array
        Time that L3 is busy for the next block while one runs, slowest chip.
    demands : dict
        Resource to `Demand`.
    """

    latency_by_cause_s: dict[str, Array]
    energy_by_cause_j: dict[str, Array]
    tokens: NDArray[np.int64]
    n_chips: NDArray[np.int64]
    n_chips_with_l3: NDArray[np.int64]
    head_from_l3: NDArray[np.bool_]
    link_bytes: Array
    link_messages: Array
    link_partners: NDArray[Any]
    l3_bytes: Array
    l2_bytes: Array
    l2_footprint_bytes: Array
    l3_footprint_bytes: Array
    flash_footprint_bytes: Array
    link_bound_s: Array
    missing_weights: Array
    lost: Later[Lost]
    regime: NDArray[np.int64]
    on_chip_s: Array
    prefetch_s: Array
    demands: dict[str, Demand]

    @staticmethod
    def scattered(batches: Sequence[tuple[NDArray[np.int64], Costs]]) -> Costs:
        """Join the costs of batches; each has the positions that its plans take."""
        order = np.argsort(np.concatenate([where for where, _ in batches]), kind="stable")

        def joined(values: list[Any]) -> Any:
            first = values[0]
            if any(value is None for value in values):
                return None
            if isinstance(first, dict):
                return {key: joined([value[key] for value in values]) for key in first}
            if isinstance(first, Later):
                return Later(lambda: joined([value.value for value in values]))
            if isinstance(first, Demand):
                return replace(first, asked=joined([value.asked for value in values]))
            if is_dataclass(first) and not isinstance(first, type):
                return replace(
                    first,
                    **{f.name: joined([getattr(value, f.name) for value in values]) for f in fields(first)},
                )
            return np.concatenate(values)[order]

        return Costs(**{f.name: joined([getattr(c, f.name) for _, c in batches]) for f in fields(Costs)})

    def take(self, where: NDArray[np.int64]) -> Costs:
        """Give the costs of some plans, by position."""

        def taken(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: taken(one) for key, one in value.items()}
            if isinstance(value, Later):
                return Later(lambda: taken(value.value))
            if isinstance(value, Demand):
                return replace(value, asked=value.asked[where])
            if is_dataclass(value) and not isinstance(value, type):
                return replace(value, **{f.name: taken(getattr(value, f.name)) for f in fields(value)})
            return None if value is None else value[where]

        return Costs(**{f.name: taken(getattr(self, f.name)) for f in fields(self)})

    def with_totals(self, latency_s: Array, energy_j: Array) -> Costs:
        """Give costs of another latency and energy, (..., n), all of one cause."""
        none = np.zeros(self.n_chips.shape)
        of_others = dict.fromkeys(LATENCY_CAUSES, none), dict.fromkeys(ENERGY_CAUSES, none)
        latency, energy = (
            others | {"compute": of_all}
            for others, of_all in zip(of_others, (latency_s, energy_j), strict=True)
        )
        return replace(self, latency_by_cause_s=latency, energy_by_cause_j=energy)

    @property
    def latency_s(self) -> Array:
        """Seconds per inference."""
        return latency_of(self.latency_by_cause_s)

    @property
    def energy_j(self) -> Array:
        """Joules per inference, all chips."""
        return energy_of(self.energy_by_cause_j)

    @property
    def accuracy_drop(self) -> Array:
        """Accuracy lost, in the unit of the workload's calibration."""
        return self.lost.value.drop.estimate

    @property
    def accuracy_drop_low(self) -> Array:
        """Lower end of its 90 % interval."""
        return self.lost.value.drop.low

    @property
    def accuracy_drop_high(self) -> Array:
        """Upper end of its 90 % interval."""
        return self.lost.value.drop.high

    @property
    def score(self) -> Array | None:
        """Accuracy in per cent, or loss, that is left; none where nobody measured the whole model's."""
        score: Array | None = self.lost.value.score
        return score

    @property
    def accuracy_within(self) -> NDArray[np.bool_]:
        """Whether the calibration measured as much of all that a plan does."""
        return np.asarray(self.lost.value.within)

    @property
    def edp_js(self) -> Array:
        """Energy-delay product, joule seconds."""
        return self.energy_j * self.latency_s

    @property
    def throughput_tokens_per_s(self) -> Array:
        """Tokens per second, one inference after the other."""
        return self.tokens / self.latency_s

    @property
    def slack(self) -> dict[str, Array]:
        """Demand / limit - 1 of each resource: above 0 where a plan does not fit."""
        return {name: demand.asked / demand.limit - 1 for name, demand in self.demands.items()}

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether every resource suffices."""
        return np.asarray(np.all([slack <= 0 for slack in self.slack.values()], axis=0))

    def violations(self, index: int) -> list[Violation]:
        """List the resources that plan `index` exceeds."""
        return [
            Violation(resource=name, demand=float(d.asked[index]), limit=d.limit, unit=d.unit)
            for name, d in self.demands.items()
            if d.asked[index] > d.limit
        ]

    def limited_by(self, index: int) -> str:
        """Name the cause with the largest share of plan `index`'s latency."""
        return max(LATENCY_CAUSES, key=lambda cause: float(self.latency_by_cause_s[cause][index]))
