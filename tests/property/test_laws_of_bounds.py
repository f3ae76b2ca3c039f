"""Bounds and directions of the costs of any workload on any platform."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from costmodel import Accounting, Costs, Plans, Platform, Workload, evaluate
from costmodel.kernel_sets import EffectiveRates
from tests.strategies import CASE, ROUNDING, changed, costed, per_plan, plans, platforms, workloads


def total_macs(workload: Workload, counted: Accounting) -> int:
    """MACs of the unsharded workload."""
    model = workload.model
    attended = 2 * workload.context * model.heads * model.head_size
    mlp = model.ffn_matrices * model.embedding * model.ffn
    halves = {"attention": model.block_weights - mlp + attended, "mlp": mlp}
    block = workload.rows * sum(halves[name] for name in counted.halves)
    head = model.vocabulary * model.embedding if counted.head else 0
    return model.layers * block + head if counted.scope == "model" else block


def peak_mac_per_cycle(platform: Platform) -> float:
    """The best rate that any product can have on a chip."""
    rules = platform.kernels
    if isinstance(rules, EffectiveRates):
        return max(rules.gemv_mac_per_cycle, rules.gemm_mac_per_cycle)
    laws = (rules.gemv, rules.gemm, rules.gemm_transposed)
    return platform.mcu.n_cores * max(m.rows_per_group * m.columns_per_group / m.per_depth for m in laws)


def for_time(batch: Plans) -> Plans:
    """Give plans whose shares by room are dealt out for least time, not for least energy."""
    return batch.changed(shares=np.minimum(batch["shares"], 1))


@pytest.mark.parametrize(
    ("part", "constant"),
    [
        ("link", "bandwidth_bytes_per_s"),
        ("l3", "bandwidth_bytes_per_s"),
        ("mcu", "clock_hz"),
        ("link", "payload_bytes"),
    ],
)
@given(**CASE, more=st.floats(1, 1000))
@settings(max_examples=60)
def test_more_bandwidth_or_clock_or_longer_packets_are_never_slower(
    part: str,
    constant: str,
    workload: Workload,
    platform: Platform,
    batch: Plans,
    counted: Accounting,
    more: float,
) -> None:
    assume(part != "link" or (batch["n_chips"] > 1).any())
    owner = {"link": platform.link, "l3": platform.mcu.l3, "mcu": platform.mcu}[part]
    better = changed(platform, **{part: {constant: more * getattr(owner, constant)}})
    before, after = (evaluate(workload, p, for_time(batch), counted).latency_s for p in (platform, better))
    assert (after <= before * (1 + ROUNDING)).all()


@pytest.mark.parametrize(
    ("part", "constant", "step"),
    [("link", "message_latency_s", 1e-3), ("link", "header_bytes", 64.0)],
)
@given(**CASE, more=st.floats(0, 1))
@settings(max_examples=60)
def test_longer_message_latency_or_header_is_never_faster(
    part: str,
    constant: str,
    step: float,
    workload: Workload,
    platform: Platform,
    batch: Plans,
    counted: Accounting,
    more: float,
) -> None:
    worse = changed(platform, link={constant: getattr(platform.link, constant) + more * step})
    before, after = (evaluate(workload, p, for_time(batch), counted).latency_s for p in (platform, worse))
    assert (after >= before * (1 - ROUNDING)).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_wider_partial_sums_are_never_faster_unless_they_need_no_narrowing(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    narrow, middle, wide = (
        evaluate(
            workload,
            platform,
            batch.changed(partial_sum_bits=np.full(len(batch), bits), shares=np.zeros(len(batch), dtype=int)),
            Accounting(scope="block"),
        )
        for bits in (8, 16, 32)
    )
    assert (middle.latency_s >= narrow.latency_s * (1 - ROUNDING)).all()
    if isinstance(platform.kernels, EffectiveRates) and platform.kernels.narrow is None:
        assert (wide.latency_s >= middle.latency_s * (1 - ROUNDING)).all()
    links = [costs.latency_by_cause_s["link"] for costs in (narrow, middle, wide)]
    assert (np.diff(links, axis=0) >= 0).all()
    assert (wide.regime >= middle.regime).all()
    assert (middle.regime >= narrow.regime).all()


@given(workload=workloads(), platform=platforms(), batch=plans(), larger=st.floats(1, 16))
def test_a_larger_l2_never_makes_a_block_slower(
    workload: Workload, platform: Platform, batch: Plans, larger: float
) -> None:
    grown = changed(platform, l2={"size_bytes": larger * platform.mcu.l2.size_bytes})
    before, after = (
        evaluate(workload, p, for_time(batch), Accounting(scope="block")) for p in (platform, grown)
    )
    alike = fits_or_even(before, batch)
    assert (after.latency_s <= before.latency_s * (1 + ROUNDING))[alike].all()


def fits_or_even(costs: Costs, batch: Plans) -> NDArray[np.bool_]:
    """Which plans are dealt out as time asks; shares by room are dealt out so that they fit, fast or not."""
    return costs.feasible | (batch["shares"] == 0)


@settings(max_examples=150)
@given(**CASE, larger=st.floats(1, 16))
def test_a_larger_l2_never_makes_a_plan_that_pins_blocks_slower(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting, larger: float
) -> None:
    pinned = for_time(batch).changed(pinning=np.ones(len(batch), dtype=np.int64))
    grown = changed(platform, l2={"size_bytes": larger * platform.mcu.l2.size_bytes})
    before, after = (evaluate(workload, p, pinned, counted) for p in (platform, grown))
    alike = fits_or_even(before, batch)
    assert (after.latency_s <= before.latency_s * (1 + ROUNDING))[alike].all()


@settings(max_examples=150)
@given(**CASE)
def test_shares_by_room_are_no_worse_than_even_ones_and_fit_where_they_do(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    even, fast, frugal = (
        evaluate(workload, platform, batch.changed(shares=np.full(len(batch), value)), counted)
        for value in (0, 1, 2)
    )
    fitted = even.feasible
    assert fast.feasible[fitted].all()
    assert frugal.feasible[fitted].all()
    assert (fast.latency_s <= np.minimum(even.latency_s, frugal.latency_s) * (1 + ROUNDING))[fitted].all()
    assert (frugal.energy_j <= np.minimum(even.energy_j, fast.energy_j) * (1 + ROUNDING))[fitted].all()


@settings(max_examples=150)
@given(**CASE)
def test_pinning_never_makes_a_plan_slower(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    none, some = (
        evaluate(workload, platform, for_time(batch).changed(pinning=np.full(len(batch), value)), counted)
        for value in (0, 1)
    )
    # Shares by room are dealt out so that they fit, fast or not.
    alike = none.feasible | (batch["shares"] == 0)
    assert (some.latency_s <= none.latency_s * (1 + ROUNDING))[alike].all()


@given(**CASE)
def test_latency_is_at_least_the_compute_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    rate = batch["n_chips"] * peak_mac_per_cycle(platform) * platform.mcu.clock_hz
    bound = total_macs(workload, counted) / rate
    assert (costs.latency_by_cause_s["compute"] >= bound * (1 - ROUNDING)).all()
    assert (costs.latency_s >= costs.latency_by_cause_s["compute"]).all()


@given(**CASE)
def test_latency_is_at_least_the_link_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    found = costed(workload, platform, batch, counted)
    # In one message time the chips that hold a partial result can at best halve.
    with_heads = np.minimum(batch["n_chips"], workload.model.heads)
    of_half = {"attention": with_heads, "mlp": batch["n_chips"]}
    rounds = sum(np.ceil(np.log2(of_half[half])) for half in counted.halves)
    elements = workload.rows * workload.model.embedding
    up = platform.link.message_s(elements * batch["partial_sum_bits"] / 8)
    down = platform.link.message_s(elements * workload.model.activation_bytes)
    blocks = workload.model.layers if counted.scope == "model" else 1
    bound = blocks * rounds * (up + down)
    assert (found.costs.latency_by_cause_s["link"] >= bound * (1 - ROUNDING)).all()


@given(**CASE)
def test_steady_latency_is_at_least_the_l3_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    found = costed(workload, platform, batch, replace(counted, prefetch="steady"))
    share = 1 if counted.scope == "model" else 1 / workload.model.layers
    busiest = np.max(share * found.placement.block_traffic + found.placement.head_traffic, axis=(0, 1))
    bound = busiest / platform.mcu.l3.bandwidth_bytes_per_s
    assert (found.costs.latency_s >= bound * (1 - ROUNDING)).all()


@given(**CASE)
def test_steady_latency_is_at_least_the_hidden_one_and_all_else_is_the_same(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    steady, hidden = (
        evaluate(workload, platform, for_time(batch), replace(counted, prefetch=p))
        for p in ("steady", "hidden")
    )
    assert (steady.latency_s >= hidden.latency_s).all()
    # Which blocks are best pinned, and which shares are, depends on what loads cost.
    alike = (batch["pinning"] == 0) & (batch["shares"] == 0)
    waits = {"latency l3", "energy idle", "energy controller", "energy l3_standby", "energy link_idle"}
    for name, array in per_plan(steady).items():
        if name not in waits:
            np.testing.assert_array_equal(array[alike], per_plan(hidden)[name][alike], name)


@given(**CASE)
def test_a_block_costs_no_more_than_the_model(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    block, model = (
        evaluate(workload, platform, for_time(batch), replace(counted, scope=s)) for s in ("block", "model")
    )
    assert (block.latency_s <= model.latency_s * (1 + ROUNDING)).all()
    alike = batch["shares"] == 0  # others are dealt out for the one or for the other
    for name in ("energy_j", "l3_bytes", "l2_bytes", "link_bytes", "link_messages"):
        assert (getattr(block, name) <= getattr(model, name) * (1 + ROUNDING))[alike].all(), name
