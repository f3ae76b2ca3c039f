"""Collectives: what an exchange costs on a medium, in closed form, and the same message by message.

``COLLECTIVES`` has one row for each kind of exchange on each family of media.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel import trees
from costmodel.errors import ParameterError
from costmodel.media import Medium, Traffic
from costmodel.program import Exchange, PerPlan


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Messages that go one way, from the first chip's start to the last chip's end."""

    name: str
    seconds: PerPlan
    traffic: Traffic


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An exchange carried out; arrays by plan.

    Attributes
    ----------
    legs : tuple of Leg
        One after the other.
    merge_hops, forward_hops : int
        Merges and forwards that the root waits for, one after the other.
    merges, forwards : int
        Merges and forwards of all chips.
    """

    legs: tuple[Leg, ...]
    merge_hops: PerPlan
    merges: PerPlan
    forward_hops: PerPlan
    forwards: PerPlan


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message; `slot` counts the messages that must have gone before it, one after the other."""

    slot: int
    sender: int
    receivers: tuple[int, ...]
    payload_bytes: float


@dataclass(frozen=True, kw_only=True)
class Messages:
    """The messages of one leg."""

    name: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Collective:
    """How one kind of exchange is carried out on one family of media.

    Attributes
    ----------
    cost : callable
        Medium, exchange, chips of each class (c, ...) to a `Delivery`.
    legs : callable
        Medium, exchange of one plan, chips of each of its classes to the messages of each leg.
    """

    cost: Callable[[Any, Exchange, Any], Delivery]
    legs: Callable[[Any, Exchange, Any], tuple[Messages, ...]]


def _tree_cost(medium: Any, exchange: Exchange, chips: Any) -> Delivery:
    """Reduce to the root and broadcast over point-to-point links: hops x one message each."""
    n = np.sum(chips, axis=0)
    shape = trees.hierarchy(n, exchange.group_size)

    def leg(name: str, payload: PerPlan) -> Leg:
        traffic = Traffic(wire_bytes=(n - 1) * medium.wire_bytes(payload), messages=n - 1)
        return Leg(name=name, seconds=shape.hops * medium.message_s(payload), traffic=traffic)

    return Delivery(
        legs=(leg("reduce", exchange.sent_bytes), leg("broadcast", exchange.returned_bytes)),
        merge_hops=shape.hops,
        merges=n - 1,
        forward_hops=shape.relay_hops,
        forwards=shape.relays,
    )


def _only(value: Any) -> Any:
    """Give the one entry of an array of one plan."""
    (entry,) = np.unique(value).tolist()
    return entry


def _tree_legs(_medium: Any, exchange: Exchange, chips: Any) -> tuple[Messages, ...]:
    n, group = int(np.sum(chips)), int(_only(exchange.group_size))

    def leg(name: str, hops: list[trees.Hop], payload: PerPlan) -> Messages:
        size = float(_only(payload))
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


COLLECTIVES: dict[tuple[str, str], Collective] = {
    ("reduce_broadcast", "point_to_point"): Collective(cost=_tree_cost, legs=_tree_legs),
}


def collective(exchange: Exchange, medium: Medium) -> Collective:
    """Look up how an exchange is carried out on a medium.

    Raises
    ------
    ParameterError
        Nobody has written how.
    """
    found = COLLECTIVES.get((exchange.kind, medium.medium))
    if found is None:
        raise ParameterError(f"no collective {exchange.kind!r} is known on medium {medium.medium!r}")
    return found
