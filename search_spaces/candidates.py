"""The plans of a space on one workload and platform: how many, which ones, and the nearest to any values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, Ints, Number, Values
from costmodel.plans import Plans
from costmodel.strategies import canonical, in_order, strategy_named
from costmodel.workload import Workload

if TYPE_CHECKING:
    from search_spaces.space import SearchSpace

STEERING = tuple(name for name, decision in DECISIONS.items() if decision.steers)
DRAWN_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The plans of a space on one workload and platform, in their canonical form.

    Whatever values are asked for, a valid plan comes out, and equivalent plans are one.
    """

    space: SearchSpace
    workload: Workload
    platform: Platform

    def plans(self, strategies: Ints, values: dict[str, Values]) -> Plans:
        """Build canonical plans.

        Parameters
        ----------
        strategies : (n,) int
            Positions in the space's strategies.
        values : dict of (n,)
            Values of the space's decisions; one that a strategy may not have becomes the nearest that
            it may, one that it does not know is ignored.
        """
        found, positions = [], []
        for code, (strategy, choices) in enumerate(self.space.choices.items()):
            where = np.flatnonzero(strategies == code)
            chosen = {name: _snapped(values[name][where], allowed) for name, allowed in choices.items()}
            found.append(Plans.filled(strategy, len(where), chosen))
            positions.append(where)
        order = np.argsort(np.concatenate(positions), kind="stable")
        return canonical(self.workload, self.platform, Plans.joined(found).take(order))

    @cached_property
    def products(self) -> tuple[Plans, ...]:
        """Every distinct plan once: products of one strategy each, or lists where it has no axes.

        What a decision's canonical value is depends on that decision and on those that steer, such as the
        number of chips, so that the plans of each of their combinations are a product.
        """
        columns: dict[tuple[str, tuple[Number, ...]], dict[str, set[Number]]] = {}
        for strategy, steered, found in self._varied():
            sets = columns.setdefault((strategy, steered), {})
            for name, value in found.items():
                sets.setdefault(name, set()).add(value)
        lists: dict[str, list[Plans]] = {}
        for (strategy, _), sets in columns.items():
            axes = {name: DECISIONS[name].by_need(sets[name]) for name in strategy_named(strategy).along_axes}
            others = {name: sorted(values) for name, values in sets.items() if name not in axes}
            grid = np.meshgrid(*others.values(), indexing="ij")
            listed = {name: axis.ravel() for name, axis in zip(others, grid, strict=True)}
            plans = Plans.filled(strategy, grid[0].size, listed)
            lists.setdefault(strategy, []).append(plans.product(axes) if axes else plans)
        return tuple(
            product
            for strategy, some in lists.items()
            for product in (some if strategy_named(strategy).axes else [Plans.joined(some)])
        )

    def _varied(self) -> Iterator[tuple[str, tuple[Number, ...], dict[str, Number]]]:
        """Vary one decision at a time, for all values of those that steer.

        Gives strategy, canonical values of those that steer, and canonical values of all decisions.
        """
        for strategy, choices in self.space.choices.items():
            steering = [name for name in STEERING if name in choices]
            grid = np.meshgrid(*(choices[name] for name in steering), indexing="ij")
            size = grid[0].size
            base = {name: np.full(size, values[0]) for name, values in choices.items()}
            base |= {name: axis.ravel() for name, axis in zip(steering, grid, strict=True)}
            free = [name for name in choices if name not in steering]
            for asked in ({}, *({name: np.full(size, one)} for name in free for one in choices[name])):
                found = canonical(self.workload, self.platform, Plans.filled(strategy, size, base | asked))
                for i, name in enumerate(found.strategies):
                    values = {key: column[i].item() for key, column in found.values.items()}
                    yield name, tuple(values[key] for key in STEERING), values

    @cached_property
    def size(self) -> int:
        """Number of distinct plans."""
        return sum(map(len, self.products))

    @cached_property
    def all_plans(self) -> Plans:
        """Every distinct plan, by strategy, then in ascending order of its decisions."""
        plans = Plans.joined([product.listed() for product in self.products])
        return plans.take(in_order(plans))

    def at(self, index: Ints) -> Plans:
        """Give the plans at some positions from 0 to `size`, as a list in that order."""
        ends = np.cumsum([0, *map(len, self.products)])
        of = np.searchsorted(ends, index, side="right") - 1
        there = np.unique(np.append(of, 0)).tolist()
        some = [self.products[i].listed(index[of == i] - ends[i]) for i in there]
        return Plans.joined(some).take(np.argsort(np.argsort(of, kind="stable"), kind="stable"))

    def drawn(self, seed: int) -> Iterator[Plans]:
        """Draw plans at random, without end; some come again."""
        draw = np.random.default_rng(seed)
        while True:
            yield self.at(draw.integers(self.size, size=DRAWN_AT_ONCE))


def _snapped(values: Values, allowed: tuple[Number, ...]) -> NDArray[Any]:
    """Give each value the nearest one that is allowed."""
    options = np.sort(np.array(allowed))
    right = np.clip(np.searchsorted(options, values), 0, len(options) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.abs(values - options[left]) < np.abs(options[right] - values)
    return np.asarray(np.where(nearer, options[left], options[right]))
