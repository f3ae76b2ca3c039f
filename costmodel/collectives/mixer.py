"""Collectives over Mixer: a gather is one round; a reduction is a round to the root, and one from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.collectives.collective import Delivery, Leg, Message, Messages, Round, by_chip, only
from costmodel.media import Mixer, Traffic
from costmodel.program import Exchange


def _round(
    medium: Mixer, name: str, sizes: Any, senders: Any, n: Any, receptions: Any
) -> tuple[Leg, Any, Any]:
    """Cost a round in which some chips have a message; give also the RAM it takes, and its rounds.

    `senders` is by class, (c, ...), like the payload `sizes`.
    """
    messages = np.where(np.asarray(senders) > 0, sizes + medium.message_header_bytes, 0.0)
    design = medium.design(messages, senders)
    there = n > 1
    on_air_s = np.where(there, n * design.rounds * medium.slots_awake(design) * design.slot_s, 0.0)
    traffic = Traffic(
        wire_bytes=np.where(there, np.sum(messages * senders, axis=0), 0.0),
        messages=np.where(there, np.sum(senders, axis=0), 0),
        sending_s=on_air_s * medium.transmit_share,
        receiving_s=on_air_s * (1 - medium.transmit_share),
    )
    leg = Leg(
        name=name,
        seconds=np.where(there, medium.expected_s(design), 0.0),
        bound_s=np.where(there, design.bound_s, 0.0),
        traffic=traffic,
        receptions=receptions,
    )
    return leg, np.where(there, design.buffer_bytes, 0.0), np.where(there, design.rounds, 0)


def gather_cost(medium: Mixer, exchange: Exchange, chips: Any) -> Delivery:
    """Gather in one round: everybody hears everybody."""
    n = np.sum(chips, axis=0)
    leg, buffer_bytes, rounds = _round(medium, "gather", exchange.sent_bytes, chips, n, n * (n - 1))
    return Delivery(legs=(leg,), buffer_bytes=buffer_bytes, demands={"rounds": rounds})


def _others(chips: Any) -> Any:
    """Chips of each class but the root, the first chip of all."""
    return np.maximum(chips - (np.cumsum(chips, axis=0) - chips == 0), 0)


def reduce_broadcast_cost(medium: Mixer, exchange: Exchange, chips: Any) -> Delivery:
    """Send all partial sums to the root in one round, and what it makes of them to all in another.

    The root adds what arrives; there is no hierarchy on a channel that all share.
    """
    n = np.sum(chips, axis=0)
    others = _others(chips)
    root = np.zeros(chips.shape, dtype=np.int64)
    root[0] = 1
    up, up_bytes, up_rounds = _round(medium, "reduce", exchange.sent_bytes, others, n, n - 1)
    down, down_bytes, down_rounds = _round(medium, "broadcast", exchange.returned_bytes, root, n, n - 1)
    return Delivery(
        legs=(up, down),
        merge_hops=n - 1,
        merges=n - 1,
        buffer_bytes=np.maximum(up_bytes, down_bytes),
        demands={"rounds": np.maximum(up_rounds, down_rounds)},
    )


def _messages(
    medium: Mixer, name: str, sizes: list[float], senders: list[int], receivers: list[int]
) -> Messages:
    """List the messages of a round, with its design."""
    if not senders:
        return Messages(name=name, messages=())
    payloads = np.array([[sizes[chip] + medium.message_header_bytes] for chip in senders])
    design = medium.design(payloads, np.ones_like(payloads, dtype=np.int64))
    return Messages(
        name=name,
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


def gather_legs(medium: Mixer, exchange: Exchange, chips: Any) -> tuple[Messages, ...]:
    """List the messages of one plan's gather."""
    every = list(range(int(np.sum(chips))))
    senders = every if len(every) > 1 else []
    return (_messages(medium, "gather", by_chip(exchange.sent_bytes, chips), senders, every),)


def reduce_broadcast_legs(medium: Mixer, exchange: Exchange, chips: Any) -> tuple[Messages, ...]:
    """List the messages to the root, and the one from it."""
    root, *others = range(int(np.sum(chips)))
    up = by_chip(exchange.sent_bytes, chips)
    down = [float(only(exchange.returned_bytes))] * (len(others) + 1)
    return (
        _messages(medium, "reduce", up, others, [root]),
        _messages(medium, "broadcast", down, [root] if others else [], [root, *others]),
    )
