"""What draws power all the time, memory that all chips share, and keys that files leave out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, evaluate, load_platform, load_workload
from costmodel.accounting import Prefetch
from costmodel.costs import ENERGY_CAUSES, SHARED_L3
from costmodel.errors import ParameterError
from costmodel.evidence import energy_evidence
from costmodel.media import MEDIA, Switched
from tests.conftest import Copy
from tests.strategies import RADIO, changed

CHIPS = (1, 2, 8, 24)
TINY = load_workload("tinyllama-42m", "autoregressive")


def head_wise(**decided: int) -> Plans:
    return Plans.of(Plan(strategy="head_wise", n_chips=n, **decided) for n in CHIPS)


def test_controller_cores_draw_power_for_all_of_the_time_on_every_chip(siracusa: Platform) -> None:
    powered = changed(siracusa, mcu={"controller_power_w": 13e-3})
    found, without = (evaluate(TINY, on, head_wise()) for on in (powered, siracusa))
    np.testing.assert_allclose(
        found.energy_j - without.energy_j, np.array(CHIPS) * 13e-3 * found.latency_s, rtol=1e-12
    )


def test_off_chip_memories_stand_by_on_chips_that_have_something_there(siracusa: Platform) -> None:
    powered = changed(siracusa, l3={"standby_power_w": 5e-4})
    found = evaluate(TINY, powered, head_wise())
    expected = found.n_chips_with_l3 * 5e-4 * found.latency_s
    np.testing.assert_allclose(found.energy_by_cause_j["l3_standby"], expected, rtol=1e-12)
    assert found.n_chips_with_l3.tolist()[:3] == [1, 2, 8]
    assert found.n_chips_with_l3[3] < 24


def test_links_draw_power_for_all_of_the_time(siracusa: Platform) -> None:
    """A tree of n chips has n - 1 links; one chip has none."""
    found = evaluate(TINY, changed(siracusa, link={"idle_power_w": 2e-3}), head_wise())
    np.testing.assert_allclose(
        found.energy_by_cause_j["link_idle"], (np.array(CHIPS) - 1) * 2e-3 * found.latency_s, rtol=1e-12
    )


def test_a_switch_has_a_link_to_each_chip(siracusa: Platform) -> None:
    wire = {name: value for name, value in vars(siracusa.link).items() if name in Switched.model_fields}
    link = MEDIA["switched"].model_construct(**wire | {"medium": "switched", "idle_power_w": 0.4})
    found = evaluate(TINY, replace(siracusa, link=link), head_wise())
    links = np.array([0, 2, 8, 24])
    np.testing.assert_allclose(found.energy_by_cause_j["link_idle"], 0.4 * links * found.latency_s)


def test_radios_draw_nothing_while_chips_wait() -> None:
    found = evaluate(load_workload("cats-block"), RADIO, Plans.of([Plan(strategy="column_wise", n_chips=4)]))
    assert found.energy_by_cause_j["link_idle"] == 0


@pytest.mark.parametrize("pinning", [0, 1])
@pytest.mark.parametrize("prefetch", ["steady", "hidden"])
def test_chips_that_share_an_l3_each_have_an_equal_part_of_its_time(
    siracusa: Platform, pinning: int, prefetch: Prefetch
) -> None:
    accounting = Accounting(prefetch=prefetch)
    shared = replace(siracusa, shares_l3=True)
    assert siracusa.mcu.l3 is not None
    for n in CHIPS:
        plans = Plans.of([Plan(strategy="head_wise", n_chips=n, pinning=pinning)])
        bandwidth = siracusa.mcu.l3.bandwidth_bytes_per_s / n
        slower = changed(siracusa, l3={"bandwidth_bytes_per_s": bandwidth})
        found, expected = (evaluate(TINY, on, plans, accounting) for on in (shared, slower))
        assert found.latency_s == expected.latency_s
        assert found.energy_j == expected.energy_j


def test_what_all_chips_hold_must_fit_the_l3_that_they_share(siracusa: Platform) -> None:
    """Of plans without pinning up to 8 chips all of the model lies there, and no more."""
    shared = replace(siracusa, shares_l3=True)
    plans = head_wise(pinning=0, shares=0).take(np.arange(3))
    asked = evaluate(TINY, shared, plans).demands[SHARED_L3].asked
    blocks = 8 * (4 * 512 * 512 + 2 * 512 * 2048)
    cache = 2 * 8 * 512 * 128
    np.testing.assert_allclose(asked, blocks + cache + 32000 * 512, rtol=1e-12)
    little = changed(shared, l3={"size_bytes": 40e6})
    violation = evaluate(TINY, little, plans).violations(2)[0]
    assert str(violation) == f"shared L3 needs {asked[2] / 1e3:,.1f} kB of all chips, 40,000.0 kB are usable"


def test_one_l3_stands_by_where_chips_share_it(siracusa: Platform) -> None:
    powered = changed(replace(siracusa, shares_l3=True), l3={"standby_power_w": 5e-4})
    found = evaluate(TINY, powered, head_wise())
    used = found.n_chips_with_l3 > 0
    assert used.tolist() == [True, True, True, False]
    np.testing.assert_allclose(
        found.energy_by_cause_j["l3_standby"], 5e-4 * found.latency_s * used, rtol=1e-12
    )


def test_a_platform_says_whether_chips_share_their_l3(copy_of: Copy) -> None:
    path = copy_of("platform/siracusa-mipi", 'value = "own"', 'value = "shared"')
    assert load_platform(path).shares_l3
    assert not load_platform("siracusa-mipi").shares_l3


def test_there_is_no_l3_to_share_without_one(copy_of: Copy) -> None:
    stated = 'l3 = { value = "own", source = "none", where = "here", status = "datasheet" }'
    path = copy_of("platform/nrf52840-mixer", "mcu =", f"{stated}\nmcu =")
    with pytest.raises(ParameterError, match=r"key 'l3': MCU 'nrf52840' has no L3"):
        load_platform(path)


def test_what_files_leave_out_is_said_once_with_what_is_taken_to_be_so(copy_of: Copy) -> None:
    assert load_platform("siracusa-mipi").not_stated == (
        "link/mipi ports: as many links of a chip as a plan asks for",
    )
    path = copy_of("mcu/siracusa", "\ncontroller_power =", "\nold_power =")
    text = Path(path).read_text().splitlines()
    Path(path).write_text("\n".join(line for line in text if not line.startswith("old_power")))
    other = copy_of("platform/siracusa-mipi", 'mcu = "siracusa"', f'mcu = "{path}"')
    first, *_ = load_platform(other).not_stated
    assert first == f"mcu/{path} controller_power: 0: no core beside those that compute"


def test_each_cause_of_energy_says_how_its_constants_are_known(copy_of: Copy) -> None:
    known = energy_evidence(load_platform("siracusa-mipi"))
    assert tuple(sorted(known)) == tuple(sorted(ENERGY_CAUSES))
    assert (known["idle"], known["compute"]) == ("fitted", "assumed")
    radio = energy_evidence(RADIO)
    assert set(ENERGY_CAUSES) - set(radio) == {"l3", "l3_standby", "link_idle"}
    assert radio["controller"] == "datasheet"
    assert radio["link"] == "derived"  # the weakest of four keys
