"""Switched links such as Ethernet: every chip has a port at one switch, and sends to any other."""

from __future__ import annotations

from typing import Annotated, Any

from costmodel.media.wired import Wired
from costmodel.parameters import choice


class Switched(Wired):
    """A switch with full-duplex ports, a link from each chip to it.

    A phase of messages takes `message_latency_s` once, and the bytes of the busiest port.
    """

    medium: Annotated[str, choice("switched")]

    def port_s(self, payload: Any) -> Any:
        """Seconds that a message of `payload` bytes holds a port."""
        return self.wire_bytes(payload) / self.bandwidth_bytes_per_s
