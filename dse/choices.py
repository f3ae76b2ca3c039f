"""Choices for parts of a program as rows of numbers, and which of them no other one undercuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.plan import Ints

FloatArray = NDArray[np.floating[Any]]
COMPARED_AT_ONCE = 1 << 18
PAIRS_AT_ONCE = 1 << 17
CELL = 48  # rows that are as near to each other as can be
BINNED, BINS = (0, 1), 256  # columns that are put into bins, and so many at most


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices for some parts of a program, the others as small as may be.

    Attributes
    ----------
    sums : (n, s) float
        What adds up over parts and is known but for rounding.
    added, largest : (n, a), (n, l) float
        What has to fit: adds up exactly, or is the largest of all parts.
    at : (n, d) int
        Position on each axis of these parts.
    """

    sums: FloatArray
    added: FloatArray
    largest: FloatArray
    at: Ints

    def take(self, index: Ints) -> Choices:
        """Give some of them."""
        return Choices(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def plus(self, other: Choices, least: Choices) -> Choices:
        """Combine each with another part's in the same place; `least` is of all parts as small as may be."""
        return Choices(
            sums=self.sums + (other.sums - least.sums),
            added=self.added + (other.added - least.added),
            largest=np.maximum(self.largest, other.largest),
            at=np.concatenate([self.at, other.at], axis=1),
        )

    def with_each(self, other: Choices, least: Choices) -> Choices:
        """Combine each with each of another part's."""
        one, two = (axis.ravel() for axis in np.indices((len(self.at), len(other.at))))
        return self.take(one).plus(other.take(two), least)

    @staticmethod
    def joined(some: Sequence[Choices]) -> Choices:
        """Join choices for the same parts."""
        return Choices(
            **{f.name: np.concatenate([getattr(one, f.name) for one in some]) for f in fields(Choices)}
        )

    def within(self, room: FloatArray) -> Choices:
        """Leave out what exceeds the room for what adds up."""
        return self.take(np.flatnonzero(np.all(self.added <= room, axis=1)))

    def thinned(self, rounding: FloatArray) -> Choices:
        """Leave out what another one undercuts: by more than rounding in each sum, and it fits as well."""
        sizes = np.concatenate([self.added, self.largest], axis=1)
        sizes = sizes[:, np.any(sizes != sizes[:1], axis=0)]
        lows, highs = (np.concatenate([self.sums + by, sizes], axis=1) for by in (-rounding, rounding))
        kept = above_none(front_of(highs), lows)
        return self.take(np.flatnonzero(kept))

    def cells(self) -> list[Ints]:
        """Cut choices into cells of few that are near to each other: positions of the choices of each."""
        if not len(self.sums):
            return []
        spread = np.ptp(self.sums, axis=0)
        scaled = self.sums / np.where(spread > 0, spread, 1.0)
        found, left = [], [np.arange(len(scaled))]
        while left:
            some = left.pop()
            if len(some) <= CELL:
                found.append(some)
                continue
            widest = scaled[some, int(np.argmax(np.ptp(scaled[some], axis=0)))]
            order = np.argsort(widest, kind="stable")
            left += [some[order[len(order) // 2 :]], some[order[: len(order) // 2]]]
        return found

    def least_of(self, cells: Sequence[Ints]) -> Choices:
        """Give choices that are as small, in all, as any of a cell; of no plan."""
        return Choices(
            **{
                name: np.stack([np.min(getattr(self, name)[cell], axis=0) for cell in cells])
                for name in ("sums", "added", "largest")
            },
            at=np.zeros((len(cells), self.at.shape[1]), dtype=np.int64),
        )


def front_of(rows: FloatArray) -> FloatArray:
    """Give the rows that no other one dominates, each once."""
    return rows[moocore.is_nondominated(rows)] if len(rows) else rows


def above_none(front: FloatArray, rows: FloatArray) -> NDArray[np.bool_]:
    """Whether no row of a front is at most a row in every column, (n,)."""
    left, start, at_once = np.arange(len(rows)), 0, 16
    if rows.shape[1] == len(BINNED) + 1 and len(front) and len(rows) > BINS:
        left = left[~_above_binned(front, rows)]
    scale = np.maximum(np.max(np.abs(front), axis=0, initial=0.0), np.finfo(float).tiny)
    front = front[np.argsort(np.sum(front / scale, axis=1))]  # those that are below most come first
    while len(left) and start < len(front):
        some = front[start : start + at_once]
        below = np.ones((len(left), len(some)), dtype=bool)
        for column in range(rows.shape[1]):
            below &= some[:, column] <= rows[left, column, None]
        left = left[~below.any(axis=1)]
        start += at_once
        at_once = min(2 * at_once, max(COMPARED_AT_ONCE // max(len(left), 1), 1))
    found = np.zeros(len(rows), dtype=bool)
    found[left] = True
    return found


def _above_binned(front: FloatArray, rows: FloatArray) -> NDArray[np.bool_]:
    """Mark rows of three columns that a row of a front is at most: most of them, by a table of bins.

    An entry of the table is the least third value of the front's rows whose first two are at most the ends
    of its bins.
    """
    ends = [np.unique(np.quantile(front[:, i], np.linspace(0, 1, BINS), method="higher")) for i in BINNED]
    bins = [np.searchsorted(end, front[:, i]) for i, end in enumerate(ends)]
    table = np.full([len(end) + 1 for end in ends], np.inf)
    np.minimum.at(table, tuple(one + 1 for one in bins), front[:, -1])
    for axis in BINNED:
        table = np.minimum.accumulate(table, axis=axis)
    at = tuple(np.searchsorted(end, rows[:, i], side="right") for i, end in enumerate(ends))
    return np.asarray(table[at] <= rows[:, -1])


def combined(
    some: Choices,
    others: Choices,
    least: Choices,
    room: FloatArray,
    ends: Callable[[Choices], tuple[FloatArray, FloatArray]],
    front: FloatArray,
) -> Choices:
    """Combine each choice with each of the others, but for those that one is found to undercut.

    Cells of choices are combined first: where all of a pair are undercut, they are never looked at.

    Parameters
    ----------
    ends : callable
        Least and largest value of each column to compare by, (n, v), within what is known of rows.
    front : (f, v) float
        Rows that undercut what is above them, from the beginning.
    """
    if not (len(some.at) and len(others.at)):
        return some.take(np.arange(0)).plus(others.take(np.arange(0)), least)
    mine, theirs = some.cells(), others.cells()
    corners = some.least_of(mine).with_each(others.least_of(theirs), least)
    pairs = np.flatnonzero(np.all(corners.added <= room, axis=1))
    lows, _ = ends(corners.take(pairs))
    scale = np.maximum(np.max(np.abs(lows), axis=0, initial=0.0), np.finfo(float).tiny)
    order = np.argsort(np.sum(lows / scale, axis=1), kind="stable")
    pairs, lows = pairs[order], lows[order]
    found, found_lows = [], []
    at_once, looked = PAIRS_AT_ONCE // CELL**2, 0
    while len(pairs):
        there = np.flatnonzero(above_none(front, lows))
        pairs, lows = pairs[there], lows[there]
        # All that are left are compared anew to a better front when as many were combined as ever before.
        for _ in range(max(looked, 1)):
            now, pairs, lows = pairs[:at_once], pairs[at_once:], lows[at_once:]
            if not len(now):
                break
            looked += 1
            both = [(mine[i], theirs[j]) for i, j in zip(*np.divmod(now, len(theirs)), strict=True)]
            one, two = (
                np.concatenate(flat)
                for flat in zip(*((np.repeat(a, len(b)), np.tile(b, len(a))) for a, b in both), strict=True)
            )
            rows = some.take(one).plus(others.take(two), least).within(room)
            row_lows, row_highs = ends(rows)
            kept = np.flatnonzero(above_none(front, row_lows))
            front = front_of(np.concatenate([front, row_highs[kept]]))
            kept = kept[above_none(front, row_lows[kept])]
            found.append(rows.take(kept))
            found_lows.append(row_lows[kept])
    rows = Choices.joined([some.take(np.arange(0)).plus(others.take(np.arange(0)), least), *found])
    if not found:
        return rows
    return rows.take(np.flatnonzero(above_none(front, np.concatenate(found_lows))))
