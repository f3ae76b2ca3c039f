import pytest

from costmodel import Platform, compute
from costmodel.operators import Kind, Operator
from tests.strategies import changed

WORK = [
    Operator(kind=Kind.MATMUL, name="x", rows=40, columns=64, depth=32, weight_bytes=2048.0, data_bytes=5.0),
    Operator(kind=Kind.ADD, name="x", rows=40, columns=64),
    Operator(kind=Kind.TRANSFER, name="x", rows=1, columns=64, data_bytes=64.0),
]


def test_seconds_are_cycles_over_the_clock(siracusa: Platform, simulated: Platform) -> None:
    for platform in (siracusa, simulated):
        halved = changed(platform, mcu={"clock_hz": 2.5e8})
        assert compute.shard_s(halved, WORK) == 2 * compute.shard_s(platform, WORK) > 0
        assert compute.alone_s(halved, WORK[1:]) == 2 * compute.alone_s(platform, WORK[1:])
    assert compute.shard_s(siracusa, WORK) == pytest.approx(
        40 * 64 * 32 / siracusa.kernels.gemm_mac_per_cycle / 5e8, rel=1e-14
    )
    assert compute.alone_s(simulated, WORK[1:]) > 0


def test_work_of_no_size_takes_a_chip_that_others_wait_for_no_time(simulated: Platform) -> None:
    none = Operator(kind=Kind.REQUANTISE, name="x", rows=1, columns=0)
    some = Operator(kind=Kind.REQUANTISE, name="x", rows=1, columns=1)
    assert compute.alone_s(simulated, [none]) == 0 < compute.alone_s(simulated, [some])
    assert compute.alone_s(simulated, [none, some]) == compute.alone_s(simulated, [some])


def test_power_is_that_of_the_busy_cores(siracusa: Platform, simulated: Platform) -> None:
    assert compute.chip_power_w(siracusa) == pytest.approx(0.104, rel=1e-14)
    assert compute.root_power_w(siracusa, 1) == pytest.approx(0.013, rel=1e-14)
    assert compute.root_power_w(simulated, 1) == pytest.approx(0.104, rel=1e-14)
    assert compute.root_power_w(siracusa, 3) == pytest.approx(0.039, rel=1e-14)


def test_l2_traffic_is_weights_once_a_row_tile_and_data_once(siracusa: Platform) -> None:
    assert siracusa.kernels.row_tile == 32
    assert compute.l2_bytes(siracusa, WORK) == 2 * 2048 + 5 + 64
