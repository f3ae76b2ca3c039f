"""Reduce and broadcast over a hierarchy of point-to-point links; a chip handles one message at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.collectives import trees
from costmodel.collectives.collective import Delivery, Leg, Message, Messages, only
from costmodel.media import Traffic
from costmodel.program import Exchange, PerPlan


def delivery(
    medium: Any, exchange: Exchange, chips: Any, leg_s: Callable[[trees.Hierarchy, PerPlan], Any]
) -> Delivery:
    """Reduce to the root and broadcast; `leg_s` gives the seconds of a leg with some payload."""
    n = np.sum(chips, axis=0)
    shape = trees.hierarchy(n, exchange.group_size)

    def leg(name: str, payload: PerPlan) -> Leg:
        traffic = Traffic.wired(wire_bytes=(n - 1) * medium.wire_bytes(payload), messages=n - 1)
        seconds = leg_s(shape, payload)
        return Leg(name=name, seconds=seconds, bound_s=seconds, traffic=traffic, receptions=n - 1)

    return Delivery(
        legs=(leg("reduce", exchange.sent_bytes), leg("broadcast", exchange.returned_bytes)),
        merge_hops=shape.hops,
        merges=n - 1,
        forward_hops=shape.relay_hops,
        forwards=shape.relays,
    )


def cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Reduce to the root and broadcast: hops x one message each way."""

    def leg_s(shape: trees.Hierarchy, payload: PerPlan) -> Any:
        return shape.hops * medium.message_s(payload)

    return delivery(medium, exchange, chips, leg_s)


def legs(_medium: Any, exchange: Exchange, chips: Any) -> tuple[Messages, ...]:
    """Give the messages of one plan's reduction, and of its broadcast."""
    n, group = int(np.sum(chips)), int(only(exchange.group_size))

    def leg(name: str, hops: list[trees.Hop], payload: PerPlan) -> Messages:
        size = float(only(payload))
        return Messages(
            name=name,
            messages=tuple(
                Message(slot=h.slot, sender=h.sender, receivers=(h.receiver,), payload_bytes=size)
                for h in hops
            ),
        )

    return (
        leg("reduce", trees.reduction(n, group), exchange.sent_bytes),
        leg("broadcast", trees.broadcast(n, group), exchange.returned_bytes),
    )
