from typing import Any

import numpy as np
import pytest

from costmodel import Platform
from costmodel import operator_laws as laws
from costmodel.kernel_sets import OperatorLaws
from costmodel.operators import Kind, Operator
from costmodel.streaming import WARM
from tests.strategies import KERNEL_SETS

PLATFORM = KERNEL_SETS["pulp-gvsoc"]
RULES: OperatorLaws = PLATFORM.kernels
MCU = PLATFORM.mcu
CORES = 8


def operator(kind: Kind, rows: Any, columns: Any, **others: Any) -> Operator:
    return Operator(kind=kind, **({"name": "x"} | others), rows=rows, columns=columns)


def alone(*operators: Operator, start: float = WARM) -> float:
    return float(laws.shard_cycles(RULES, MCU, list(operators), start))


@pytest.mark.parametrize(
    ("law", "rows", "columns", "depth", "batch", "cycles"),
    [
        (RULES.gemv, 1, 512, 512, 1, 45 + 16 * (2.25 * 512 + 32)),
        (RULES.gemv, 1, 33, 64, 1, 45 + 2 * (2.25 * 64 + 32)),
        (RULES.gemv, 1, 128, 64, 8, 45 + 32 * (2.25 * 64 + 32)),
        (RULES.gemm, 16, 64, 512, 1, 8 * 2 * (3.5 * 512 + 58)),
        (RULES.gemm, 17, 64, 512, 1, 9 * 2 * (3.5 * 512 + 58)),
        (RULES.gemm_transposed, 16, 64, 512, 1, 4 * 4 * (3.5 * 512 + 58)),
        (RULES.gemm_transposed, 17, 66, 512, 1, 5 * 5 * (3.5 * 512 + 58)),
    ],
)
def test_products_go_to_the_cores_in_groups_of_outputs(
    law: Any, rows: int, columns: int, depth: int, batch: int, cycles: float
) -> None:
    assert laws.matmul_cycles(law, CORES, rows, columns, depth, batch) == cycles


def test_a_norm_splits_one_row_and_keeps_several_whole() -> None:
    one = 431.566 + 32.865 * 512 / 8 - 4.234 * 8
    whole = 110.289 + 2 * (182.423 + 31.994 * 512)
    found = laws.norm_cycles(RULES.rmsnorm, CORES, np.array([1, 9, 16]), 512)
    np.testing.assert_allclose(found, [one, whole, whole], rtol=1e-14)


def test_a_norm_that_is_split_takes_whole_units_of_four_elements() -> None:
    def cycles(length: int) -> float:
        return float(laws.norm_cycles(RULES.rmsnorm, CORES, 1, length))

    assert cycles(9) == cycles(12) < cycles(13)


def test_a_softmax_gives_few_rows_teams_of_cores() -> None:
    def team(size: int) -> float:
        return 362.47 + 48.715 * 128 / size + 15.141 * size

    def whole(rows_a_core: int) -> float:
        return 96.919 + rows_a_core * (14.11 + 49.001 * 128)

    found = laws.softmax_cycles(RULES.softmax, CORES, np.array([1, 2, 3, 4, 5, 8, 9]), 128)
    expected = [team(8), team(4), team(2), team(2), whole(1), whole(1), whole(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(("elements", "rounds"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_cores_take_whole_units_of_elements(elements: int, rounds: int) -> None:
    cycles = 130.839 + 24.005 * 4 * rounds
    assert RULES.add.cycles(CORES, elements) == pytest.approx(cycles, rel=1e-14)


def test_a_transfer_takes_a_fixed_time_and_8_bytes_a_cycle() -> None:
    assert laws.dma_cycles(RULES, 4096) == 22 + 512


@pytest.mark.parametrize(
    ("columns", "column_bytes", "width"),
    [
        (512, 512, 64),  # 64 fit: two rounds of 8 cores of 4
        (512, 700, 32),  # 46 fit: one round
        (512, 2048, 16),  # 16 fit: four groups, no whole round
        (512, 2500, 12),  # 13 fit: three groups
        (512, 10000, 4),  # 3 fit: one group at least
        (10, 512, 10),  # no more than there are
        (0, 512, 1),
    ],
)
def test_a_weight_tile_holds_whole_rounds_or_groups(columns: int, column_bytes: int, width: int) -> None:
    assert laws.tile_columns(RULES, CORES, columns, column_bytes) == width


@pytest.mark.parametrize(
    ("rows", "columns", "tiles", "cycles"),
    [
        (1, 512, 8, 8 * (45 + 2 * 1184)),
        (1, 100, 2, 2 * (45 + 2 * 1184)),
        (1, 68, 2, (45 + 2 * 1184) + (45 + 1184)),
        (16, 512, 8, 8 * 8 * 2 * 1850),
        (32, 64, 1, 16 * 2 * 1850),
        (33, 64, 2, (16 + 1) * 2 * 1850),
        (70, 512, 24, 8 * (16 + 16 + 3) * 2 * 1850),
    ],
)
def test_weights_pass_in_tiles_once_a_chunk_of_rows(
    rows: int, columns: int, tiles: int, cycles: float
) -> None:
    product = operator(Kind.MATMUL, rows, columns, depth=512, weight_bytes=512.0 * columns)
    assert laws.weight_matmul(RULES, CORES, product) == (tiles, cycles)


def test_a_transposed_product_has_its_own_law() -> None:
    sizes = {"depth": 512, "weight_bytes": 512.0 * 64}
    plain = operator(Kind.MATMUL, 18, 64, **sizes)
    transposed = operator(Kind.MATMUL, 18, 64, transposed=True, **sizes)
    assert laws.weight_matmul(RULES, CORES, plain)[1] == 9 * 2 * 1850
    assert laws.weight_matmul(RULES, CORES, transposed)[1] == 5 * 4 * 1850


def test_products_per_head_share_the_cores_or_go_head_by_head() -> None:
    one_row = operator(Kind.SCORES, 1, 128, depth=64, batch=3)
    rows = operator(Kind.SCORES, 16, 16, depth=64, batch=3)
    assert laws.head_matmul(RULES, CORES, one_row) == 45 + 12 * (2.25 * 64 + 32)
    assert laws.head_matmul(RULES, CORES, rows) == 3 * 8 * (3.5 * 64 + 58)


def test_a_streamed_product_waits_for_its_third_tile() -> None:
    product = operator(Kind.MATMUL, 1, 512, depth=512, weight_bytes=512.0 * 512)
    dma, compute = 22 + 32768 / 8, 45 + 2 * 1184 + 160
    assert dma > compute
    assert alone(product) == compute + 6 * dma + compute
    assert alone(product, start=0.0) == 8 * dma + compute


def test_every_chunk_of_rows_brings_the_weights_again() -> None:
    product = operator(Kind.MATMUL, 33, 64, depth=512, weight_bytes=512.0 * 64)
    dma, compute = 22 + 32768 / 8, (16 + 1) * 2 * 1850 / 2 + 160
    assert alone(product, start=0.0) == dma + 2 * compute


def test_a_step_adds_its_overhead() -> None:
    add = operator(Kind.ADD, 1, 32)
    assert alone(add) == pytest.approx(120 + 130.839 + 24.005 * 4, rel=1e-14)
    assert alone(add, add) == pytest.approx(2 * alone(add), rel=1e-14)


def test_a_cache_that_is_read_is_streamed_and_one_that_is_not_is_a_step() -> None:
    sizes = {"depth": 64, "batch": 8}
    kernel = 45 + 32 * (2.25 * 64 + 32)
    in_l1 = operator(Kind.SCORES, 1, 128, **sizes)
    cached = operator(Kind.SCORES, 1, 128, data_bytes=65536.0, **sizes)
    assert alone(in_l1) == kernel + 120
    assert alone(cached) == kernel + 2 * 160
    assert alone(cached, start=0.0) > alone(cached)


def test_an_operator_without_elements_takes_no_time() -> None:
    columns = np.array([0, 64])
    for kind in (Kind.MATMUL, Kind.REQUANTISE, Kind.CACHE_APPEND):
        sizes = {"depth": 512, "weight_bytes": 512.0 * columns} if kind is Kind.MATMUL else {}
        nothing, something = laws.shard_cycles(RULES, MCU, [operator(kind, 1, columns, **sizes)])
        assert nothing == 0 < something


def test_a_product_over_no_depth_takes_no_time() -> None:
    depth = np.array([0, 64])
    product = operator(Kind.MATMUL, 1, 512, depth=depth, weight_bytes=512.0 * depth)
    nothing, something = laws.shard_cycles(RULES, MCU, [product])
    assert nothing == 0 < something


def test_a_chip_without_work_beside_one_with_work_does_not_change_its_time() -> None:
    def work(columns: Any) -> list[Operator]:
        return [
            operator(Kind.MATMUL, 1, columns, depth=512, weight_bytes=512.0 * columns),
            operator(Kind.REQUANTISE, 1, columns),
            operator(Kind.MATMUL, 1, 512, depth=columns, weight_bytes=512.0 * columns),
        ]

    beside = laws.shard_cycles(RULES, MCU, work(np.array([0, 64, 512])))
    assert beside[1:].tolist() == [alone(*work(64)), alone(*work(512))]


@pytest.mark.parametrize(
    ("kind", "name", "fixed", "per_element"),
    [
        (Kind.ADD, "x", 130.839, 24.005),
        (Kind.MULTIPLY, "x", 157.788, 20.42),
        (Kind.ACCUMULATE, "x", 140.971, 8.92),
        (Kind.REQUANTISE, "x", 148.004, 17.819),
        (Kind.ROTARY, "x", 215.036, 25.679),
        (Kind.ACTIVATION, "gelu", 147.356, 34.685),
        (Kind.ACTIVATION, "silu", 132.451, 9.972),
        (Kind.ACTIVATION, "relu", 130.265, 10.003),
        (Kind.CACHE_APPEND, "x", 747, 41.9),
    ],
)
def test_each_element_wise_kind_has_its_law(kind: Kind, name: str, fixed: float, per_element: float) -> None:
    found = laws.step_cycles(RULES, CORES, operator(kind, 1, 512, name=name))
    assert found == pytest.approx(fixed + per_element * 64, rel=1e-14)


def test_norms_and_softmax_go_by_name_and_rows() -> None:
    rms, layer = (
        laws.step_cycles(RULES, CORES, operator(Kind.NORM, 1, 512, name=n)) for n in ("rmsnorm", "layernorm")
    )
    assert rms == pytest.approx(431.566 + 32.865 * 64 - 4.234 * 8, rel=1e-14)
    assert layer == pytest.approx(510.256 + 35.726 * 64 - 5.747 * 8, rel=1e-14)
    one_row = laws.step_cycles(RULES, CORES, operator(Kind.SOFTMAX, 1, 128, batch=8))
    rows = laws.step_cycles(RULES, CORES, operator(Kind.SOFTMAX, 16, 16, batch=3))
    assert one_row == pytest.approx(96.919 + 14.11 + 49.001 * 128, rel=1e-14)
    assert rows == pytest.approx(3 * (96.919 + 2 * (14.11 + 49.001 * 16)), rel=1e-14)


def test_several_rows_go_to_the_cache_by_two_transfers() -> None:
    assert laws.step_cycles(RULES, CORES, operator(Kind.CACHE_APPEND, 16, 64)) == 2 * (22 + 1024 / 8)


def test_root_work_is_steps_with_overhead() -> None:
    work = [operator(Kind.ADD, 1, 32), operator(Kind.REQUANTISE, 1, 32)]
    cycles = 2 * 120 + 130.839 + 24.005 * 4 + 148.004 + 17.819 * 4
    assert laws.alone_cycles(RULES, MCU, work) == pytest.approx(cycles, rel=1e-14)
    adding, narrowing = (
        laws.alone_cycles(RULES, MCU, [operator(kind, 1, 512)]) for kind in (Kind.ACCUMULATE, Kind.REQUANTISE)
    )
    assert adding == pytest.approx(120 + 140.971 + 8.92 * 64, rel=1e-14)
    assert narrowing == pytest.approx(120 + 148.004 + 17.819 * 64, rel=1e-14)
    assert laws.alone_cycles(RULES, MCU, [operator(Kind.REQUANTISE, 1, 0)]) == 0


@pytest.mark.parametrize(("rows", "cores"), [(1, 8), (2, 2), (7, 7), (8, 8), (300, 8)])
def test_the_root_splits_one_row_over_all_cores(simulated: Platform, rows: int, cores: int) -> None:
    assert laws.root_cores(simulated.mcu, rows) == cores
