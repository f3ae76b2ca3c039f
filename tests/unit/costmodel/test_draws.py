from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from costmodel import Platform, load_platform
from costmodel.draws import N_DRAWS, Draws, drawable, drawn, draws_of, held, samples
from costmodel.errors import ParameterError
from costmodel.hardware import platform_of
from costmodel.parameters import Record, load

RADIO = load_platform("nrf52840-mixer")
WIRED = load_platform("siracusa-mipi", "date2025")


def with_link(platform: Platform, link: str) -> Platform:
    """Give the platform joined by another link."""
    return platform_of(tuple(load("link", link) if r.kind == "link" else r for r in platform.records))


def without_ranges(record: Record) -> Record:
    """Give a record whose values say nothing of how far they may be off."""
    ends = ("low", "high")

    def certain(entry: object) -> object:
        if not isinstance(entry, dict):
            return entry
        value = {key: certain(one) for key, one in entry.items() if key not in ends}
        return value | {"status": "measured"} if value.get("status") == "fitted" else value

    return replace(record, data={key: certain(entry) for key, entry in record.data.items()})


def test_rates_times_powers_and_energies_are_drawn_and_sizes_are_not() -> None:
    names = {one.name for one in drawable(WIRED)}
    assert {"mcu.clock", "mcu.l3.energy", "link.message_latency", "kernels.gemv"} <= names
    assert {"kernels.row_tile", "kernels.accumulate.per_element", "kernels.load_overlap"} <= names
    assert not {"mcu.l2.reserve", "mcu.l3.size", "link.loss"} & names


def test_what_the_length_of_a_slot_depends_on_is_not_drawn() -> None:
    names = {one.name for one in drawable(RADIO)}
    assert {"link.used_slots", "link.transmit_share", "link.receive_power"} <= names
    assert not {"link.byte_time", "link.clock_drift", "link.turn_round", "link.loss"} & names


@pytest.mark.parametrize("platform", [WIRED, RADIO, with_link(RADIO, "spi-32m")])
def test_draws_lie_between_low_and_high(platform: Platform) -> None:
    draws = draws_of(platform)
    assert len(draws) == N_DRAWS
    for one in drawable(platform):
        values = draws.values[one.name]
        assert np.all((values >= one.low * (1 - 1e-5)) & (values <= one.high * (1 + 1e-5))), one.name


def test_draws_by_themselves_cover_the_range_evenly_by_logarithm_and_whatever_else_is_drawn() -> None:
    draws, other = draws_of(RADIO), draws_of(with_link(RADIO, "spi-32m"))
    assert draws.basis == other.basis == "ranges"
    np.testing.assert_array_equal(draws.values["kernels.gemm"], other.values["kernels.gemm"])
    at = np.sort(np.log(draws.values["kernels.gemm"] / 0.2) / np.log(0.55 / 0.2))
    np.testing.assert_allclose(at, (np.arange(N_DRAWS) + 0.5) / N_DRAWS, atol=0.5 / N_DRAWS + 1e-5)
    assert abs(np.corrcoef(draws.values["kernels.gemm"], draws.values["kernels.gemv"])[0, 1]) < 0.2


def test_a_range_from_0_is_covered_evenly() -> None:
    overhead = draws_of(RADIO).values["kernels.exchange_overhead"]
    assert np.mean(overhead) == pytest.approx(0.5e-3, rel=0.01)


def test_a_sample_is_of_the_numbers_it_was_made_for() -> None:
    assert draws_of(WIRED).basis == "sample"
    assert draws_of(load_platform("siracusa-mipi", "pulp-gvsoc")).basis == "ranges"
    assert draws_of(with_link(WIRED, "spi-32m")).basis == "ranges"


def test_a_sample_has_every_constant_that_can_be_drawn() -> None:
    (sample,) = samples()
    assert list(sample.draws) == [one.name for one in drawable(WIRED)]
    assert {len(values) for values in sample.draws.values()} == {N_DRAWS}


def test_what_is_said_about_numbers_is_none_of_them() -> None:
    mcu = WIRED.records[1]
    clock = mcu.data["clock"]
    told = replace(mcu, data={**mcu.data, "clock": {**clock, "reason": "another"}})
    moved = replace(mcu, data={**mcu.data, "clock": {**clock, "value": 499}})
    with_mcu = [platform_of((WIRED.records[0], one, *WIRED.records[2:])) for one in (told, moved)]
    assert [draws_of(platform).basis for platform in with_mcu] == ["sample", "ranges"]


def test_without_ranges_nothing_is_drawn() -> None:
    draws = draws_of(platform_of(tuple(without_ranges(record) for record in RADIO.records)))
    assert (draws.basis, dict(draws.values), len(draws)) == ("none", {}, 1)


def test_drawn_constants_have_an_axis_before_that_of_plans() -> None:
    values = {"mcu.clock": np.array([1e6, 2e6]), "kernels.accumulate.per_element": np.array([3.0, 4.0])}
    many = drawn(WIRED, Draws(values=values, basis="ranges"))
    assert many.mcu.clock_hz.shape == (2, 1)
    assert many.kernels.accumulate.per_element.ravel().tolist() == [3.0, 4.0]
    assert many.kernels.gemv_mac_per_cycle == WIRED.kernels.gemv_mac_per_cycle


def test_a_chip_that_waits_draws_no_more_than_one_that_works() -> None:
    values = {"mcu.core_power": np.array([1e-3, 2e-3]), "mcu.idle_power": np.array([1.0, 1e-3])}
    many = drawn(WIRED, Draws(values=values, basis="ranges"))
    assert many.mcu.idle_power_w.ravel().tolist() == [8e-3, 1e-3]


def with_entry(platform: Platform, kind: str, key: str, **said: object) -> Platform:
    """Give the platform with other things said of one value."""

    def changed(record: Record) -> Record:
        *tables, last = key.split(".")
        data = inner = deepcopy(record.data)
        for table in tables:
            inner = inner[table]
        inner[last] |= said
        return replace(record, data=data)

    return platform_of(tuple(changed(r) if r.kind == kind else r for r in platform.records))


def test_a_power_in_decibels_is_drawn_in_watts() -> None:
    radio = with_entry(RADIO, "link", "transmit_power", value=13.0, unit="dBm", low=10.0, high=20.0)
    assert radio.link.transmit_power_w == pytest.approx(0.01995, rel=1e-3)
    values = draws_of(radio).values["link.transmit_power"]
    assert (values.min(), values.max()) == pytest.approx((0.01, 0.1), rel=0.02)


def test_chips_that_share_an_l3_have_no_sample() -> None:
    shared = {"value": "shared", "source": "s", "where": "w", "status": "measured"}
    record = WIRED.records[0]
    platform = platform_of((replace(record, data=record.data | {"l3": shared}), *WIRED.records[1:]))
    assert draws_of(platform).basis == "ranges"


def test_ranges_that_are_not_drawn_are_listed() -> None:
    assert held(WIRED) == ["mcu.l2.reserve", "mcu.l3.size", "link.loss"]
    one_ended = with_entry(WIRED, "link", "energy", low=None, high=1e9, status="measured")
    assert "link.energy" in held(one_ended)
    laws = with_entry(load_platform("siracusa-mipi", "pulp-gvsoc"), "kernels", "row_tile", low=16, high=64)
    assert "kernels.row_tile" in held(laws)


@pytest.mark.parametrize(
    "said", [{"value": -100.0}, {"low": -100.0, "high": 0.0}, {"low": -70000.0, "high": 0}]
)
def test_a_shared_row_never_takes_less_than_no_time(said: dict[str, float]) -> None:
    laws = load_platform("siracusa-mipi", "pulp-gvsoc")
    with pytest.raises(ParameterError, match=r"softmax.split.per_core.*on 8 cores"):
        with_entry(laws, "kernels", "softmax.split.per_core", **{"value": -1.0, **said})
