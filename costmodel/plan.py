"""Plans: how a workload is cut over chips. One plan is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import PlanError, cut, nearest

Strategy = Literal["head_wise"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
PARTIAL_SUM_BITS = (8, 16, 32)
MAX_CHIPS = 64

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One design point.

    Attributes
    ----------
    strategy : {"head_wise"}
        How blocks are cut.
    n_chips : int
        1 to 64.
    group_size : int
        Chips that one level of the hierarchical reduction joins, at least 2; a flat reduction has
        ``group_size == n_chips``.
    partial_sum_bits : {8, 16, 32}
        Width of the partial sums that travel up the hierarchy.
    """

    strategy: Strategy = "head_wise"
    n_chips: int
    group_size: int = 4
    partial_sum_bits: int = 8

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise PlanError(
                f"unknown strategy {str(self.strategy)!r}; {nearest(str(self.strategy), STRATEGIES)}"
            )
        for name in DECISIONS:
            if type(getattr(self, name)) is not int:
                raise PlanError(f"{name} {cut(getattr(self, name))} must be a whole number")
        if not 1 <= self.n_chips <= MAX_CHIPS:
            raise PlanError(f"n_chips {self.n_chips} must be 1 to {MAX_CHIPS}")
        if not 2 <= self.group_size <= MAX_CHIPS:
            raise PlanError(f"group_size {self.group_size} must be 2 to {MAX_CHIPS}")
        if self.partial_sum_bits not in PARTIAL_SUM_BITS:
            raise PlanError(f"partial_sum_bits {self.partial_sum_bits} must be one of {PARTIAL_SUM_BITS}")

    def canonical(self) -> Plan:
        """Give the one form of all plans that are the same: no group larger than the chips there are.

        >>> Plan(n_chips=3, group_size=8).canonical().group_size
        3
        """
        return Plans.of([self]).canonical().row(0)


@dataclass(frozen=True, kw_only=True)
class Plans:
    """A batch of n plans of one strategy as a structure of arrays, each of shape (n,)."""

    strategy: Strategy
    n_chips: IntArray
    group_size: IntArray
    partial_sum_bits: IntArray

    @staticmethod
    def of(plans: Iterable[Plan]) -> Plans:
        """Pack plans of one strategy."""
        rows = list(plans)
        strategies = {row.strategy for row in rows} or {STRATEGIES[0]}
        if len(strategies) > 1:
            raise PlanError(f"one batch holds one strategy, got {sorted(strategies)}")
        columns = {name: np.array([getattr(row, name) for row in rows], dtype=np.int64) for name in DECISIONS}
        return Plans(strategy=strategies.pop(), **columns)

    def __len__(self) -> int:
        return len(self.n_chips)

    def __iter__(self) -> Iterator[Plan]:
        return (self.row(i) for i in range(len(self)))

    def row(self, index: int) -> Plan:
        """Unpack one plan."""
        return Plan(strategy=self.strategy, **{name: int(getattr(self, name)[index]) for name in DECISIONS})

    def take(self, index: Sequence[int] | IntArray | NDArray[np.bool_]) -> Plans:
        """Give the plans at `index` (positions or a mask)."""
        return Plans(strategy=self.strategy, **{name: getattr(self, name)[index] for name in DECISIONS})

    def canonical(self) -> Plans:
        """Give each plan its canonical form; equal costs, and one form for equivalent plans.

        A group larger than the number of chips is that number (a flat reduction); with one chip
        nothing travels, and group size and width have their least values.
        """
        alone = self.n_chips == 1
        return Plans(
            strategy=self.strategy,
            n_chips=self.n_chips,
            group_size=np.maximum(2, np.minimum(self.group_size, self.n_chips)),
            partial_sum_bits=np.where(alone, PARTIAL_SUM_BITS[0], self.partial_sum_bits),
        )

    def keys(self) -> list[tuple[int, ...]]:
        """Give each plan's decisions as a tuple that can be hashed."""
        columns = [getattr(self, name).tolist() for name in DECISIONS]
        return list(zip(*columns, strict=True))


DECISIONS: tuple[str, ...] = tuple(f.name for f in fields(Plans) if f.name != "strategy")


def plan_of(values: dict[str, Any]) -> Plan:
    """Build a plan from decision values by name, as text or numbers.

    Raises
    ------
    PlanError
        Unknown decision, one that is no whole number, or ``n_chips`` missing.
    """
    names = ("strategy", *DECISIONS)
    decided: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise PlanError(f"unknown decision {name!r}; {nearest(name, names)}")
        if name == "strategy":
            decided[name] = str(value)
            continue
        try:
            decided[name] = int(str(value))
        except ValueError:
            raise PlanError(f"decision {name} = {str(value)!r} must be a whole number") from None
    if "n_chips" not in decided:
        raise PlanError("decision 'n_chips' is missing", "add --set n_chips=8")
    return Plan(**decided)
