from collections import Counter

import numpy as np
import pytest

from costmodel.collectives.trees import Hop, broadcast, hierarchy, levels, reduction
from costmodel.plan import MAX_CHIPS

GROUPS = range(2, MAX_CHIPS + 1)
EVERY_N = pytest.mark.parametrize("n", range(1, MAX_CHIPS + 1))
BOTH = pytest.mark.parametrize("tree", [reduction, broadcast])


def by_slot(hops: list[Hop]) -> list[list[Hop]]:
    slots: list[list[Hop]] = [[] for _ in range(max((h.slot + 1 for h in hops), default=0))]
    for hop in hops:
        slots[hop.slot].append(hop)
    return slots


@EVERY_N
@BOTH
def test_a_chip_handles_one_message_at_a_time_and_no_slot_is_empty(tree: type[list[Hop]], n: int) -> None:
    for group in GROUPS:
        for slot in by_slot(tree(n, group)):
            busy = [chip for hop in slot for chip in (hop.sender, hop.receiver)]
            assert busy, group
            assert len(set(busy)) == len(busy), group


@EVERY_N
@BOTH
def test_as_many_slots_as_the_closed_form_counts(tree: type[list[Hop]], n: int) -> None:
    groups = np.array(GROUPS)
    shape = hierarchy(np.full_like(groups, n), groups)
    assert [len(by_slot(tree(n, g))) for g in GROUPS] == shape.hops.tolist()
    assert [len(levels(n, g)) for g in GROUPS] == shape.depth.tolist()


@EVERY_N
def test_every_chip_but_the_root_sends_up_once_and_hears_once(n: int) -> None:
    others = Counter(range(1, n))
    for group in GROUPS:
        assert Counter(hop.sender for hop in reduction(n, group)) == others, group
        assert Counter(hop.receiver for hop in broadcast(n, group)) == others, group


@EVERY_N
def test_sums_arrive_complete_at_the_root(n: int) -> None:
    for group in GROUPS:
        held = [{chip} for chip in range(n)]
        for slot in by_slot(reduction(n, group)):
            for hop in slot:
                assert not held[hop.receiver] & held[hop.sender], group
                held[hop.receiver] |= held[hop.sender]
        assert held[0] == set(range(n)), group


@EVERY_N
def test_only_a_chip_that_knows_passes_on_and_all_know_in_the_end(n: int) -> None:
    for group in GROUPS:
        known = {0}
        for slot in by_slot(broadcast(n, group)):
            assert {hop.sender for hop in slot} <= known, group
            known |= {hop.receiver for hop in slot}
        assert known == set(range(n)), group


@EVERY_N
def test_same_links_up_and_down(n: int) -> None:
    for group in GROUPS:
        up = {(hop.sender, hop.receiver) for hop in reduction(n, group)}
        assert up == {(hop.receiver, hop.sender) for hop in broadcast(n, group)}, group
        members = {(m, g[0]) for level in levels(n, group) for g in level for m in g[1:]}
        assert up == members, group


@EVERY_N
def test_levels_cut_leaders_in_groups_down_to_the_root(n: int) -> None:
    for group in GROUPS:
        chips = list(range(n))
        for level in levels(n, group):
            assert [chip for part in level for chip in part] == chips
            assert all(1 <= len(part) <= group for part in level)
            assert all(len(part) == group for part in level[:-1])
            chips = [part[0] for part in level]
        assert chips == [0]


@BOTH
def test_messages_are_listed_in_order(tree: type[list[Hop]]) -> None:
    for n in range(1, MAX_CHIPS + 1):
        slots = [hop.slot for hop in tree(n, 3)]
        assert slots == sorted(slots)


def test_eight_chips_in_groups_of_four() -> None:
    hops = [(hop.slot, hop.sender, hop.receiver) for hop in reduction(8, 4)]
    assert hops == [(0, 1, 0), (0, 5, 4), (1, 2, 0), (1, 6, 4), (2, 3, 0), (2, 7, 4), (3, 4, 0)]
