"""Who sends what to whom, in which order: the message trees of a plan's synchronisations."""

from __future__ import annotations

from dataclasses import dataclass


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
