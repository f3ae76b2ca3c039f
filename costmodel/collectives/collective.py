"""What a collective is: an exchange carried out on a medium, in closed form and message by message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from costmodel.media import Traffic
from costmodel.program import Exchange, PerPlan


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An exchange carried out, from the first chip's start to the last chip's end; arrays by plan.

    Attributes
    ----------
    seconds : float
        Of the messages, expected.
    bound_s : float
        Never more than this.
    receptions : int
        Messages times chips that each is for.
    merge_hops, forward_hops : int
        Merges and forwards that the root waits for, one after the other.
    merges, forwards : int
        Merges and forwards of all chips.
    links, partners : dict
        Links that the chips have in all, and that the chip with most of them has, by the name of what
        they form.
    buffer_bytes : float
        RAM of each chip for packets under way.
    demands : dict
        What is asked of the medium beside time, by the name of the limit in ``Medium.limits``.
    """

    seconds: PerPlan
    bound_s: PerPlan
    traffic: Traffic
    receptions: PerPlan
    merge_hops: PerPlan = 0
    merges: PerPlan = 0
    forward_hops: PerPlan = 0
    forwards: PerPlan = 0
    links: Mapping[str, PerPlan] = field(default_factory=dict)
    partners: Mapping[str, PerPlan] = field(default_factory=dict)
    buffer_bytes: PerPlan = 0.0
    demands: Mapping[str, PerPlan] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message; messages of the same slot go at the same time, slots one after the other."""

    slot: int
    sender: int
    receivers: tuple[int, ...]
    payload_bytes: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """How an exchange's messages travel in rounds: packets of a payload, so many a round, in timed slots.

    A round is given `slots`; it is expected to stop after `expected_slots`. All rounds together take
    `expected_s`, and never more than `bound_s`.
    """

    payload_bytes: int
    packets: int
    rounds: int
    slots: int
    expected_slots: float
    slot_s: float
    expected_s: float
    bound_s: float


@dataclass(frozen=True, kw_only=True)
class Messages:
    """The messages of one exchange; with a round, they all go in it and slots are those of the round."""

    messages: tuple[Message, ...]
    round: Round | None = None


@dataclass(frozen=True, kw_only=True)
class Collective:
    """How one kind of exchange is carried out on one family of media.

    Attributes
    ----------
    cost : callable
        Medium, exchange, chips of each class (c, ...) to a `Delivery`.
    messages : callable
        Medium, exchange of one plan, chips of each of its classes (c,) to its messages.
    """

    cost: Callable[[Any, Exchange, Any], Delivery]
    messages: Callable[[Any, Exchange, Any], Messages]


def only(value: Any) -> Any:
    """Give the one entry of an array of one plan."""
    (entry,) = set(np.ravel(value).tolist())  # np.unique would load numpy.ma, longer than one plan takes
    return entry


def by_chip(sizes: Any, chips: Any) -> list[float]:
    """Give each chip of one plan its class's entry, in order."""
    of_class = np.broadcast_to(np.reshape(sizes, (-1,)) if np.ndim(sizes) else sizes, np.shape(chips))
    return [float(x) for x in np.repeat(of_class, chips)]
