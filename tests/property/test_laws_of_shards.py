"""What the chips of a plan hold, together and each: nothing is lost, little is held twice."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Costs, Plan, Plans, Platform, Workload, evaluate
from costmodel.memory import Regime
from costmodel.plan import MAX_CHIPS
from costmodel.shards import Shards, assignment, balanced
from costmodel.strategies import head_wise
from costmodel.workload import Kind, Model
from tests.strategies import changed, plans, platforms, workloads

EVERY_N = np.arange(1, MAX_CHIPS + 1)


def deal(total: int, n: int) -> list[int]:
    """Deal units to n hands one at a time."""
    hands = [0] * n
    for unit in range(total):
        hands[unit % n] += 1
    return hands


def dealt_heads(model: Model, n: int) -> list[tuple[int, int]]:
    """Heads and KV heads of each chip, most first: whole KV groups, or chips dealt to the groups."""
    group = model.heads // model.kv_heads
    if n <= model.kv_heads:
        return sorted(((group * k, k) for k in deal(model.kv_heads, n)), reverse=True)
    chips_of = deal(n, model.kv_heads)
    heads = [h for chips in chips_of for h in deal(group, chips)]
    return sorted(((h, min(h, 1)) for h in heads), reverse=True)


def chips(shards: Shards, row: int, column: str) -> list[int]:
    """Give one entry a chip, in order."""
    return np.repeat(getattr(shards, column)[row], shards.n_chips[row]).tolist()


@given(workload=workloads())
def test_classes_hold_what_dealing_unit_by_unit_gives_each_chip(workload: Workload) -> None:
    model = workload.model
    shards = balanced(model, EVERY_N)
    for row, n in enumerate(EVERY_N.tolist()):
        assert shards.n_chips[row].sum() == n
        heads = list(zip(chips(shards, row, "heads"), chips(shards, row, "kv_heads"), strict=True))
        assert heads == dealt_heads(model, n)
        assert chips(shards, row, "ffn_columns") == deal(model.ffn, n)[::-1]
        assert chips(shards, row, "vocabulary_rows") == deal(model.vocabulary, n)[::-1]


@given(workload=workloads())
def test_heads_columns_and_rows_are_all_given_away_and_evenly(workload: Workload) -> None:
    model = workload.model
    shards = balanced(model, EVERY_N)
    totals = (("heads", model.heads), ("ffn_columns", model.ffn), ("vocabulary_rows", model.vocabulary))
    for column, total in totals:
        assert (np.sum(getattr(shards, column) * shards.n_chips, axis=-1) == total).all()
    for column in ("ffn_columns", "vocabulary_rows"):
        assert (np.ptp(getattr(shards, column), axis=-1) <= 1).all()
    few = model.kv_heads >= EVERY_N
    assert (np.ptp(shards.kv_heads[few], axis=-1) <= 1).all()
    assert (np.sum(shards.kv_heads * shards.n_chips, axis=-1)[few] == model.kv_heads).all()


@given(workload=workloads())
def test_a_class_without_chips_repeats_some_chip(workload: Workload) -> None:
    shards = balanced(workload.model, EVERY_N)
    columns = (shards.heads, shards.kv_heads, shards.ffn_columns, shards.vocabulary_rows)
    held = np.stack(columns, axis=-1).tolist()
    for row, counts in zip(held, shards.n_chips.tolist(), strict=True):
        present = [entry for entry, count in zip(row, counts, strict=True) if count]
        assert all(entry in present for entry in row)


@given(workload=workloads())
def test_the_unit_by_unit_assignment_agrees_with_the_classes(workload: Workload) -> None:
    model = workload.model
    shards = balanced(model, EVERY_N)
    for row, n in enumerate(EVERY_N.tolist()):
        shares = assignment(model, n)
        assert sorted(h for share in shares for h in share.heads) == list(range(model.heads))
        assert {h // (model.heads // model.kv_heads) for share in shares for h in share.heads} == {
            kv for share in shares for kv in share.kv_heads
        }
        assert [len(share.heads) for share in shares] == chips(shards, row, "heads")
        assert [len(share.kv_heads) for share in shares] == chips(shards, row, "kv_heads")
        for column, total in (("ffn_columns", model.ffn), ("vocabulary_rows", model.vocabulary)):
            ranges = [getattr(share, column) for share in shares]
            assert [count for _, count in ranges] == chips(shards, row, column)
            assert [unit for first, count in ranges for unit in range(first, first + count)] == list(
                range(total)
            )


@given(workload=workloads())
def test_weights_of_all_shards_are_the_model_and_the_repeated_kv_heads(workload: Workload) -> None:
    model = workload.model
    shards = balanced(model, EVERY_N)
    held = np.sum(sum(head_wise.matrices(workload, shards).values()) * shards.n_chips, axis=-1)
    kv_held = np.array([sum(kv for _, kv in dealt_heads(model, n)) for n in EVERY_N.tolist()])
    repeated = 2 * (kv_held - model.kv_heads) * model.head_size * model.embedding
    assert (repeated[model.kv_heads >= EVERY_N] == 0).all()
    assert held.tolist() == ((model.block_weights + repeated) * model.weight_bytes).tolist()


@given(workload=workloads())
def test_macs_of_all_shards_are_the_model_and_the_repeated_kv_heads(workload: Workload) -> None:
    model, s = workload.model, workload.rows
    shards = balanced(model, EVERY_N)
    done = np.zeros(len(EVERY_N))
    phases = head_wise.block(workload, shards, Plans.of(Plan(n_chips=n) for n in EVERY_N.tolist()))
    for operator in (operator for phase in phases for operator in phase.shard):
        done = done + np.sum(operator.macs * shards.n_chips, axis=-1)
    kv_held = np.array([sum(kv for _, kv in dealt_heads(model, n)) for n in EVERY_N.tolist()])
    repeated = 2 * (kv_held - model.kv_heads) * model.head_size * model.embedding
    scores_and_values = 2 * workload.context * model.heads * model.head_size
    assert done.tolist() == (s * (model.block_weights + repeated + scores_and_values)).tolist()


@given(workload=workloads())
def test_each_row_of_the_lm_head_is_multiplied_on_one_chip(workload: Workload) -> None:
    shards = balanced(workload.model, EVERY_N)
    (head,) = [o for o in head_wise.vocabulary(workload, shards)[1].shard if o.kind is Kind.MATMUL]
    done = np.sum(head.macs * shards.n_chips, axis=-1)
    assert (done == workload.model.vocabulary * workload.model.embedding).all()


def block_bytes(costs: Costs, workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of a block's weights and of its keys and values, by class."""
    model, shards = workload.model, costs.shards
    weights = np.asarray(sum(head_wise.matrices(workload, shards).values()))
    return weights, 2 * shards.kv_heads * model.head_size * model.activation_bytes * workload.cached_tokens


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_a_block_loads_each_byte_once_or_once_a_row_tile(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    costs = evaluate(workload, platform, batch)
    weights, cache = block_bytes(costs, workload)
    read = cache if workload.reads_cache else 0 * cache
    tiles = -(-workload.rows // platform.kernels.row_tile)
    spilled = np.maximum(costs.activation_peak_bytes - platform.mcu.l2.usable_bytes, 0)
    due = [0 * weights, weights + read, weights * tiles + read + 2 * spilled]
    moved = costs.placement.block_exposed + costs.placement.block_prefetched
    np.testing.assert_allclose(moved, np.choose(costs.placement.regime, due), rtol=1e-12)
    assert (costs.placement.block_prefetched[costs.placement.regime != Regime.PREFETCHED] == 0).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_a_chip_that_does_not_hold_its_blocks_stores_new_keys_and_values(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    costs = evaluate(workload, platform, batch)
    _, cache = block_bytes(costs, workload)
    new = cache * workload.rows / max(workload.cached_tokens, 1)
    resident = costs.placement.regime == Regime.RESIDENT
    np.testing.assert_allclose(costs.placement.block_stored, np.where(resident, 0, new), rtol=1e-12)


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_the_lm_head_stays_or_is_loaded_once(workload: Workload, platform: Platform, batch: Plans) -> None:
    costs = evaluate(workload, platform, batch)
    head = costs.shards.vocabulary_rows * workload.model.embedding * workload.model.weight_bytes
    loaded = costs.placement.head_traffic
    assert (np.isclose(loaded, head, rtol=1e-12, atol=0) | (loaded == 0)).all()
    off_chip = costs.placement.regime != Regime.RESIDENT
    np.testing.assert_allclose(loaded[off_chip], head[off_chip], rtol=1e-12)


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_a_chip_holds_in_l2_is_no_more_than_is_usable(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    costs = evaluate(workload, platform, batch)
    assert (costs.placement.l2 <= platform.mcu.l2.usable_bytes).all()
    assert (costs.l2_footprint_bytes == np.max(costs.placement.l2, axis=-1)).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_is_prefetched_fits_beside_the_running_block_and_its_activations(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    costs = evaluate(workload, platform, batch)
    weights, cache = block_bytes(costs, workload)
    running = weights + (cache if workload.reads_cache else 0) + costs.activation_peak_bytes
    found, room = costs.placement, platform.mcu.l2.usable_bytes
    ahead = np.maximum(found.block_prefetched, found.head_prefetched)
    held = np.where(found.regime == Regime.PREFETCHED, running + ahead, 0)
    assert (held <= room * (1 + 1e-12)).all()
    assert ((running > room) == (found.regime == Regime.STREAMED))[found.regime != Regime.RESIDENT].all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_l2_does_not_hold_l3_does(workload: Workload, platform: Platform, batch: Plans) -> None:
    costs = evaluate(workload, platform, batch)
    blocks = workload.model.layers * np.add(*block_bytes(costs, workload))
    resident = costs.placement.regime == Regime.RESIDENT
    assert (costs.placement.l2 >= np.where(resident, blocks + costs.activation_peak_bytes, 0)).all()
    assert (costs.placement.l3 >= np.where(resident, 0, blocks)).all()


@settings(max_examples=150)
@given(workload=workloads(max_group=1), platform=platforms())
def test_more_chips_never_give_a_worse_regime_without_shared_kv_heads(
    workload: Workload, platform: Platform
) -> None:
    # From one chip to two, a buffer for arriving partial sums is added.
    batch = Plans.of(Plan(n_chips=n) for n in range(2, MAX_CHIPS + 1))
    assert (np.diff(evaluate(workload, platform, batch).regime) <= 0).all()


@settings(max_examples=30)
@given(workload=workloads(), platform=platforms(), larger=st.floats(1, 8))
def test_a_larger_l2_never_gives_a_worse_regime(
    workload: Workload, platform: Platform, larger: float
) -> None:
    batch = Plans.of(Plan(n_chips=n) for n in range(1, MAX_CHIPS + 1))
    grown = changed(platform, l2={"size_bytes": larger * platform.mcu.l2.size_bytes})
    before, after = (evaluate(workload, p, batch).regime for p in (platform, grown))
    assert (after <= before).all()
