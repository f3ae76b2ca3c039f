from dataclasses import replace
from math import ceil, isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Workload, evaluate, load_workload
from costmodel.collectives import COLLECTIVES
from costmodel.errors import ParameterError
from costmodel.media import Mixer, RoundDesign, medium_of
from costmodel.parameters import load
from costmodel.program import Exchange
from tests.strategies import RADIO, per_plan

MIXER = RADIO.link
assert isinstance(MIXER, Mixer)
BLOCK = load_workload("cats-block")
HEADER = 4
MARGIN_US = 50
Found = tuple[int, int, int, int, int]  # payload, packets, rounds, slots, us of a slot with margin


def slot_us(payload: int, packets: int) -> int:
    """Length of a slot without margin, from its air time and what clocks may drift."""
    air = 64 * (15 + 2 * ceil(packets / 8) + payload)
    length = 80_000.0
    while True:
        drift = max(1, ceil(length / 1000))
        receive_window = 2 * (3 * drift + 2 * 64 + 80) + 20 * 1.5 * drift
        longer = 1.0003 * (air + 640 + 2 * receive_window + 320 + 400)
        if longer == length:
            return ceil(length / 16)
        length = longer


def searched(messages: list[float]) -> tuple[float, Found]:
    """Least time without margins, and its design; plain loops, the first one found wins."""
    best, found = float("inf"), (0, 0, 0, 0, 0)
    for payload in range(150, 230):
        packets_of_all = 1 + sum(ceil(size / payload - 1e-6) for size in messages)
        for rounds in range(1, 10):
            packets = ceil(packets_of_all / rounds)
            if 4 + 2 * ceil(packets / 8) + payload > 250:
                continue
            slots, slot = 3 * packets + 200, slot_us(payload, packets)
            if rounds * slots * slot < best:
                best = rounds * slots * slot
                found = (payload, packets, rounds, slots, slot + MARGIN_US)
    return best, found


def design(messages: list[float]) -> RoundDesign:
    """Design the rounds of one exchange in which every chip's message has its own size."""
    return MIXER.design(np.array(messages)[:, None], np.ones((len(messages), 1), dtype=int))


def plain(found: RoundDesign) -> Found:
    payload, packets, rounds, slots = (
        int(value[0]) for value in (found.payload_bytes, found.packets, found.rounds, found.slots)
    )
    return payload, packets, rounds, slots, round(float(found.slot_s[0]) * 1e6)


@pytest.mark.parametrize(
    ("size", "shipped"), [(836, (150, 25, 1, 275, 947)), (8196, (200, 165, 1, 695, 1310))]
)
def test_rounds_are_those_of_the_two_headers_that_were_shipped(size: int, shipped: Found) -> None:
    assert plain(design([size] * 4)) == shipped
    (payload, packets, _, slots, us) = shipped
    found = MIXER.design(np.array([[size]]), np.array([[4]]))
    assert plain(found) == shipped
    assert float(found.bound_s[0]) == pytest.approx(slots * us * 1e-6, rel=1e-12)
    assert found.buffer_bytes.tolist() == [packets * (payload + 2 * ceil(packets / 8))]


TABLE = [  # F, devices, seconds of a round at p 0, 0.5 and 0.9
    (128, 4, (0.362, 0.272, 0.211)),
    (128, 16, (0.371, 0.286, 0.236)),
    (256, 4, (0.545, 0.362, 0.223)),
    (256, 16, (0.550, 0.371, 0.236)),
    (384, 16, (0.731, 0.455, 0.236)),
    (512, 2, (0.910, 0.545, 0.255)),
    (512, 4, (0.910, 0.545, 0.260)),
    (512, 8, (0.921, 0.548, 0.260)),
    (512, 16, (0.928, 0.550, 0.286)),
]


@pytest.mark.parametrize(
    ("features", "devices", "ratio", "seconds"),
    [(f, d, p, s) for f, d, row in TABLE for p, s in zip((0, 0.5, 0.9), row, strict=True)],
)
def test_rounds_take_as_long_as_the_authors_tool_says(
    features: int, devices: int, ratio: float, seconds: float
) -> None:
    own = features // devices
    kept = own - min(round(own * ratio), own - 1)
    found = MIXER.design(np.array([[HEADER + 64 * kept]]), np.array([[devices]]))
    assert float(found.bound_s[0]) == pytest.approx(seconds, rel=0.01)


SIZES = st.floats(1, 4000) | st.integers(1, 9000) | st.integers(1, 60).map(lambda n: 150 * n)


@settings(max_examples=150)
@given(messages=st.lists(SIZES, min_size=1, max_size=16))
def test_rounds_are_those_of_a_plain_search(messages: list[float]) -> None:
    assert plain(design(messages)) == searched(messages)[1]


@pytest.mark.parametrize("size", [3100, 3150, 3200, 3250, 3300, 6400, 9600, 12800, 16000, 25000])
def test_a_plain_search_agrees_where_several_rounds_are_needed(size: int) -> None:
    assert plain(design([size] * 16)) == searched([size] * 16)[1]


@settings(max_examples=40)
@given(
    batch=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(1, 2000)), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_rounds_of_a_batch_are_those_of_its_exchanges(batch: list[list[tuple[int, int]]]) -> None:
    chips, sizes = np.moveaxis(np.array(batch), 0, -1).swapaxes(0, 1)
    together = MIXER.design(sizes.astype(float), chips)
    for at, classes in enumerate(batch):
        messages = [float(size) for count, size in classes for _ in range(count)]
        alone = design(messages or [0.0])
        for name, value in vars(together).items():
            assert value[at] == vars(alone)[name][0], name


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=16))
def test_a_round_has_room_for_every_byte_and_a_packet_for_its_coefficients(messages: list[int]) -> None:
    payload, packets, rounds, slots, _ = plain(design([float(size) for size in messages]))
    assert rounds * packets * payload >= sum(messages) + payload
    assert 150 <= payload <= 229
    assert 4 + 2 * ceil(packets / 8) + payload <= 250
    assert slots == 3 * packets + 200


@given(
    messages=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
    more=st.integers(1, 5000),
    at=st.integers(0, 7),
)
def test_more_bytes_never_take_less_of_what_the_search_makes_least(
    messages: list[int], more: int, at: int
) -> None:
    def without_margin_us(sizes: list[int]) -> int:
        _, _, rounds, slots, us = plain(design([float(size) for size in sizes]))
        return rounds * slots * (us - MARGIN_US)

    grown = [size + more * (i == at % len(messages)) for i, size in enumerate(messages)]
    assert without_margin_us(messages) <= without_margin_us(grown)
    assert without_margin_us(messages) <= without_margin_us([*messages, more])


def test_more_bytes_may_take_a_little_less_of_the_bound_as_its_margin_is_not_searched() -> None:
    less, more = design([4814.0] * 4), design([4815.0] * 4)
    assert (plain(less), plain(more)) == (searched([4814] * 4)[1], searched([4815] * 4)[1])
    assert 0.995 < float(more.bound_s[0]) / float(less.bound_s[0]) < 1
    assert less.slots[0] > more.slots[0]


def wide(features: int, rows: int = 64) -> Workload:
    sizes = {"embedding": features, "ffn": features, "head_size": features // 16}
    return replace(BLOCK, model=BLOCK.model.model_copy(update=sizes), n_tokens=rows)


@pytest.mark.parametrize(("features", "rounds"), [(512, 1), (768, 1), (832, 2), (1024, 2), (2048, 4)])
def test_above_51_kb_a_gather_takes_more_rounds_than_the_firmware_runs(features: int, rounds: int) -> None:
    plans = Plans.of([Plan(strategy="column_wise", n_chips=16)])
    costs = evaluate(wide(features), RADIO, plans, Accounting(scope="block"))
    assert costs.demands["rounds"].asked.tolist() == [rounds]
    over = [v for v in costs.violations(0) if v.resource == "rounds"]
    assert [(v.demand, v.limit, v.unit) for v in over] == ([(rounds, 1, "rounds")] if rounds > 1 else [])
    assert rounds == 1 or not costs.feasible[0]
    assert searched([HEADER + 64.0 * features / 16] * 16)[1][2] == rounds


@pytest.mark.parametrize("rows", [64, 1024, 20_000, 1_000_000])
@pytest.mark.parametrize("strategy", ["head_wise", "column_wise"])
def test_what_no_rounds_can_carry_is_costed_and_refused(rows: int, strategy: str) -> None:
    plans = Plans.of(Plan(strategy=strategy, n_chips=n) for n in (1, 2, 16))
    costs = evaluate(wide(2048, rows), RADIO, plans)
    assert not any(np.isnan(array).any() for array in per_plan(costs).values())
    assert all(isfinite(seconds) for seconds in costs.latency_s)
    assert costs.demands["rounds"].asked[0] == 0
    assert (costs.demands["rounds"].asked[1:] > 1).all()
    assert (costs.slack["rounds"][1:] > 0).all()


def test_rounds_beyond_any_search_are_full_and_as_many_as_it_takes() -> None:
    full = 8 * ((250 - 4 - 150) // 2)  # packets of the smallest payload that leave room for no more
    found = [design([size] * 8) for size in (1e5, 2e5, 4e5, 8e5)]
    for each, size in zip(found, (1e5, 2e5, 4e5, 8e5), strict=True):
        needed = ceil((1 + 8 * ceil(size / 150)) / full)
        us = slot_us(150, full) + MARGIN_US
        assert plain(each) == (150, full, needed, 3 * full + 200, us)
        assert needed > 9
    bounds = [float(each.bound_s[0]) for each in found]
    assert bounds == sorted(bounds)


def gather(size: float, n: int) -> tuple[float, float, float, float]:
    """Give expected seconds, the bound, joules and bytes of a gather of n equal messages."""
    exchange = Exchange(kind="gather", sent_bytes=np.array([size]))
    leg = COLLECTIVES["gather", "mixer"].cost(MIXER, exchange, np.array([[n]]))
    return (
        leg.seconds.item(),
        leg.bound_s.item(),
        MIXER.energy_j(leg.traffic).item(),
        leg.traffic.wire_bytes.item(),
    )


@pytest.mark.parametrize(("size", "n"), [(832, 4), (2048, 16), (64, 2), (192, 16), (9000, 8)])
def test_energy_is_time_on_air_times_power_of_every_chip(size: float, n: int) -> None:
    _, packets, rounds, slots, us = searched([size + HEADER] * n)[1]
    used = min(MIXER.used_slots_per_packet * packets + MIXER.used_slots, slots)
    awake_s = rounds * min(used + MIXER.awake_slots, slots) * us * 1e-6
    send = MIXER.transmit_share
    power_w = send * MIXER.transmit_power_w + (1 - send) * MIXER.receive_power_w
    seconds, bound_s, joules, wire_bytes = gather(size, n)
    assert joules == pytest.approx(n * awake_s * power_w, rel=1e-12)
    assert seconds == pytest.approx(rounds * used * us * 1e-6, rel=1e-12)
    assert bound_s == pytest.approx(rounds * slots * us * 1e-6, rel=1e-12)
    assert wire_bytes == n * (size + HEADER)


@given(size=st.integers(1, 9000), n=st.integers(2, 16))
def test_a_round_never_takes_longer_than_its_bound_and_its_energy_is_between_its_powers(
    size: int, n: int
) -> None:
    seconds, bound_s, joules, _ = gather(float(size), n)
    assert 0 < seconds <= bound_s
    assert n * seconds * MIXER.receive_power_w <= joules <= n * bound_s * MIXER.transmit_power_w


def test_slots_used_and_awake_are_at_most_those_given() -> None:
    slow = MIXER.model_copy(update={"used_slots_per_packet": 3.0, "used_slots": 1000.0})
    found = slow.design(np.array([[836.0]]), np.array([[4]]))
    assert slow.slots_used(found).tolist() == slow.slots_awake(found).tolist() == [275]
    idle = MIXER.model_copy(update={"used_slots_per_packet": 2.0, "used_slots": 10.0, "awake_slots": 5.0})
    assert (idle.slots_used(found).tolist(), idle.slots_awake(found).tolist()) == ([60], [65])


def test_radio_reserves_and_buffers_count_on_every_chip_that_sends() -> None:
    plans = Plans.of(Plan(strategy="column_wise", n_chips=n) for n in (1, 4))
    costs = evaluate(BLOCK, RADIO, plans, Accounting(scope="block"))
    found = plain(design([HEADER + 64.0 * 128] * 4))
    payload, packets = found[0], found[1]
    buffers = packets * (payload + 2 * ceil(packets / 8))
    activations = 64 * (512 + 3 * 32 + 128)
    assert costs.l2_footprint_bytes[1] == activations + buffers + MIXER.ram_reserve_bytes
    asked = costs.demands["flash"].asked
    assert asked[1] - 6 * 512 * 512 / 4 == MIXER.flash_reserve_bytes
    assert asked[0] == 6 * 512 * 512


@pytest.mark.parametrize(
    ("least", "most", "physical"), [(230, 229, 250), (150, 250, 250), (150, 260, 250), (250, 250, 250)]
)
def test_payloads_that_do_not_rise_are_refused(least: int, most: int, physical: int) -> None:
    record = load("link", "mixer-ble2m")
    sizes = {"least_payload": least, "most_payload": most, "physical_payload": physical}
    changed = {name: {**record.data[name], "value": size} for name, size in sizes.items()}
    with pytest.raises(ParameterError, match="payloads must rise"):
        medium_of(replace(record, data={**record.data, **changed}))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"least_payload": 245, "most_payload": 249}, "251 in all, exceed physical_payload"),
        ({"least_payload": 248, "most_payload": 249}, "exceed physical_payload"),
        ({"packet_header": 150}, "exceed physical_payload"),
        ({"physical_payload": 1_000_000}, "1 to 1024"),
        ({"most_payload": 999_999, "physical_payload": 1_000_000}, "1 to 1024"),
        ({"message_header": 1e29}, "message_header must be at most 1e\\+06 bytes"),
        ({"byte_time": 0.03}, "byte_time must be at least a tick"),
        ({"clock_drift": 0.02}, "clock_drift 0.02 must be at most 0.01"),
    ],
)
def test_what_no_packet_can_be_is_refused(values: dict[str, float], named: str) -> None:
    record = load("link", "mixer-ble2m")
    changed = {name: {**record.data[name], "value": value} for name, value in values.items()}
    with pytest.raises(ParameterError, match=named):
        medium_of(replace(record, data={**record.data, **changed}))


def test_the_least_packet_that_fits_carries_something() -> None:
    record = load("link", "mixer-ble2m")
    sizes = {"least_payload": 244, "most_payload": 249, "physical_payload": 250}
    changed = {name: {**record.data[name], "value": size} for name, size in sizes.items()}
    medium = medium_of(replace(record, data={**record.data, **changed}))
    assert isinstance(medium, Mixer)
    design = medium.design(np.array([[836.0]]), np.array([[4]]))
    assert design.bound_s[0] > 0
    assert design.rounds[0] * design.packets[0] * design.payload_bytes[0] >= 4 * 836
