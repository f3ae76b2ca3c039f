"""Collectives: what an exchange costs on a medium, in closed form, and the same message by message.

``COLLECTIVES`` has one line for each kind of exchange on each family of media.
"""

from __future__ import annotations

from costmodel.collectives import gather, hierarchy, mixer, switched
from costmodel.collectives.collective import Collective, Delivery, Message, Messages, Round
from costmodel.errors import ParameterError
from costmodel.media import Medium
from costmodel.program import Exchange

COLLECTIVES: dict[tuple[str, str], Collective] = {
    ("reduce", "point_to_point"): Collective(cost=hierarchy.cost, messages=hierarchy.messages),
    ("broadcast", "point_to_point"): Collective(cost=hierarchy.cost, messages=hierarchy.messages),
    ("gather", "point_to_point"): Collective(cost=gather.cost, messages=gather.messages),
    ("reduce", "switched"): Collective(cost=switched.hierarchy_cost, messages=hierarchy.messages),
    ("broadcast", "switched"): Collective(cost=switched.hierarchy_cost, messages=hierarchy.messages),
    ("gather", "switched"): Collective(cost=switched.gather_cost, messages=switched.gather_messages),
    ("reduce", "mixer"): Collective(cost=mixer.reduce_cost, messages=mixer.reduce_messages),
    ("broadcast", "mixer"): Collective(cost=mixer.broadcast_cost, messages=mixer.broadcast_messages),
    ("gather", "mixer"): Collective(cost=mixer.gather_cost, messages=mixer.gather_messages),
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


__all__ = [
    "COLLECTIVES",
    "Collective",
    "Delivery",
    "Message",
    "Messages",
    "Round",
    "collective",
]
