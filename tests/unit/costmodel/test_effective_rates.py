import numpy as np
import pytest

from costmodel import Platform
from costmodel import effective_rates as rates
from costmodel.operators import PACKING, Kind, Operator


def operator(kind: Kind, rows: int, columns: int = 512, depth: int = 512) -> Operator:
    return Operator(kind=kind, name="x", rows=rows, columns=columns, depth=depth)


@pytest.mark.parametrize("kind", [Kind.MATMUL, Kind.SCORES, Kind.VALUES])
@pytest.mark.parametrize(("rows", "rate"), [(1, 2.13), (2, 4.26), (4, 7.95), (16, 7.95)])
def test_one_row_goes_at_the_gemv_rate_and_more_at_the_gemm_rate(
    siracusa: Platform, kind: Kind, rows: int, rate: float
) -> None:
    cycles = rates.shard_cycles(siracusa.kernels, siracusa.mcu, [operator(kind, rows)])
    assert cycles == pytest.approx(rows * 512 * 512 / rate, rel=1e-14)


def test_products_add_up_and_all_else_is_inside_the_rates(siracusa: Platform) -> None:
    work = [operator(kind, 1) for kind in Kind if kind not in (Kind.NORM, *PACKING)]
    once = rates.shard_cycles(siracusa.kernels, siracusa.mcu, [operator(Kind.MATMUL, 1)])
    assert rates.shard_cycles(siracusa.kernels, siracusa.mcu, work) == 3 * once


def test_a_norm_on_every_chip_takes_as_long_as_on_the_root(siracusa: Platform) -> None:
    norm = [operator(Kind.NORM, 9)]
    cycles = rates.shard_cycles(siracusa.kernels, siracusa.mcu, norm)
    assert cycles == rates.alone_cycles(siracusa.kernels, siracusa.mcu, norm) == 2 * 512 * 60.6


def test_shards_of_a_batch_go_by_their_own_columns(siracusa: Platform) -> None:
    work = [Operator(kind=Kind.MATMUL, name="x", rows=1, columns=np.array([[0, 213]]), depth=10)]
    np.testing.assert_allclose(rates.shard_cycles(siracusa.kernels, siracusa.mcu, work), [[0, 1000]])


@pytest.mark.parametrize(("rows", "rows_a_core"), [(1, 1), (8, 1), (9, 2), (268, 34)])
def test_the_root_keeps_each_row_on_one_core(siracusa: Platform, rows: int, rows_a_core: int) -> None:
    work = [operator(Kind.REQUANTISE, rows), operator(Kind.ADD, rows), operator(Kind.NORM, rows)]
    cycles = rates.alone_cycles(siracusa.kernels, siracusa.mcu, work)
    assert cycles == pytest.approx(rows_a_core * 512 * 60.6, rel=1e-14)


def test_adding_and_narrowing_partial_sums_is_inside_the_cost_of_the_root(siracusa: Platform) -> None:
    for kind in (Kind.REQUANTISE, Kind.ACCUMULATE):
        assert rates.alone_cycles(siracusa.kernels, siracusa.mcu, [operator(kind, 1)]) == 0


@pytest.mark.parametrize(("rows", "cores"), [(1, 1), (7, 7), (8, 8), (300, 8)])
def test_the_root_keeps_as_many_cores_busy_as_it_has_rows(siracusa: Platform, rows: int, cores: int) -> None:
    assert rates.root_cores(siracusa.mcu, rows) == cores
