"""Trees of chips: who sends to whom, and what that makes a chip: the root, a leader or a member.

Chips 0, 1, ..., n-1 are cut in groups of `group_size` in order; the first of each group is its leader;
the leaders are cut in groups again until one chip, the root, is left (Bochem et al., DATE 2025,
poster). A leader has a link to each chip that it takes something from or sends something to. Where the
tree of pairs needs more links than a chip has ports, it *grows* instead: in each slot every chip that is
in the tree and has a port left takes in the next chip, so that no tree of such chips has fewer slots.
In any tree the links among the first chips are a tree too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
PAIR = 2  # chips that one level of a tree of pairs joins


class Role(IntEnum):
    """Role of a chip; the order of the axis of roles."""

    ROOT = 0
    LEADER = 1
    MEMBER = 2


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A tree that grows where ports are few; arrays by chip, in the order in which chips come in.

    Attributes
    ----------
    parent, slot, depth : (n,) int
        Who takes the chip in, in which slot, and how many messages it is from the root.
    leads_from : (n,) int
        Chips that the tree must have for this one to lead any; ascending.
    partners : (n,) int
        Most links that any chip has when this one is the last.
    """

    parent: Ints
    slot: Ints
    depth: Ints
    leads_from: Ints
    partners: Ints


@cache
def grown(ports: int, n: int) -> Grown:
    """Grow a tree of n chips that have at least two ports each.

    >>> tree = grown(3, 9)
    >>> tree.parent.tolist(), tree.slot.tolist()
    ([-1, 0, 0, 1, 0, 1, 2, 3, 2], [-1, 0, 1, 1, 2, 2, 2, 2, 3])
    """
    parent, slot, depth, links, leads_from, partners = [-1], [-1], [0], [0], [n + 1], [0]
    now = 0
    while len(parent) < n:
        senders = [chip for chip, used in enumerate(links) if used < ports]
        for sender in senders[: n - len(parent)]:
            leads_from[sender] = min(leads_from[sender], len(parent) + 1)
            links[sender] += 1
            parent.append(sender)
            slot.append(now)
            depth.append(depth[sender] + 1)
            links.append(1)
            leads_from.append(n + 1)
            partners.append(max(links))
        now += 1
    columns = (parent, slot, depth, leads_from, partners)
    return Grown(**dict(zip(Grown.__dataclass_fields__, map(np.array, columns), strict=True)))


def levels_of_pairs(n: Any) -> Any:
    """Levels of a tree of pairs, which are the links of its root."""
    return np.ceil(np.log2(np.maximum(n, 1))).astype(np.int64)


def grows(n: Any, group_size: Any, ports: int | None) -> Any:
    """Whether the tree is one that grows: pairs need more ports than there are, which two would do."""
    if ports is None or ports < PAIR:
        return np.zeros(np.broadcast(n, group_size).shape, dtype=bool)
    return (np.asarray(group_size) == PAIR) & (levels_of_pairs(n) > ports)


def role_of(chip: int, n_chips: int, group_size: int, ports: int | None = None) -> Role:
    """Give one chip's role: chip 0 is the root, the first of each group leads it if it is not alone.

    >>> [role_of(chip, 6, 4).name for chip in range(6)]
    ['ROOT', 'MEMBER', 'MEMBER', 'MEMBER', 'LEADER', 'MEMBER']
    """
    if chip == 0:
        return Role.ROOT
    if ports is not None and grows(n_chips, group_size, ports):
        return Role.LEADER if grown(ports, n_chips).leads_from[chip] <= n_chips else Role.MEMBER
    return Role.LEADER if chip % group_size == 0 and chip + 1 < n_chips else Role.MEMBER


def roles_of(
    first: Any, chips: Any, group_size: Any, ports: int | None = None, n_all: Any = None
) -> NDArray[np.int64]:
    """Count the chips of each role in runs of chips, as `role_of` gives them one by one.

    Parameters
    ----------
    first, chips : (c, ...) int
        First chip of each run, and chips in it; together the runs are all chips of a plan.
    group_size : (...) int
        Chips that one level joins.
    ports : int, optional
        Links that a chip can have.
    n_all : (...) int, optional
        Chips of the tree that these are the first of; without it, they are all.

    Returns
    -------
    (3, c, ...) int
        Roots, leaders and members.
    """
    n = np.sum(chips, axis=0)
    end = np.minimum(first + chips, n - 1)  # the last chip has nobody to lead
    begin = np.minimum(np.maximum(first, 1), end)
    leaders = np.maximum(-(-end // group_size) + (-begin // group_size), 0)
    growing = grows(n if n_all is None else n_all, group_size, ports)
    if ports is not None and np.any(growing):
        tree = grown(ports, int(np.max(n)))
        lead = np.searchsorted(tree.leads_from, n, side="right")  # the first so many chips lead any
        of_run = np.clip(lead, np.maximum(first, 1), np.maximum(first + chips, 1)) - np.maximum(first, 1)
        leaders = np.where(growing, of_run, leaders)
    leaders = np.where(chips > 0, leaders, 0)
    roots = ((first == 0) & (chips > 0)).astype(np.int64)
    return np.stack([roots, leaders, chips - roots - leaders])
