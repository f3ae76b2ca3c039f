"""Links between two chips each, such as MIPI: one message at a time, in packets with headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from costmodel.media.wired import Wired
from costmodel.parameters import IfAbsent, choice, count


class PointToPoint(Wired):
    """A point-to-point link between two chips.

    A message takes `message_latency_s` beside its bytes. With `duplex` "half", which is meant where a
    file does not say, a chip handles one message at a time; with "full" it can send one while it gets
    another. A chip has `ports` of such links, each to one other chip and for both ways; without a number,
    as many as a plan asks for.
    """

    medium: Annotated[str, choice("point_to_point")]
    duplex: Annotated[
        str, choice("half", "full"), IfAbsent("half: a chip sends or gets one message at a time")
    ] = "half"
    ports: Annotated[int | None, count(), IfAbsent("as many links of a chip as a plan asks for")] = None

    @property
    def limits(self) -> Mapping[str, int]:
        """Links that a chip can have, where the file says."""
        return {} if self.ports is None else {"ports": self.ports}

    def message_s(self, payload: Any) -> Any:
        """Seconds that a message of `payload` bytes holds its link: latency + wire bytes / bandwidth."""
        return self.message_latency_s + self.wire_bytes(payload) / self.bandwidth_bytes_per_s
