"""Batches of plans: a list, or a product with decisions along axes of their own.

Values of a product broadcast, so that what depends on few decisions is as small as they make it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.plan import DECISIONS, Ints, Plan, Values


@dataclass(frozen=True, kw_only=True)
class Plans:
    """A batch of plans as a structure of arrays: a list of n, or a product.

    Attributes
    ----------
    names : tuple of str
        Strategies that plans of the batch may have.
    strategy : (n,) int
        Position in `names` of each plan's; in a product, of all plans that are listed.
    values : dict of (n,) or (...)
        Values of every decision, by name, in the order of `DECISIONS`. Those of a product broadcast to
        `shape`: (k, a, b, ...), k plans that are listed and an axis for each decision that all its values
        are combined of.
    """

    names: tuple[str, ...]
    strategy: Ints
    values: dict[str, Values]

    @staticmethod
    def of(plans: Iterable[Plan]) -> Plans:
        """Pack plans."""
        rows = list(plans)
        names = tuple(dict.fromkeys(row.strategy for row in rows))
        return Plans(
            names=names,
            strategy=np.array([names.index(row.strategy) for row in rows], dtype=np.int64),
            values={
                name: np.array([getattr(row, name) for row in rows], dtype=decision.dtype)
                for name, decision in DECISIONS.items()
            },
        )

    @staticmethod
    def filled(strategy: str, n: int, values: dict[str, Values]) -> Plans:
        """Give n plans of one strategy; decisions without values are neutral."""
        return Plans(
            names=(strategy,),
            strategy=np.zeros(n, dtype=np.int64),
            values={
                name: np.asarray(values[name], dtype=decision.dtype)
                if name in values
                else np.full(n, decision.neutral, dtype=decision.dtype)
                for name, decision in DECISIONS.items()
            },
        )

    @staticmethod
    def joined(batches: Sequence[Plans]) -> Plans:
        """Join batches, one after the other."""
        names = tuple(dict.fromkeys(name for batch in batches for name in batch.names))
        codes = [np.array([names.index(n) for n in b.names], dtype=np.int64)[b.strategy] for b in batches]
        return Plans(
            names=names,
            strategy=np.concatenate(codes),
            values={name: np.concatenate([batch[name] for batch in batches]) for name in DECISIONS},
        )

    def product(self, axes: Mapping[str, Values]) -> Plans:
        """Combine listed plans of one strategy with all values of some decisions.

        Parameters
        ----------
        axes : dict of (a,)
            Values of decisions by name, in the order of the axes.
        """
        rank = 1 + len(axes)

        def along(axis: int, values: Values) -> Values:
            return values.reshape([-1 if i == axis else 1 for i in range(rank)])

        places = {name: axis for axis, name in enumerate(axes, start=1)}
        return replace(
            self,
            strategy=along(0, self.strategy),
            values={
                name: along(places[name], np.asarray(axes[name])) if name in axes else along(0, column)
                for name, column in self.values.items()
            },
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what is known of each plan: (n,) of a list."""
        return np.broadcast_shapes(self.strategy.shape, *(column.shape for column in self.values.values()))

    def __len__(self) -> int:
        return prod(self.shape)

    def __getitem__(self, name: str) -> Values:
        return self.values[name]

    def __iter__(self) -> Iterator[Plan]:
        return (self.row(i) for i in range(len(self)))

    @property
    def strategies(self) -> list[str]:
        """Name of each plan's strategy."""
        return [self.names[code] for code in self.strategy.tolist()]

    def blocks(self, most: int) -> Iterator[Plans]:
        """Cut the plans in blocks of at most so many, in order: products or lists, like the whole."""
        axis = next((i for i, size in enumerate(self.shape) if size > 1), 0)
        size = self.shape[axis]
        each = len(self) // max(size, 1)
        at_once = max(most // max(each, 1), 1)
        for start in range(0, size, at_once):
            block = self.along(axis, slice(start, start + at_once))
            if len(block) > most and axis + 1 < len(self.shape):
                yield from block.blocks(most)
            else:
                yield block

    def along(self, axis: int, some: slice) -> Plans:
        """Give some of the plans along one axis."""
        cut = tuple(some if i == axis else slice(None) for i in range(len(self.shape)))

        def of(column: Values) -> Values:
            return column[cut] if column.shape[axis] > 1 else column

        values = {name: of(column) for name, column in self.values.items()}
        return replace(self, strategy=of(self.strategy), values=values)

    def row(self, index: int) -> Plan:
        """Unpack one plan."""
        decided: dict[str, Any] = {name: self[name][index].item() for name in DECISIONS}
        return Plan(strategy=self.names[self.strategy[index]], **decided)

    def take(self, index: Sequence[int] | Ints | NDArray[np.bool_]) -> Plans:
        """Give the plans at `index` of a list (positions or a mask)."""
        values = {name: column[index] for name, column in self.values.items()}
        return replace(self, strategy=self.strategy[index], values=values)

    def listed(self, index: Ints | None = None) -> Plans:
        """Give plans of a product as a list: all of them, the last axis fastest, or those at `index`."""
        at = np.unravel_index(np.arange(len(self)) if index is None else index, self.shape)

        def each(column: Values) -> Values:
            return np.asarray(np.broadcast_to(column, self.shape)[at])

        values = {name: each(column) for name, column in self.values.items()}
        return replace(self, strategy=each(self.strategy), values=values)

    def by_strategy(self) -> Iterator[tuple[Ints, Plans]]:
        """Give the plans of each strategy that is there, with their positions."""
        for code, name in enumerate(self.names):
            where = np.flatnonzero(self.strategy == code)
            if len(where) or len(self.names) == 1:
                some = self.take(where)
                yield where, Plans(names=(name,), strategy=0 * some.strategy, values=some.values)

    def changed(self, **values: Values) -> Plans:
        """Give the same plans with other values for some decisions."""
        return replace(self, values={**self.values, **values})

    def neutralised(self, keep: Iterable[str]) -> Plans:
        """Give every decision but those to keep its neutral value."""
        kept = set(keep)
        return replace(
            self,
            values={
                name: column if name in kept else np.full_like(column, DECISIONS[name].neutral)
                for name, column in self.values.items()
            },
        )
