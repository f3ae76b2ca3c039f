"""What every collective in the table keeps to: its messages, replayed one by one, cost its closed form."""

from collections import Counter
from dataclasses import replace
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Plan, Plans, Workload
from costmodel.collectives import COLLECTIVES, Delivery
from costmodel.media import MEDIA, Mixer
from costmodel.operators import Kind
from costmodel.program import HALVES, Exchange
from tests.replay import (
    BANDWIDTH,
    CHIPS,
    GROUPS,
    HALF,
    LINKS,
    PACKET,
    WIRES,
    Case,
    around_a_ring,
    batch_of,
    by_hand,
    cases,
    check_counts,
    check_leg,
    gather_of,
    grows,
    of,
    replay_broadcast,
    replay_gather,
    replay_reduction,
    tree_leg_s,
    wire_bytes,
    wired_gather_s,
)
from tests.strategies import RADIO, costed, workloads

EVERY_LINK = pytest.mark.parametrize("link", LINKS)


def test_every_kind_of_exchange_is_known_on_every_family() -> None:
    kinds = {kind for kind, _ in COLLECTIVES}
    assert set(COLLECTIVES) == {(kind, family) for kind in kinds for family in MEDIA}
    assert {LINKS[link].medium for link in LINKS} == set(MEDIA)


@EVERY_LINK
def test_gathers_replayed_one_by_one_tell_everybody_everything_and_cost_their_closed_form(link: str) -> None:
    some, medium, gather = cases(), LINKS[link], of("gather", link)
    closed = gather.cost(medium, *batch_of(some))
    for at, case in enumerate(some):
        leg = gather.messages(medium, *gather_of(case))
        sizes = by_hand(case)
        if min(sizes) > 0:  # else bytes do not tell what is told
            assert replay_gather(leg.messages, sizes, link) == [set(range(len(sizes)))] * len(sizes), case
        check_leg(link, leg, closed, at, lambda leg=leg: wired_gather_s(link, leg.messages))


def ring_s(link: str, sizes: list[float]) -> float:
    n, medium = len(sizes), LINKS[link]
    turns = 1 if link.startswith("full") else 2 if n % 2 == 0 else 3
    message = medium.message_latency_s + wire_bytes(max(sizes)) / BANDWIDTH  # type: ignore[attr-defined]
    return (n - 1) * turns * message


def tree_s(link: str, sizes: list[float]) -> float:
    """Leaders of pairs, pairs of pairs, ... take what the other half has; then all goes down."""
    n, medium, seconds, width = len(sizes), LINKS[link], 0.0, 1
    if (n - 1).bit_length() > LINKS[link].limits.get("ports", n):
        return inf
    while width < n:
        halves = [sum(sizes[i : i + width]) for i in range(width, n, 2 * width)]
        for size in (max(halves, key=wire_bytes), sum(sizes)):
            seconds += medium.message_latency_s + wire_bytes(size) / BANDWIDTH  # type: ignore[attr-defined]
        width *= 2
    return seconds


@pytest.mark.parametrize("link", [name for name in WIRES if name != "switched"])
def test_gathers_go_the_faster_way_round_a_ring_or_over_a_tree(link: str) -> None:
    gather, ways = of("gather", link), Counter[bool]()
    some = [case for case in cases() if sum(case[0]) > 1]
    closed = gather.cost(LINKS[link], *batch_of(some))
    for at, case in enumerate(some):
        sizes = by_hand(case)
        ring, tree = ring_s(link, sizes), tree_s(link, sizes)
        np.testing.assert_allclose(closed.seconds[at], min(ring, tree), rtol=1e-12)
        leg = gather.messages(LINKS[link], *gather_of(case))
        assert around_a_ring(leg.messages) == (ring <= tree)
        ways[ring <= tree] += 1
    assert ways[True]
    if not link.endswith(("no latency", " 1 port", " 2 ports")):
        assert ways[False], "trees win where messages are slow to start"


@pytest.mark.parametrize("duplex", ["half", "full"])
def test_round_the_ring_and_over_the_tree_all_chips_end_up_with_the_same(duplex: str) -> None:
    found: dict[bool, list[set[int]]] = {}
    for latency in (0.0, 5000.0):
        link = HALF.model_copy(update={"duplex": duplex, "message_latency_s": latency})
        case: Case = ((3, 10), (57.0, 31.0))
        leg = COLLECTIVES["gather", "point_to_point"].messages(link, *gather_of(case))
        found[around_a_ring(leg.messages)] = replay_gather(leg.messages, by_hand(case), duplex)
    assert found[True] == found[False] == [set(range(13))] * 13


@EVERY_LINK
@settings(max_examples=30)
@given(data=st.data())
def test_gathers_of_chips_that_all_differ_cost_their_replay(link: str, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=24, unique=True))
    case: Case = ((1,) * len(sizes), tuple(sizes))
    leg = of("gather", link).messages(LINKS[link], *gather_of(case))
    closed = of("gather", link).cost(LINKS[link], *batch_of([case]))
    everybody = set(range(len(sizes)))
    assert replay_gather(leg.messages, by_hand(case), link) == [everybody] * len(sizes)
    check_leg(link, leg, closed, 0, lambda: wired_gather_s(link, leg.messages))


@EVERY_LINK
@pytest.mark.parametrize("n", [*range(2, 17), 24, 37, 64])
def test_messages_of_eighths_of_bytes_cost_their_replay(link: str, n: int) -> None:
    medium, gather = LINKS[link], of("gather", link)
    for whole in (PACKET * n, PACKET, 512, 1000, 4096):
        exchange = Exchange(kind="gather", sent_bytes=np.array([ceil(8 * whole / n) / 8]))
        leg = gather.messages(medium, exchange, np.array([n]))
        closed = gather.cost(medium, exchange, np.array([[n]]))
        check_leg(link, leg, closed, 0, lambda leg=leg: wired_gather_s(link, leg.messages))


@EVERY_LINK
@pytest.mark.parametrize("size", [250.0, 97.0])
def test_reductions_replayed_one_by_one_add_up_everything_and_cost_their_closed_form(
    link: str, size: float
) -> None:
    medium = LINKS[link]
    trees = [(n, group) for n in CHIPS for group in sorted({*GROUPS, max(n, 2)})]
    n_chips, groups = np.array(trees).T
    for kind in ("reduce", "broadcast"):
        exchange = Exchange(kind=kind, sent_bytes=size, group_size=groups)  # type: ignore[arg-type]
        found = of(kind, link).cost(medium, exchange, n_chips[None])
        for at, (n, group) in enumerate(trees):
            one = replace(exchange, group_size=np.array([group]))
            sent = of(kind, link).messages(medium, one, np.array([n]))
            assert {m.payload_bytes for m in sent.messages} <= {size}
            check_leg(link, sent, found, at, lambda sent=sent, g=group: tree_leg_s(link, sent.messages, g))
            if kind == "broadcast":
                assert replay_broadcast(sent, link) == set(range(n))
                continue
            has, relays = replay_reduction(sent, n, link)
            assert has[0] == 2**n - 1, "the root has all sums"
            check_counts(found, at, sent, relays, group, link)


@EVERY_LINK
@pytest.mark.parametrize("kind", ["reduce", "broadcast"])
@settings(max_examples=40)
@given(n=st.integers(2, 64), data=st.data())
def test_chips_that_take_no_part_have_no_messages(link: str, kind: str, n: int, data: st.DataObject) -> None:
    part, group = data.draw(st.integers(1, n)), data.draw(st.integers(2, n))
    chips, takes = np.array([[part], [n - part]]), np.array([[True], [False]])
    everybody = Exchange(kind=kind, sent_bytes=90.0, group_size=np.array([group]))  # type: ignore[arg-type]
    some = replace(everybody, takes_part=takes)
    sent = of(kind, link).messages(LINKS[link], some, chips[:, 0])
    if not grows(link, n, group):
        assert sent == of(kind, link).messages(LINKS[link], everybody, np.array([part]))
    ends = {(m.sender, *m.receivers) for m in sent.messages}
    whole = of(kind, link).messages(LINKS[link], everybody, np.array([n]))
    assert {chip for some in ends for chip in some} <= set(range(part))
    assert len(sent.messages) == part - 1 or LINKS[link].shared
    assert link == "mixer" or ends <= {(m.sender, *m.receivers) for m in whole.messages}, "no link of its own"
    found = of(kind, link).cost(LINKS[link], some, chips)
    check_leg(link, sent, found, 0, lambda: tree_leg_s(link, sent.messages, group))


def test_reductions_by_radio_take_sums_of_any_size_to_the_root() -> None:
    reduction = of("reduce", "mixer")
    for case in cases():
        sizes, chips = np.array(case[1], dtype=float)[:, None], np.array(case[0])
        exchange = Exchange(kind="reduce", sent_bytes=sizes)
        up = reduction.messages(RADIO.link, exchange, chips)
        assert [m.payload_bytes for m in up.messages] == by_hand(case)[1:]
        assert replay_reduction(up, sum(case[0]), "mixer")[0][0] == 2 ** sum(case[0]) - 1
        check_leg("mixer", up, reduction.cost(RADIO.link, exchange, chips[:, None]), 0, lambda: 0.0)


def same(one: Delivery, other: Delivery) -> None:
    np.testing.assert_allclose(one.seconds, other.seconds, rtol=1e-12)
    np.testing.assert_allclose(one.bound_s, other.bound_s, rtol=1e-12)
    for field, value in vars(one.traffic).items():
        np.testing.assert_allclose(value, getattr(other.traffic, field), rtol=1e-12, err_msg=field)
    for field in ("merge_hops", "merges", "forward_hops", "forwards", "buffer_bytes"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), field)


@EVERY_LINK
@pytest.mark.parametrize("kind", sorted({kind for kind, _ in COLLECTIVES}))
@settings(max_examples=30)
@given(
    n=st.integers(1, 64),
    cut=st.integers(0, 64),
    size=st.integers(1, 900),
    group=st.integers(2, 64),
)
def test_it_does_not_matter_which_of_equal_chips_is_which(
    link: str, kind: str, n: int, cut: int, size: int, group: int
) -> None:
    exchange = Exchange(
        kind=kind,  # type: ignore[arg-type]
        sent_bytes=float(size),
        group_size=np.array([group]),
    )
    found, medium, cut = of(kind, link), LINKS[link], min(cut, n)
    together = found.cost(medium, exchange, np.array([[n]]))
    for classes in ([cut, n - cut], [n - cut, 0, cut], [1] * n):
        same(together, found.cost(medium, exchange, np.array(classes)[:, None]))
        assert found.messages(medium, exchange, np.array([n])) == found.messages(
            medium, exchange, np.array(classes)
        )


@EVERY_LINK
@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 900), min_size=2, max_size=24), data=st.data())
def test_a_gather_that_is_no_tree_costs_the_same_in_any_order_of_chips(
    link: str, sizes: list[int], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(sizes))
    some: list[Case] = [((1,) * len(sizes), tuple(order)) for order in (sizes, other)]
    ways = [of("gather", link).messages(LINKS[link], *gather_of(case)) for case in some]
    leg = of("gather", link).cost(LINKS[link], *batch_of(some))
    if link in ("switched", "mixer") or all(around_a_ring(way.messages) for way in ways):
        np.testing.assert_allclose(leg.seconds[0], leg.seconds[1], rtol=1e-12)
        np.testing.assert_allclose(leg.traffic.wire_bytes[0], leg.traffic.wire_bytes[1], rtol=1e-12)


@EVERY_LINK
@pytest.mark.parametrize("kind", sorted({kind for kind, _ in COLLECTIVES}))
@pytest.mark.parametrize("classes", [[1], [1, 0], [0, 1]])
def test_one_chip_sends_nothing_in_no_time_for_no_energy(link: str, kind: str, classes: list[int]) -> None:
    medium, chips = LINKS[link], np.array(classes)
    exchange = Exchange(
        kind=kind,  # type: ignore[arg-type]
        sent_bytes=1e6,
        group_size=np.array([4]),
    )
    assert not of(kind, link).messages(medium, exchange, chips).messages
    found = of(kind, link).cost(medium, exchange, chips[:, None])
    assert found.seconds == found.bound_s == medium.energy_j(found.traffic) == 0
    assert all(value == 0 for value in vars(found.traffic).values())
    for field in ("merge_hops", "merges", "forward_hops", "forwards", "buffer_bytes"):
        assert not np.any(getattr(found, field)), field
    assert not any(np.any(asked) for asked in found.demands.values())


@EVERY_LINK
def test_limits_are_asked_of_exactly_those_media_that_have_them(link: str) -> None:
    for kind in {kind for kind, _ in COLLECTIVES}:
        exchange = Exchange(kind=kind, sent_bytes=9.0, group_size=np.array([4]))  # type: ignore[arg-type]
        found = of(kind, link).cost(LINKS[link], exchange, np.array([[4]]))
        asked = {*found.demands, *(("ports",) if found.partners else ())}
        assert asked >= set(LINKS[link].limits)
        assert asked - {"ports"} == set(LINKS[link].limits) - {"ports"}


@settings(max_examples=40)
@given(workload=workloads(), n=st.integers(2, 12))
def test_a_gather_that_prunes_nothing_is_an_all_gather(workload: Workload, n: int) -> None:
    found = costed(workload, RADIO, Plans.of([Plan(strategy="column_wise", n_chips=n)]))
    program, m = found.program, workload.model
    wide = {"qkv": m.embedding, "o": m.heads * m.head_size, "ffn_in": m.embedding, "ffn_out": m.ffn}
    if program.n_chips[0] == 1:
        return
    for half in HALVES:
        part = program.part(half)
        assert not any(np.any(share) for share in part.missing.values())
        for step in part.steps:
            if step.exchange is not None:
                sent = np.sum(step.exchange.sent_bytes * program.chips)
                assert sent == workload.rows * wide[step.name] * m.activation_bytes
            depths = {np.unique(o.depth).item() for o in step.work if o.kind is Kind.MATMUL}
            assert depths <= set(wide.values())


def test_the_radio_of_these_tests_is_a_mixer_that_runs_one_round() -> None:
    assert isinstance(RADIO.link, Mixer)
    assert RADIO.link.limits == {"rounds": 1.0}
