"""Switched links such as Ethernet: every chip has a port at one switch, and sends to any other."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from costmodel.media.medium import Medium, Traffic, packets
from costmodel.parameters import choice, quantity


class Switched(Medium):
    """A switch with full-duplex ports.

    A message of b bytes is cut in packets of at most `payload_bytes`, each with `header_bytes`. A
    phase of messages takes `message_latency_s` once, and the bytes of the busiest port.
    """

    medium: Annotated[str, choice("switched")]
    bandwidth_bytes_per_s: Annotated[float, quantity("byte/second")] = Field(alias="bandwidth")
    message_latency_s: Annotated[float, quantity("second", allow_zero=True)] = Field(alias="message_latency")
    header_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="header")
    payload_bytes: Annotated[float, quantity("byte")] = Field(alias="payload")
    energy_j_per_byte: Annotated[float, quantity("joule/byte", allow_zero=True)] = Field(alias="energy")

    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of both ends: bytes on the wire x energy of a byte."""
        return traffic.wire_bytes * self.energy_j_per_byte

    def wire_bytes(self, payload: Any) -> Any:
        """Bytes on the wire of messages of `payload` bytes: payload plus one header a packet."""
        return payload + packets(payload, self.payload_bytes) * self.header_bytes

    def port_s(self, payload: Any) -> Any:
        """Seconds that a message of `payload` bytes holds a port."""
        return self.wire_bytes(payload) / self.bandwidth_bytes_per_s
