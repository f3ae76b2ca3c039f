"""Room for a longer context costs memory and time, and never gives any back."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate
from costmodel.context import context_room
from costmodel.dealing import costing, recosted
from costmodel.memory import Regime
from costmodel.strategies import canonical
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
        if name != "L3":  # blocks that no longer stay on chip go there, and rows of the head come back
            assert (longer.demands[name].asked >= demand.asked).all()
    assert (longer.link_bytes == shorter.link_bytes).all()


@settings(max_examples=60)
@given(workload=workloads(), platform=platforms(), plan=plan_of("head_wise"), size=st.floats(20, 25))
def test_a_plan_keeps_all_blocks_up_to_the_context_it_says_and_no_further(
    workload: Workload, platform: Platform, plan: Plan, size: float
) -> None:
    decoder = replace(workload, request="autoregressive")
    published = Plans.of([replace(plan, strategy="head_wise", **AS_PUBLISHED)])
    larger = changed(platform, l2={"size_bytes": 2**size}, l3={"size_bytes": 2**26})
    batch, how = canonical(decoder, larger, published), Accounting()
    found = costing(decoder, larger, batch, how)
    assume(found.costs.feasible[0] and found.costs.regime[0] == Regime.RESIDENT)
    up_to = context_room(decoder, larger, how, found)
    last, beyond = (evaluate(decoder.with_room(c), larger, batch, how) for c in (up_to, up_to + 1))
    assert last.feasible[0]
    assert last.regime[0] == Regime.RESIDENT
    assert last.latency_s[0] >= found.costs.latency_s[0]
    lost = beyond.regime[0] != Regime.RESIDENT or not beyond.feasible[0]
    assert lost or beyond.l3_bytes[0] > last.l3_bytes[0]  # the head no longer stays


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
