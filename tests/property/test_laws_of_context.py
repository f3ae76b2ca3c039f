"""Room for a longer context costs memory and time, and never gives any back."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate
from costmodel.context import context_room
from costmodel.costing import Costing
from costmodel.costs import SHARED_L3
from costmodel.dealing import costing, recosted
from costmodel.strategies import canonical
from costmodel.workload import MAX_TOKENS
from tests.strategies import AS_PUBLISHED, CASE, ROUNDING, changed, per_plan, plan_of, platforms, workloads


@given(**CASE)
def test_room_for_the_tokens_costed_changes_nothing(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    without, room = (
        per_plan(evaluate(one, platform, batch, counted))
        for one in (workload, workload.with_room(workload.n_tokens))
    )
    assert all((array == room[name]).all() for name, array in without.items())


@settings(max_examples=200)
@given(**CASE, more=st.integers(1, 400), again=st.integers(0, 400))
def test_room_for_a_longer_context_never_makes_a_plan_faster_or_smaller(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting, more: int, again: int
) -> None:
    # Even shares: dealt by room, the chips of another context have other columns.
    even = batch.changed(shares=np.zeros(len(batch), dtype=np.int64))
    shorter, longer = (
        evaluate(workload.with_room(workload.n_tokens + extra), platform, even, counted)
        for extra in (more, more + again)
    )
    assert (longer.latency_s >= shorter.latency_s * (1 - ROUNDING)).all()
    for name, demand in shorter.demands.items():
        if name not in (
            "L3",
            SHARED_L3,
        ):  # blocks that no longer stay on chip go there, and rows of the head come back
            assert (longer.demands[name].asked >= demand.asked).all()
    assert (longer.link_bytes == shorter.link_bytes).all()


@settings(max_examples=150)
@given(workload=workloads(), platform=platforms(), plan=plan_of("head_wise"), size=st.floats(14, 24))
def test_chips_keep_what_they_keep_up_to_the_context_that_is_said_and_no_further(
    workload: Workload, platform: Platform, plan: Plan, size: float
) -> None:
    decoder = replace(workload, request="autoregressive")
    larger = changed(
        platform,
        l2={"size_bytes": 2**size, "reserve_bytes": 0.0},
        l3={"size_bytes": 2**26},
        link={"ports": None},
    )
    batch = canonical(decoder, larger, Plans.of([replace(plan, **AS_PUBLISHED)]))
    found = costing(decoder, larger, batch, Accounting())
    assume(found.costs.feasible[0])
    up_to = context_room(decoder, larger, Accounting(), found)
    last, beyond = (
        costing(decoder.with_room(context), larger, batch, Accounting()) for context in (up_to, up_to + 1)
    )

    def loses(longer: Costing) -> bool:
        before, after = found.placement, longer.placement
        head = (before.head_kept > 0) & (after.head_kept == 0)
        worse = (after.regime > before.regime) | head
        return not longer.costs.feasible[0] or bool(np.any(worse))

    assert not loses(last)
    assert loses(beyond) or up_to == MAX_TOKENS


@given(workload=workloads(), platform=platforms(), plan=plan_of("head_wise"))
def test_hidden_accounting_of_the_same_deal_is_never_slower(
    workload: Workload, platform: Platform, plan: Plan
) -> None:
    batch = canonical(workload, platform, Plans.of([plan]))
    steady = costing(workload, platform, batch, Accounting())
    hidden = recosted(steady, workload, platform, Accounting(prefetch="hidden"))
    assert hidden.fills is steady.fills
    assert hidden.placement is steady.placement
    assert hidden.costs.latency_s[0] <= steady.costs.latency_s[0] * (1 + ROUNDING)
    again = recosted(steady, workload, platform, Accounting())
    assert again.costs.latency_s[0] == steady.costs.latency_s[0]
