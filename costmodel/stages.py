"""Steps in a row to seconds, bytes and messages: the slowest chip, the exchange, the root's work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import compute
from costmodel.collectives import collective
from costmodel.hardware import Platform
from costmodel.media import Traffic
from costmodel.program import Program, Step

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Time and traffic of some steps in a row, without L3; by plan, (...).

    Attributes
    ----------
    busy_s, l2_bytes
        Time that chips compute on their shares, and bytes between L2 and L1, of all chips together.
    compute_s, root_s, link_s
        Time that all wait for the slowest chip; for the root and leaders that add up; for messages.
    root_busy_s, adding_busy_s
        Time that the root is busy, and that it and leaders add up and narrow partial sums, with all
        cores; of all chips together.
    link_bound_s
        Time for messages that is not exceeded, of as many rounds as are expected; more than `link_s` where
        rounds may stop early.
    traffic : Traffic
        What is sent.
    buffer_bytes
        Most RAM for packets under way, of any exchange.
    demands : dict
        Most that any exchange asks of the medium beside time.
    links, partners : dict
        Links in all, and most of any chip, by the name of what they form.
    """

    busy_s: Array
    l2_bytes: Array
    compute_s: Array
    root_s: Array
    root_busy_s: Array
    adding_busy_s: Array
    link_s: Array
    link_bound_s: Array
    traffic: Traffic
    buffer_bytes: Array
    demands: dict[str, Array]
    links: dict[str, Array]
    partners: dict[str, Array]

    @property
    def on_chip_s(self) -> Array:
        """Time of the stage when nothing waits for L3."""
        return self.compute_s + self.root_s + self.link_s

    def times(self, count: int) -> Stage:
        """Repeat the stage."""
        arrays = {name: count * getattr(self, name) for name in ADDED}
        return replace(self, **arrays, traffic=self.traffic.times(count))

    def plus(self, other: Stage) -> Stage:
        """Add another stage that follows."""
        arrays = {name: getattr(self, name) + getattr(other, name) for name in ADDED}
        return Stage(
            **arrays,
            traffic=self.traffic.plus(other.traffic),
            buffer_bytes=np.maximum(self.buffer_bytes, other.buffer_bytes),
            demands=_most(self.demands, other.demands),
            links=_most(self.links, other.links),
            partners=_most(self.partners, other.partners),
        )


ADDED = tuple(
    f.name for f in fields(Stage) if f.name not in ("traffic", "buffer_bytes", "demands", "links", "partners")
)


def _most(some: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Array]:
    """Give the larger of two entries of each name."""
    return {name: np.maximum(some.get(name, 0), others.get(name, 0)) for name in {**some, **others}}


def stage(platform: Platform, program: Program, steps: Iterable[Step], message_loss: float = 0.0) -> Stage:
    """Cost steps in a row; of each, the work, then root, merges and forwards, and the messages.

    Plans that send lost messages again take as many times as long for them as it takes on average.
    """
    medium = platform.link
    classes: Any = np.zeros(program.chips.shape)
    zero: Any = np.zeros(program.chips.shape[1:])
    busy, l2_bytes = classes, classes
    compute_s, root_s, root_busy_s, adding_busy_s = (zero,) * 4
    link_s, link_bound_s, buffer_bytes = (zero,) * 3
    traffic = Traffic.none(zero)
    demands: dict[str, Array] = {}
    links: dict[str, Array] = {}
    partners: dict[str, Array] = {}
    for step in steps:
        if step.work:
            seconds = compute.shard_s(platform, step.work) + classes
            busy = busy + seconds
            compute_s = compute_s + np.max(seconds, axis=0)
            l2_bytes = l2_bytes + compute.l2_bytes(platform, step.work)
        exchange = step.exchange
        if exchange is None:
            continue
        delivery = collective(exchange, medium).cost(medium, exchange, program.chips)
        alone, adding, narrowing = (
            compute.alone_s(platform, work) for work in (exchange.root, exchange.merge, exchange.forward)
        )
        root_s = root_s + alone
        root_s = root_s + delivery.merge_hops * adding + delivery.forward_hops * narrowing
        root_busy_s = root_busy_s + alone
        adding_busy_s = adding_busy_s + delivery.merges * adding + delivery.forwards * narrowing
        times: Any = 1
        if message_loss:
            times = np.where(program.resent, medium.sends(message_loss, delivery.receptions), 1.0)
        software_s = compute.exchange_s(platform) * (np.asarray(delivery.receptions) > 0)
        link_s = link_s + times * delivery.seconds + software_s
        link_bound_s = link_bound_s + times * delivery.bound_s + software_s
        traffic = traffic.plus(delivery.traffic.times(times))
        buffer_bytes = np.maximum(buffer_bytes, delivery.buffer_bytes)
        demands = _most(demands, delivery.demands)
        links = _most(links, delivery.links)
        partners = _most(partners, delivery.partners)
    return Stage(
        busy_s=np.sum(busy * program.chips, axis=0),
        l2_bytes=np.sum(l2_bytes * program.chips, axis=0),
        compute_s=compute_s,
        root_s=root_s,
        root_busy_s=root_busy_s,
        adding_busy_s=adding_busy_s,
        link_s=link_s,
        link_bound_s=link_bound_s,
        traffic=traffic,
        buffer_bytes=buffer_bytes,
        demands=demands,
        links=links,
        partners=partners,
    )
