"""Plans at the ends of a space, with which a search begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from search_spaces import SearchSpace

CORNER_CHIPS = 16  # numbers of chips at which the ends of a space are tried


def corners(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Give plans at the ends of a space: everything least, or everything most, on few chips and many.

    The extremes of a front are often among them, and a sampler seldom finds all decisions at one end.
    Those on most chips come first: they are the likeliest to fit.
    """
    for strategy, choices in space.choices.items():
        chips = sorted(choices["n_chips"])
        steps = np.linspace(0, len(chips) - 1, min(len(chips), CORNER_CHIPS)).round().astype(int)
        for n in (chips[i] for i in np.unique(steps)[::-1]):
            for end in (min, max):
                ends = {name: end(choices.get(name, space.union(name))) for name in space.named}
                named = {"strategy": strategy} if len(space.choices) > 1 else {}
                yield named | ends | {"n_chips": n}
