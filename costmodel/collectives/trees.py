"""Hierarchies of groups: how many messages follow each other, in closed form and one by one.

Chips 0, 1, ..., n-1 are cut in groups of `group_size` in order; the first of each group is its
leader; the leaders are cut in groups again until one chip, the root, is left (Bochem et al.,
DATE 2025, poster: hierarchical reduction in groups of chips). A chip handles one message at a time.
The first chip leads a full group wherever there is one, so that no chip is later than the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.roles import Role, roles_of


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Shape of the reduction trees of n plans.

    Attributes
    ----------
    hops : (n,) int
        Messages one after the other on the way to the root: sum over levels of (group - 1).
    depth : (n,) int
        Number of levels.
    relays : (n,) int
        Chips that send on a sum to which they have added.
    relay_hops : (n,) int
        Such sums that the root waits for one after the other, at most one a level.
    """

    hops: NDArray[np.int64]
    depth: NDArray[np.int64]
    relays: NDArray[np.int64]
    relay_hops: NDArray[np.int64]


def hierarchy(n_chips: NDArray[np.int64], group_size: Any) -> Hierarchy:
    """Count hops and levels: level by level, ``min(group, left) - 1`` hops, ``ceil(left / group)`` left.

    >>> shape = hierarchy(np.array([1, 8, 64]), np.array([4, 4, 4]))
    >>> shape.hops.tolist(), shape.depth.tolist()
    ([0, 4, 9], [0, 2, 3])
    """
    left = n_chips + 0 * group_size
    hops = np.zeros_like(left)
    depth = np.zeros_like(left)
    relay_hops = np.zeros_like(left)
    span = np.ones_like(left)  # chips below one leader of this level
    while np.any(left > 1):
        hops += np.minimum(group_size, left) - 1
        depth += left > 1
        relay_hops += (left > 1) & (span > 1) & (n_chips - span > 1)
        left = -(-left // group_size)
        span = span * group_size
    relays = roles_of(np.zeros_like(left)[None], (n_chips + 0 * group_size)[None], group_size)[Role.LEADER, 0]
    return Hierarchy(hops=hops, depth=depth, relays=relays, relay_hops=relay_hops)


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One message; `slot` counts the messages that must have gone before it, one after the other."""

    slot: int
    sender: int
    receiver: int


def levels(n_chips: int, group_size: int) -> list[list[list[int]]]:
    """Groups of each level of the hierarchy, bottom first; the first chip of a group leads it.

    >>> levels(5, 4)
    [[[0, 1, 2, 3], [4]], [[0, 4]]]
    """
    result, chips = [], list(range(n_chips))
    while len(chips) > 1:
        groups = [chips[i : i + group_size] for i in range(0, len(chips), group_size)]
        result.append(groups)
        chips = [group[0] for group in groups]
    return result


def reduction(n_chips: int, group_size: int) -> list[Hop]:
    """Messages up the hierarchy to chip 0; a leader takes its members' messages one at a time."""
    free = [0] * n_chips
    hops = []
    for groups in levels(n_chips, group_size):
        for leader, *members in groups:
            for member in members:
                slot = max(free[leader], free[member])
                hops.append(Hop(slot=slot, sender=member, receiver=leader))
                free[leader] = slot + 1
    return sorted(hops, key=lambda hop: (hop.slot, hop.receiver))


def broadcast(n_chips: int, group_size: int) -> list[Hop]:
    """Messages down the hierarchy from chip 0; a leader serves higher levels first."""
    free = [0] * n_chips
    hops = []
    for groups in reversed(levels(n_chips, group_size)):
        for leader, *members in groups:
            for member in members:
                hops.append(Hop(slot=free[leader], sender=leader, receiver=member))
                free[leader] += 1
                free[member] = free[leader]
    return sorted(hops, key=lambda hop: (hop.slot, hop.sender))
