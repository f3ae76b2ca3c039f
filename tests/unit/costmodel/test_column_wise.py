from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel import Plan, Plans, Platform, Workload, evaluate, load_platform
from costmodel.counted import held_bytes
from costmodel.evaluation import Inspection, inspect
from costmodel.plan import DECISIONS, MAX_CHIPS
from costmodel.program import HALVES
from costmodel.pruning import kept
from costmodel.shards import EVEN
from costmodel.strategies import canonical, canonical_plan, column_wise
from tests.columns import (
    BLOCK,
    GATHERS,
    ONE_BLOCK,
    SERIES,
    VIT,
    WIDE_VIT,
    each,
    of_whole_columns,
    own,
    plan,
    program,
    sent_columns,
)
from tests.strategies import (
    RADIO,
    any_platforms,
    costed,
    drawn_plans,
    workloads,
)

# What a chip sends


@given(
    columns=st.integers(0, 5000),
    ratio=st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
)
def test_columns_kept_are_rounded_and_at_least_one(columns: int, ratio: float) -> None:
    found = int(kept(np.array(columns), np.array(ratio)))
    assert found == columns - min(round(columns * ratio), max(columns - 1, 0))
    assert min(columns, 1) <= found <= columns
    assert abs(found - columns * (1 - ratio)) <= 0.5 + 1e-9 or found == 1


@pytest.mark.parametrize(
    ("columns", "ratio", "left"),
    [(5, 0.5, 3), (7, 0.5, 3), (9, 0.5, 5), (1, 0.5, 1), (3, 0.5, 1), (10, 0.25, 8), (10, 0.75, 2)],
)
def test_half_a_column_is_rounded_to_even(columns: int, ratio: float, left: int) -> None:
    assert kept(np.array(columns), np.array(ratio)) == left


def test_all_columns_are_kept_without_pruning_and_one_with_all_of_it() -> None:
    columns = np.arange(300)
    assert kept(columns, np.zeros(300)).tolist() == columns.tolist()
    assert kept(columns, np.ones(300)).tolist() == np.minimum(columns, 1).tolist()


@given(columns=st.integers(0, 2000))
def test_a_larger_ratio_never_keeps_more(columns: int) -> None:
    found = kept(np.array(columns), np.arange(1001) / 1000)
    assert (np.diff(found) <= 0).all()


# The plan that the authors shipped: 4 devices, F 512, 64 tokens, p 0.9


@pytest.fixture(scope="module")
def shipped() -> Inspection:
    return inspect(BLOCK, RADIO, plan(4, 0.9), ONE_BLOCK)


def test_the_shipped_plan_keeps_13_of_128_columns_at_each_gather(shipped: Inspection) -> None:
    assert len(shipped.slices) == 4
    for chip in shipped.slices:
        assert chip.kept_columns == dict.fromkeys(GATHERS, 13)
        assert chip.owns["embedding_columns"].count == chip.owns["ffn_columns"].count == 128
        assert chip.owns["heads"].count == 4
    assert sent_columns(BLOCK, shipped.costing.program) == dict.fromkeys(GATHERS, [13] * 4)


def test_the_shipped_plan_sends_836_bytes_a_device_and_gather(shipped: Inspection) -> None:
    assert [sync.name for sync in shipped.synchronisations] == list(GATHERS)
    for sync in shipped.synchronisations:
        leg = sync.messages
        assert [message.payload_bytes + 4 for message in leg.messages] == [836] * 4
        assert leg.round is not None
        assert (leg.round.payload_bytes, leg.round.packets, leg.round.slots) == (150, 25, 275)
        assert leg.round.slot_s == pytest.approx(947e-6)
    assert shipped.costing.costs.link_bytes[0] == 4 * 4 * 836
    assert shipped.costing.costs.link_bound_s[0] == pytest.approx(4 * 275 * 947e-6)


def test_the_shipped_plan_has_167_inputs_and_128256_bytes_of_weights_a_device(shipped: Inspection) -> None:
    sizes = {"q": 21376, "k": 21376, "v": 21376, "o": 21376, "up": 21376, "down": 21376}
    for number, chip in enumerate(shipped.slices):
        for piece in chip.matrices:
            if not piece.size_bytes:  # tables of no vocabulary
                continue
            assert piece.rows.count + sum(piece.received_rows.values()) == 167
            assert piece.received_rows == {other: 13 for other in range(4) if other != number}
            assert piece.columns.count == 128
        assert {p.matrix: p.size_bytes for p in chip.matrices if p.size_bytes} == sizes
    held = shipped.costing.program
    attention, mlp = (each(held_bytes([held.part(half)]), held) for half in HALVES)
    assert attention.tolist() == [85_504] * 4
    assert (attention + mlp).tolist() == [128_256] * 4
    code = RADIO.link.reserve.flash_bytes
    assert shipped.costing.costs.demands["flash"].asked.tolist() == [128_256 + code]
    assert shipped.costing.costs.feasible.all()


# Closed forms of the paper, where ratios leave whole columns


SQUARE = [(SERIES, 128), (BLOCK, 512)]
EIGHTHS = [i / 8 for i in range(8)]


@pytest.mark.parametrize(("workload", "features"), SQUARE, ids=["128", "512"])
@pytest.mark.parametrize("devices", [2, 4, 8, 16])
@pytest.mark.parametrize("ratio", EIGHTHS)
def test_activations_and_flash_are_those_of_the_papers_formulae(
    workload: Workload, features: int, devices: int, ratio: float
) -> None:
    n, f, d, h, p = 64, Fraction(features), devices, 16, Fraction(ratio)
    own = f * -(-h // d) / h
    ram_attention = n * f / d + (n * f / d) * (d - 1) * (1 - p) + 3 * n * f / h + n * own
    ram_head = n * own + (n * f - n * own) * (1 - p) + n * f / d
    found = program(replace(workload, n_tokens=n), plan(devices, ratio))
    attention, mlp = (found.part(half) for half in HALVES)
    assert set(each(attention.activation_peak_bytes, found)) == {max(ram_attention, ram_head)}
    assert set(each(mlp.activation_peak_bytes, found)) == {ram_head}
    flash = 4 * own * (own + (f - own) * (1 - p))
    assert set(each(held_bytes([attention]), found)) == {flash}
    sent = sum(each(step.exchange.sent_bytes, found).sum() for half in HALVES
               for step in found.part(half).steps if step.exchange is not None)  # fmt: skip
    assert sent == 4 * n * f * (1 - p)


@pytest.mark.parametrize(
    ("devices", "ratio", "ram", "flash"),
    [
        (2, 0, 13824, 32768),
        (4, 0, 11776, 16384),
        (8, 0, 10752, 8192),
        (16, 0, 10240, 4096),
        (2, 0.5, 11776, 24576),
        (4, 0.5, 8704, 10240),
        (8, 0.5, 7168, 4608),
        (16, 0.5, 6400, 2176),
    ],
)
def test_activations_and_flash_are_those_of_the_papers_table(
    devices: int, ratio: float, ram: int, flash: int
) -> None:
    found = program(replace(SERIES, n_tokens=64), plan(devices, ratio))
    assert set(each(found.part("attention").activation_peak_bytes, found)) == {ram}
    assert set(each(held_bytes([found.part("attention")]), found)) == {flash}


@pytest.mark.parametrize("workload", [SERIES, BLOCK, VIT, WIDE_VIT], ids=lambda w: w.name)
@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("ratio", EIGHTHS)
def test_weights_missing_of_equal_slices_are_the_ratio_of_what_others_own(
    workload: Workload, n: int, ratio: float
) -> None:
    found = program(workload, plan(n, ratio))
    missing = [share for half in HALVES for share in found.part(half).missing.items()]
    assert [name for name, _ in missing] == list(GATHERS)
    for _, share in missing:
        np.testing.assert_allclose(share, ratio * (1 - 1 / n), rtol=1e-12, atol=1e-15)
    u = evaluate(workload, RADIO, Plans.of([plan(n, ratio)])).missing_weights
    np.testing.assert_allclose(u, ratio * (1 - 1 / n), rtol=1e-12, atol=1e-15)


@settings(max_examples=60)
@given(workload=workloads(), batch=drawn_plans("column_wise", most=1))
def test_weights_missing_are_those_that_no_chip_stores(workload: Workload, batch: Plans) -> None:
    one, m = canonical_plan(workload, RADIO, batch.row(0)), workload.model
    assume(one.n_chips > 1)
    found = program(workload, one)
    chips = column_wise.slices(workload, RADIO, one, EVEN)
    made = m.heads + 2 * sum(chip.owns["kv_heads"].count for chip in chips)
    behind = {
        "qkv": (("q", "k", "v"), m.embedding * m.head_size * made),
        "o": (("o",), m.embedding * m.head_size * m.heads),
        "ffn_in": (("up", "gate"), (m.ffn_matrices - 1) * m.embedding * m.ffn),
        "ffn_out": (("down",), m.embedding * m.ffn),
    }
    for half in HALVES:
        part = found.part(half)
        for name, share in part.missing.items():
            matrices, whole = behind[name]
            stored = sum(each(size, found).sum() for x, size in part.weights.items() if x in matrices)
            np.testing.assert_allclose(
                share[0], 1 - stored / (one.weight_bits / 8) / whole, rtol=1e-9, atol=1e-12
            )


@given(workload=workloads(), batch=drawn_plans("column_wise", most=1))
def test_messages_are_whole_eighths_of_bytes(workload: Workload, batch: Plans) -> None:
    # What packets they fill must not hang on the order in which they are added up.
    for part in costed(workload, RADIO, batch).program.parts:
        for step in part.steps:
            if step.exchange is not None:
                eighths = 8 * np.asarray(step.exchange.sent_bytes)
                assert (eighths == np.rint(eighths)).all()


# Canonical plans


def rounder(thousandths: int) -> int:
    """Parts into which the roundest grid with this ratio on it cuts 1."""
    return next(grid for grid in (10, 20, 50, 100, 200, 500, 1000) if thousandths * grid % 1000 == 0)


def dealt(total: int, n: int) -> set[int]:
    return {total // n, -(-total // n)}


@settings(max_examples=60)
@given(workload=workloads(max_group=1), n=st.integers(2, 64), thousandths=st.integers(0, 1000))
def test_a_ratio_becomes_the_roundest_that_keeps_as_many_columns(
    workload: Workload, n: int, thousandths: int
) -> None:
    m = workload.model
    n = min(n, m.heads)
    assume(n > 1)
    found = canonical_plan(workload, RADIO, plan(n, thousandths / 1000))
    owned = {
        "qkv": dealt(m.embedding, n),
        "o": {m.head_size * heads for heads in dealt(m.heads, n)},
        "ffn_in": dealt(m.embedding, n),
        "ffn_out": dealt(m.ffn, n),
    }

    def left(columns: int, ratio: float) -> int:
        return columns - min(round(columns * ratio), max(columns - 1, 0))

    for name, each_has in owned.items():
        ratio = getattr(found, f"prune_{name}")
        asked = {c: left(c, thousandths / 1000) for c in each_has}
        assert {c: left(c, ratio) for c in each_has} == asked
        same = [i for i in range(1001) if all(left(c, i / 1000) == k for c, k in asked.items())]
        best = min(same, key=lambda i: (rounder(i), i))
        assert ratio == best / 1000


@settings(max_examples=150)
@given(workload=workloads(), batch=drawn_plans("column_wise", most=1))
def test_canonical_plans_send_as_many_columns_as_those_asked_for(workload: Workload, batch: Plans) -> None:
    asked = of_whole_columns(batch).row(0)
    found = canonical_plan(workload, RADIO, asked)
    assume(found.n_chips > 1)
    same_chips = Plans.of([replace(asked, n_chips=found.n_chips)])
    before, after = (
        column_wise.program(workload, RADIO, plans, EVEN) for plans in (same_chips, Plans.of([found]))
    )
    assert sent_columns(workload, after) == sent_columns(workload, before)


def test_equal_ratios_come_out_equal() -> None:
    # 128 columns each: 115 are left out from 114.5 / 128 to 115.5 / 128
    assert {canonical_plan(BLOCK, RADIO, plan(4, p)) for p in (0.895, 0.897, 0.9, 0.902)} == {own(4, 0.9)}
    assert canonical_plan(BLOCK, RADIO, plan(4, 0.894)) != own(4, 0.9)
    assert canonical_plan(BLOCK, RADIO, plan(4, 0.003)) == own(4)


def test_ratios_that_leave_one_column_are_one_ratio() -> None:
    # 8 columns each: one is left from 6.5 / 8 on
    found = {canonical_plan(replace(SERIES), RADIO, plan(16, p / 1000)) for p in range(813, 1001)}
    assert found == {own(16, 0.9)}


@given(workload=workloads(), platform=any_platforms(), n=st.integers(1, MAX_CHIPS))
def test_more_chips_than_heads_become_heads(workload: Workload, platform: Platform, n: int) -> None:
    found = canonical_plan(workload, platform, plan(n, 0.5))
    assert found.n_chips == min(n, workload.model.heads)
    assert found.strategy == ("column_wise" if found.n_chips > 1 else "head_wise")


@given(workload=workloads(), batch=drawn_plans("column_wise"))
def test_decisions_of_other_strategies_do_not_count(workload: Workload, batch: Plans) -> None:
    found = canonical(workload, RADIO, batch)
    for name in set(DECISIONS) - set(column_wise.DECISIONS):
        assert (found[name] == DECISIONS[name].neutral).all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (plan(4), "all columns sent"),
        (plan(4, 0.9), "pruned by 0.9"),
        (plan(4, 0.5, o=0.25), "pruned by qkv 0.5, o 0.25, ffn_in 0.5, ffn_out 0.5"),
    ],
)
def test_a_plan_is_named_by_what_it_prunes(asked: Plan, words: str) -> None:
    assert column_wise.words(asked) == words


def test_the_platform_of_these_tests_is_the_one_of_cats() -> None:
    assert load_platform("nrf52840-mixer").kernels_name == RADIO.kernels_name == "nrf52840-cmsis"
