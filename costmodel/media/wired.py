"""What links have that are wires: bytes in packets at a bandwidth, and energy by the byte."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from costmodel.media.medium import Medium, Traffic, packets
from costmodel.parameters import IfAbsent, quantity, stated


class Wired(Medium, ABC):
    """Links that are wires.

    A message of b bytes is cut in packets of at most `payload_bytes`, each with `header_bytes`. A byte
    takes `energy_j_per_byte` at both ends together; besides, both ends of a link draw `idle_power_w` all
    the time, whatever passes.
    """

    energy_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {"link": ("energy",), "link_idle": ("idle_power",)}

    bandwidth_bytes_per_s: Annotated[float, quantity("byte/second")] = Field(alias="bandwidth")
    message_latency_s: Annotated[float, quantity("second", allow_zero=True)] = Field(alias="message_latency")
    header_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="header")
    payload_bytes: Annotated[float, quantity("byte")] = Field(alias="payload")
    energy_j_per_byte: Annotated[float, quantity("joule/byte", allow_zero=True)] = Field(alias="energy")
    idle_power_w: Annotated[
        float | None,
        quantity("watt", allow_zero=True),
        IfAbsent("0: a link over which nothing passes draws nothing"),
    ] = Field(alias="idle_power", default=None)

    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of both ends: bytes on the wire x energy of a byte."""
        return traffic.wire_bytes * self.energy_j_per_byte

    def idle_w(self, links: Any) -> Any:
        """Watts that so many links draw all the time."""
        return links * stated(self.idle_power_w)

    def wire_bytes(self, payload: Any) -> Any:
        """Bytes on the wire of messages of `payload` bytes: payload plus one header a packet.

        >>> from costmodel.hardware import load_platform
        >>> float(load_platform("siracusa-mipi").link.wire_bytes(512))
        518.0
        """
        return payload + packets(payload, self.payload_bytes) * self.header_bytes
