"""What a strategy is: which plans it has, what it makes of them, and how it is spoken of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, Ints, Plan
from costmodel.plans import Plans
from costmodel.program import ChipSlices, Program
from costmodel.shards import Fills, alike
from costmodel.workload import Workload


def pinning(platform: Platform, plans: Plans) -> Ints:
    """Give whether chips pin blocks; where there is no memory to load others from, all are on chip anyway."""
    return np.where(platform.mcu.l3 is None, 1, plans["pinning"])


def kv_replication(workload: Workload, plans: Plans) -> Ints:
    """Give whether KV groups are split, and their heads replicated; where that changes nothing, they are."""
    return np.where(alike(workload.model, plans["n_chips"]), 1, plans["kv_replication"])


def words_of_all(plan: Plan) -> tuple[str, ...]:
    """Say of what all strategies decide alike where it is unusual."""
    return (
        *(() if plan.kv_replication else ("KV groups whole",)),
        *(() if plan.pinning else ("all blocks or none on chip",)),
    )


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to cut a model over chips; every field is needed.

    Attributes
    ----------
    name : str
        As in plans, spaces and tables.
    description : str
        What it does, in a line.
    decisions : tuple of str
        Decisions that its plans have; all others are neutral.
    canonical : callable
        Plans to the one form of all plans that cost the same, (n,) to (n,). It may give another
        strategy's name to plans that are that one's (a single chip has one owner).
    program : callable
        Canonical plans, and how shares by room are dealt out, to what each chip computes, holds and
        exchanges.
    slices : callable
        One canonical plan, and how its shares are dealt out, to what each chip has of every matrix, in
        agreement with `program`.
    words : callable
        One canonical plan in a few words.
    scales : dict
        What is quantised to where its scale comes from; all are known before a plan runs.
    published_chips : int
        The most chips of any published system that is cut so; 1 where there is none. Plans with more
        stand outside published ground.
    axes : dict of tuple of str
        Decisions that products of plans have axes for, by the part of the program that alone depends on
        them.

    Raises
    ------
    TypeError
        A field is empty, no function, no decision or no number of chips: a strategy that
        defines nothing is none.
    """

    name: str
    description: str
    decisions: tuple[str, ...]
    canonical: Callable[[Workload, Platform, Plans], Plans]
    program: Callable[[Workload, Platform, Plans, Fills], Program]
    slices: Callable[[Workload, Platform, Plan, Fills], tuple[ChipSlices, ...]]
    words: Callable[[Plan], str]
    scales: Mapping[str, str]
    published_chips: int
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for needed in ("name", "description", "decisions", "scales"):
            if not getattr(self, needed):
                raise TypeError(f"strategy {self.name!r}: {needed} is empty")
        if not (isinstance(self.published_chips, int) and self.published_chips > 0):
            raise TypeError(
                f"strategy {self.name!r}: published_chips {self.published_chips!r} must be 1 or more"
            )
        if not set(self.along_axes) <= set(self.decisions):
            raise TypeError(f"strategy {self.name!r}: axes {self.along_axes} must be of its decisions")
        unknown = [name for name in self.decisions if name not in DECISIONS]
        if unknown or "n_chips" not in self.decisions:
            raise TypeError(
                f"strategy {self.name!r}: decisions {self.decisions} must be of {list(DECISIONS)}"
            )
        for needed in ("canonical", "program", "slices", "words"):
            if not callable(getattr(self, needed)):
                raise TypeError(f"strategy {self.name!r}: {needed} is no function")

    @property
    def along_axes(self) -> tuple[str, ...]:
        """Decisions that products of plans have axes for, in the order of the axes."""
        return tuple(name for names in self.axes.values() for name in names)
