"""Laws that the costs of any workload on any platform obey."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate
from costmodel.costs import SHARED_L3
from costmodel.kernel_sets import EffectiveRates
from costmodel.memory import Regime
from costmodel.strategies import canonical
from tests.strategies import (
    CASE,
    KERNEL_SETS,
    ROUNDING,
    accountings,
    changed,
    costed,
    per_plan,
    platforms,
    workloads,
)


def weight_bytes(workload: Workload, platform: Platform, batch: Plans) -> np.ndarray:
    """Bytes of a weight in each plan, (n,)."""
    bits = canonical(workload, platform, batch)["weight_bits"]
    return np.minimum(bits, workload.model.weight_bits) / 8


@given(**CASE)
def test_totals_equal_the_sums_of_their_breakdowns(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    for total, parts in (
        (costs.latency_s, costs.latency_by_cause_s),
        (costs.energy_j, costs.energy_by_cause_j),
    ):
        np.testing.assert_allclose(total, np.sum(list(parts.values()), axis=0), rtol=ROUNDING)
    np.testing.assert_array_equal(costs.edp_js, costs.energy_j * costs.latency_s)
    np.testing.assert_allclose(costs.throughput_tokens_per_s * costs.latency_s, workload.rows, rtol=ROUNDING)


@given(**CASE)
def test_energy_of_traffic_is_its_bytes_times_energy_per_byte(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    for cause, moved, part in (
        ("l3", costs.l3_bytes, platform.mcu.l3),
        ("l2", costs.l2_bytes, platform.mcu.l2),
        ("link", costs.link_bytes, platform.link),
    ):
        np.testing.assert_array_equal(costs.energy_by_cause_j[cause], moved * part.energy_j_per_byte)


@given(**CASE)
def test_every_chip_computes_or_idles_all_the_time(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    found, mcu = costed(workload, platform, batch, counted), platform.mcu
    costs, total = found.costs, found.stages.total
    alone = min(workload.rows, mcu.n_cores)
    if not isinstance(platform.kernels, EffectiveRates) and workload.rows == 1:
        alone = mcu.n_cores
    all_w = mcu.n_cores * mcu.core_power_w
    root_j = total.root_busy_s * max(alone * mcu.core_power_w, mcu.idle_power_w)
    np.testing.assert_allclose(costs.energy_by_cause_j["root"], root_j + total.adding_busy_s * all_w)
    chip_s = (
        costs.energy_by_cause_j["compute"] / all_w
        + total.root_busy_s
        + total.adding_busy_s
        + costs.energy_by_cause_j["idle"] / mcu.idle_power_w
    )
    np.testing.assert_allclose(chip_s, batch["n_chips"] * costs.latency_s, rtol=ROUNDING)


@given(**CASE)
def test_l3_traffic_is_the_sum_over_chips_and_the_rows_looked_up(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    found, model = costed(workload, platform, batch, counted), workload.model
    costs, placement = found.costs, found.placement
    whole = counted.scope == "model"
    share = 1 if whole else 1 / model.layers
    traffic = np.sum(
        (share * placement.block_traffic + placement.head_traffic) * found.program.roles, axis=(0, 1)
    )
    rows = workload.rows * model.embedding * weight_bytes(workload, platform, batch)
    looked_up = whole and counted.head and model.vocabulary > 0
    np.testing.assert_allclose(
        costs.l3_bytes,
        np.where(np.any(placement.table_off_chip, axis=(0, 1)) & looked_up, traffic + rows, traffic),
        rtol=ROUNDING,
    )


@given(**CASE)
def test_two_synchronisations_a_block_and_two_around_the_blocks(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    model, link, others = workload.model, platform.link, batch["n_chips"] - 1
    with_heads = np.minimum(batch["n_chips"], model.heads) - 1
    whole = counted.scope == "model"
    blocks = model.layers if whole else 1
    around = whole and counted.head and model.vocabulary > 0
    elements, payload = workload.rows * model.embedding, link.payload_bytes

    def wire(size: np.ndarray | float) -> np.ndarray:
        return size + -(-size // payload) * link.header_bytes

    wide, narrow = elements * batch["partial_sum_bits"] / 8, elements * model.activation_bytes
    chips = {"attention": with_heads, "mlp": others}
    both = blocks * sum(chips[half] for half in counted.halves)
    row = wire(model.embedding * model.activation_bytes)  # the head meets the last token alone
    once = around * (wire(narrow) + row + wire(8) + wire(4))
    np.testing.assert_array_equal(costs.link_messages, 2 * both + 4 * around * others)
    np.testing.assert_allclose(
        costs.link_bytes, both * (wire(wide) + wire(narrow)) + others * once, rtol=ROUNDING
    )


@given(workload=workloads(), platform=platforms(), counted=accountings())
def test_one_chip_has_no_link_time_bytes_messages_or_energy(
    workload: Workload, platform: Platform, counted: Accounting
) -> None:
    costs = evaluate(
        workload, platform, Plans.of([Plan(strategy="head_wise", n_chips=1, partial_sum_bits=32)]), counted
    )
    assert costs.latency_by_cause_s["link"] == costs.energy_by_cause_j["link"] == 0
    assert costs.link_bytes == costs.link_messages == 0


@settings(max_examples=150)
@given(**CASE)
def test_a_batch_equals_its_rows_evaluated_one_by_one(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    together = per_plan(evaluate(workload, platform, batch, counted))
    alone = [per_plan(evaluate(workload, platform, Plans.of([plan]), counted)) for plan in batch]
    for name, array in together.items():
        np.testing.assert_array_equal(array, np.concatenate([row[name] for row in alone]), name)


@given(**CASE)
def test_canonical_plans_cost_the_same(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    given_as, other = (
        per_plan(evaluate(workload, platform, p, counted))
        for p in (batch, canonical(workload, platform, batch))
    )
    for name, array in given_as.items():
        np.testing.assert_array_equal(array, other[name], name)


@given(**CASE, l3=st.booleans())
def test_footprints_fit_or_are_flagged(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting, l3: bool
) -> None:
    if not l3:
        platform = changed(platform, mcu={"l3": None})
    costs, mcu = evaluate(workload, platform, batch, counted), platform.mcu
    held = {"L2": (costs.l2_footprint_bytes, mcu.l2)}
    if l3 and platform.shares_l3:
        shared = costs.demands[SHARED_L3].asked
        assert (shared >= costs.l3_footprint_bytes).all()
        held[SHARED_L3] = (shared, mcu.l3)
    elif l3:
        held["L3"] = (costs.l3_footprint_bytes, mcu.l3)
    for i in range(len(batch)):
        over = {name for name, (size, level) in held.items() if size[i] > level.usable_bytes}
        if platform.link.ports is not None and costs.link_partners[i] > platform.link.ports:
            over.add("ports")
        assert {v.resource for v in costs.violations(i)} == over
        assert bool(costs.feasible[i]) == (not over)
        assert {name for name, slack in costs.slack.items() if slack[i] > 0} == over


@given(**CASE)
def test_without_l3_all_stays_in_l2_and_nothing_is_loaded(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, changed(platform, mcu={"l3": None}), batch, counted)
    weights = workload.model.layers * workload.model.block_weights * weight_bytes(workload, platform, batch)
    if len(counted.halves) == 2:
        assert (costs.l2_footprint_bytes * batch["n_chips"] >= weights).all()
    assert not np.any([costs.l3_bytes, costs.latency_by_cause_s["l3"], costs.l3_footprint_bytes])
    assert (costs.regime == Regime.RESIDENT).all()


@given(**CASE)
def test_the_blocks_alone_cost_so_many_times_one_block(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    block, blocks = (
        evaluate(workload, platform, batch, replace(counted, scope=s, head=False)) for s in ("block", "model")
    )
    for name in ("latency_s", "energy_j", "l3_bytes", "l2_bytes", "link_bytes", "link_messages"):
        once, all_of_them = getattr(block, name), getattr(blocks, name)
        np.testing.assert_allclose(all_of_them, workload.model.layers * once, rtol=ROUNDING, err_msg=name)


@given(**CASE)
def test_no_cost_is_negative(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    for name, array in per_plan(costs).items():
        assert (array >= 0).all(), name


@pytest.mark.parametrize("kernels", KERNEL_SETS)
@pytest.mark.parametrize("n_chips", [2, 4, 8])
def test_every_cause_of_latency_and_energy_counts_somewhere(
    kernels: str, n_chips: int, tinyllama: Workload
) -> None:
    powered = changed(
        KERNEL_SETS[kernels],
        mcu={"controller_power_w": 1e-3},
        l3={"standby_power_w": 1e-3},
        link={"idle_power_w": 1e-3},
    )
    costs = evaluate(tinyllama, powered, Plans.of([Plan(strategy="head_wise", n_chips=n_chips)]))
    for cause, part in (costs.latency_by_cause_s | costs.energy_by_cause_j).items():
        assert part[0] > 0, cause
