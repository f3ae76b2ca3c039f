"""Collectives over Mixer: a gather, a reduction or a broadcast is one round, or some in a row.

All chips pass on what they hear, whoever it is for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.collectives.collective import Delivery, Message, Messages, Round, by_chip, only
from costmodel.media import Mixer, Traffic
from costmodel.program import Exchange


def _rounds(medium: Mixer, sizes: Any, senders: Any, n: Any, receptions: Any, *, merges: Any = 0) -> Delivery:
    """Cost rounds in which some of n chips have a message.

    `senders` is by class, (c, ...), like the payload `sizes`.
    """
    messages = np.where(np.asarray(senders) > 0, sizes + medium.message_header_bytes, 0.0)
    design = medium.design(messages, senders)
    there = np.sum(senders, axis=0) > 0
    on_air_s = np.where(there, n * design.rounds * medium.slots_awake(design) * design.slot_s, 0.0)
    return Delivery(
        seconds=np.where(there, medium.expected_s(design), 0.0),
        bound_s=np.where(there, design.bound_s, 0.0),
        traffic=Traffic(
            wire_bytes=np.where(there, np.sum(messages * senders, axis=0), 0.0),
            messages=np.where(there, np.sum(senders, axis=0), 0),
            sending_s=on_air_s * medium.transmit_share,
            receiving_s=on_air_s * (1 - medium.transmit_share),
        ),
        receptions=receptions,
        merge_hops=merges,
        merges=merges,
        buffer_bytes=np.where(there, design.buffer_bytes, 0.0),
        demands={"rounds": np.where(there, design.rounds, 0)},
    )


def gather_cost(medium: Mixer, exchange: Exchange, chips: Any) -> Delivery:
    """Gather in one round: everybody hears everybody."""
    n = np.sum(chips, axis=0)
    return _rounds(medium, exchange.sent_bytes, chips * (n > 1), n, n * (n - 1))


def reduce_cost(medium: Mixer, exchange: Exchange, chips: Any) -> Delivery:
    """Send all partial sums to the root in one round.

    The root adds what arrives; there is no hierarchy on a channel that all share.
    """
    members = exchange.members(chips)
    n = np.sum(members, axis=0)
    is_root = (np.cumsum(members, axis=0) - members == 0) & (members > 0)
    senders = members - is_root
    return _rounds(medium, exchange.sent_bytes, senders, np.sum(chips, axis=0), n - 1, merges=n - 1)


def broadcast_cost(medium: Mixer, exchange: Exchange, chips: Any) -> Delivery:
    """Send what the root has in one round."""
    n = np.sum(exchange.members(chips), axis=0)
    root = np.zeros(np.shape(chips), dtype=np.int64)
    root[0] = n > 1
    return _rounds(medium, exchange.sent_bytes, root, np.sum(chips, axis=0), n - 1)


def _messages(medium: Mixer, sizes: list[float], senders: list[int], receivers: list[int]) -> Messages:
    """List the messages of a round, with its design."""
    if not senders:
        return Messages(messages=())
    payloads = np.array([[sizes[chip] + medium.message_header_bytes] for chip in senders])
    design = medium.design(payloads, np.ones_like(payloads, dtype=np.int64))
    return Messages(
        messages=tuple(
            Message(
                slot=0,
                sender=chip,
                receivers=tuple(other for other in receivers if other != chip),
                payload_bytes=sizes[chip],
            )
            for chip in senders
        ),
        round=Round(
            payload_bytes=int(design.payload_bytes[0]),
            packets=int(design.packets[0]),
            rounds=int(design.rounds[0]),
            slots=int(design.slots[0]),
            expected_slots=float(medium.slots_used(design)[0]),
            slot_s=float(design.slot_s[0]),
            expected_s=float(medium.expected_s(design)[0]),
            bound_s=float(design.bound_s[0]),
        ),
    )


def gather_messages(medium: Mixer, exchange: Exchange, chips: Any) -> Messages:
    """List the messages of one plan's gather."""
    every = list(range(int(np.sum(chips))))
    senders = every if len(every) > 1 else []
    return _messages(medium, by_chip(exchange.sent_bytes, chips), senders, every)


def reduce_messages(medium: Mixer, exchange: Exchange, chips: Any) -> Messages:
    """List the messages to the root."""
    root, *others = range(int(np.sum(exchange.members(chips))))
    return _messages(medium, by_chip(exchange.sent_bytes, chips), others, [root])


def broadcast_messages(medium: Mixer, exchange: Exchange, chips: Any) -> Messages:
    """List the root's message."""
    root, *others = range(int(np.sum(exchange.members(chips))))
    return _messages(medium, [float(only(exchange.sent_bytes))], [root] if others else [], [root, *others])
