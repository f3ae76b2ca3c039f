"""What a chip is in a reduction: the root, a leader that adds what its group sends, or a member."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Role(IntEnum):
    """Role of a chip; the order of the axis of roles."""

    ROOT = 0
    LEADER = 1
    MEMBER = 2


def role_of(chip: int, n_chips: int, group_size: int) -> Role:
    """Give one chip's role: chip 0 is the root, the first of each group leads it if it is not alone.

    >>> [role_of(chip, 6, 4).name for chip in range(6)]
    ['ROOT', 'MEMBER', 'MEMBER', 'MEMBER', 'LEADER', 'MEMBER']
    """
    if chip == 0:
        return Role.ROOT
    return Role.LEADER if chip % group_size == 0 and chip + 1 < n_chips else Role.MEMBER


def roles_of(first: Any, chips: Any, group_size: Any) -> NDArray[np.int64]:
    """Count the chips of each role in runs of chips, as `role_of` gives them one by one.

    Parameters
    ----------
    first, chips : (c, ...) int
        First chip of each run, and chips in it; together the runs are all chips of a plan.
    group_size : (...) int
        Chips that one level joins.

    Returns
    -------
    (3, c, ...) int
        Roots, leaders and members.
    """
    n = np.sum(chips, axis=0)
    end = np.minimum(first + chips, n - 1)  # the last chip has nobody to lead
    begin = np.minimum(np.maximum(first, 1), end)
    leaders = np.where(chips > 0, np.maximum(-(-end // group_size) + (-begin // group_size), 0), 0)
    roots = ((first == 0) & (chips > 0)).astype(np.int64)
    return np.stack([roots, leaders, chips - roots - leaders])
