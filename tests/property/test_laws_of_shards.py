"""What the chips of a plan hold, together and each: nothing is lost, little is held twice."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Plan, Plans, Platform, Workload, evaluate
from costmodel.costing import Costing
from costmodel.counted import held_bytes
from costmodel.memory import Regime
from costmodel.operators import Kind
from costmodel.plan import MAX_CHIPS
from costmodel.program import HALVES, Program
from costmodel.shards import Extent, Fills, Shards, assignment, balanced
from costmodel.strategies import canonical, head_wise
from costmodel.workload import Model
from tests.strategies import AS_PUBLISHED, KERNEL_SETS, changed, costed, plans, platforms, workloads

EVERY_N = np.arange(1, MAX_CHIPS + 1)


def deal(total: int, n: int) -> list[int]:
    """Deal units to n hands one at a time."""
    hands = [0] * n
    for unit in range(total):
        hands[unit % n] += 1
    return hands


def dealt_heads(model: Model, n: int, replicate: int = 1) -> list[tuple[int, int]]:
    """Heads and KV heads of each chip, most first: as even as can be, or groups as whole."""
    group = model.heads // model.kv_heads
    if replicate:
        left = iter(range(model.heads))
        runs = [[next(left) for _ in range(count)] for count in deal(model.heads, n)]
        return sorted(((len(run), len({h // group for h in run})) for run in runs), reverse=True)
    if n <= model.kv_heads:
        return sorted(((group * k, k) for k in deal(model.kv_heads, n)), reverse=True)
    chips_of = deal(n, model.kv_heads)
    heads = [h for chips in chips_of for h in deal(group, chips)]
    return sorted(((h, min(h, 1)) for h in heads), reverse=True)


def chips(shards: Shards, row: int, column: str) -> list[int]:
    """Give one entry a chip, in order."""
    entries = {"heads": shards.heads, "kv_heads": shards.kv_heads, **shards.units}[column]
    return np.repeat(entries[:, row], shards.n_chips[:, row]).tolist()


def cut(model: Model, replicate: int = 1) -> Shards:
    """Cut a model over every number of chips."""
    return balanced(model, EVERY_N, head_wise.dimensions(model), replicate=replicate)


def units(extent: Extent) -> range:
    return range(extent.first, extent.first + extent.count)


@given(workload=workloads(), replicate=st.integers(0, 1))
def test_classes_hold_what_dealing_unit_by_unit_gives_each_chip(workload: Workload, replicate: int) -> None:
    model = workload.model
    shards = cut(model, replicate)
    for row, n in enumerate(EVERY_N.tolist()):
        assert shards.n_chips[:, row].sum() == n
        heads = list(zip(chips(shards, row, "heads"), chips(shards, row, "kv_heads"), strict=True))
        assert heads == dealt_heads(model, n, replicate)
        assert chips(shards, row, "ffn_columns") == deal(model.ffn, n)[::-1]
        assert chips(shards, row, "vocabulary_rows") == deal(model.vocabulary, n)[::-1]


@given(workload=workloads(), replicate=st.integers(0, 1))
def test_heads_columns_and_rows_are_all_given_away_and_evenly(workload: Workload, replicate: int) -> None:
    model = workload.model
    shards = cut(model, replicate)
    totals = (("heads", model.heads), ("ffn_columns", model.ffn), ("vocabulary_rows", model.vocabulary))
    for column, total in totals:
        units = shards.heads if column == "heads" else shards.units[column]
        assert (shards.total(units) == total).all()
    for units in shards.units.values():
        assert (np.ptp(units, axis=0) <= 1).all()
    if replicate:
        assert (np.ptp(np.where(shards.n_chips > 0, shards.heads, shards.heads[:1]), axis=0) <= 1).all()
    else:
        few = model.kv_heads >= EVERY_N
        assert (np.ptp(shards.kv_heads[:, few], axis=0) <= 1).all()
        assert (shards.total(shards.kv_heads)[few] == model.kv_heads).all()


@given(workload=workloads())
def test_a_class_without_chips_repeats_some_chip(workload: Workload) -> None:
    shards = cut(workload.model)
    columns = (shards.heads, shards.kv_heads, *shards.units.values())
    held = np.swapaxes(np.stack(columns, axis=-1), 0, 1).tolist()
    for row, counts in zip(held, shards.n_chips.T.tolist(), strict=True):
        present = [entry for entry, count in zip(row, counts, strict=True) if count]
        assert all(entry in present for entry in row)


@given(workload=workloads(), replicate=st.integers(0, 1))
def test_the_unit_by_unit_assignment_agrees_with_the_classes(workload: Workload, replicate: int) -> None:
    model = workload.model
    shards = cut(model, replicate)
    for row, n in enumerate(EVERY_N.tolist()):
        shares = assignment(
            model, balanced(model, np.array([n]), head_wise.dimensions(model), replicate=replicate)
        )
        assert sorted(h for share in shares for h in units(share.heads)) == list(range(model.heads))
        for share in shares:
            kv_heads = {h // (model.heads // model.kv_heads) for h in units(share.heads)}
            assert kv_heads == set(units(share.kv_heads))
        assert [share.heads.count for share in shares] == chips(shards, row, "heads")
        assert [share.kv_heads.count for share in shares] == chips(shards, row, "kv_heads")
        for column, total in (("ffn_columns", model.ffn), ("vocabulary_rows", model.vocabulary)):
            extents = [share.units[column] for share in shares]
            assert [extent.count for extent in extents] == chips(shards, row, column)
            assert [unit for extent in extents for unit in units(extent)] == list(range(total))


def held_bytes_of(workload: Workload, shards: Shards) -> np.ndarray:
    """Bytes that a chip of each class holds at the end."""
    m = workload.model
    token = 2 * m.head_size * m.activation_bytes * workload.cached_tokens
    matrices = 2 * m.head_size * (shards.heads + shards.kv_heads)
    matrices = matrices + m.ffn_matrices * shards.units["ffn_columns"]
    rows = shards.units["vocabulary_rows"] * (1 if m.tied_embedding else 2)
    weights = (m.layers * matrices + rows) * m.embedding * m.weight_bytes
    return weights + m.layers * token * shards.kv_heads


@given(workload=workloads(), columns=st.floats(0, 1), rows=st.floats(0, 1))
def test_units_dealt_by_room_are_all_given_away_and_agree_chip_by_chip(
    workload: Workload, columns: float, rows: float
) -> None:
    m = workload.model
    every = Plans.of(Plan(strategy="head_wise", n_chips=n, shares=1) for n in EVERY_N.tolist())
    fills = Fills(columns=np.full(len(every), columns), rows=np.full(len(every), rows))
    shards = head_wise.dealt_out(workload, every, fills)
    for name, total in (("ffn_columns", m.ffn), ("vocabulary_rows", m.vocabulary)):
        assert (shards.units[name] >= 0).all()
        assert (shards.total(shards.units[name]) == total).all()
    for row in (0, 1, 4, 12, 40, 63):
        one = head_wise.dealt_out(workload, every.take([row]), Fills(columns=columns, rows=rows))
        shares = assignment(m, one)
        for name in ("heads", "kv_heads", "ffn_columns", "vocabulary_rows"):
            extents = [{"heads": s.heads, "kv_heads": s.kv_heads, **s.units}[name] for s in shares]
            assert [extent.count for extent in extents] == chips(shards, row, name)
            if name in shards.units:
                starts = np.cumsum([0, *(extent.count for extent in extents)]).tolist()
                assert [extent.first for extent in extents] == starts[:-1]


@given(workload=workloads())
def test_a_full_fill_levels_what_chips_hold(workload: Workload) -> None:
    m = workload.model
    every = Plans.of(Plan(strategy="head_wise", n_chips=n, shares=1) for n in EVERY_N.tolist())
    shards = head_wise.dealt_out(workload, every, Fills(columns=1.0, rows=1.0))
    held = held_bytes_of(workload, shards)
    units = (m.layers * m.ffn_matrices + (1 if m.tied_embedding else 2)) * m.embedding * m.weight_bytes
    # Nobody who was given anything holds more than another, but for rounding down or up, of each dimension.
    given = (shards.units["ffn_columns"] > 1) | (shards.units["vocabulary_rows"] > 1)
    fullest = np.max(np.where(given & (shards.n_chips > 0), held, -np.inf), axis=0)
    emptiest = np.min(np.where(shards.n_chips > 0, held, np.inf), axis=0)
    assert (fullest <= emptiest + 2 * units + 1e-3).all()


def repeated_weights(model: Model, replicate: int) -> np.ndarray:
    """Weights of key and value heads that more than one chip holds."""
    kv_held = np.array([sum(kv for _, kv in dealt_heads(model, n, replicate)) for n in EVERY_N.tolist()])
    return 2 * (kv_held - model.kv_heads) * model.head_size * model.embedding


def every_program(workload: Workload, replicate: int = 1) -> Program:
    """Write head-wise plans for every number of chips."""
    batch = Plans.of(
        Plan(strategy="head_wise", n_chips=n, kv_replication=replicate) for n in EVERY_N.tolist()
    )
    return costed(workload, KERNEL_SETS["date2025"], batch).program


@given(workload=workloads(), replicate=st.integers(0, 1))
def test_weights_of_all_shards_are_the_model_and_the_repeated_kv_heads(
    workload: Workload, replicate: int
) -> None:
    model, program = workload.model, every_program(workload, replicate)
    held = sum(np.sum(program.chips * held_bytes([program.part(half)]), axis=0) for half in HALVES)
    repeated = repeated_weights(model, replicate)
    assert replicate or (repeated[model.kv_heads >= EVERY_N] == 0).all()
    assert held.tolist() == ((model.block_weights + repeated) * model.weight_bytes).tolist()


@given(workload=workloads(), replicate=st.integers(0, 1))
def test_macs_of_all_shards_are_the_model_and_the_repeated_kv_heads(
    workload: Workload, replicate: int
) -> None:
    model, s, program = workload.model, workload.rows, every_program(workload, replicate)
    done = np.zeros(len(EVERY_N))
    for operator in (o for half in HALVES for step in program.part(half).steps for o in step.work):
        done = done + np.sum(operator.macs * program.chips, axis=0)
    scores_and_values = 2 * workload.context * model.heads * model.head_size
    expected = s * (model.block_weights + repeated_weights(model, replicate) + scores_and_values)
    assert done.tolist() == expected.tolist()


@given(workload=workloads())
def test_each_row_of_the_lm_head_is_multiplied_on_one_chip(workload: Workload) -> None:
    program = every_program(workload)
    (head,) = [o for step in program.part("head").steps for o in step.work if o.kind is Kind.MATMUL]
    done = np.sum(head.macs * program.chips, axis=0)
    assert (done == workload.model.vocabulary * workload.model.embedding).all()


def block_bytes(found: Costing, workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of a block's weights and of its keys and values, by class."""
    halves = [found.program.part(half) for half in HALVES]
    classes = np.zeros(found.program.chips.shape)
    cache = sum((part.cache_token_bytes for part in halves), classes) * workload.cached_tokens
    return held_bytes(halves) + classes, cache


def there(found: Costing, array: np.ndarray) -> np.ndarray:
    """Entries of the roles and classes that plans have, one by one."""
    where = found.program.roles > 0
    return np.broadcast_to(array, where.shape)[where]


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_a_block_loads_each_byte_once_or_once_a_row_tile(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    found = costed(workload, platform, batch)
    weights, cache = block_bytes(found, workload)
    read = cache if workload.reads_cache else 0 * cache
    tiles = -(-workload.rows // platform.kernels.row_tile)
    place = found.placement
    spilled = np.maximum(found.counted.activation_peak_bytes - platform.mcu.l2.usable_bytes, 0)
    streamed = weights * tiles + read + 2 * spilled * (place.pinned == 0)
    due = np.where(place.loaded == 0, 0, np.where(place.tiled, streamed, weights + read))
    moved = place.block_exposed + place.block_prefetched
    np.testing.assert_allclose(there(found, moved), there(found, due), rtol=1e-12)
    assert (place.block_prefetched[place.tiled | (place.loaded == 0)] == 0).all()
    assert (place.pinned + place.loaded == workload.model.layers).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_a_chip_that_does_not_hold_its_blocks_stores_new_keys_and_values(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    found = costed(workload, platform, batch)
    _, cache = block_bytes(found, workload)
    new = cache * workload.rows / max(workload.cached_tokens, 1)
    resident = found.placement.regime == Regime.RESIDENT
    due = there(found, np.where(resident, 0, new))
    np.testing.assert_allclose(there(found, found.placement.block_stored), due, rtol=1e-12)


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_the_lm_head_stays_or_is_loaded_once(workload: Workload, platform: Platform, batch: Plans) -> None:
    found = costed(workload, platform, batch)
    head = held_bytes([found.program.part("head")]) + np.zeros(found.program.roles.shape)
    kept, loaded = found.placement.head_kept, found.placement.head_traffic
    np.testing.assert_allclose(there(found, kept + loaded), there(found, head), rtol=1e-12)
    whole = canonical(workload, platform, batch)["pinning"] == 0
    once = np.isclose(loaded, head, rtol=1e-12, atol=0) | (loaded == 0)
    assert there(found, once | ~whole).all()
    assert (kept[(found.placement.loaded > 0) & whole] == 0).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_a_chip_holds_in_l2_is_no_more_than_is_usable(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    found = costed(workload, platform, batch)
    assert (found.placement.l2 <= platform.mcu.l2.usable_bytes).all()
    assert (found.costs.l2_footprint_bytes == np.max(found.placement.l2_needed, axis=(0, 1))).all()
    assert there(found, found.placement.l2_needed <= found.counted.activation_peak_bytes).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_is_prefetched_fits_beside_the_running_block_and_its_activations(
    workload: Workload, platform: Platform, batch: Plans
) -> None:
    found = costed(workload, platform, batch)
    weights, cache = block_bytes(found, workload)
    running = weights + (cache if workload.reads_cache else 0) + found.counted.activation_peak_bytes
    placement, room = found.placement, platform.mcu.l2.usable_bytes
    ahead = np.maximum(placement.block_prefetched, placement.head_prefetched)
    kept = placement.pinned * (weights + cache) + placement.head_kept
    held = np.where((placement.loaded == 0) | placement.tiled, 0, running + ahead + kept)
    assert there(found, held <= room * (1 + 1e-12)).all()
    pinning = canonical(workload, platform, batch)["pinning"] == 1
    some = (placement.regime == Regime.PREFETCHED) | (placement.regime == Regime.STREAMED)
    assert there(found, ((running > room) == placement.tiled) | ~some | pinning).all()


@given(workload=workloads(), platform=platforms(), batch=plans())
def test_what_l2_does_not_hold_l3_does(workload: Workload, platform: Platform, batch: Plans) -> None:
    found = costed(workload, platform, batch)
    blocks = workload.model.layers * np.add(*block_bytes(found, workload))
    placement, room = found.placement, platform.mcu.l2.usable_bytes
    kept = placement.pinned / workload.model.layers * blocks
    held = kept + found.counted.activation_peak_bytes
    least = np.where(kept > 0, np.minimum(held, room) * (1 - 1e-12), 0)
    assert there(found, placement.l2 >= least).all()
    assert there(found, placement.l3 >= (blocks - kept) * (1 - 1e-12)).all()


@settings(max_examples=150)
@given(workload=workloads(max_group=1), platform=platforms())
def test_more_chips_never_give_a_worse_regime_without_shared_kv_heads(
    workload: Workload, platform: Platform
) -> None:
    # From one chip to two, a buffer for arriving partial sums is added.
    batch = Plans.of(Plan(strategy="head_wise", n_chips=n, **AS_PUBLISHED) for n in range(2, MAX_CHIPS + 1))
    assert (np.diff(evaluate(workload, platform, batch).regime) <= 0).all()


@settings(max_examples=30)
@given(workload=workloads(), platform=platforms(), larger=st.floats(1, 8))
def test_a_larger_l2_never_gives_a_worse_regime(
    workload: Workload, platform: Platform, larger: float
) -> None:
    batch = Plans.of(Plan(strategy="head_wise", n_chips=n, **AS_PUBLISHED) for n in range(1, MAX_CHIPS + 1))
    grown = changed(platform, l2={"size_bytes": larger * platform.mcu.l2.size_bytes})
    before, after = (evaluate(workload, p, batch).regime for p in (platform, grown))
    assert (after <= before).all()
