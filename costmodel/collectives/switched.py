"""Collectives over a switch: chips pay the latency once a phase, and bytes at the busiest port.

Every chip has one full-duplex port. Messages of a phase follow each other through it without waiting
for answers, so that only the first one's latency is seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from costmodel.collectives import hierarchy, trees
from costmodel.collectives.collective import Delivery, Message, Messages, by_chip
from costmodel.media import Traffic
from costmodel.program import Exchange, PerPlan


def hierarchy_cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Reduce to the root, or broadcast, over a hierarchy: a latency a level, and members' bytes in a row."""

    def seconds(shape: trees.Hierarchy, payload: PerPlan) -> Any:
        return shape.depth * medium.message_latency_s + shape.hops * medium.port_s(payload)

    n = np.sum(chips, axis=0)
    return replace(hierarchy.delivery(medium, exchange, chips, seconds), links=_links(n), partners={})


def gather_cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Gather in n - 1 steps: in step k chip i sends its message to chip i + k."""
    n = np.sum(chips, axis=0)
    largest = np.max(np.asarray(exchange.sent_bytes) + np.zeros(chips.shape), axis=0)
    seconds = np.where(n > 1, medium.message_latency_s, 0.0) + (n - 1) * medium.port_s(largest)
    wire_bytes = (n - 1) * np.sum(medium.wire_bytes(exchange.sent_bytes) * chips, axis=0)
    traffic = Traffic.wired(wire_bytes=wire_bytes, messages=n * (n - 1))
    return Delivery(
        seconds=seconds, bound_s=seconds, traffic=traffic, receptions=n * (n - 1), links=_links(n)
    )


def _links(n: Any) -> dict[str, Any]:
    """Give the links of chips, each to the switch, where there are several."""
    return {"switch": np.where(n > 1, n, 0)}


def gather_messages(_medium: Any, exchange: Exchange, chips: Any) -> Messages:
    """Give the messages of one plan's gather, step by step."""
    sizes, n = by_chip(exchange.sent_bytes, chips), int(np.sum(chips))
    messages = [
        Message(slot=k - 1, sender=i, receivers=((i + k) % n,), payload_bytes=sizes[i])
        for k in range(1, n)
        for i in range(n)
    ]
    return Messages(messages=tuple(messages))
