"""What a search engine is: it proposes plans and is told what they cost."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from costmodel.plans import Plans

FloatArray = NDArray[np.floating[Any]]


class Engine(Protocol):
    """A search engine over one space.

    ``propose`` and ``tell`` alternate. Proposals are canonical plans of the space; they may repeat
    earlier ones, which are not evaluated again and do not count against the budget.
    """

    @property
    def batch(self) -> int:
        """Plans to propose at once."""
        ...

    def propose(self, k: int) -> Plans:
        """Propose up to `k` plans; none when there is nothing left."""
        ...

    def tell(self, values: FloatArray, violations: FloatArray) -> None:
        """Hear about the plans proposed last.

        Parameters
        ----------
        values : (k, m) float, minimised
        violations : (k, v) float
            At most 0 where a constraint is met.
        """
        ...
