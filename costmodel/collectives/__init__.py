"""Collectives: what an exchange costs on a medium, in closed form, and the same message by message.

``COLLECTIVES`` has one line for each kind of exchange on each family of media.
"""

from __future__ import annotations

from costmodel.collectives import gather, hierarchy, mixer, switched
from costmodel.collectives.collective import Collective, Delivery, Leg, Message, Messages, Round
from costmodel.errors import ParameterError
from costmodel.media import Medium
from costmodel.program import Exchange

COLLECTIVES: dict[tuple[str, str], Collective] = {
    ("reduce_broadcast", "point_to_point"): Collective(cost=hierarchy.cost, legs=hierarchy.legs),
    ("gather", "point_to_point"): Collective(cost=gather.cost, legs=gather.legs),
    ("reduce_broadcast", "switched"): Collective(cost=switched.reduce_broadcast_cost, legs=hierarchy.legs),
    ("gather", "switched"): Collective(cost=switched.gather_cost, legs=switched.gather_legs),
    ("reduce_broadcast", "mixer"): Collective(
        cost=mixer.reduce_broadcast_cost, legs=mixer.reduce_broadcast_legs
    ),
    ("gather", "mixer"): Collective(cost=mixer.gather_cost, legs=mixer.gather_legs),
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
    "Leg",
    "Message",
    "Messages",
    "Round",
    "collective",
]
