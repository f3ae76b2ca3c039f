"""Gathers over wires: every chip gets every other one's message, round a ring or over a binary tree.

All chips keep step. Round the ring a chip sends its neighbour what it got in the step before (n - 1
steps; where a chip cannot send and receive at once, neighbours take turns, in two slots a step, or
three where n is odd); all slots have the length that the largest message of all takes. Over the tree,
chips send what they have gathered to the leader of their pair, pair of pairs, ..., and the root's whole
comes down; a slot is as long as the largest message in it takes.
The ring moves fewer bytes one after the other, the tree fewer messages; the faster one is taken, unless
chips have no ports for the tree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.collectives.collective import Delivery, Message, Messages, by_chip
from costmodel.collectives.trees import broadcast, reduction
from costmodel.media import Traffic
from costmodel.program import Exchange
from costmodel.roles import PAIR, levels_of_pairs


def ring_slots(n: Any, *, full_duplex: bool) -> Any:
    """Slots of a gather round a ring."""
    return (n - 1) * (1 if full_duplex else 2 + n % 2)


def _before(sizes: Any, chips: Any, chip: Any) -> Any:
    """Bytes of the messages of all chips before `chip`."""
    first = np.cumsum(chips, axis=0) - chips
    return np.sum(sizes * np.clip(chip - first, 0, chips), axis=0)


def tree_up(medium: Any, sizes: Any, chips: Any) -> tuple[Any, Any, Any]:
    """Seconds, bytes and levels of gathering over the tree to the root."""
    n = np.sum(chips, axis=0)
    seconds, wire_bytes, levels = (np.zeros(n.shape) for _ in range(3))
    most, width = int(np.max(n, initial=1)), 1
    while width < most:
        largest = np.zeros(n.shape)
        for first in range(width, most, PAIR * width):  # the chips that send on this level
            start, end = np.minimum(first, n), np.minimum(first + width, n)
            gathered = _before(sizes, chips, end) - _before(sizes, chips, start)
            largest = np.maximum(largest, gathered)
            wire_bytes = wire_bytes + np.where(first < n, medium.wire_bytes(gathered), 0.0)
        there = width < n
        seconds = seconds + np.where(there, medium.message_s(largest), 0.0)
        levels = levels + there
        width *= PAIR
    return seconds, wire_bytes, levels


def _both_ways(medium: Any, exchange: Exchange, chips: Any) -> tuple[Any, Any, Any]:
    """Seconds round the ring and over the tree, for ever without the ports, and bytes of the tree."""
    sizes = np.asarray(exchange.sent_bytes, dtype=float) + np.zeros(chips.shape)
    n, total = np.sum(chips, axis=0), np.sum(sizes * chips, axis=0)
    ring_s = ring_slots(n, full_duplex=medium.duplex == "full") * medium.message_s(np.max(sizes, axis=0))
    up_s, up_bytes, levels = tree_up(medium, sizes, chips)
    tree_s = up_s + levels * medium.message_s(total)
    if medium.ports is not None:
        tree_s = np.where(levels > medium.ports, np.inf, tree_s)
    return ring_s, tree_s, up_bytes + (n - 1) * medium.wire_bytes(total)


def cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Gather over links between two chips each."""
    n = np.sum(chips, axis=0)
    ring_s, tree_s, tree_bytes = _both_ways(medium, exchange, chips)
    ring_bytes = (n - 1) * np.sum(medium.wire_bytes(exchange.sent_bytes) * chips, axis=0)
    ring = ring_s <= tree_s
    seconds = np.where(ring, ring_s, tree_s)
    traffic = Traffic.wired(
        wire_bytes=np.where(ring, ring_bytes, tree_bytes),
        messages=np.where(ring, n * (n - 1), 2 * (n - 1)),
    )
    return Delivery(
        seconds=seconds,
        bound_s=seconds,
        traffic=traffic,
        receptions=n * (n - 1),
        links={
            "ring": np.where(ring, np.where(n > 2, n, n - 1), 0),
            "pairs": np.where(ring, 0, n - 1),
        },
        partners={
            "ring": np.where(ring, np.minimum(n - 1, 2), 0),
            "pairs": np.where(ring, 0, levels_of_pairs(n)),
        },
    )


def messages(medium: Any, exchange: Exchange, chips: Any) -> Messages:
    """Give the messages of one plan's gather, slot by slot."""
    sizes, n = by_chip(exchange.sent_bytes, chips), int(np.sum(chips))
    ring_s, tree_s, _ = _both_ways(medium, exchange, np.reshape(chips, (-1, 1)))
    if n > 1 and float(ring_s[0]) > float(tree_s[0]):
        return Messages(messages=_over_tree(sizes, n))
    return Messages(messages=_round_ring(sizes, n, full_duplex=medium.duplex == "full"))


def _round_ring(sizes: list[float], n: int, *, full_duplex: bool) -> tuple[Message, ...]:
    turns = 1 if full_duplex else 2 + n % 2
    found = []
    for step in range(n - 1):
        for sender in range(n):
            turn = 0 if full_duplex else 2 if n % 2 and sender == n - 1 else sender % 2
            found.append(
                Message(
                    slot=step * turns + turn,
                    sender=sender,
                    receivers=((sender + 1) % n,),
                    payload_bytes=sizes[(sender - step) % n],
                )
            )
    return tuple(sorted(found, key=lambda message: (message.slot, message.sender)))


def _over_tree(sizes: list[float], n: int) -> tuple[Message, ...]:
    up = reduction(n, PAIR)
    after = 1 + max(hop.slot for hop in up)
    gathered = list(sizes)
    found = []
    for hop in up:
        payload = gathered[hop.sender]
        found.append(
            Message(slot=hop.slot, sender=hop.sender, receivers=(hop.receiver,), payload_bytes=payload)
        )
        gathered[hop.receiver] += payload
    whole = sum(sizes)
    down = (
        Message(slot=after + h.slot, sender=h.sender, receivers=(h.receiver,), payload_bytes=whole)
        for h in broadcast(n, PAIR)
    )
    return (*found, *down)
