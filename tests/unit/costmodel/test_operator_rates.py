import numpy as np
import pytest

from costmodel import operator_rates as rates
from costmodel.compute import alone_s, chip_power_w, root_power_w, shard_s
from costmodel.operators import Kind, Operator
from tests.strategies import RADIO

KERNELS = RADIO.kernels.model_copy(
    update={
        "gemv_mac_per_cycle": 0.5,
        "gemm_mac_per_cycle": 1.25,
        "value_cycles_per_mac": 7.0,
        "softmax": 200.0,
        "norm": 100.0,
        "activation": 4.0,
        "add": 40.0,
        "accumulate": 8.0,
        "narrow": 16.0,
    }
)
MOVES = (Kind.REQUANTISE, Kind.NARROW, Kind.CACHE_APPEND, Kind.TRANSFER)


def operator(kind: Kind, rows: int = 3, columns: int = 16, depth: int = 10, batch: int = 1) -> Operator:
    return Operator(kind=kind, name="x", rows=rows, columns=columns, depth=depth, batch=batch, bits=4)


def cycles(*work: Operator) -> float:
    return float(rates.shard_cycles(KERNELS, RADIO.mcu, work))


@pytest.mark.parametrize("kind", [Kind.MATMUL, Kind.SCORES])
@pytest.mark.parametrize(("rows", "rate"), [(1, 0.5), (2, 1.0), (3, 1.25), (64, 1.25)])
def test_one_row_goes_at_the_gemv_rate_and_more_at_most_at_the_gemm_rate(
    kind: Kind, rows: int, rate: float
) -> None:
    assert cycles(operator(kind, rows)) == pytest.approx(rows * 16 * 10 / rate, rel=1e-14)


@pytest.mark.parametrize("rows", [1, 2, 64])
def test_probabilities_times_values_take_as_long_a_mac_whatever_the_rows(rows: int) -> None:
    assert cycles(operator(Kind.VALUES, rows)) == rows * 16 * 10 * 7


@pytest.mark.parametrize(
    ("kind", "each"),
    [
        (Kind.SOFTMAX, 200),
        (Kind.NORM, 100),
        (Kind.ACTIVATION, 4),
        (Kind.MULTIPLY, 4),
        (Kind.ROTARY, 4),
        (Kind.ADD, 40),
        (Kind.ACCUMULATE, 8),
    ],
)
def test_everything_else_goes_by_its_elements(kind: Kind, each: int) -> None:
    assert cycles(operator(kind)) == 3 * 16 * each


@pytest.mark.parametrize("kind", MOVES)
def test_copies_and_what_is_inside_the_rates_take_no_time(kind: Kind) -> None:
    assert cycles(operator(kind)) == 0


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in MOVES])
def test_every_other_kind_takes_time_and_heads_take_it_once_each(kind: Kind) -> None:
    once = cycles(operator(kind))
    assert once > 0
    assert cycles(operator(kind, batch=4)) == pytest.approx(4 * once, rel=1e-14)


def test_operators_follow_each_other() -> None:
    work = [operator(kind, rows) for kind in Kind for rows in (1, 5)]
    assert cycles(*work) == pytest.approx(sum(cycles(one) for one in work), rel=1e-14)
    assert cycles() == 0


@pytest.mark.parametrize("kind", Kind)
def test_operators_of_no_size_take_no_time(kind: Kind) -> None:
    assert cycles(operator(kind, columns=0)) == cycles(operator(kind, batch=0)) == 0


def test_shards_of_a_batch_go_by_their_own_sizes() -> None:
    columns = np.array([[0, 5, 7], [1, 2, 3]])
    work = [
        Operator(kind=Kind.MATMUL, name="x", rows=1, columns=columns, depth=10),
        Operator(kind=Kind.NORM, name="x", rows=1, columns=columns),
    ]
    found = rates.shard_cycles(KERNELS, RADIO.mcu, work)
    np.testing.assert_allclose(found, columns * (10 / 0.5 + 100), rtol=1e-14)


def test_a_chip_that_others_wait_for_is_as_fast_as_any_but_narrows_besides() -> None:
    work = [operator(kind) for kind in Kind if kind is not Kind.NARROW]
    assert rates.alone_cycles(KERNELS, RADIO.mcu, work) == cycles(*work)
    assert alone_s(RADIO, work) == shard_s(RADIO, work)
    both = [*work, operator(Kind.NARROW)]
    assert rates.alone_cycles(KERNELS, RADIO.mcu, both) == cycles(*work) + 3 * 16 * 16


def test_adding_and_narrowing_cost_no_more_than_is_stated() -> None:
    plain = KERNELS.model_copy(update={"accumulate": None, "narrow": None})
    add, narrow = operator(Kind.ACCUMULATE), operator(Kind.NARROW)
    assert rates.alone_cycles(plain, RADIO.mcu, [add, narrow]) == 3 * 16 * 40


def test_seconds_are_cycles_of_the_chips_clock() -> None:
    work = [operator(Kind.MATMUL, 64, 512, 512)]
    rate = RADIO.kernels.gemm_mac_per_cycle
    assert shard_s(RADIO, work) == pytest.approx(64 * 512 * 512 / rate / 64e6, rel=1e-14)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_root_keeps_all_cores_busy(rows: int) -> None:
    many = RADIO.mcu.model_copy(update={"n_cores": 4})
    assert rates.root_cores(many, rows) == 4
    assert root_power_w(RADIO, rows) == chip_power_w(RADIO) == RADIO.mcu.core_power_w
