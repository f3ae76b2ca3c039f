"""How many messages of a tree follow each other, in closed form and one by one.

A chip handles one message at a time. The first chip leads a full group wherever there is one, so that
no chip is later than the root. Which trees there are is said in ``costmodel.roles``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.roles import Role, grown, grows, roles_of


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Shape of the reduction trees of n plans.

    Attributes
    ----------
    hops : (n,) int
        Messages one after the other on the way to the root: sum over levels of (group - 1).
    depth : (n,) int
        Number of levels; of messages from the root to the farthest chip, in a tree that grows.
    relays : (n,) int
        Chips that send on a sum to which they have added.
    relay_hops : (n,) int
        Such sums that the root waits for one after the other, at most; one a level.
    partners : (n,) int
        Links of the chip that has most: the root.
    """

    hops: NDArray[np.int64]
    depth: NDArray[np.int64]
    relays: NDArray[np.int64]
    relay_hops: NDArray[np.int64]
    partners: NDArray[np.int64]


def hierarchy(
    n_chips: NDArray[np.int64], group_size: Any, ports: int | None = None, n_all: Any = None
) -> Hierarchy:
    """Count hops and levels: level by level, ``min(group, left) - 1`` hops, ``ceil(left / group)`` left.

    Parameters
    ----------
    n_chips : (n,) int
        Chips that take part: the first ones.
    ports : int, optional
        Links that a chip can have.
    n_all : (n,) int, optional
        All chips, whose tree they are a part of; without it, they are all.

    >>> shape = hierarchy(np.array([1, 8, 64]), np.array([4, 4, 4]))
    >>> shape.hops.tolist(), shape.depth.tolist()
    ([0, 4, 9], [0, 2, 3])
    >>> shape = hierarchy(np.array([24, 64]), np.array([2, 2]), ports=3)
    >>> shape.hops.tolist(), shape.partners.tolist()
    ([5, 7], [3, 3])
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
    n = n_chips + 0 * group_size
    partners = hops.copy()
    growing = grows(n if n_all is None else n_all, group_size, ports)
    if ports is not None and np.any(growing):
        tree = grown(ports, int(np.max(n)))
        last = n - 1
        deepest = np.maximum.accumulate(tree.depth)
        hops = np.where(growing, tree.slot[last] + 1, hops)
        depth = np.where(growing, deepest[last], depth)
        relay_hops = np.where(growing, np.maximum(deepest[last] - 1, 0), relay_hops)
        partners = np.where(growing, tree.partners[last], partners)
    relays = roles_of(np.zeros_like(n)[None], n[None], group_size, ports, n_all)[Role.LEADER, 0]
    return Hierarchy(hops=hops, depth=depth, relays=relays, relay_hops=relay_hops, partners=partners)


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


def _taken_in(n_chips: int, ports: int) -> list[Hop]:
    """Messages that take chips into a tree that grows."""
    tree = grown(ports, n_chips)
    return [
        Hop(slot=int(tree.slot[chip]), sender=int(tree.parent[chip]), receiver=chip)
        for chip in range(1, n_chips)
    ]


def reduction(n_chips: int, group_size: int, ports: int | None = None, n_all: int | None = None) -> list[Hop]:
    """Messages up the tree to chip 0; a leader takes its members' messages one at a time."""
    if ports is not None and grows(n_all or n_chips, group_size, ports):
        down = _taken_in(n_chips, ports)
        last = max((hop.slot for hop in down), default=0)
        hops = [Hop(slot=last - h.slot, sender=h.receiver, receiver=h.sender) for h in down]
        return sorted(hops, key=lambda hop: (hop.slot, hop.receiver))
    free = [0] * n_chips
    hops = []
    for groups in levels(n_chips, group_size):
        for leader, *members in groups:
            for member in members:
                slot = max(free[leader], free[member])
                hops.append(Hop(slot=slot, sender=member, receiver=leader))
                free[leader] = slot + 1
    return sorted(hops, key=lambda hop: (hop.slot, hop.receiver))


def broadcast(n_chips: int, group_size: int, ports: int | None = None, n_all: int | None = None) -> list[Hop]:
    """Messages down the tree from chip 0; a leader serves higher levels first."""
    if ports is not None and grows(n_all or n_chips, group_size, ports):
        return _taken_in(n_chips, ports)
    free = [0] * n_chips
    hops = []
    for groups in reversed(levels(n_chips, group_size)):
        for leader, *members in groups:
            for member in members:
                hops.append(Hop(slot=free[leader], sender=leader, receiver=member))
                free[leader] += 1
                free[member] = free[leader]
    return sorted(hops, key=lambda hop: (hop.slot, hop.sender))
