from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Plan, Plans, evaluate, load_platform, load_workload
from costmodel.accuracy import POINTS
from costmodel.strategies import canonical
from dse.proposals import EXAMPLES, Proposal, examples, missing_of, proposals
from tests.strategies import messages_of

VIT, CHIPS = load_workload("cats-vit"), load_platform("nrf52840-mixer")
MOST, NEXT, SPARED, FURTHER = "misses most", "nearest to 0.75", "but that before Q, K and V", "farthest in U"


def pruned(n: int, *ratios: float) -> Plan:
    """Canonical plan, pruned alike or by gather."""
    each = ratios if len(ratios) == 4 else ratios * 4
    plan = Plan(
        strategy="column_wise",
        n_chips=n,
        **{f"prune_{point}": p for point, p in zip(POINTS, each, strict=True)},
    )
    return canonical(VIT, CHIPS, Plans.of([plan])).row(0)


def ask(front: list[Plan], n: int, *done: Plan) -> list[Proposal]:
    return proposals(VIT, CHIPS, front, done, n)


EVEN = [pruned(8, p) for p in (0.0, 0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)]
RATIOS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
PLANS = st.builds(pruned, st.integers(1, 16), RATIOS, RATIOS, RATIOS, RATIOS)
FRONTS = st.lists(PLANS, max_size=8, unique=True)


def test_u_of_plans_is_what_they_are_evaluated_to() -> None:
    plans = [*EVEN, pruned(16, 0, 0.9, 0.9, 0.9), Plan(strategy="head_wise", n_chips=8), pruned(1, 0)]
    expected = evaluate(VIT, CHIPS, Plans.of(plans)).missing_weights
    assert missing_of(VIT, CHIPS, plans) == pytest.approx(expected.tolist(), rel=1e-12)


def test_the_first_three_tell_how_much_how_late_and_where() -> None:
    spared = pruned(8, 0, 0.9, 0.9, 0.9)
    found = ask([pruned(8, 0, 0.3, 0.3, 0.3), *EVEN, spared], 3)
    assert [one.plan for one in found] == [pruned(8, 0.9), pruned(8, 0.7), spared]
    for one, why in zip(found, (MOST, NEXT, SPARED), strict=True):
        assert why in one.why
    assert [one.missing for one in found] == missing_of(VIT, CHIPS, [one.plan for one in found])


def test_a_plan_that_spares_qkv_is_made_of_the_first_where_the_front_has_none() -> None:
    found = ask(EVEN, 3)
    assert found[2].plan == pruned(8, 0, 0.9, 0.9, 0.9)
    assert found[2].plan not in EVEN
    assert found[2].missing == missing_of(VIT, CHIPS, [found[2].plan])[0] > 0


def test_a_plan_of_the_front_that_spares_qkv_goes_before_one_that_is_made() -> None:
    less, more = pruned(8, 0, 0.3, 0.3, 0.3), pruned(8, 0, 0.5, 0.9, 0.9)
    found = ask([less, more, *EVEN], 3)
    assert found[2].plan == more
    assert SPARED in found[2].why


def test_no_plan_that_misses_nothing_is_made() -> None:
    only = pruned(8, 0.9, 0, 0, 0)
    assert [one.plan for one in ask([only], 3)] == [only]


def test_further_ones_fill_the_widest_gap() -> None:
    found = ask(EVEN, 5)
    # U of the first three: 0.79, 0.61 and 0.29; the farthest from them is 0.09, then 0.44 to 0.45
    assert [one.plan for one in found[3:]] == [pruned(8, 0.1), pruned(8, 0.5)]
    assert all(FURTHER in one.why for one in found[3:])


def test_further_ones_keep_away_from_all_that_is_done() -> None:
    done = [one.plan for one in ask(EVEN, 4)]
    assert done[3] == pruned(8, 0.1)
    beside = pruned(7, 0.1)
    assert [one.plan for one in ask([*EVEN, beside], 1, *done)] == [pruned(8, 0.5)]
    elsewhere = pruned(9, 0.5)  # on no front, and misses about as much
    assert [one.plan for one in ask(EVEN, 1, *done, elsewhere)] != [pruned(8, 0.5)]


@given(front=FRONTS, n=st.integers(1, 10), data=st.data())
@settings(max_examples=60)
def test_no_more_than_asked_no_plan_twice_and_none_that_is_done(
    front: list[Plan], n: int, data: st.DataObject
) -> None:
    everything = ask(front, 10)
    done = data.draw(st.lists(st.sampled_from(front), unique=True)) if front else []
    if everything:
        done += data.draw(st.lists(st.sampled_from([one.plan for one in everything]), unique=True))
    found = ask(front, n, *done)
    plans = [one.plan for one in found]
    assert len(plans) <= n
    assert len(set(plans)) == len(plans)
    assert not set(plans) & set(done)
    assert all(one.missing > 0 for one in found)
    left = {one.plan for one in everything} - set(done)
    assert len(plans) == min(n, len(left))


@given(front=FRONTS)
@settings(max_examples=40)
def test_the_first_misses_most_the_next_about_three_quarters_and_one_spares_qkv(front: list[Plan]) -> None:
    u = dict(zip(front, missing_of(VIT, CHIPS, front), strict=True)) if front else {}
    found = ask(front, 10)
    assert bool(found) == any(share > 0 for share in u.values())
    if found:
        most = max(u.values())
        assert found[0].missing == most
        near = [one for one in found if NEXT in one.why]
        others = [share for plan, share in u.items() if share > 0 and plan != found[0].plan]
        assert len(near) == bool(others)
        assert all(abs(near[0].missing - 0.75 * most) <= abs(share - 0.75 * most) for share in others)
        for one in found:
            assert (SPARED not in one.why) or one.plan.prune_qkv == 0
        assert {one.plan for one in found} >= {plan for plan, share in u.items() if share > 0}


@pytest.mark.parametrize(
    "front",
    [[], [pruned(1, 0)], [pruned(8, 0), pruned(4, 0)], [Plan(strategy="head_wise", n_chips=8)]],
)
def test_fronts_that_miss_nothing_give_none(front: list[Plan]) -> None:
    assert ask(front, 3) == []


def test_with_all_of_them_done_there_is_nothing_left() -> None:
    everything = [one.plan for one in ask(EVEN, 20)]
    assert len(everything) == len(EVEN)  # without that which misses nothing, with the one that was made
    assert ask(EVEN, 20, *everything) == []


def test_head_wise_plans_beside_pruned_ones_are_not_proposed() -> None:
    front = [Plan(strategy="head_wise", n_chips=8), *EVEN]
    assert [one.plan for one in ask(front, 3)] == [one.plan for one in ask(EVEN, 3)]


@pytest.mark.parametrize("name", ["cats-vit", "cats-block", "tinyllama-42m", "stories260k"])
def test_examples_are_plans_of_any_model_and_one_spares_qkv(name: str) -> None:
    workload = load_workload(name)
    found = examples(workload, CHIPS)
    n = min(8, workload.model.heads)
    assert len(found) == EXAMPLES
    assert {plan.n_chips for plan in found} == {n}
    assert [plan.prune_qkv == 0 for plan in found] == [False, False, True]
    assert all(share > 0 for share in missing_of(workload, CHIPS, found))
    assert replace(found[2], prune_qkv=found[0].prune_qkv) == found[0]


def test_what_a_front_narrows_and_leaves_out_is_not_retrained() -> None:
    altered = [
        replace(plan, weight_bits=4, **messages_of(6), message_dropout=0.1, retransmission=1) for plan in EVEN
    ]
    assert ask(altered, 3) == ask(EVEN, 3)
    assert ask([*altered, *EVEN], 3) == ask(EVEN, 3)


def test_what_another_run_answered_is_not_asked_again() -> None:
    done = [pruned(16, 0.9), pruned(16, 0.7), pruned(16, 0, 0.9, 0.9, 0.9)]
    assert not set(done) & set(EVEN)
    found = ask(EVEN, 2, *done)
    assert [FURTHER in one.why for one in found] == [True, True]
    assert any(MOST in one.why for one in ask(EVEN, 3, *done[1:]))
    assert any(SPARED in one.why for one in ask(EVEN, 3, *done[:2]))


def test_a_plan_that_spares_qkv_and_hardly_misses_anything_tells_nothing() -> None:
    found = ask([*EVEN, pruned(8, 0, 0.1, 0.1, 0.1)], 3)
    assert found[2].plan == pruned(8, 0, 0.9, 0.9, 0.9)
