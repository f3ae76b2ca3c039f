"""Closed forms against event-by-event simulations that share no formula with them."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.collectives import hierarchy, tree_bytes, tree_s
from costmodel.hardware import Link
from costmodel.links import message_s
from costmodel.streaming import WARM, Timeline
from tests.strategies import KERNEL_SETS

MESSAGE_S, ADDING_S, PAYLOAD = 3.0, 5.0, 40
LINK = KERNEL_SETS["date2025"].link
TREES = [(n, group) for n in range(1, 65) for group in range(2, max(n, 2) + 1)]


Message = tuple[int, int]


def levels(n_chips: int, group_size: int) -> list[list[Message]]:
    """Give (member, leader) of every group, level by level, groups and members in index order."""
    found, chips = [], list(range(n_chips))
    while len(chips) > 1:
        groups = [chips[i : i + group_size] for i in range(0, len(chips), group_size)]
        found.append([(chip, group[0]) for group in groups for chip in group[1:]])
        chips = [group[0] for group in groups]
    return found


def messages_up(n_chips: int, group_size: int) -> list[Message]:
    return [ends for level in levels(n_chips, group_size) for ends in level]


def messages_down(n_chips: int, group_size: int) -> list[Message]:
    return [(leader, chip) for level in reversed(levels(n_chips, group_size)) for chip, leader in level]


def run(messages: list[Message], n_chips: int, message_s: float, receiver_s: float) -> list[float]:
    """Time at which each chip is done, when it handles its messages in order, one at a time.

    A message starts once it is next for both its ends; the receiver works for `receiver_s` after it.
    """
    clock = [0.0] * n_chips
    queue: list[deque[int]] = [deque() for _ in range(n_chips)]
    for i, ends in enumerate(messages):
        for chip in ends:
            queue[chip].append(i)
    ready = deque(range(n_chips))
    while ready:
        chip = ready.popleft()
        if not queue[chip]:
            continue
        sender, receiver = messages[queue[chip][0]]
        if queue[sender][0] != queue[receiver][0]:
            continue
        start = max(clock[sender], clock[receiver])
        clock[sender], clock[receiver] = start + message_s, start + message_s + receiver_s
        queue[sender].popleft()
        queue[receiver].popleft()
        ready += (sender, receiver)
    assert not any(queue), "deadlock"
    return clock


@pytest.fixture(scope="module")
def link() -> Link:
    """Give a link whose message of PAYLOAD bytes takes exactly MESSAGE_S."""
    return LINK.model_copy(
        update={
            "bandwidth_bytes_per_s": 64.0,
            "message_latency_s": 2.0,
            "header_bytes": 8.0,
            "payload_bytes": 16.0,
        }
    )


def test_the_link_of_the_simulation_has_packets_headers_and_latency(link: Link) -> None:
    assert message_s(link, PAYLOAD) == MESSAGE_S == 2 + (40 + 3 * 8) / 64


def test_reduce_takes_as_long_as_its_simulation(link: Link) -> None:
    n, group = np.array(TREES).T
    closed = tree_s(link, hierarchy(n, group), PAYLOAD)
    done = [run(messages_up(*tree), tree[0], MESSAGE_S, 0.0) for tree in TREES]
    assert closed.tolist() == [max(clock) for clock in done]
    assert closed.tolist() == [clock[0] for clock in done], "the root is the last to be done"


def test_reduce_with_adding_takes_as_long_as_its_simulation(link: Link) -> None:
    n, group = np.array(TREES).T
    shape = hierarchy(n, group)
    closed = tree_s(link, shape, PAYLOAD) + shape.hops * ADDING_S
    assert closed.tolist() == [max(run(messages_up(*tree), tree[0], MESSAGE_S, ADDING_S)) for tree in TREES]


def test_broadcast_takes_as_long_as_its_simulation(link: Link) -> None:
    n, group = np.array(TREES).T
    closed = tree_s(link, hierarchy(n, group), PAYLOAD)
    assert closed.tolist() == [max(run(messages_down(*tree), tree[0], MESSAGE_S, 0.0)) for tree in TREES]


def test_tree_moves_as_many_bytes_as_its_simulation(link: Link) -> None:
    n, _ = np.array(TREES).T
    assert [len(messages_up(*tree)) for tree in TREES] == (n - 1).tolist()
    sent = [sum(PAYLOAD + 3 * 8 for _ in messages_up(*tree)) for tree in TREES]
    assert tree_bytes(link, n, PAYLOAD).tolist() == sent


def test_depth_is_the_number_of_times_that_leaders_regroup() -> None:
    n, group = np.array(TREES).T
    assert hierarchy(n, group).depth.tolist() == [len(levels(*tree)) for tree in TREES]


Phase = tuple[int, int, int]
STEP = st.tuples(st.just(0), st.integers(0, 60), st.just(0))
STREAM = st.tuples(st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
STARTS = st.sampled_from((0.0, WARM))


def tile_by_tile(phases: list[Phase], start: float) -> float:
    """Cycle at which a chip ends phases (tiles, DMA, compute); without tiles: a step of `DMA` cycles.

    The DMA engine brings one tile at a time, in order, each into the buffer that the tile two before
    it has left.
    """
    now, ready, released = 0.0, [start], [start, start]
    for tiles, dma, compute in phases:
        if not tiles:
            now += dma
        for _ in range(tiles):
            ready.append(max(ready[-1], released[-2]) + dma)
            now = max(now, ready[-1]) + compute
            released.append(now)
    return now


@settings(max_examples=600)
@given(phases=st.lists(STEP | STREAM, min_size=1, max_size=7), start=STARTS)
def test_streaming_ends_when_its_tile_by_tile_simulation_ends(phases: list[Phase], start: float) -> None:
    timeline = Timeline(start=start)
    for tiles, dma, compute in phases:
        if tiles:
            timeline.stream(tiles, dma, compute)
        else:
            timeline.step(dma)
    assert timeline.now == tile_by_tile(phases, start)


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(STREAM, STREAM, STEP, STREAM), min_size=1, max_size=5), start=STARTS)
def test_streaming_of_a_batch_is_that_of_its_rows(rows: list[tuple[Phase, ...]], start: float) -> None:
    timeline = Timeline(start=start)
    for phase in np.swapaxes(np.array(rows), 0, 1):
        tiles, dma, compute = phase.T
        if tiles.any():
            timeline.stream(tiles, dma, compute)
        else:
            timeline.step(dma)
    assert timeline.now.tolist() == [tile_by_tile(list(row), start) for row in rows]
