"""Plans as whole numbers: positions in the choices of a space, which engines step along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.plan import DECISIONS, Ints
from costmodel.plans import Plans
from search_spaces import Candidates


class Genes:
    """The encoding of a space: a row is the position of a strategy, then of each decision's choice.

    Choices ascend, so that positions that are near are near in value. A decision that a strategy does not
    know has one choice.

    Attributes
    ----------
    sizes : (s, 1 + d) int
        Positions that there are in each column, by strategy.
    """

    def __init__(self, candidates: Candidates) -> None:
        space = candidates.space
        self._candidates = candidates
        choices = [
            [np.sort(np.array(known.get(name, (DECISIONS[name].neutral,)))) for name in space.named]
            for known in space.choices.values()
        ]
        self.sizes = np.array([[len(choices), *map(len, known)] for known in choices])
        most = int(self.sizes.max())
        self._values = {
            name: np.array(
                [np.pad(known[i], (0, most - len(known[i])), mode="edge") for known in choices],
                dtype=DECISIONS[name].dtype,
            )
            for i, name in enumerate(space.named)
        }

    def of(self, asked: Iterable[dict[str, Any]]) -> Ints:
        """Encode plans given by the values of their decisions, each as its nearest choice, (n, 1 + d)."""
        rows = list(asked)
        first, *_ = strategies = list(self._candidates.space.choices)
        code = np.array([strategies.index(row.get("strategy", first)) for row in rows])
        columns = [
            np.argmin(np.abs(values[code] - np.array([[row[name]] for row in rows])), axis=1)
            for name, values in self._values.items()
        ]
        return np.stack([code, *columns], axis=-1)

    def within(self, genes: Ints) -> Ints:
        """Bring each position into the choices of its row's strategy."""
        code = np.clip(genes[:, :1], 0, len(self.sizes) - 1)
        return np.concatenate([code, np.clip(genes[:, 1:], 0, self.sizes[code[:, 0], 1:] - 1)], axis=1)

    def at(self, unit: NDArray[np.float64]) -> Ints:
        """Give rows at points of the unit cube, in which each choice is as wide as others, (n, 1 + d)."""
        code = np.floor(unit[:, :1] * len(self.sizes)).astype(np.int64)
        return np.concatenate(
            [code, np.floor(unit[:, 1:] * self.sizes[code[:, 0], 1:]).astype(np.int64)], axis=1
        )

    def drawn(self, draw: np.random.Generator, n: int) -> Ints:
        """Draw rows, each strategy and each choice as likely as others, (n, 1 + d)."""
        return self.at(draw.random((n, self.sizes.shape[1])))

    def plans(self, genes: Ints) -> Plans:
        """Decode rows into canonical plans; several rows may be one plan."""
        code = genes[:, 0]
        values = {name: values[code, genes[:, i]] for i, (name, values) in enumerate(self._values.items(), 1)}
        return self._candidates.plans(code, values)
