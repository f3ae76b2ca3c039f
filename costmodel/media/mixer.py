"""Mixer rounds over one radio channel that all chips share: many to all, coded packets, flooding.

In a round every chip has messages for all others. They are cut in packets of one payload; in each slot
a chip sends or hears one packet, a combination of those that it knows, with a bit vector that says
which. Payload, number of slots and length of a slot are chosen as the generator of the CATS firmware
chooses them (`cats_code`; docs/model.md, section "Mixer rounds", has the derivation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from costmodel.media.medium import Medium, Reserve, Traffic
from costmodel.parameters import choice, count, fraction, quantity

MAX_ROUNDS = 9
MAX_PACKET, MAX_HEADER = 1024, 1e6  # bytes; packets of low-power radios have 127 or 255
TICKS_PER_S = 16e6
# Slot length in ticks. Both receive windows have WINDOWS, and PER_DRIFT for each tick that clocks drift
# apart in a slot; START is where the search for the fixed point begins.
START, PER_DRIFT, WINDOWS, STRETCH = 80_000, 72, 832, 1.0003
MOST_DRIFT = 0.01  # a hundred times that of a bad clock; from 1 / 72 on no slot would be long enough
LEAST_MISSING = 1e-18  # probability from which on no round is counted
OF_SLOTS = (  # what the length of a slot depends on
    "least_payload",
    "most_payload",
    "physical_payload",
    "byte_time_s",
    "frame_bytes",
    "packet_header_bytes",
    "turn_round_s",
    "clock_drift",
)
FULL_PACKET = 1e-6  # of rounding allowed when a message just fills its packets

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


def coefficient_bytes(packets: Any) -> Any:
    """Bytes of two bit vectors over the packets of a round: which are combined, which are missing."""
    return 2 * -(-packets // 8)


@dataclass(frozen=True, kw_only=True)
class RoundDesign:
    """Rounds that carry one exchange each; arrays by plan.

    Attributes
    ----------
    payload_bytes, packets, rounds : int
        Payload of a packet, packets of one round (the initiator's included), and rounds.
    slots : int
        Slots that a round is given.
    slot_s : float
        Length of a slot, margin included.
    """

    payload_bytes: Ints
    packets: Ints
    rounds: Ints
    slots: Ints
    slot_s: Floats

    @property
    def bound_s(self) -> Floats:
        """Time that all rounds are given."""
        return self.rounds * self.slots * self.slot_s

    @property
    def buffer_bytes(self) -> Floats:
        """RAM for a round: payload and coefficients of each packet."""
        size = self.packets * (self.payload_bytes + coefficient_bytes(self.packets))
        return np.asarray(size, dtype=float)


class Mixer(Medium):
    """Mixer on one radio channel.

    Attributes
    ----------
    byte_time_s : float
        Air time of a byte.
    frame_bytes, packet_header_bytes : float
        On air beside the packet: preamble, address, length, checksum; in the packet, before its bit
        vectors: what the protocol tells itself.
    turn_round_s : float
        Time of a slot in which the radio is made ready, and neither sends nor hears.
    clock_drift : float
        How far two clocks drift apart, as a share of the time; receive windows widen with it.
    message_header_bytes : float
        Bytes before the contents of a message.
    least_payload, most_payload : int
        Payloads of a packet that are searched, bytes.
    physical_payload : int
        Most bytes of a packet with its coefficients.
    slots_per_packet, more_slots : int
        Slots that a round of n packets is given: a n + b.
    used_slots_per_packet, used_slots : float
        Slots of a round until all chips have everything and it stops early, never more than given.
    node_share : float
        Share of these slots after which a chip has everything, on average.
    slot_margin_s : float
        Added to each slot after the search.
    rounds_run : int
        Rounds that the firmware runs for one exchange.
    awake_slots : float
        Slots that a chip stays awake after the last one has got everything, to tell its neighbours so.
    transmit_share : float
        Share of the slots in which a chip that is awake sends; it listens in the others.
    ram_reserve_bytes, flash_reserve_bytes : float
        What Mixer takes beside the packets of a round.
    """

    shared: ClassVar[bool] = True
    informational: ClassVar[tuple[str, ...]] = ("loss", "node_share")
    energy_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "link": ("transmit_power", "receive_power", "transmit_share", "awake_slots")
    }

    medium: Annotated[str, choice("mixer")]
    byte_time_s: Annotated[float, quantity("second", drawn=False)] = Field(alias="byte_time")
    frame_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="frame")
    packet_header_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="packet_header")
    turn_round_s: Annotated[float, quantity("second", allow_zero=True, drawn=False)] = Field(
        alias="turn_round"
    )
    clock_drift: Annotated[float, fraction()]
    message_header_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="message_header")
    least_payload: Annotated[int, count(maximum=MAX_PACKET)]
    most_payload: Annotated[int, count(maximum=MAX_PACKET)]
    physical_payload: Annotated[int, count(maximum=MAX_PACKET)]
    slots_per_packet: Annotated[int, count()]
    more_slots: Annotated[int, count(0)]
    used_slots_per_packet: Annotated[float, quantity("slot/packet")]
    used_slots: Annotated[float, quantity("slot", allow_zero=True)]
    node_share: Annotated[float, fraction()]
    slot_margin_s: Annotated[float, quantity("second", allow_zero=True, drawn=False)] = Field(
        alias="slot_margin"
    )
    rounds_run: Annotated[int, count()]
    awake_slots: Annotated[float, quantity("slot", allow_zero=True)]
    transmit_share: Annotated[float, fraction(drawn=True)]
    transmit_power_w: Annotated[float, quantity("watt")] = Field(alias="transmit_power")
    receive_power_w: Annotated[float, quantity("watt")] = Field(alias="receive_power")
    ram_reserve_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="ram_reserve")
    flash_reserve_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="flash_reserve")

    def sends(self, loss: float, receptions: Any) -> Any:
        """Give how many rounds it takes until nothing is missing; every round has all messages again.

        After k rounds each message is missing at each chip with probability ``loss^k``, one apart from
        another: ``1 + sum over k of 1 - (1 - loss^k)^receptions``.
        """
        expected, missing = np.ones(np.shape(receptions)), loss
        while missing > LEAST_MISSING:
            expected = expected - np.expm1(receptions * np.log1p(-missing))
            missing *= loss
        return expected

    @model_validator(mode="after")
    def _a_packet_fits(self) -> Mixer:
        if not self.least_payload <= self.most_payload < self.physical_payload:
            raise ValueError("payloads must rise: least_payload, most_payload, physical_payload")
        least = self.packet_header_bytes + coefficient_bytes(1) + self.least_payload
        if least > self.physical_payload:
            raise ValueError(
                f"packet_header, two bytes and least_payload, {least:g} in all, exceed physical_payload"
            )
        if self.message_header_bytes > MAX_HEADER:
            raise ValueError(f"message_header must be at most {MAX_HEADER:g} bytes")
        if round(self.byte_time_s * TICKS_PER_S) < 1:
            raise ValueError(f"byte_time must be at least a tick of 1 / {TICKS_PER_S:g} s")
        if self.clock_drift > MOST_DRIFT:
            raise ValueError(f"clock_drift {self.clock_drift} must be at most {MOST_DRIFT}")
        return self

    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of all radios: time on air x power, sending and listening."""
        return traffic.sending_s * self.transmit_power_w + traffic.receiving_s * self.receive_power_w

    @property
    def reserve(self) -> Reserve:
        """What Mixer takes of every chip, beside the packets of a round."""
        return Reserve(ram_bytes=self.ram_reserve_bytes, flash_bytes=self.flash_reserve_bytes)

    @property
    def limits(self) -> Mapping[str, int]:
        """Rounds that the firmware runs for one exchange."""
        return {"rounds": self.rounds_run}

    def design(self, message_bytes: Any, chips: Any) -> RoundDesign:
        """Choose payload and rounds: least time, then the smallest payload, then the fewest rounds.

        Parameters
        ----------
        message_bytes : (c, ...) float
            Message of each chip of a class, header included; 0 where a class sends none.
        chips : (c, ...) int
            Chips of each class.

        Examples
        --------
        >>> from costmodel.hardware import load_platform
        >>> mixer = load_platform("nrf52840-mixer").link
        >>> found = mixer.design(np.array([[836.0]]), np.array([[4]]))
        >>> [int(x[0]) for x in (found.payload_bytes, found.packets, found.slots)]
        [150, 25, 275]
        """
        sizes, chips = np.broadcast_arrays(np.asarray(message_bytes, dtype=float), np.asarray(chips))
        shape = sizes.shape[1:]
        flat = len(sizes), math.prod(shape)  # -1 has no meaning where there are no plans
        columns = np.concatenate([sizes.reshape(flat), chips.reshape(flat)])
        different, which = np.unique(columns, axis=1, return_inverse=True)
        found = self._designed(different[: len(sizes)], different[len(sizes) :])
        return RoundDesign(**{name: value[which].reshape(shape) for name, value in vars(found).items()})

    def _designed(self, sizes: Floats, chips: Floats) -> RoundDesign:
        """Design the rounds of k exchanges, (c, k): payloads and numbers of rounds as axes."""
        table = slots_s(**{name: getattr(self, name) for name in OF_SLOTS})
        payload = np.arange(self.least_payload, self.most_payload + 1)
        pieces = np.ceil(sizes[..., None] / payload - FULL_PACKET)
        total = 1 + np.sum(pieces * chips[..., None], axis=0).astype(np.int64)  # (k, payloads)
        rounds = np.arange(1, MAX_ROUNDS + 1)
        packets = -(-total[..., None] // rounds)
        known = packets < table.shape[1]
        slot = table[np.arange(len(payload))[:, None], np.where(known, packets, 0)]
        slots = self.slots_per_packet * packets + self.more_slots
        cost = np.where(known & np.isfinite(slot), rounds * slots * slot, np.inf).reshape(
            len(total), payload.size * rounds.size
        )
        best, at = np.argmin(cost, axis=-1), np.arange(len(total))
        m, r = np.divmod(best, MAX_ROUNDS)
        # What nine rounds cannot carry takes as many full rounds of the smallest payload as it needs.
        beyond = ~np.isfinite(cost[at, best])
        full = int(np.flatnonzero(np.isfinite(table[0]))[-1])
        chosen = np.where(beyond, full, packets[at, m, r])
        return RoundDesign(
            payload_bytes=np.where(beyond, self.least_payload, payload[m]),
            packets=chosen,
            rounds=np.where(beyond, -(-total[:, 0] // full), rounds[r]),
            slots=self.slots_per_packet * chosen + self.more_slots,
            slot_s=np.where(beyond, table[0, full], slot[at, m, r]) + self.slot_margin_s,
        )

    def slots_used(self, design: RoundDesign) -> Floats:
        """Slots of a round until all chips have all packets: a n + b, at most those given."""
        used = self.used_slots_per_packet * design.packets + self.used_slots
        return np.asarray(np.minimum(used, design.slots))

    def expected_s(self, design: RoundDesign) -> Floats:
        """Time after which all rounds are expected to have stopped."""
        return np.asarray(design.rounds * self.slots_used(design) * design.slot_s)

    def slots_awake(self, design: RoundDesign) -> Floats:
        """Slots of a round that a chip is awake, mean of all chips: at most those given."""
        return np.asarray(np.minimum(self.slots_used(design) + self.awake_slots, design.slots))


@lru_cache(maxsize=8)
def slots_s(
    *,
    least_payload: int,
    most_payload: int,
    physical_payload: int,
    byte_time_s: float,
    frame_bytes: float,
    packet_header_bytes: float,
    turn_round_s: float,
    clock_drift: float,
) -> Floats:
    """Slot length by payload and number of packets, without the margin; NaN where no packet fits.

    Returns
    -------
    (payloads, packets) float
        Row i is payload ``least_payload + i``; column n is n packets.
    """
    n = np.arange(8 * (physical_payload // 2) + 1)
    payload = np.arange(least_payload, most_payload + 1)[:, None]
    physical_bytes = packet_header_bytes + coefficient_bytes(n) + payload
    air = np.round(byte_time_s * TICKS_PER_S) * (physical_bytes + frame_bytes)
    fixed = np.round(turn_round_s * TICKS_PER_S) + WINDOWS
    ticks = np.full(air.shape, float(START))
    while True:
        drift = np.maximum(1.0, np.ceil(ticks * clock_drift))
        longer = STRETCH * (air + fixed + PER_DRIFT * drift)
        if np.all(longer == ticks):
            break
        ticks = longer
    return np.asarray(np.where(physical_bytes <= physical_payload, np.ceil(ticks / 16) * 1e-6, np.nan))
