"""What programs cost whose shares have their places already: seconds and joules, by cause.

Arrays may have an axis of draws before that of plans, where a platform's constants have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import compute
from costmodel.accounting import Accounting
from costmodel.costs import latency_of
from costmodel.counted import Counted, looked_up_bytes
from costmodel.hardware import Platform
from costmodel.loads import Pace, late_s
from costmodel.memory import Placement
from costmodel.parameters import stated
from costmodel.program import Step
from costmodel.stages import Stage, stage
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]
OF_CHIPS = (0, 1)  # axes of roles and classes, where what a chip has in memory is counted


def of_all(sizes: Array) -> Array:
    """Sum over all chips, (r, c, ...) to (...), in one order whatever c is."""
    return np.asarray(np.sum(np.sum(sizes, axis=0), axis=0))


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Each part, a block of them, and all that counts; and what loads can hide behind."""

    parts: Mapping[str, Stage]
    block: Stage
    total: Stage
    pace: Pace

    @staticmethod
    def of(workload: Workload, platform: Platform, counted: Counted, accounting: Accounting) -> Stages:
        """Cost the steps that count."""
        program, l3 = counted.program, platform.mcu.l3

        def cost(steps: Iterable[Step]) -> Stage:
            return stage(platform, program, steps, accounting.message_loss)

        parts = {part.name: cost(part.steps) for part in counted.parts}
        block, head = (
            reduce(Stage.plus, [parts[part.name] for part in some] or [cost(())])
            for some in (counted.halves, counted.around)
        )
        sharing = np.where(platform.shares_l3, program.n_chips, 1)
        pace = Pace(
            block_s=block.on_chip_s,
            head_s=head.on_chip_s,
            hiding_s=compute.load_overlap(platform) * block.compute_s,
            bandwidth_bytes_per_s=(l3.bandwidth_bytes_per_s if l3 else np.inf) / sharing,
            steady=accounting.prefetch == "steady",
        )
        total = block.times(accounting.blocks(workload)).plus(head)
        return Stages(parts=parts, block=block, total=total, pace=pace)


def l3_wait_s(
    placement: Placement, pace: Pace, workload: Workload, n_blocks: int, lookups: Array, pinning: Any
) -> Array:
    """Seconds that the chips wait for L3, over all blocks that count and the head.

    Stages follow each other for ever: block 1, ..., block L, head, block 1, ... A stage starts late
    by what a chip loads while nothing computes, and by what its prefetch takes longer than the stage
    that it hides behind, ``max(0, t_load - t_stage)``; all wait for the latest chip. A resident
    chip loads nothing for its blocks, so its head rows have the time of all of them; another has
    that of the last block. Rows of the embedding that are looked up hide behind nothing. Where chips pin
    blocks, each chooses the others so that it waits least, and all wait for the one that waits most.
    Without `steady`, prefetches between blocks cost no time.
    """
    layers = workload.model.layers
    bandwidth = pace.bandwidth_bytes_per_s
    looked_up = placement.table_off_chip * lookups
    between = placement.block_prefetched + placement.block_stored
    by_itself = late_s(
        pace,
        layers,
        placement.loaded,
        block_exposed_bytes=placement.block_exposed,
        exposed_bytes=placement.head_exposed + looked_up,
        between_bytes=between,
        head_ahead_bytes=placement.head_prefetched,
    )
    alone = np.max(by_itself, axis=OF_CHIPS) * (n_blocks / layers)
    load = pace.load_s(between)
    exposed = pace.exposed_s(placement.block_exposed, load)
    before_first = np.where(pace.head_s > 0, pace.head_s, pace.block_s)
    first = np.max(exposed + np.maximum(load - before_first, 0.0), axis=OF_CHIPS)
    other = np.max(exposed + np.maximum(load - pace.block_s, 0.0), axis=OF_CHIPS)
    before_head = np.where(placement.loaded == 0, n_blocks, 1) * pace.block_s
    late = np.maximum(placement.head_prefetched / bandwidth - before_head, 0.0)
    late = placement.head_exposed / bandwidth + late
    lookup = np.max(looked_up / bandwidth, axis=OF_CHIPS)
    stage_by_stage = lookup + first + (n_blocks - 1) * other + np.max(late, axis=OF_CHIPS)
    return np.asarray(np.where(pinning, alone, stage_by_stage))


def standby_w(platform: Platform, n_with_l3: Any) -> Any:
    """Watts that off-chip memories draw all the time: of chips that have something there, or of the one."""
    power_w = stated(platform.mcu.l3.standby_power_w) if platform.mcu.l3 else 0.0
    return power_w * (n_with_l3 > 0 if platform.shares_l3 else n_with_l3)


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Seconds and joules by cause, and what they are counted from; by plan, (...)."""

    latency_by_cause_s: dict[str, Array]
    energy_by_cause_j: dict[str, Array]
    l3_bytes: Array
    l2_bytes: Array
    n_chips_with_l3: NDArray[np.int64]


def priced(
    workload: Workload,
    platform: Platform,
    counted: Counted,
    accounting: Accounting,
    stages: Stages,
    placement: Placement,
    pinning: Any,
) -> Prices:
    """Price programs whose shares have their places.

    Parameters
    ----------
    pinning : (...) bool
        Whether chips choose what they keep.
    """
    mcu, program, total = platform.mcu, counted.program, stages.total
    n, roles, busy_s = program.n_chips, program.roles, total.busy_s
    n_blocks = accounting.blocks(workload)
    lookups = looked_up_bytes(counted)
    l3_s: Array = np.zeros(n.shape)
    if mcu.l3 is not None:
        l3_s = l3_wait_s(placement, stages.pace, workload, n_blocks, lookups, pinning)
    lookup = lookups * np.any(placement.table_off_chip, axis=OF_CHIPS)
    traffic = placement.block_traffic * (n_blocks / workload.model.layers) + placement.head_traffic
    l3_bytes = of_all(traffic * roles) + lookup

    latency = {"compute": total.compute_s, "root": total.root_s, "link": total.link_s, "l3": l3_s}
    latency_s = latency_of(latency)
    n_with_l3 = np.asarray(np.sum(roles * (placement.l3 > 0), axis=OF_CHIPS))
    power_w = compute.chip_power_w(platform)
    root_power_w = compute.root_power_w(platform, workload.rows)
    waiting_s = n * latency_s - busy_s - total.root_busy_s - total.adding_busy_s
    energy = {
        "compute": busy_s * power_w,
        "root": total.root_busy_s * root_power_w + total.adding_busy_s * power_w,
        "idle": np.maximum(waiting_s, 0.0) * mcu.idle_power_w,
        "l3": l3_bytes * (mcu.l3.energy_j_per_byte if mcu.l3 else 0.0),
        "l2": total.l2_bytes * mcu.l2.energy_j_per_byte,
        "link": platform.link.energy_j(total.traffic),
        "controller": n * latency_s * stated(mcu.controller_power_w),
        "l3_standby": latency_s * standby_w(platform, n_with_l3),
        "link_idle": latency_s * platform.link.idle_w(sum(total.links.values(), 0 * n)),
    }
    return Prices(
        latency_by_cause_s=latency,
        energy_by_cause_j=energy,
        l3_bytes=l3_bytes,
        l2_bytes=total.l2_bytes,
        n_chips_with_l3=n_with_l3,
    )
