import numpy as np
import pytest

from costmodel import load_platform
from costmodel.errors import ParameterError
from costmodel.media import MEDIA, PointToPoint, Traffic, medium_of
from costmodel.parameters import load


@pytest.fixture(scope="module")
def link() -> PointToPoint:
    """A link of 10-byte packets with 3-byte headers, 100 B/s, 2 s latency, 5 J a byte."""
    values = {
        "payload_bytes": 10.0,
        "header_bytes": 3.0,
        "bandwidth_bytes_per_s": 100.0,
        "message_latency_s": 2.0,
        "energy_j_per_byte": 5.0,
    }
    found = load_platform("siracusa-mipi").link.model_copy(update=values)
    assert isinstance(found, PointToPoint)
    return found


def test_every_packet_begun_has_a_header(link: PointToPoint) -> None:
    payload = np.array([0, 1, 10, 11, 20, 25])
    assert link.wire_bytes(payload).tolist() == [0, 4, 13, 17, 26, 34]


def test_a_message_takes_its_latency_and_its_wire_bytes(link: PointToPoint) -> None:
    assert link.message_s(np.array([0, 1, 11])).tolist() == [2, 2 + 4 / 100, 2 + 17 / 100]


def test_half_a_byte_begins_a_packet(link: PointToPoint) -> None:
    assert link.wire_bytes(10.5) == 16.5


def test_bytes_on_wires_cost_energy_and_messages_none(link: PointToPoint) -> None:
    traffic = Traffic.wired(wire_bytes=np.array([0.0, 7.0]), messages=np.array([3.0, 1.0]))
    assert link.energy_j(traffic).tolist() == [0, 35]


def test_traffic_adds_up_field_by_field() -> None:
    some = Traffic(**{name: np.array([i]) for i, name in enumerate(Traffic.__dataclass_fields__)})
    both = some.times(3).plus(some)
    assert [value.tolist() for value in vars(both).values()] == [[4 * i] for i in range(len(vars(some)))]


def test_a_medium_that_there_is_not_is_refused() -> None:
    record = load("link", "mipi")
    for medium in ("pointtopoint", {"value": "pointtopoint"}, 3, None):
        broken = type(record)(**{**vars(record), "data": {**record.data, "medium": medium}})
        with pytest.raises(ParameterError, match="there are: point_to_point"):
            medium_of(broken)
    assert {medium_of(load("link", "mipi")).medium} <= set(MEDIA)
