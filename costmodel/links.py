"""One message over one link: bytes on the wire, and seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.hardware import Link


def wire_bytes(link: Link, payload: Any) -> Any:
    """Bytes on the wire for messages of `payload` bytes: payload plus one header a packet.

    >>> from costmodel.hardware import load_platform
    >>> float(wire_bytes(load_platform("siracusa-mipi").link, 512))
    518.0
    """
    packets = np.ceil(payload / link.payload_bytes)
    return payload + packets * link.header_bytes


def message_s(link: Link, payload: Any) -> Any:
    """Seconds that a message of `payload` bytes holds its link: latency + wire bytes / bandwidth."""
    return link.message_latency_s + wire_bytes(link, payload) / link.bandwidth_bytes_per_s
