"""Replays of messages, slot by slot, that share no formula with what they are held against."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np

from costmodel.collectives import COLLECTIVES, Collective, Delivery, Message, Messages
from costmodel.media import Medium, Switched
from costmodel.program import Exchange
from tests.strategies import KERNEL_SETS, RADIO

LATENCY, HEADER, PACKET, BANDWIDTH = 2.0, 8, 16, 64.0
WIRE = {
    "bandwidth_bytes_per_s": BANDWIDTH,
    "message_latency_s": LATENCY,
    "header_bytes": float(HEADER),
    "payload_bytes": float(PACKET),
}
HALF = KERNEL_SETS["date2025"].link.model_copy(update={**WIRE, "duplex": "half"})
LINKS: dict[str, Medium] = {
    "half": HALF,
    "full": HALF.model_copy(update={"duplex": "full"}),
    "half, no latency": HALF.model_copy(update={"message_latency_s": 0.0}),
    "full, no latency": HALF.model_copy(update={"duplex": "full", "message_latency_s": 0.0}),
    "full, long latency": HALF.model_copy(update={"duplex": "full", "message_latency_s": 5000.0}),
    "half, 3 ports": HALF.model_copy(update={"ports": 3}),
    "full, 2 ports": HALF.model_copy(update={"duplex": "full", "ports": 2}),
    "half, 1 port": HALF.model_copy(update={"ports": 1}),
    "switched": Switched.model_construct(
        **WIRE, medium="switched", description="a switch", energy_j_per_byte=1e-9
    ),
    "mixer": RADIO.link,
}
WIRES = [name for name in LINKS if name != "mixer"]
CHIPS = (*range(1, 17), 23, 33, 64)
GROUPS = (2, 3, 4, 7, 8, 64)

Case = tuple[tuple[int, ...], tuple[float, ...]]  # chips of each class, and payload of each one's message


def of(kind: str, link: str) -> Collective:
    return COLLECTIVES[kind, LINKS[link].medium]


def cases() -> list[Case]:
    """Numbers of chips cut in two classes in several places, either class with the larger messages.

    A class that is not there repeats the messages of one that is.
    """
    found: list[Case] = []
    for n in CHIPS:
        for one, other in ((250, 97), (97, 250), (130, 130), (0, 40)):
            found += [((first, n - first), (one, other)) for first in sorted({1, n // 2, n - 1} - {0, n})]
            found += [((n, 0), (one, one)), ((0, n), (one, one))]
    return found


def gather_of(case: Case) -> tuple[Exchange, np.ndarray]:
    chips, sizes = case
    return Exchange(kind="gather", sent_bytes=np.array(sizes, dtype=float)[:, None]), np.array(chips)


def batch_of(some: list[Case]) -> tuple[Exchange, np.ndarray]:
    sizes = np.array([sizes for _, sizes in some], dtype=float).T
    return Exchange(kind="gather", sent_bytes=sizes), np.array([chips for chips, _ in some]).T


def by_hand(case: Case) -> list[float]:
    """Payload of each chip's message."""
    return [size for count, size in zip(*case, strict=True) for _ in range(count)]


def wire_bytes(size: float) -> float:
    return size + ceil(size / PACKET) * HEADER


def slots_of(messages: tuple[Message, ...]) -> Iterator[list[Message]]:
    """Messages of each slot, in order; slots are counted from zero and none is empty."""
    slots: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        slots[message.slot].append(message)
    assert sorted(slots) == list(range(len(slots)))
    yield from (slots[slot] for slot in sorted(slots))


def check_ends(link: str, slot: list[Message]) -> None:
    """No chip sends twice or gets two at once; with half duplex none does both."""
    sent = Counter(message.sender for message in slot)
    got = Counter(chip for message in slot for chip in message.receivers)
    assert all(len(message.receivers) == 1 for message in slot)
    assert max(sent.values()) == max(got.values()) == 1
    if link.startswith("half"):
        assert not set(sent) & set(got)


def replay_gather(messages: tuple[Message, ...], sizes: list[float], link: str) -> list[set[int]]:
    """Whose messages each chip has in the end; the bytes of a message tell what its sender tells.

    It is all that the receiver lacks, all that the sender has, or one that the receiver lacks: of some
    that are equally large the one that the sender has had for longest.
    """
    has = [[chip] for chip in range(len(sizes))]  # in order of arrival

    def told(mine: list[int], theirs: list[int], size: float) -> list[int]:
        lacks = [chip for chip in mine if chip not in theirs]
        ways = (lacks, mine, *([chip] for chip in lacks))
        return next(way for way in ways if sum(sizes[chip] for chip in way) == size)

    for slot in slots_of(messages):
        if link in WIRES:
            check_ends(link, slot)
        before = [list(some) for some in has]
        for message in slot:
            for receiver in message.receivers:
                assert receiver != message.sender
                new = told(before[message.sender], before[receiver], message.payload_bytes)
                has[receiver] += [chip for chip in new if chip not in has[receiver]]
    return [set(some) for some in has]


def around_a_ring(messages: tuple[Message, ...]) -> bool:
    """Whether it goes round a ring: the first chip, root of any tree, sends in the first slot."""
    return any(message.slot == message.sender == 0 for message in messages)


def wired_gather_s(link: str, messages: tuple[Message, ...]) -> float:
    """Seconds, slot by slot; round a ring all slots are as long as the longest, since all keep step."""
    medium: Any = LINKS[link]
    if not messages:
        return 0.0
    slots = [max(wire_bytes(message.payload_bytes) for message in slot) for slot in slots_of(messages)]
    if link != "switched" and around_a_ring(messages):
        slots = [max(slots)] * len(slots)
    starts = 1 if link == "switched" else len(slots)
    return starts * medium.message_latency_s + sum(slots) / BANDWIDTH


def check_round(leg: Messages, seconds: float, bound_s: float) -> None:
    """A round has packets enough for all its messages, and takes the slots of its packets."""
    medium: Any = RADIO.link
    if leg.round is None:
        assert not leg.messages
        assert seconds == bound_s == 0
        return
    size = leg.round.payload_bytes
    pieces = 1 + sum(ceil((message.payload_bytes + 4) / size) for message in leg.messages)
    assert leg.round.packets == ceil(pieces / leg.round.rounds)
    assert leg.round.slots == 3 * leg.round.packets + 200
    given = leg.round.rounds * leg.round.slots * leg.round.slot_s
    used = medium.used_slots_per_packet * leg.round.packets + medium.used_slots
    np.testing.assert_allclose(bound_s, given, rtol=1e-12)
    np.testing.assert_allclose(seconds, given * min(used / leg.round.slots, 1), rtol=1e-12)


def check_leg(link: str, leg: Messages, closed: Any, at: int, seconds: Callable[[], float]) -> None:
    """An exchange's closed form, of the plan at a position, against its messages."""
    head = 4 if link == "mixer" else 0
    wire = [m.payload_bytes + head if link == "mixer" else wire_bytes(m.payload_bytes) for m in leg.messages]
    assert closed.traffic.messages[at] == len(leg.messages)
    np.testing.assert_allclose(closed.traffic.wire_bytes[at], sum(wire), rtol=1e-12)
    if link == "mixer":
        check_round(leg, closed.seconds[at], closed.bound_s[at])
    else:
        assert leg.round is None
        assert closed.bound_s[at] == closed.seconds[at]
        assert closed.traffic.sending_s[at] == closed.traffic.receiving_s[at] == 0
        np.testing.assert_allclose(closed.seconds[at], seconds(), rtol=1e-12)


def level_of(chip: int, group: int) -> int:
    """Level on which a chip is no leader any more."""
    level = 0
    while chip % group == 0:
        chip, level = chip // group, level + 1
    return level


def tree_leg_s(link: str, messages: tuple[Message, ...], group: int) -> float:
    """Seconds slot by slot; over a switch, level by level at the busiest port."""
    medium: Any = LINKS[link]
    if link != "switched":
        slots = [max(wire_bytes(m.payload_bytes) for m in slot) for slot in slots_of(messages)]
        return len(slots) * medium.message_latency_s + sum(slots) / BANDWIDTH
    ports: dict[int, Counter[tuple[str, int]]] = defaultdict(Counter)
    for m in messages:
        (receiver,) = m.receivers
        for end in (("out", m.sender), ("in", receiver)):
            ports[level_of(max(m.sender, receiver), group)][end] += int(wire_bytes(m.payload_bytes))
    return sum(medium.message_latency_s + max(level.values()) / BANDWIDTH for level in ports.values())


def replay_reduction(leg: Messages, n: int, link: str) -> tuple[list[int], set[int]]:
    """Whose sums each chip has added up, as bits, and chips that sent on what they had added."""
    has, gone, relays = [1 << chip for chip in range(n)], set[int](), set[int]()
    for slot in slots_of(leg.messages):
        if link in WIRES:
            check_ends(link, slot)
        before = list(has)
        for message in slot:
            (receiver,) = message.receivers
            assert not {message.sender, receiver} & gone, "a sum that is gone is not added to"
            assert not has[receiver] & before[message.sender], "nothing is added twice"
            has[receiver] |= before[message.sender]
            if before[message.sender] != 1 << message.sender:
                relays.add(message.sender)
        gone |= {message.sender for message in slot}
    return has, relays


def replay_broadcast(leg: Messages, link: str) -> set[int]:
    """Chips that have the root's result in the end."""
    has = {0}
    for slot in slots_of(leg.messages):
        if link in WIRES:
            check_ends(link, slot)
        before = set(has)
        for message in slot:
            assert message.sender in before, "a chip passes on only what it has"
            assert not has & set(message.receivers), "nobody is told twice"
            has |= set(message.receivers)
    return has


def check_counts(found: Delivery, at: int, up: Messages, relays: set[int], group: int, link: str) -> None:
    """Merges and forwards, of all chips and one after the other on the root's way."""
    to_root = [message.sender for message in up.messages if message.receivers == (0,)]
    waits = {level_of(sender, group) for sender in to_root if sender in relays}
    links = Counter(chip for message in up.messages for chip in (message.sender, *message.receivers))

    def counted(value: Any) -> int:
        return int(np.broadcast_to(value, found.seconds.shape)[at])

    assert counted(found.merges) == len(up.messages)
    assert counted(found.forwards) == len(relays)
    if link in ("switched", "mixer"):
        assert not found.partners, "no links of two"
    else:
        assert counted(found.partners["tree"]) == max(links.values(), default=0)
    if grows(link, len(up.messages) + 1, group):  # the root takes in its last one as the others end
        assert counted(found.merge_hops) == 1 + max(message.slot for message in up.messages)
        assert max(links.values()) <= LINKS[link].limits["ports"]
    else:
        assert counted(found.merge_hops) == len(to_root)
        assert counted(found.forward_hops) == len(waits)


def grows(link: str, n: int, group: int) -> bool:
    """Whether a tree of pairs has a root of more links than there are ports, and two at least."""
    ports = LINKS[link].limits.get("ports", 64) if link != "mixer" else 64
    return group == 2 and ports >= 2 and (n - 1).bit_length() > ports
