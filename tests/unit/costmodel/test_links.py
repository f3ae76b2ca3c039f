import numpy as np
import pytest

from costmodel.hardware import Link, load_platform
from costmodel.links import message_s, wire_bytes


@pytest.fixture(scope="module")
def link() -> Link:
    """A link of 10-byte packets with 3-byte headers, 100 B/s, 2 s latency."""
    values = {
        "payload_bytes": 10.0,
        "header_bytes": 3.0,
        "bandwidth_bytes_per_s": 100.0,
        "message_latency_s": 2.0,
    }
    return load_platform("siracusa-mipi").link.model_copy(update=values)


def test_every_packet_begun_has_a_header(link: Link) -> None:
    payload = np.array([0, 1, 10, 11, 20, 25])
    assert wire_bytes(link, payload).tolist() == [0, 4, 13, 17, 26, 34]


def test_a_message_takes_its_latency_and_its_wire_bytes(link: Link) -> None:
    assert message_s(link, np.array([0, 1, 11])).tolist() == [2, 2 + 4 / 100, 2 + 17 / 100]


def test_half_a_byte_begins_a_packet(link: Link) -> None:
    assert wire_bytes(link, 10.5) == 16.5
