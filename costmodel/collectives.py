"""Collectives over a hierarchy of groups: closed forms that hold for any number of chips.

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

from costmodel.hardware import Link
from costmodel.links import message_s, wire_bytes


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


def hierarchy(n_chips: NDArray[np.int64], group_size: NDArray[np.int64]) -> Hierarchy:
    """Count hops and levels: level by level, ``min(group, left) - 1`` hops, ``ceil(left / group)`` left.

    >>> shape = hierarchy(np.array([1, 8, 64]), np.array([4, 4, 4]))
    >>> shape.hops.tolist(), shape.depth.tolist()
    ([0, 4, 9], [0, 2, 3])
    """
    left = n_chips.copy()
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
    with_members = n_chips // group_size + (n_chips % group_size > 1)
    relays = np.maximum(with_members - 1, 0)
    return Hierarchy(hops=hops, depth=depth, relays=relays, relay_hops=relay_hops)


def tree_s(link: Link, shape: Hierarchy, payload: Any) -> Any:
    """Seconds of a reduce or a broadcast over the hierarchy: hops x one message."""
    return shape.hops * message_s(link, payload)


def tree_bytes(link: Link, n_chips: NDArray[np.int64], payload: Any) -> Any:
    """Bytes on all links of a reduce or a broadcast: every chip but the root sends or gets one message."""
    return (n_chips - 1) * wire_bytes(link, payload)
