import pytest

from costmodel import Platform, compute
from costmodel.workload import Kind, Operator
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
        assert compute.root_s(halved, WORK[1:]) == 2 * compute.root_s(platform, WORK[1:])
        assert compute.accumulate_s(halved, 512) == 2 * compute.accumulate_s(platform, 512)
        assert compute.narrow_s(halved, 512) == 2 * compute.narrow_s(platform, 512)
    assert compute.shard_s(siracusa, WORK) == pytest.approx(40 * 64 * 32 / 7.95 / 5e8, rel=1e-14)
    assert compute.root_s(simulated, WORK[1:]) > 0
    assert compute.narrow_s(simulated, 512) > compute.accumulate_s(simulated, 512) > 0


def test_power_is_that_of_the_busy_cores(siracusa: Platform, simulated: Platform) -> None:
    assert compute.chip_power_w(siracusa) == pytest.approx(0.104, rel=1e-14)
    assert compute.root_power_w(siracusa, 1) == pytest.approx(0.013, rel=1e-14)
    assert compute.root_power_w(simulated, 1) == pytest.approx(0.104, rel=1e-14)
    assert compute.root_power_w(siracusa, 3) == pytest.approx(0.039, rel=1e-14)


def test_l2_traffic_is_weights_once_a_row_tile_and_data_once(siracusa: Platform) -> None:
    assert siracusa.kernels.row_tile == 32
    assert compute.l2_bytes(siracusa, WORK) == 2 * 2048 + 5 + 64
