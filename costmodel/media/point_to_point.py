"""Links between two chips each, such as MIPI: one message at a time, in packets with headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from costmodel.media.medium import Medium, Traffic, packets
from costmodel.parameters import choice, count, quantity


class PointToPoint(Medium):
    """A point-to-point link between two chips.

    A message of b bytes is cut in packets of at most `payload_bytes`, each with `header_bytes`,
    and takes `message_latency_s` besides. With `duplex` "half", which is meant where a file does not
    say, a chip handles one message at a time; with "full" it can send one while it gets another.
    A chip has `ports` of such links, each to one other chip and for both ways; without a number, as many
    as a plan asks for.
    """

    medium: Annotated[str, choice("point_to_point")]
    bandwidth_bytes_per_s: Annotated[float, quantity("byte/second")] = Field(alias="bandwidth")
    message_latency_s: Annotated[float, quantity("second", allow_zero=True)] = Field(alias="message_latency")
    header_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="header")
    payload_bytes: Annotated[float, quantity("byte")] = Field(alias="payload")
    duplex: Annotated[str, choice("half", "full")] = "half"
    ports: Annotated[int | None, count()] = None
    energy_j_per_byte: Annotated[float, quantity("joule/byte", allow_zero=True)] = Field(alias="energy")

    @property
    def limits(self) -> Mapping[str, int]:
        """Links that a chip can have, where the file says."""
        return {} if self.ports is None else {"ports": self.ports}

    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of both ends: bytes on the wire x energy of a byte."""
        return traffic.wire_bytes * self.energy_j_per_byte

    def wire_bytes(self, payload: Any) -> Any:
        """Bytes on the wire of messages of `payload` bytes: payload plus one header a packet.

        >>> from costmodel.hardware import load_platform
        >>> float(load_platform("siracusa-mipi").link.wire_bytes(512))
        518.0
        """
        return payload + packets(payload, self.payload_bytes) * self.header_bytes

    def message_s(self, payload: Any) -> Any:
        """Seconds that a message of `payload` bytes holds its link: latency + wire bytes / bandwidth."""
        return self.message_latency_s + self.wire_bytes(payload) / self.bandwidth_bytes_per_s
