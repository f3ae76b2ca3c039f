"""Closed forms against event-by-event simulations that share no formula with them."""

from collections import deque
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, evaluate, load_workload
from costmodel.collectives import COLLECTIVES, Delivery
from costmodel.collectives.trees import hierarchy
from costmodel.compute import alone_s
from costmodel.media import PointToPoint
from costmodel.program import Exchange
from costmodel.strategies import head_wise
from costmodel.streaming import WARM, Timeline
from tests.strategies import KERNEL_SETS

MESSAGE_S, ADDING_S, PAYLOAD = 3.0, 5.0, 40
LINK = KERNEL_SETS["date2025"].link
TIMED, TINY = KERNEL_SETS["pulp-gvsoc"], load_workload("tinyllama-42m")
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


def run(
    messages: list[Message], n_chips: int, message_s: float, adding_s: float = 0.0, narrowing_s: float = 0.0
) -> list[float]:
    """Time at which each chip is done, when it handles its messages in order, one at a time.

    A message starts once it is next for both its ends. The receiver adds it to its own sum; a chip
    that has added narrows before it sends.
    """
    clock, added = [0.0] * n_chips, [False] * n_chips
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
        narrowed = clock[sender] + (narrowing_s if added[sender] else 0.0)
        sent = max(narrowed, clock[receiver]) + message_s
        clock[sender], clock[receiver], added[receiver] = sent, sent + adding_s, True
        queue[sender].popleft()
        queue[receiver].popleft()
        ready += (sender, receiver)
    assert not any(queue), "deadlock"
    return clock


@pytest.fixture(scope="module")
def link() -> PointToPoint:
    """Give a link whose message of PAYLOAD bytes takes exactly MESSAGE_S."""
    return LINK.model_copy(
        update={
            "bandwidth_bytes_per_s": 64.0,
            "message_latency_s": 2.0,
            "header_bytes": 8.0,
            "payload_bytes": 16.0,
        }
    )


def test_the_link_of_the_simulation_has_packets_headers_and_latency(link: PointToPoint) -> None:
    assert link.message_s(PAYLOAD) == MESSAGE_S == 2 + (40 + 3 * 8) / 64


def delivered(link: PointToPoint, kind: Literal["reduce", "broadcast"] = "reduce") -> Delivery:
    """Reduce or broadcast PAYLOAD bytes over every tree."""
    n, group = np.array(TREES).T
    exchange = Exchange(kind=kind, sent_bytes=PAYLOAD, group_size=group)
    return COLLECTIVES[kind, "point_to_point"].cost(link, exchange, n[None])


def test_reduce_takes_as_long_as_its_simulation(link: PointToPoint) -> None:
    closed = delivered(link).seconds
    done = [run(messages_up(*tree), tree[0], MESSAGE_S) for tree in TREES]
    assert closed.tolist() == [max(clock) for clock in done]
    assert closed.tolist() == [clock[0] for clock in done], "the root is the last to be done"


def test_reduce_with_adding_takes_as_long_as_its_simulation(link: PointToPoint) -> None:
    found = delivered(link)
    closed = found.seconds + found.merge_hops * ADDING_S
    assert closed.tolist() == [max(run(messages_up(*tree), tree[0], MESSAGE_S, ADDING_S)) for tree in TREES]


def test_broadcast_takes_as_long_as_its_simulation(link: PointToPoint) -> None:
    closed = delivered(link, "broadcast").seconds
    assert closed.tolist() == [max(run(messages_down(*tree), tree[0], MESSAGE_S)) for tree in TREES]


def test_tree_moves_as_many_bytes_as_its_simulation(link: PointToPoint) -> None:
    n, _ = np.array(TREES).T
    assert [len(messages_up(*tree)) for tree in TREES] == (n - 1).tolist()
    sent = [sum(PAYLOAD + 3 * 8 for _ in messages_up(*tree)) for tree in TREES]
    for found in (delivered(link), delivered(link, "broadcast")):
        assert found.traffic.wire_bytes.tolist() == sent
        assert found.traffic.messages.tolist() == (n - 1).tolist()


GROWN = [(n, ports) for ports in (2, 3, 4, 5) for n in range(2, 65)]


def taken_in(n_chips: int, ports: int) -> list[Message]:
    """Let every chip that is in and has a port left take in one more, round by round."""
    free, found = {0: ports}, []
    while len(free) < n_chips:
        for chip in [chip for chip, left in free.items() if left]:
            if len(free) < n_chips:
                found.append((chip, len(free)))
                free[chip] -= 1
                free[len(free)] = ports - 1
    return found


def test_trees_of_few_ports_take_as_long_as_their_simulation(link: PointToPoint) -> None:
    for n, ports in GROWN:
        few = link.model_copy(update={"ports": ports})
        up, down = (
            COLLECTIVES[kind, "point_to_point"].cost(
                few,
                Exchange(kind=kind, sent_bytes=PAYLOAD, group_size=np.array([2])),
                np.array([[n]]),
            )
            for kind in ("reduce", "broadcast")
        )
        edges = taken_in(n, ports)
        if up.partners["tree"] > ports or (n - 1).bit_length() <= ports:
            assert (n - 1).bit_length() == up.partners["tree"]
            continue
        reversed_edges = [(child, parent) for parent, child in reversed(edges)]
        assert down.seconds.tolist() == [max(run(edges, n, MESSAGE_S))]
        added = run(reversed_edges, n, MESSAGE_S, ADDING_S)
        assert (up.seconds + up.merge_hops * ADDING_S).tolist() == [max(added)] == [added[0]]
        narrowed = max(run(reversed_edges, n, MESSAGE_S, ADDING_S, 2.0))
        assert max(added) <= narrowed <= (up.seconds + up.merge_hops * ADDING_S + up.forward_hops * 2.0)[0]


def test_a_few_ports_suffice_for_trees_as_fast_as_pairs() -> None:
    n = np.arange(2, 25)
    pairs, few = (hierarchy(n, np.full(n.shape, 2), ports).hops for ports in (None, 3))
    assert (few - pairs).tolist() == [int(count in (15, 16)) for count in n]
    assert (hierarchy(n, np.full(n.shape, 2), 3).partners <= 3).all()


def test_depth_is_the_number_of_times_that_leaders_regroup() -> None:
    n, group = np.array(TREES).T
    assert hierarchy(n, group).depth.tolist() == [len(levels(*tree)) for tree in TREES]


def test_relays_are_the_messages_whose_sender_has_added_to_its_sum() -> None:
    n, group = np.array(TREES).T
    counted = []
    for tree in TREES:
        ends = messages_up(*tree)
        counted.append(sum(sender in {receiver for _, receiver in ends} for sender, _ in ends))
    assert hierarchy(n, group).relays.tolist() == counted


def simulated_half_s(tree: tuple[int, int]) -> tuple[float, float]:
    """Simulate a broadcast, a reduction and the root's work; with and without narrowing by leaders."""
    narrow = head_wise.narrow(TINY, Plans.of([Plan(strategy="head_wise", n_chips=2, partial_sum_bits=8)]))
    adding, narrowing = (
        alone_s(TIMED, [operator]).item() for operator in (head_wise.accumulate(TINY), narrow)
    )
    message = TIMED.link.message_s(512)
    rest = alone_s(TIMED, head_wise.root_work(TINY)) + max(run(messages_down(*tree), tree[0], message))
    with_it, without = (max(run(messages_up(*tree), tree[0], message, adding, x)) for x in (narrowing, 0.0))
    return with_it + rest, without + rest


def test_both_synchronisations_of_a_block_take_as_long_as_their_simulation() -> None:
    batch = Plans.of(
        Plan(strategy="head_wise", n_chips=n, group_size=group, partial_sum_bits=8) for n, group in TREES
    )
    costs = evaluate(TINY, TIMED, batch, Accounting(scope="block"))
    closed = costs.latency_by_cause_s["root"] + costs.latency_by_cause_s["link"]
    with_heads = [(min(n, TINY.model.heads), group) for n, group in TREES]
    simulated, without = sum(
        np.array([simulated_half_s(tree) for tree in trees]).T for trees in (TREES, with_heads)
    )
    # A second leader that is as late as the first exists where the second group of each level is full.
    full = np.all(
        [[n >= 2 * g ** (len(levels(n, g)) - 1) for n, g in trees] for trees in (TREES, with_heads)], axis=0
    )
    np.testing.assert_allclose(closed[full], simulated[full], rtol=1e-12)
    assert (simulated <= closed * (1 + 1e-12)).all()
    assert (without <= simulated).all()


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
