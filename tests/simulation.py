"""Decoding token after token, event by event, out of a plan's file; shares no formula with the cost model.

Every chip has cores, one DMA engine to its own L3 and a ring of L2 bytes that loads go through in order: a
byte comes in when there is room, and leaves when the stage that uses it has ended. Messages go one at a
time on a chip. Nothing is synchronised but by messages and loads.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from dse.document import ChipShare, Deployment, Synchronisation


@dataclass
class Chip:
    """State of a chip; times in seconds, sizes in bytes."""

    share: ChipShare
    ring: float  # room for what is loaded
    bandwidth: float
    now: float = 0.0  # its cores, and its links, are free
    dma: float = 0.0
    loaded: float = 0.0  # bytes that came through the ring
    left: list[tuple[float, float]] = field(default_factory=list)  # when, and how many bytes had left by then

    def bring(self, size: float) -> float:
        """Load so many bytes next; give the time at which they are there."""
        end = self.loaded + size
        while self.loaded < end:
            gone = max((bytes_ for when, bytes_ in self.left if when <= self.dma), default=0.0)
            some = min(end, gone + self.ring) - self.loaded
            if some <= 1e-9:
                self.dma = min(when for when, bytes_ in self.left if bytes_ > gone)
                continue
            self.dma += some / self.bandwidth
            self.loaded += some
        return self.dma

    def release(self) -> None:
        """All that was loaded is used."""
        self.left = [*self.left[-3:], (self.now, self.loaded)]


def constants(document: Deployment) -> dict[str, Any]:
    """Values of the parameter files that a plan carries, as they are written."""
    found: dict[str, Any] = {}
    for one in document.inputs:
        for key, entry in one.data.items():
            if isinstance(entry, dict) and "value" in entry:
                found[key] = entry["value"]
            elif isinstance(entry, dict):
                found |= {
                    f"{key}.{k}": v["value"] for k, v in entry.items() if isinstance(v, dict) and "value" in v
                }
    return found


class Decoding:
    """A plan for one token after the other, 8-bit weights and activations, rates of whole graphs."""

    def __init__(self, document: Deployment, tokens: int) -> None:
        known = constants(document)
        self.document, self.tokens = document, tokens
        self.layers, self.width = known["layers"], known["embedding"]
        hertz = known["clock"] * 1e6
        self.seconds_a_mac = 1 / known["gemv"] / hertz
        self.norm_s = known["root"] * self.width / hertz
        self.law = {
            "add partial sum": self.elementwise(known, "accumulate") / hertz,
            "narrow partial sum": self.elementwise(known, "narrow") / hertz,
        }
        self.scores = 2 * known["head_size"] * document.workload.n_tokens
        self.keys = 2 * known["head_size"] * document.workload.n_tokens
        self.latency, self.wire = known["message_latency"] * 1e-6, known["bandwidth"] * 1e9
        self.header, self.payload = known["header"], known["payload"]
        self.bandwidth = known["l3.bandwidth"] * 1e9
        self.syncs = {sync.name: sync for sync in document.synchronisations}
        self.chips = [self.chip(share) for share in document.chips]

    def elementwise(self, known: dict[str, Any], name: str) -> float:
        """Cycles of a law on one row of the model's width."""
        cores, unit = known["n_cores"], known[f"{name}.unit_elements"]
        rounds = ceil(ceil(self.width / unit) / cores)
        return float(known[f"{name}.fixed"] + rounds * unit * known[f"{name}.per_element"])

    def chip(self, share: ChipShare) -> Chip:
        ring = self.block_bytes(share) + share.prefetch_buffer_bytes
        return Chip(share=share, ring=ring, bandwidth=self.bandwidth)

    def weights(self, share: ChipShare, *names: str) -> float:
        return sum(one.bytes for one in share.weights if one.matrix in names)

    def block_bytes(self, share: ChipShare) -> float:
        matrices = self.weights(share, "q", "k", "v", "o", "gate", "up", "down")
        return matrices + share.owns["kv_heads"].count * self.keys

    def synchronise(self, sync: Synchronisation) -> None:
        adding, narrowing = (
            sum(map(self.law.__getitem__, work)) for work in (sync.merge_work, sync.forward_work)
        )
        relays = set()
        for message in sorted(sync.messages, key=lambda one: one.slot):
            (receiver,) = message.receivers
            if message.sender in relays:
                self.chips[message.sender].now += narrowing
            ends = self.chips[message.sender], self.chips[receiver]
            packets = ceil(message.payload_bytes / self.payload)
            size = message.payload_bytes + packets * self.header
            done = max(end.now for end in ends) + self.latency + size / self.wire
            for end in ends:
                end.now = done
            self.chips[receiver].now += adding
            relays.add(receiver)
        self.chips[0].now += self.norm_s * any("norm" in name for name in sync.root_work)

    def half(self, name: str, *matrices: str) -> None:
        self.synchronise(self.syncs[f"{name} input"])
        for chip in self.chips:
            macs = self.weights(chip.share, *matrices)
            macs += chip.share.owns["heads"].count * self.scores * (name == "attention")
            chip.now += macs * self.seconds_a_mac
        self.synchronise(self.syncs[name])

    def block(self, number: int) -> None:
        loads = [chip for chip in self.chips if number not in chip.share.pinned_blocks]
        for chip in loads:
            size = self.block_bytes(chip.share)
            new = chip.share.owns["kv_heads"].count * self.keys / self.document.workload.n_tokens
            there = chip.bring(size)
            chip.dma += new / chip.bandwidth
            chip.now = max(chip.now, there)
        self.half("attention", "q", "k", "v", "o")
        self.half("mlp", "gate", "up", "down")
        for chip in loads:
            chip.release()

    def head(self) -> None:
        self.synchronise(self.syncs["head input"])
        for chip in self.chips:
            size = self.weights(chip.share, "head", "embedding and head")
            rows = chip.share.owns["vocabulary_rows"].count
            left = size - chip.share.head_rows_kept * self.width if rows else 0.0
            left *= any(one.home == "L3" for one in chip.share.weights if "head" in one.matrix)
            ahead = min(left, chip.share.prefetch_buffer_bytes)
            chip.now = max(chip.now, chip.bring(ahead))
            if left > ahead:  # the rest is streamed, with nothing else to do
                chip.dma = max(chip.dma, chip.now) + (left - ahead) / chip.bandwidth
                chip.now = chip.dma
            chip.now += size * self.seconds_a_mac
            chip.release()
        self.synchronise(self.syncs["head"])
        self.synchronise(self.syncs["token"])

    def run(self) -> float:
        """Seconds from token to token, when it has gone on for a while."""
        ends: list[float] = []
        for _ in range(self.tokens):
            self.synchronise(self.syncs["embedding"])
            for number in range(self.layers):
                self.block(number)
            self.head()
            ends.append(max(chip.now for chip in self.chips))
        half = self.tokens // 2
        return (ends[-1] - ends[half - 1]) / (self.tokens - half)


def seconds_a_token(document: Deployment, tokens: int = 24) -> float:
    """Time of a token in steady decoding."""
    assert document.accounting.scope == "model"
    return Decoding(document, tokens).run()


def loads_of(document: Deployment) -> dict[int, list[int]]:
    """Blocks that each chip loads for every token."""
    layers = range(constants(document)["layers"])
    found: dict[int, list[int]] = defaultdict(list)
    for chip in document.chips:
        found[chip.chip] = [block for block in layers if block not in chip.pinned_blocks]
    return found
