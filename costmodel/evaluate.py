"""What plans cost: ``evaluate(workload, platform, plans, accounting) -> Costs``, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from costmodel import collectives, compute
from costmodel.collectives import Hierarchy
from costmodel.costs import LATENCY_CAUSES, Array, Costs
from costmodel.errors import UsageError, cut, nearest
from costmodel.hardware import Platform
from costmodel.memory import Placement, Regime, place
from costmodel.plan import Plans
from costmodel.shards import Shards, balanced
from costmodel.strategies import head_wise
from costmodel.strategies.head_wise import Phase
from costmodel.workload import Workload

Scope = Literal["model", "block"]
Prefetch = Literal["steady", "hidden"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFETCHES: tuple[Prefetch, ...] = get_args(Prefetch)


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """What is counted.

    Attributes
    ----------
    scope : {"model", "block"}
        All blocks with embedding and LM head, or one block in the middle of the model.
    prefetch : {"steady", "hidden"}
        Steady: inference after inference; a load longer than the work it hides behind keeps the
        chips waiting. Hidden: L3 traffic that can run beside a block (loads for the next one, new
        keys and values) costs no time, as the DATE 2025 paper counts.
    head : bool
        Whether embedding and LM head count, in scope "model".
    """

    scope: Scope = "model"
    prefetch: Prefetch = "steady"
    head: bool = True

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("scope", self.scope, SCOPES),
            ("prefetch", self.prefetch, PREFETCHES),
        ):
            if value not in allowed:
                raise UsageError(f"{name} {cut(value)} is not known; {nearest(str(value), allowed)}")

    def counts_head(self, workload: Workload) -> bool:
        """Whether embedding and LM head count, of a workload that may have none."""
        return self.scope == "model" and self.head and workload.model.vocabulary > 0

    def blocks(self, workload: Workload) -> int:
        """Number of blocks that count."""
        return workload.model.layers if self.scope == "model" else 1


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Time and traffic of some phases in a row, without L3; (n,), or (n, c) where marked.

    Attributes
    ----------
    busy_s, l2_bytes : (n, c)
        Time that each class of chips computes on its shard; bytes between its L2 and L1.
    root_busy_s
        Time that the root, and leaders that add up partial sums, are busy; of all chips together.
    """

    busy_s: Array
    root_busy_s: Array
    compute_s: Array
    root_s: Array
    link_s: Array
    link_bytes: Array
    messages: Array
    l2_bytes: Array

    @property
    def on_chip_s(self) -> Array:
        """Time of the stage when nothing waits for L3."""
        return self.compute_s + self.root_s + self.link_s

    def plus(self, other: Stage, times: int) -> Stage:
        """Add `times` this stage and one `other`."""
        both = {name: times * getattr(self, name) + getattr(other, name) for name in vars(self)}
        return Stage(**both)


def stage(platform: Platform, plans: Plans, shards: Shards, shape: Hierarchy, phases: list[Phase]) -> Stage:
    """Cost phases in a row: the slowest shard, the reduction, the root's work, the broadcast."""
    link, n = platform.link, plans.n_chips
    classes: Any = np.zeros(shards.n_chips.shape)
    zero: Any = np.zeros(len(plans))
    busy, l2_bytes = classes, classes
    compute_s, root_s, root_busy_s, link_s, link_bytes, messages = (zero,) * 6
    for phase in phases:
        if phase.shard:
            seconds = compute.shard_s(platform, phase.shard) + classes
            busy = busy + seconds
            compute_s = compute_s + np.max(seconds, axis=-1)
            l2_bytes = l2_bytes + compute.l2_bytes(platform, phase.shard)
        if phase.root:
            alone = compute.root_s(platform, phase.root)
            root_s, root_busy_s = root_s + alone, root_busy_s + alone
        if phase.sum_elements:
            adding = compute.accumulate_s(platform, phase.sum_elements)
            narrowing = compute.narrow_s(platform, phase.sum_elements) * phase.narrowed
            root_s = root_s + shape.hops * adding + shape.relay_hops * narrowing
            root_busy_s = root_busy_s + (n - 1) * adding + shape.relays * narrowing
        for payload in (phase.up_bytes, phase.down_bytes):
            link_s = link_s + collectives.tree_s(link, shape, payload)
            link_bytes = link_bytes + collectives.tree_bytes(link, n, payload)
            messages = messages + (n - 1)
    return Stage(
        busy_s=busy,
        root_busy_s=root_busy_s,
        compute_s=compute_s,
        root_s=root_s,
        link_s=link_s,
        link_bytes=link_bytes,
        messages=messages,
        l2_bytes=l2_bytes,
    )


def l3_wait_s(
    placement: Placement, bandwidth: float, block: Stage, head: Stage, n_blocks: int, *, steady: bool
) -> Array:
    """Seconds that the chips wait for L3, over all blocks and the head.

    Stages follow each other for ever: block 1, ..., block L, head, block 1, ... A stage starts late
    by what a chip loads while nothing computes, and by what its prefetch takes longer than the stage
    that it hides behind, ``max(0, t_load - t_stage)``; all wait for the latest chip. A resident
    chip loads nothing for its blocks, so its head rows have the time of all of them; another has
    that of the last block. Without `steady`, prefetches between blocks cost no time.
    """
    block_s, head_s = block.on_chip_s[:, None], head.on_chip_s[:, None]
    load = (placement.block_prefetched + placement.block_stored) / bandwidth * float(steady)
    exposed = placement.block_exposed / bandwidth
    before_first = np.where(head_s > 0, head_s, block_s)
    first = np.max(exposed + np.maximum(load - before_first, 0.0), axis=-1)
    other = np.max(exposed + np.maximum(load - block_s, 0.0), axis=-1)
    resident = placement.regime == Regime.RESIDENT
    before_head = np.where(resident, n_blocks, 1) * block_s
    head_load = placement.head_prefetched / bandwidth
    late = placement.head_exposed / bandwidth + np.maximum(head_load - before_head, 0.0)
    return np.asarray(first + (n_blocks - 1) * other + np.max(late, axis=-1))


def placed(
    workload: Workload, platform: Platform, shards: Shards, activations: Array, *, with_head: bool
) -> Placement:
    """Place every chip's weights, KV cache and activations in its memories."""
    model, rows = workload.model, workload.rows
    token_bytes = 2.0 * shards.kv_heads * model.head_size * model.activation_bytes
    row_bytes = shards.vocabulary_rows * model.embedding * model.weight_bytes * float(with_head)
    return place(
        platform.mcu,
        weights=np.asarray(sum(head_wise.matrices(workload, shards).values())),
        cache=token_bytes * workload.cached_tokens,
        cache_read=token_bytes * (workload.cached_tokens if workload.reads_cache else 0),
        stored=token_bytes * (rows if workload.writes_cache else 0),
        activations=activations,
        head=row_bytes,
        embedding=row_bytes * float(not model.tied_embedding),
        n_blocks=model.layers,
        passes=-(-rows // platform.kernels.row_tile),
    )


def evaluate(
    workload: Workload, platform: Platform, plans: Plans, accounting: Accounting | None = None
) -> Costs:
    """Cost a batch of plans.

    Parameters
    ----------
    plans : Plans
        n plans; infeasible ones are costed as well.
    accounting : Accounting, optional
        What is counted; the whole model in steady state by default.

    Returns
    -------
    Costs
        Arrays of shape (n,), in the order of `plans`.
    """
    accounting = accounting or Accounting()
    model, mcu = workload.model, platform.mcu
    with_head, n_blocks = accounting.counts_head(workload), accounting.blocks(workload)

    plans = plans.canonical()
    n = plans.n_chips
    shards = balanced(model, n)
    shape = collectives.hierarchy(n, plans.group_size)
    block = stage(platform, plans, shards, shape, head_wise.block(workload, shards, plans))
    around = head_wise.vocabulary(workload, shards) if with_head else []
    head = stage(platform, plans, shards, shape, around)
    total = block.plus(head, times=n_blocks)

    peak = head_wise.activation_peak_bytes(
        workload, shards, plans, platform.kernels.row_tile, with_head=with_head
    )
    placement = placed(workload, platform, shards, peak, with_head=with_head)
    bandwidth = mcu.l3.bandwidth_bytes_per_s if mcu.l3 else np.inf
    off_chip = np.any((placement.block_traffic + placement.head_traffic) > 0, axis=-1)
    lookup = workload.rows * model.embedding * model.weight_bytes * float(with_head) * off_chip
    steady = accounting.prefetch == "steady"
    l3_s = lookup / bandwidth + l3_wait_s(placement, bandwidth, block, head, n_blocks, steady=steady)
    traffic = n_blocks * placement.block_traffic + placement.head_traffic
    l3_bytes = np.sum(traffic * shards.n_chips, axis=-1) + lookup

    latency = {"compute": total.compute_s, "root": total.root_s, "link": total.link_s, "l3": l3_s}
    latency_s = sum(latency[cause] for cause in LATENCY_CAUSES)
    busy_s = np.sum(total.busy_s * shards.n_chips, axis=-1)
    l2_bytes = np.sum(total.l2_bytes * shards.n_chips, axis=-1)
    energy = {
        "compute": busy_s * compute.chip_power_w(platform),
        "root": total.root_busy_s * compute.root_power_w(platform, workload.rows),
        "idle": np.maximum(n * latency_s - busy_s - total.root_busy_s, 0.0) * mcu.idle_power_w,
        "l3": l3_bytes * (mcu.l3.energy_j_per_byte if mcu.l3 else 0.0),
        "l2": l2_bytes * mcu.l2.energy_j_per_byte,
        "link": total.link_bytes * platform.link.energy_j_per_byte,
    }
    demands: dict[str, tuple[Array, float]] = {}
    for name, level, held in (("L2", mcu.l2, placement.l2), ("L3", mcu.l3, placement.l3)):
        if level is not None:
            demands[name] = (np.max(held, axis=-1), level.usable_bytes)
    return Costs(
        latency_by_cause_s=latency,
        energy_by_cause_j=energy,
        tokens=workload.rows,
        n_chips=n,
        depth=shape.depth,
        link_bytes=total.link_bytes,
        link_messages=total.messages,
        l3_bytes=l3_bytes,
        l2_bytes=l2_bytes,
        l2_footprint_bytes=np.max(placement.l2, axis=-1),
        l3_footprint_bytes=np.max(placement.l3, axis=-1),
        regime=np.max(placement.regime, axis=-1),
        on_chip_s=block.on_chip_s,
        prefetch_s=np.max(placement.block_prefetched + placement.block_stored, axis=-1) / bandwidth,
        demands=demands,
        shards=shards,
        placement=placement,
        activation_peak_bytes=peak,
    )
