"""Evolution of the front on arrays: neighbours and mixtures of its plans are proposed, none of them twice."""

from __future__ import annotations

from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from costmodel.plan import Ints
from costmodel.plans import Plans
from costmodel.strategies import Key, keys
from dse.engines.corners import corners
from dse.engines.exhaustive import Listed, unseen
from dse.engines.genes import Genes
from search_spaces import Candidates

FloatArray = NDArray[np.floating[Any]]

# Plans proposed at once: few where the first ones teach most, then a share of those proposed so far.
LEAST_AT_ONCE, GROWTH, MOST_AT_ONCE = 5, 0.1, 500
# Plans of the front are parents, and while it is small the next best ones. Further ones are kept for when
# all near them is known, and of a large front those far apart.
LEAST_PARENTS, MOST_KEPT = 15, 2_000
BESIDE_GAPS = 0.7  # share of parents next to a gap in the front; the others win a tournament of two
CROSSED = 0.2  # share of offspring that have decisions of two parents
NEXT = 0.5  # chance that a step goes no further than the next choice, and so for each further one
UNIFORM = 0.1  # share of changed decisions that take any choice
FRESH = 0.05  # share of plans that have no parents
# Rounds of offspring until a batch is full. In the first there are several times the plans that are wanted,
# as more rows cost less than one more round; each next one has twice as many, of twice as many parents, the
# best ones; those of the last round have none.
ROUNDS, SEVERAL, AT_LEAST = 8, 4, 32


class Evolutionary:
    """Evolve plans on few and many chips, with everything least and most, into a front."""

    def __init__(self, candidates: Candidates, n_objectives: int, seed: int) -> None:
        self._candidates, self._seed = candidates, seed
        self._draw = np.random.default_rng(seed)
        self._genes = Genes(candidates)
        self._first = self._genes.of(corners(candidates.space))
        self._seen: set[Key] = set()  # keys of all plans proposed
        self._rest: Listed | None = None
        self._asked = self._parents = self._first[:0]
        self._on_front = 0  # parents that are feasible and not dominated
        self._values: FloatArray = np.empty((0, n_objectives))
        self._missed: FloatArray = np.empty(0)

    @property
    def batch(self) -> int:
        """Plans to propose at once."""
        return int(np.clip(GROWTH * len(self._seen), LEAST_AT_ONCE, MOST_AT_ONCE))

    def propose(self, k: int) -> Plans:
        """Propose up to `k` plans that were not proposed before."""
        genes, batches, left = [self._first[:0]], [Plans.of([])], k
        for count in range(ROUNDS):
            if self._rest is not None or not left:
                break
            if len(self._first):
                some, self._first = self._first[:left], self._first[left:]
            else:
                n = max(SEVERAL * left, AT_LEAST) << count
                fresh = 1.0 if count == ROUNDS - 1 else FRESH * left / n
                some = self._offspring(n, max(self._on_front, LEAST_PARENTS) << count, fresh)
            plans = self._genes.plans(some)
            new = self._new(plans, left)
            genes.append(some[new])
            batches.append(plans.take(new))
            left -= len(new)
        self._asked = np.concatenate(genes)
        if left == k:
            return self._others(k)
        return Plans.joined(batches)

    def _others(self, k: int) -> Plans:
        """Give plans that no offspring came to: all of those left in a small space, in random order."""
        if self._rest is None:
            self._rest = unseen(self._candidates, self._seen, self._seed)
        for _ in range(ROUNDS):
            plans = self._rest.propose(k)
            new = self._new(plans, k)
            if len(new):
                return plans.take(new)
        return Plans.of([])

    def _new(self, plans: Plans, most: int) -> Ints:
        """Positions of the first plans that were not proposed before; they are from now on."""
        first: dict[Key, int] = {}
        for i, key in enumerate(keys(plans).tolist()):
            if len(first) == most:
                break
            if key not in self._seen:
                first.setdefault(key, i)
        self._seen.update(first)
        return np.array(list(first.values()), dtype=np.int64)

    def _offspring(self, n: int, best: int, fresh: float) -> Ints:
        """Change and cross some of the best; a share of the rows is drawn at random instead, (n, 1 + d)."""
        draw = self._draw
        drawn = self._genes.drawn(draw, n)
        if not len(self._parents):
            return drawn
        one, other = self._pairs(n, best)
        mixed = (draw.random((n, 1)) < CROSSED) & (draw.random(drawn.shape) < 0.5)
        child = self._genes.within(np.where(mixed, self._parents[other], self._parents[one]))
        sizes = self._genes.sizes[child[:, 0]]
        free = np.maximum(np.sum(sizes > 1, axis=1, keepdims=True), 1)
        steps = draw.geometric(NEXT, size=child.shape) * draw.choice([-1, 1], size=child.shape)
        anywhere = np.floor(draw.random(child.shape) * sizes).astype(np.int64)
        moved = np.where(draw.random(child.shape) < UNIFORM, anywhere, child + steps)
        changed = draw.random(child.shape) < 1 / free
        child = self._genes.within(np.where(changed, moved, child))
        return np.where(draw.random((n, 1)) < fresh, drawn, child)

    def _pairs(self, n: int, best: int) -> tuple[Ints, Ints]:
        """Pick parents: both ends of a gap of the front, as likely as it is wide, or the better of two."""
        draw = self._draw
        # Parents stand in order: the better comes first.
        pairs = np.min(draw.integers(min(best, len(self._parents)), size=(2, n, 2)), axis=-1)
        if self._on_front > 1:
            order, gaps = _gaps(self._values[: self._on_front])
            if gaps.sum() > 0:
                at = draw.choice(gaps.size, size=n, p=gaps.ravel() / gaps.sum())
                row, column = np.unravel_index(at, gaps.shape)
                low = draw.integers(2, size=n)
                ends = np.stack([order[row + low, column], order[row + 1 - low, column]])
                pairs = np.where(draw.random(n) < BESIDE_GAPS, ends, pairs)
        return pairs[0], pairs[1]

    def tell(self, values: FloatArray, violations: FloatArray) -> None:
        """Keep plans as parents, the best first."""
        if self._rest is not None:
            return  # the order is fixed
        genes = np.concatenate([self._parents, self._asked])
        values = np.concatenate([self._values, values])
        missed = np.concatenate([self._missed, np.sum(np.maximum(violations, 0.0), axis=1)])
        rank = ranked(values, missed)
        order = np.lexsort((-_room(values, missed, rank), rank))
        kept = order[:MOST_KEPT]
        self._on_front = min(int(np.sum(rank[missed <= 0] == 0)), MOST_KEPT)
        self._parents, self._values, self._missed = genes[kept], values[kept], missed[kept]


def ranked(values: FloatArray, missed: FloatArray) -> Ints:
    """Rank by constrained domination: feasible plans by fronts, then the others, less missed first, (n,).

    >>> ranked(np.array([[2.0, 1.0], [1.0, 2.0], [2.0, 2.0], [0.0, 0.0]]), np.array([0.0, 0.0, 0.0, 0.5]))
    array([0, 0, 1, 2])
    """
    rank = np.zeros(len(values), dtype=np.int64)
    fits = missed <= 0
    if fits.any():
        rank[fits] = moocore.pareto_rank(values[fits])
    rank[~fits] = np.unique(missed[~fits], return_inverse=True)[1] + np.max(rank[fits], initial=-1) + 1
    return rank


def _scaled(values: FloatArray) -> FloatArray:
    """Objectives on a scale from 0 to 1, of one sign by their logarithm, so that halving counts the same."""
    one_sign = np.all(values > 0, axis=0) | np.all(values < 0, axis=0)
    scaled = np.where(one_sign, np.sign(values) * np.log(np.abs(np.where(one_sign, values, 1.0))), values)
    width = np.ptp(scaled, axis=0)
    return np.asarray((scaled - np.min(scaled, axis=0)) / np.where(width > 0, width, 1.0))


def _gaps(values: FloatArray) -> tuple[Ints, FloatArray]:
    """Order plans by each objective, (n, m), and give the gaps between them, (n - 1, m)."""
    scaled = _scaled(values)
    order = np.argsort(scaled, axis=0, kind="stable")
    return order, np.diff(np.take_along_axis(scaled, order, axis=0), axis=0)


def _room(values: FloatArray, missed: FloatArray, rank: Ints) -> FloatArray:
    """How far feasible plans are from others of their rank, (n,): the crowding distance of NSGA-II."""
    room = np.zeros(len(values))
    fits = np.flatnonzero(missed <= 0)
    if not len(fits):
        return room
    of = rank[fits]
    for column in _scaled(values[fits]).T:
        order = np.lexsort((column, of))
        same = np.diff(of[order]) == 0
        gaps = np.pad(np.where(same, np.diff(column[order]), np.inf), 1, constant_values=np.inf)
        room[fits[order]] += gaps[1:] + gaps[:-1]
    return room


def evolutionary(candidates: Candidates, n_objectives: int, seed: int) -> Evolutionary:
    """Evolve plans, few at a time at first."""
    return Evolutionary(candidates, n_objectives, seed)
