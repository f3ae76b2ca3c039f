"""Reduce and broadcast over a hierarchy of point-to-point links; a chip handles one message at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.collectives import trees
from costmodel.collectives.collective import Delivery, Message, Messages, only
from costmodel.media import Traffic
from costmodel.program import Exchange, PerPlan


def delivery(
    medium: Any, exchange: Exchange, chips: Any, seconds: Callable[[trees.Hierarchy, PerPlan], Any]
) -> Delivery:
    """Reduce to the root, or broadcast from it; `seconds` gives the time of messages of some payload."""
    n = np.sum(exchange.members(chips), axis=0)
    shape = trees.hierarchy(n, exchange.group_size, medium.limits.get("ports"), n_all=np.sum(chips, axis=0))
    time = seconds(shape, exchange.sent_bytes)
    up = exchange.kind == "reduce"
    return Delivery(
        seconds=time,
        bound_s=time,
        traffic=Traffic.wired(wire_bytes=(n - 1) * medium.wire_bytes(exchange.sent_bytes), messages=n - 1),
        receptions=n - 1,
        links={"tree": np.maximum(n - 1, 0)},
        partners={"tree": shape.partners},
        merge_hops=shape.hops * up,
        merges=(n - 1) * up,
        forward_hops=shape.relay_hops * up,
        forwards=shape.relays * up,
    )


def cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Reduce to the root, or broadcast from it: hops x one message."""

    def seconds(shape: trees.Hierarchy, payload: PerPlan) -> Any:
        return shape.hops * medium.message_s(payload)

    return delivery(medium, exchange, chips, seconds)


def messages(medium: Any, exchange: Exchange, chips: Any) -> Messages:
    """Give the messages of one plan's reduction, or of its broadcast."""
    n, group = int(np.sum(exchange.members(chips))), int(only(exchange.group_size))
    size = float(only(exchange.sent_bytes))
    way = trees.reduction if exchange.kind == "reduce" else trees.broadcast
    hops = way(n, group, medium.limits.get("ports"), n_all=int(np.sum(chips)))
    return Messages(
        messages=tuple(
            Message(slot=h.slot, sender=h.sender, receivers=(h.receiver,), payload_bytes=size) for h in hops
        )
    )
