from collections.abc import Callable
from pathlib import Path

import pytest

from costmodel import Platform, load_platform
from costmodel.errors import ParameterError
from costmodel.hardware import Mcu, platform_of
from costmodel.parameters import load, validate

Copy = Callable[..., str]


def test_siracusa_is_read_in_si(siracusa: Platform) -> None:
    mcu, link = siracusa.mcu, siracusa.link
    assert (mcu.clock_hz, mcu.n_cores, mcu.l1_bytes) == (5e8, 8, 262144)
    assert mcu.l2.size_bytes == 2097152
    assert mcu.l2.usable_bytes == 2 * 2**20 - 200 * 1024
    assert mcu.l3 is not None
    assert (mcu.l3.usable_bytes, mcu.l3.bandwidth_bytes_per_s) == (64e6, 2.95e8)
    assert (mcu.core_power_w, mcu.l3.energy_j_per_byte) == pytest.approx((0.013, 1e-10), rel=1e-15)
    assert (link.bandwidth_bytes_per_s, link.header_bytes, link.payload_bytes) == (5e8, 6, 65535)
    assert link.message_latency_s == pytest.approx(5e-7, rel=1e-15)


def test_usable_memory_is_size_less_reserve(siracusa: Platform) -> None:
    level = siracusa.mcu.l2.model_copy(update={"size_bytes": 1000.0, "reserve_bytes": 300.0})
    assert level.usable_bytes == 700


def test_an_mcu_may_have_no_l3(copy_of: Copy) -> None:
    path = Path(copy_of("mcu/siracusa"))
    path.write_text(path.read_text().split("[l3]")[0])
    assert validate(Mcu, load("mcu", str(path)).data, "x").l3 is None


def test_a_platform_keeps_its_records_in_order(siracusa: Platform) -> None:
    assert [(r.kind, r.name) for r in siracusa.records] == [
        ("platform", "siracusa-mipi"),
        ("mcu", "siracusa"),
        ("link", "mipi"),
        ("kernels", "date2025"),
    ]
    assert (siracusa.name, siracusa.kernels_name) == ("siracusa-mipi", "date2025")
    assert platform_of(siracusa.records) == siracusa


def test_kernels_can_be_exchanged(siracusa: Platform, simulated: Platform) -> None:
    assert load_platform("siracusa-mipi") == siracusa
    assert (siracusa.kernels, siracusa.link) != (simulated.kernels, simulated.link)
    assert (siracusa.mcu, siracusa.link) == (simulated.mcu, simulated.link)


def test_kernels_for_another_mcu_are_refused(copy_of: Copy) -> None:
    path = copy_of("kernels/date2025", 'mcu = "siracusa"', 'mcu = "gap9"')
    with pytest.raises(ParameterError, match="is for MCU 'gap9', platform 'siracusa-mipi' has 'siracusa'"):
        load_platform("siracusa-mipi", path)


@pytest.mark.parametrize(("tile_bytes", "fits"), [(131072, True), (131073, False)])
def test_two_tiles_must_fit_l1(copy_of: Copy, tile_bytes: int, fits: bool) -> None:
    path = copy_of("kernels/pulp-gvsoc", "value = 32768", f"value = {tile_bytes}")
    if fits:
        load_platform("siracusa-mipi", path)
        return
    with pytest.raises(ParameterError, match="two tiles of 131073 B exceed L1 of 262144 B"):
        load_platform("siracusa-mipi", path)


def test_parts_are_looked_up_beside_the_platform_file(copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of("mcu/siracusa", "value = 8,", "value = 4,")
    path = copy_of("platform/siracusa-mipi", 'mcu = "siracusa"', 'mcu = "siracusa.toml"')
    monkeypatch.chdir("/")
    assert load_platform(path).mcu.n_cores == 4
    assert load_platform(path, "date2025").mcu.n_cores == 4


@pytest.mark.parametrize(("idle", "taken"), [(0, True), (120, True), (120.1, False)])
def test_waiting_draws_no_more_than_all_cores_busy(tmp_path: Path, idle: float, taken: bool) -> None:
    path = tmp_path / "m7.toml"
    text = (Path(__file__).parents[2] / "field_cases/boards/m7/m7.toml").read_text()
    assert "core_power = { value = 120, " in text
    path.write_text(text.replace("idle_power = { value = 15, ", f"idle_power = {{ value = {idle}, "))
    data = load("mcu", str(path)).data
    if taken:
        assert validate(Mcu, data, "x").idle_power_w == pytest.approx(idle / 1e3)
        return
    with pytest.raises(ParameterError, match=r"idle_power 0\.1201 W is more than all 1 .*, 0\.12 W"):
        validate(Mcu, data, "x")
