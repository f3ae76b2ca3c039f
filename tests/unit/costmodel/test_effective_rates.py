import numpy as np
import pytest

from costmodel import effective_rates as rates
from costmodel import load_platform
from costmodel.operators import PACKING, Kind, Operator

SIRACUSA = load_platform("siracusa-mipi")
MCU = SIRACUSA.mcu
RATES = SIRACUSA.kernels.model_copy(
    update={
        "gemv_mac_per_cycle": 2.13,
        "gemm_mac_per_cycle": 7.95,
        "root_cycles_per_element": 60.6,
        "accumulate": SIRACUSA.kernels.accumulate.model_copy(update={"fixed": 100.0, "per_element": 9.0}),
        "narrow": None,
    }
)


def operator(kind: Kind, rows: int, columns: int = 512, depth: int = 512) -> Operator:
    return Operator(kind=kind, name="x", rows=rows, columns=columns, depth=depth)


@pytest.mark.parametrize("kind", [Kind.MATMUL, Kind.SCORES, Kind.VALUES])
@pytest.mark.parametrize(("rows", "rate"), [(1, 2.13), (2, 4.26), (4, 7.95), (16, 7.95)])
def test_one_row_goes_at_the_gemv_rate_and_more_at_the_gemm_rate(kind: Kind, rows: int, rate: float) -> None:
    cycles = rates.shard_cycles(RATES, MCU, [operator(kind, rows)])
    assert cycles == pytest.approx(rows * 512 * 512 / rate, rel=1e-14)


def test_products_add_up_and_all_else_is_inside_the_rates() -> None:
    work = [operator(kind, 1) for kind in Kind if kind not in (Kind.NORM, *PACKING)]
    once = rates.shard_cycles(RATES, MCU, [operator(Kind.MATMUL, 1)])
    assert rates.shard_cycles(RATES, MCU, work) == 3 * once


def test_a_norm_on_every_chip_takes_as_long_as_on_the_root() -> None:
    norm = [operator(Kind.NORM, 9)]
    cycles = rates.shard_cycles(RATES, MCU, norm)
    assert cycles == rates.alone_cycles(RATES, MCU, norm) == 2 * 512 * 60.6


def test_shards_of_a_batch_go_by_their_own_columns() -> None:
    work = [Operator(kind=Kind.MATMUL, name="x", rows=1, columns=np.array([[0, 213]]), depth=10)]
    np.testing.assert_allclose(rates.shard_cycles(RATES, MCU, work), [[0, 1000]])


@pytest.mark.parametrize(("rows", "rows_a_core"), [(1, 1), (8, 1), (9, 2), (268, 34)])
def test_the_root_keeps_each_row_on_one_core(rows: int, rows_a_core: int) -> None:
    work = [operator(Kind.REQUANTISE, rows), operator(Kind.ADD, rows), operator(Kind.NORM, rows)]
    cycles = rates.alone_cycles(RATES, MCU, work)
    assert cycles == pytest.approx(rows_a_core * 512 * 60.6, rel=1e-14)


def test_a_leader_adds_by_its_own_law_and_narrows_inside_the_cost_of_the_root_without_one() -> None:
    assert rates.alone_cycles(RATES, MCU, [operator(Kind.ACCUMULATE, 1)]) == 100 + 512 / 8 * 9
    assert rates.alone_cycles(RATES, MCU, [operator(Kind.ACCUMULATE, 0)]) == 0
    assert rates.alone_cycles(RATES, MCU, [operator(Kind.NARROW, 1)]) == 0
    assert rates.alone_cycles(RATES, MCU, [operator(Kind.REQUANTISE, 1)]) == 0


def test_on_its_own_share_a_chip_narrows_inside_the_rates() -> None:
    both = [operator(Kind.ACCUMULATE, 1), operator(Kind.NARROW, 1)]
    assert rates.shard_cycles(RATES, MCU, both) == 0


@pytest.mark.parametrize(("rows", "cores"), [(1, 1), (7, 7), (8, 8), (300, 8)])
def test_the_root_keeps_as_many_cores_busy_as_it_has_rows(rows: int, cores: int) -> None:
    assert rates.root_cores(MCU, rows) == cores
