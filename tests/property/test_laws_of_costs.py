"""Laws that the costs of any workload on any platform obey."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Costs, Plan, Plans, Platform, Workload, evaluate
from costmodel.kernel_sets import EffectiveRates
from costmodel.links import message_s
from costmodel.memory import Regime
from tests.strategies import KERNEL_SETS, accountings, changed, plans, platforms, workloads

ROUNDING = 1e-12
CASE = {"workload": workloads(), "platform": platforms(), "batch": plans(), "counted": accountings()}


def per_plan(costs: Costs) -> dict[str, np.ndarray]:
    """Every array of shape (n,) by name."""
    arrays = {f.name: getattr(costs, f.name) for f in fields(Costs)}
    arrays |= {f"latency {cause}": array for cause, array in costs.latency_by_cause_s.items()}
    arrays |= {f"energy {cause}": array for cause, array in costs.energy_by_cause_j.items()}
    arrays |= {f"demand {name}": demand for name, (demand, _) in costs.demands.items()}
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def total_macs(workload: Workload, counted: Accounting) -> int:
    """MACs of the unsharded workload."""
    model = workload.model
    attended = 2 * workload.context * model.heads * model.head_size
    block = workload.rows * (model.block_weights + attended)
    head = model.vocabulary * model.embedding if counted.head else 0
    return model.layers * block + head if counted.scope == "model" else block


def peak_mac_per_cycle(platform: Platform) -> float:
    """The best rate that any product can have on a chip."""
    rules = platform.kernels
    if isinstance(rules, EffectiveRates):
        return max(rules.gemv_mac_per_cycle, rules.gemm_mac_per_cycle)
    laws = (rules.gemv, rules.gemm, rules.gemm_transposed)
    return platform.mcu.n_cores * max(m.rows_per_group * m.columns_per_group / m.per_depth for m in laws)


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
    costs, mcu = evaluate(workload, platform, batch, counted), platform.mcu
    alone = min(workload.rows, mcu.n_cores)
    if not isinstance(platform.kernels, EffectiveRates) and workload.rows == 1:
        alone = mcu.n_cores
    chip_s = (
        costs.energy_by_cause_j["compute"] / (mcu.n_cores * mcu.core_power_w)
        + costs.energy_by_cause_j["root"] / (alone * mcu.core_power_w)
        + costs.energy_by_cause_j["idle"] / mcu.idle_power_w
    )
    np.testing.assert_allclose(chip_s, batch.n_chips * costs.latency_s, rtol=ROUNDING)


@given(**CASE)
def test_l3_traffic_is_the_sum_over_chips_and_the_rows_looked_up(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs, model = evaluate(workload, platform, batch, counted), workload.model
    whole = counted.scope == "model"
    blocks = model.layers if whole else 1
    traffic = np.sum(
        (blocks * costs.placement.block_traffic + costs.placement.head_traffic) * costs.shards.n_chips, -1
    )
    rows = workload.rows * model.embedding * model.weight_bytes
    looked_up = whole and counted.head and model.vocabulary > 0
    np.testing.assert_allclose(
        costs.l3_bytes, np.where((traffic > 0) & looked_up, traffic + rows, traffic), rtol=ROUNDING
    )


@given(**CASE)
def test_two_synchronisations_a_block_and_two_around_the_blocks(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    model, link, others = workload.model, platform.link, batch.n_chips - 1
    whole = counted.scope == "model"
    blocks = model.layers if whole else 1
    around = whole and counted.head and model.vocabulary > 0
    elements, payload = workload.rows * model.embedding, link.payload_bytes

    def wire(size: np.ndarray | float) -> np.ndarray:
        return size + -(-size // payload) * link.header_bytes

    wide, narrow = elements * batch.partial_sum_bits / 8, elements * model.activation_bytes
    bytes_a_chip = 2 * blocks * (wire(wide) + wire(narrow)) + around * (2 * wire(narrow) + wire(8) + wire(4))
    np.testing.assert_array_equal(costs.link_messages, others * (4 * blocks + 4 * around))
    np.testing.assert_allclose(costs.link_bytes, others * bytes_a_chip, rtol=ROUNDING)


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
    assume(part != "link" or (batch.n_chips > 1).any())
    owner = {"link": platform.link, "l3": platform.mcu.l3, "mcu": platform.mcu}[part]
    better = changed(platform, **{part: {constant: more * getattr(owner, constant)}})
    before, after = (evaluate(workload, p, batch, counted).latency_s for p in (platform, better))
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
    before, after = (evaluate(workload, p, batch, counted).latency_s for p in (platform, worse))
    assert (after >= before * (1 - ROUNDING)).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_wider_partial_sums_never_make_a_block_faster(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    times = [
        evaluate(
            workload,
            platform,
            replace(batch, partial_sum_bits=np.full(len(batch), bits)),
            Accounting(scope="block"),
        ).latency_s
        for bits in (8, 16, 32)
    ]
    assert (np.diff(times, axis=0) >= -ROUNDING * times[0]).all()


@given(workload=workloads(), platform=platforms(), batch=plans(), larger=st.floats(1, 16))
def test_a_larger_l2_never_makes_a_block_slower(
    workload: Workload, platform: Platform, batch: Plans, larger: float
) -> None:
    grown = changed(platform, l2={"size_bytes": larger * platform.mcu.l2.size_bytes})
    before, after = (
        evaluate(workload, p, batch, Accounting(scope="block")).latency_s for p in (platform, grown)
    )
    assert (after <= before * (1 + ROUNDING)).all()


@given(**CASE)
def test_latency_is_at_least_the_compute_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    rate = batch.n_chips * peak_mac_per_cycle(platform) * platform.mcu.clock_hz
    bound = total_macs(workload, counted) / rate
    assert (costs.latency_by_cause_s["compute"] >= bound * (1 - ROUNDING)).all()
    assert (costs.latency_s >= costs.latency_by_cause_s["compute"]).all()


@given(**CASE)
def test_latency_is_at_least_the_link_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, counted)
    # In one message time the chips that hold a partial result can at best halve.
    rounds = np.ceil(np.log2(batch.n_chips))
    elements = workload.rows * workload.model.embedding
    up = message_s(platform.link, elements * batch.partial_sum_bits / 8)
    down = message_s(platform.link, elements * workload.model.activation_bytes)
    blocks = workload.model.layers if counted.scope == "model" else 1
    assert (costs.latency_by_cause_s["link"] >= 2 * blocks * rounds * (up + down) * (1 - ROUNDING)).all()


@given(**CASE)
def test_steady_latency_is_at_least_the_l3_bound(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, batch, replace(counted, prefetch="steady"))
    blocks = workload.model.layers if counted.scope == "model" else 1
    busiest = np.max(blocks * costs.placement.block_traffic + costs.placement.head_traffic, axis=-1)
    bound = busiest / platform.mcu.l3.bandwidth_bytes_per_s
    assert (costs.latency_s >= bound * (1 - ROUNDING)).all()


@given(workload=workloads(), platform=platforms(), counted=accountings())
def test_one_chip_has_no_link_time_bytes_messages_or_energy(
    workload: Workload, platform: Platform, counted: Accounting
) -> None:
    costs = evaluate(workload, platform, Plans.of([Plan(n_chips=1, partial_sum_bits=32)]), counted)
    assert costs.latency_by_cause_s["link"] == costs.energy_by_cause_j["link"] == 0
    assert costs.link_bytes == costs.link_messages == costs.depth == 0


@settings(max_examples=150)
@given(**CASE)
def test_a_batch_equals_its_rows_evaluated_one_by_one(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    together = per_plan(evaluate(workload, platform, batch, counted))
    alone = [per_plan(evaluate(workload, platform, Plans.of([plan]), counted)) for plan in batch]
    for name, array in together.items():
        assert array.shape == (len(batch),), name
        np.testing.assert_array_equal(array, np.concatenate([row[name] for row in alone]), name)


@given(**CASE)
def test_canonical_plans_cost_the_same(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    given_as, canonical = (
        per_plan(evaluate(workload, platform, p, counted)) for p in (batch, batch.canonical())
    )
    for name, array in given_as.items():
        np.testing.assert_array_equal(array, canonical[name], name)


@given(**CASE, l3=st.booleans())
def test_footprints_fit_or_are_flagged(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting, l3: bool
) -> None:
    if not l3:
        platform = changed(platform, mcu={"l3": None})
    costs, mcu = evaluate(workload, platform, batch, counted), platform.mcu
    held = {"L2": (costs.l2_footprint_bytes, mcu.l2)} | (
        {"L3": (costs.l3_footprint_bytes, mcu.l3)} if l3 else {}
    )
    for i in range(len(batch)):
        over = {name for name, (size, level) in held.items() if size[i] > level.usable_bytes}
        assert {v.resource for v in costs.violations(i)} == over
        assert bool(costs.feasible[i]) == (not over)
        assert {name for name, slack in costs.slack.items() if slack[i] > 0} == over


@given(**CASE)
def test_without_l3_all_stays_in_l2_and_nothing_is_loaded(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    costs = evaluate(workload, changed(platform, mcu={"l3": None}), batch, counted)
    weights = workload.model.layers * workload.model.block_weights * workload.model.weight_bytes
    assert (costs.l2_footprint_bytes * batch.n_chips >= weights).all()
    assert not np.any([costs.l3_bytes, costs.latency_by_cause_s["l3"], costs.l3_footprint_bytes])
    assert (costs.regime == Regime.RESIDENT).all()


@given(**CASE)
def test_steady_latency_is_at_least_the_hidden_one_and_all_traffic_is_the_same(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    steady, hidden = (
        evaluate(workload, platform, batch, replace(counted, prefetch=p)) for p in ("steady", "hidden")
    )
    assert (steady.latency_s >= hidden.latency_s).all()
    waits = {"latency l3", "energy idle"}
    for name, array in per_plan(steady).items():
        if name not in waits:
            np.testing.assert_array_equal(array, per_plan(hidden)[name], name)


@given(**CASE)
def test_a_block_costs_no_more_than_the_model(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    block, model = (
        evaluate(workload, platform, batch, replace(counted, scope=s)) for s in ("block", "model")
    )
    for name in ("latency_s", "energy_j", "l3_bytes", "l2_bytes", "link_bytes", "link_messages"):
        assert (getattr(block, name) <= getattr(model, name) * (1 + ROUNDING)).all(), name


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
        # Idle time is a difference of sums, so it is 0 within rounding where no chip waits.
        least = -ROUNDING * costs.n_chips * costs.latency_s * platform.mcu.idle_power_w
        assert (array >= (least if name == "energy idle" else 0)).all(), name


@pytest.mark.parametrize("kernels", KERNEL_SETS)
@pytest.mark.parametrize("n_chips", [2, 4, 8])
def test_every_cause_of_latency_and_energy_counts_somewhere(
    kernels: str, n_chips: int, tinyllama: Workload
) -> None:
    costs = evaluate(tinyllama, KERNEL_SETS[kernels], Plans.of([Plan(n_chips=n_chips)]))
    for cause, part in (costs.latency_by_cause_s | costs.energy_by_cause_j).items():
        assert part[0] > 0, cause
