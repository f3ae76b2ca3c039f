"""Weights and messages below the model's width: bytes, time of packing, accuracy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.accuracy import Damage
from costmodel.calibration import WHOLE, Narrow, Narrowed, calibration_of
from costmodel.errors import ParameterError, PlanError
from costmodel.evaluation import inspect
from costmodel.operators import PACKING, Kind, Operator
from costmodel.parameters import load
from costmodel.plan import WIDTHS
from costmodel.precision import narrower, packing_cycles
from costmodel.strategies import canonical, canonical_plan
from tests.conftest import Copy
from tests.strategies import RADIO, changed, messages_of, platforms, workloads

VIT, BLOCK = load_workload("cats-vit"), Accounting(scope="block")
NARROW = st.sampled_from((4, 6))


def by_columns(**decisions: float) -> Plan:
    return Plan(strategy="column_wise", **{"n_chips": 8, **decisions})


def by_heads(**decisions: int) -> Plan:
    return Plan(strategy="head_wise", **{"n_chips": 8, **decisions})


def work_of(workload: Workload, platform: Platform, plan: Plan) -> list[Operator]:
    program = inspect(workload, platform, plan, BLOCK).costing.program
    return [operator for part in program.parts for step in part.steps for operator in step.work]


# Bytes


def test_a_plan_without_widths_has_those_of_the_model() -> None:
    found = canonical_plan(VIT, RADIO, by_columns())
    assert (found.weight_bits, found.bits_o) == (8, 8)
    assert found == canonical_plan(VIT, RADIO, by_columns(weight_bits=16, **messages_of(8)))


@pytest.mark.parametrize(
    ("own", "wanted", "found"), [(16, 32, 16), (16, 8, 8), (5, 32, 6), (4, 6, 4), (3, 8, 4)]
)
def test_widths_are_at_most_the_models_own_of_those_listed(own: int, wanted: int, found: int) -> None:
    workload = replace(VIT, model=VIT.model.model_copy(update={"weight_bits": own}))
    assert canonical_plan(workload, RADIO, by_columns(weight_bits=wanted)).weight_bits == found


@pytest.mark.parametrize("make", [by_columns, by_heads])
@pytest.mark.parametrize("bits", [4, 6])
def test_weights_take_as_many_bytes_as_they_have_bits(make: type, bits: int) -> None:
    plans = Plans.of([make(), make(weight_bits=bits)])
    workload, platform = load_workload("tinyllama-42m"), load_platform("siracusa-mipi")
    costs = evaluate(workload, changed(platform, mcu={"l3": None}), plans, Accounting())
    whole, narrow = costs.l2_footprint_bytes
    weights = (
        workload.model.block_weights + workload.model.vocabulary_weights / 8
    )  # eight blocks on eight chips
    assert whole - narrow == weights * (1 - bits / 8)
    assert costs.link_bytes[0] == costs.link_bytes[1]


@pytest.mark.parametrize("bits", [4, 6])
def test_messages_take_as_many_bytes_as_they_have_bits(bits: int) -> None:
    whole, narrow = (
        inspect(VIT, RADIO, by_columns(**messages_of(width)), BLOCK).synchronisations for width in (8, bits)
    )
    for one, other in zip(whole, narrow, strict=True):
        assert {m.payload_bytes * bits / 8 for m in one.messages.messages} == {
            m.payload_bytes for m in other.messages.messages
        }


@settings(max_examples=30)
@given(
    workload=workloads(), platform=platforms(), bits=NARROW, n=st.integers(1, 16), p=st.sampled_from((0, 0.5))
)
def test_slices_of_a_plan_are_as_wide_as_its_weights(
    workload: Workload, platform: Platform, bits: int, n: int, p: float
) -> None:
    by_head = min(n, workload.model.heads)
    for one in (
        by_columns(n_chips=by_head, weight_bits=bits, prune_o=p),
        by_heads(n_chips=n, weight_bits=bits),
    ):
        found = inspect(workload, platform, one, Accounting())
        bytes_each = min(found.plan.weight_bits, workload.model.weight_bits) / 8
        for chip in found.slices:
            for matrix in chip.matrices:
                depth = matrix.rows.count + sum(matrix.received_rows.values())
                assert matrix.size_bytes == depth * matrix.columns.count * bytes_each


# Time


def test_nothing_is_packed_that_is_a_byte_or_more() -> None:
    for plan in (by_columns(), by_columns(weight_bits=8, **messages_of(16)), by_heads()):
        assert not [o for o in work_of(VIT, RADIO, plan) if o.kind in PACKING]


def test_each_message_is_packed_by_its_sender_and_unpacked_by_all_others() -> None:
    chips, rows = 8, VIT.rows
    work = work_of(VIT, RADIO, by_columns(**messages_of(4)))
    own, hidden = VIT.model.embedding // chips, VIT.model.ffn // chips
    packed = [o.elements for o in work if o.kind is Kind.PACK]
    unpacked = [o.elements for o in work if o.kind is Kind.UNPACK]
    assert np.concatenate(packed).ravel().tolist() == [rows * c for c in (own, own, own, hidden)]
    assert np.concatenate(unpacked).ravel().tolist() == [7 * rows * c for c in (own, own, own, hidden)]


@pytest.mark.parametrize(("rows", "passes"), [(1, 1), (32, 1), (33, 2), (268, 9)])
def test_weights_are_unpacked_once_for_each_tile_of_rows(rows: int, passes: int) -> None:
    platform = load_platform("siracusa-mipi", "date2025")
    assert platform.kernels.row_tile == 32
    workload = load_workload("mobilebert", "encoder", rows)
    work = work_of(workload, platform, by_heads(n_chips=1, weight_bits=6))
    tiles = platform.kernels.passes
    unpacked = sum(float(np.sum(o.elements * tiles(o.tiled_rows))) for o in work if o.kind is Kind.UNPACK)
    head = workload.model.vocabulary * workload.model.embedding
    assert unpacked == passes * workload.model.block_weights + head


def test_cores_share_the_elements() -> None:
    platform = load_platform("siracusa-mipi", "date2025")
    kernels = platform.kernels
    for kind, bits, each in (
        (Kind.PACK, 4, 2.0),
        (Kind.UNPACK, 4, 1.9),
        (Kind.PACK, 6, 2.3),
        (Kind.UNPACK, 6, 2.2),
    ):
        operator = Operator(kind=kind, name="x", rows=10, columns=80, bits=bits)
        assert packing_cycles(kernels, operator, 8) == pytest.approx(800 * each / 8)


def test_a_kernel_set_that_does_not_say_what_packing_takes_has_no_narrow_plans() -> None:
    silent = changed(RADIO, kernels={"packing": None})
    assert canonical(VIT, silent, Plans.of([by_columns(weight_bits=8, **messages_of(8))]))
    for name in ("weight_bits", "bits_ffn_in"):
        with pytest.raises(PlanError, match=f"{name} 6: kernel set nrf52840-cmsis does not say"):
            canonical(VIT, silent, Plans.of([by_columns(**{name: 6})]))


def test_free_packing_makes_narrow_weights_no_slower_and_dear_packing_slower() -> None:
    def latency(cycles: float, bits: int) -> float:
        costs = RADIO.kernels.packing
        assert costs is not None
        one = costs.bits_4.model_copy(update={"pack": cycles, "unpack": cycles})
        platform = changed(RADIO, kernels={"packing": costs.model_copy(update={"bits_4": one})})
        plans = Plans.of([by_columns(weight_bits=bits, **messages_of(bits))])
        return float(evaluate(VIT, platform, plans, BLOCK).latency_s[0])

    assert latency(0.0, 4) < latency(0.0, 8) == latency(1e4, 8) < latency(1e4, 4)


# Accuracy


def narrow(*values: tuple[float, float]) -> Narrow:
    names = ("weights_6", "weights_4", "messages_6", "messages_4")
    each = (Narrowed.model_construct(drop=drop, high=high) for drop, high in values)
    return Narrow.model_construct(**dict(zip(names, each, strict=True)))


ONE = narrow((1, 2), (3, 7), (0, 1), (4, 4))
ENDS = st.tuples(st.floats(0, 5), st.floats(0, 5)).map(lambda two: (min(two), sum(two)))


def test_deviations_add_as_independent_ones_do() -> None:
    known = calibration_of(load("calibration", "encoder")).model_copy(update={"narrow": ONE})
    weights, messages = np.array([8, 6, 4, 4]), np.array([8, 8, 8, 6])
    damage = Damage(missing=np.zeros(4), weight_bits=weights, message_bits=(messages,))
    drop = damage.drop(known)
    assert drop.estimate.tolist() == [0, 1, 3, 3]
    assert drop.low.tolist() == [0, 0, 0, 0]
    assert drop.high == pytest.approx([0, 2, 7, 3 + (4**2 + 1) ** 0.5])


@given(
    u=st.floats(0, 1),
    ends=st.tuples(ENDS, ENDS, ENDS, ENDS),
    weights=st.sampled_from(((8, 6), (6, 4), (8, 4), (8, 8))),
    messages=st.sampled_from(((8, 6), (6, 4), (8, 4), (8, 8))),
)
def test_narrower_is_never_more_accurate(
    u: float, ends: tuple[tuple[float, float], ...], weights: tuple[int, int], messages: tuple[int, int]
) -> None:
    w6, w4, m6, m4 = ends
    # What four bits lose, six lose at most.
    w4, m4 = ((max(a[0], b[0]), max(b[0], a[1], b[1])) for a, b in ((w6, w4), (m6, m4)))
    known = calibration_of(load("calibration", "encoder")).model_copy(
        update={"narrow": narrow(w6, w4, m6, m4)}
    )
    wide, slim = (
        Damage(missing=u, weight_bits=weights[i], message_bits=(messages[i],)).drop(known) for i in (0, 1)
    )
    assert slim.estimate >= wide.estimate
    assert slim.high >= wide.high - 1e-9
    assert slim.low <= slim.estimate <= slim.high


@pytest.mark.parametrize("family", ["cats-vit", "tinyllama-42m"])
@pytest.mark.parametrize("make", [by_columns, by_heads])
def test_plans_of_narrower_bits_are_never_more_accurate(family: str, make: type) -> None:
    plans = Plans.of(make(weight_bits=w, **messages_of(m)) for w in WIDTHS[::-1] for m in WIDTHS[::-1])
    costs = evaluate(load_workload(family), RADIO, plans)
    for array in (costs.accuracy_drop, costs.accuracy_drop_high):
        table = array.reshape(len(WIDTHS), len(WIDTHS))
        assert (np.diff(table, axis=0) >= 0).all()
        assert (np.diff(table, axis=1) >= 0).all()
        assert table[-1, 0] > table[0, 0] == 0


def test_sums_of_a_byte_may_lose_what_messages_of_six_bits_do_and_wider_ones_nothing() -> None:
    plans = [by_heads(partial_sum_bits=bits) for bits in (8, 16, 32)]
    costs = evaluate(VIT, RADIO, Plans.of([*plans, by_heads(n_chips=1, partial_sum_bits=8)]))
    lost = VIT.calibration.narrow
    assert lost is not None
    assert costs.accuracy_drop_high.tolist() == [lost.messages_6.high, 0, 0, 0]
    assert costs.accuracy_drop.tolist() == [lost.messages_6.drop, 0, 0, 0]


@pytest.mark.parametrize(
    ("bits", "own", "found"), [(4, 8, 4), (6, 8, 6), (8, 8, 8), (16, 32, 8), (4, 4, 8), (6, 4, 8)]
)
def test_only_widths_below_the_models_own_lose_anything(bits: int, own: int, found: int) -> None:
    assert narrower(bits, own) == found


def test_a_calibration_that_does_not_know_narrow_widths_refuses_them() -> None:
    series = load_workload("cats-timeseries", calibration="cats-ett")
    assert evaluate(series, RADIO, Plans.of([by_columns(weight_bits=WHOLE)]))
    for plan in (by_columns(weight_bits=6), by_columns(**messages_of(4)), by_heads(partial_sum_bits=8)):
        with pytest.raises(
            PlanError, match="does not say what weights or messages below 8 bit lose"
        ) as error:
            evaluate(series, RADIO, Plans.of([plan]))
        assert "ETT" in error.value.message


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            "drop = { value = 0.2",
            "drop = { value = 0.05",
            "weights_4 must lose at least as much as weights_6",
        ),
        ("high = { value = 15.0", "high = { value = 1.0", "high 1 must be at least drop 2"),
        ("[narrow.messages_6]", "[narrow.messages_5]", "messages_6"),
    ],
)
def test_a_calibration_whose_widths_make_no_sense_is_refused(
    copy_of: Copy, old: str, new: str, named: str
) -> None:
    with pytest.raises(ParameterError) as error:
        load_workload("cats-vit", calibration=copy_of("calibration/encoder", old, new))
    assert named in error.value.message
