"""Pruning ratios: columns that a chip sends, and ratios that are the same."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATIO_GRIDS = (10, 20, 50, 100, 200, 500, 1000)  # from round ratios to any


def kept(columns: Any, ratio: Any) -> Any:
    """Columns that a chip sends of those it owns: ``c - min(round(c p), c - 1)``, at least one.

    Half a column is rounded to even, as in the generator of the CATS firmware.

    >>> kept(np.array([128, 32, 16, 8, 1]), np.array([0.9, 0.9, 1.0, 0.5, 1.0])).tolist()
    [13, 3, 1, 4, 1]
    """
    pruned = np.rint(columns * ratio).astype(np.int64)
    return columns - np.minimum(pruned, np.maximum(columns - 1, 0))


@lru_cache(maxsize=1024)
def roundest(columns: tuple[int, ...]) -> NDArray[np.float64]:
    """For each ratio in steps of a thousandth, the roundest one that leaves out the same columns."""
    ratios = np.arange(1001) / 1000
    sent = np.stack([kept(c, ratios) for c in columns], axis=-1)
    grid = np.select([np.arange(1001) * g % 1000 == 0 for g in RATIO_GRIDS], RATIO_GRIDS)
    order = np.lexsort((ratios, grid))
    _, first, group = np.unique(sent[order], axis=0, return_index=True, return_inverse=True)
    best = ratios[order][first][group.ravel()]
    return np.asarray(best[np.argsort(order)])
