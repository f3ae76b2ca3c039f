"""What plans of one strategy cost, and what the costs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import compute
from costmodel.accounting import Accounting
from costmodel.accuracy import Damage, missing_weights
from costmodel.costs import LATENCY_CAUSES, SHARED_L3, Costs, Demand
from costmodel.counted import Counted, looked_up_bytes, share_of
from costmodel.hardware import Platform
from costmodel.loads import Pace, late_s
from costmodel.memory import Placement, place
from costmodel.plan import Plans
from costmodel.program import Program
from costmodel.residency import Share
from costmodel.shards import Fills
from costmodel.stages import Stage, stage
from costmodel.strategies import strategy_named
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]
OF_CHIPS = (0, 1)  # axes of roles and classes, where what a chip has in memory is counted


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
    looked_up = placement.table_off_chip * lookups
    between = placement.block_prefetched + placement.block_stored
    by_itself = late_s(
        pace,
        layers,
        placement.loaded,
        exposed_bytes=placement.loaded * placement.block_exposed + placement.head_exposed + looked_up,
        between_bytes=between,
        head_ahead_bytes=placement.head_prefetched,
    )
    alone = np.max(by_itself, axis=OF_CHIPS) * (n_blocks / layers)
    load = pace.load_s(between)
    exposed = placement.block_exposed / pace.bandwidth_bytes_per_s
    before_first = np.where(pace.head_s > 0, pace.head_s, pace.block_s)
    first = np.max(exposed + np.maximum(load - before_first, 0.0), axis=OF_CHIPS)
    other = np.max(exposed + np.maximum(load - pace.block_s, 0.0), axis=OF_CHIPS)
    before_head = np.where(placement.loaded == 0, n_blocks, 1) * pace.block_s
    head_load = placement.head_prefetched / pace.bandwidth_bytes_per_s
    late = placement.head_exposed / pace.bandwidth_bytes_per_s + np.maximum(head_load - before_head, 0.0)
    lookup = np.max(looked_up / pace.bandwidth_bytes_per_s, axis=OF_CHIPS)
    stage_by_stage = lookup + first + (n_blocks - 1) * other + np.max(late, axis=OF_CHIPS)
    return np.asarray(np.where(pinning, alone, stage_by_stage))


def of_all(sizes: Array) -> Array:
    """Sum over all chips, (r, c, n) to (n,), in one order whatever c is."""
    return np.asarray(np.sum(np.sum(sizes, axis=0), axis=0))


def standby_w(platform: Platform, n_with_l3: Any) -> Any:
    """Watts that off-chip memories draw all the time: of chips that have something there, or of the one."""
    power_w = (platform.mcu.l3.standby_power_w or 0.0) if platform.mcu.l3 else 0.0
    return power_w * (n_with_l3 > 0 if platform.shares_l3 else n_with_l3)


def code_bytes(platform: Platform, n: Any) -> dict[str, Any]:
    """Bytes that the link's software takes in a memory, by its name, of each chip where there are several."""
    return {"flash": platform.link.reserve.flash_bytes * (n > 1)}


@dataclass(frozen=True, kw_only=True)
class Costing:
    """Canonical plans of one strategy, their program, where everything lies, what it costs and damages.

    `share` has the chips that there are, one by one.
    """

    plans: Plans
    fills: Fills
    program: Program
    counted: Counted
    share: Share
    placement: Placement
    pace: Pace
    block: Stage
    total: Stage
    damage: Damage
    costs: Costs


def damage_of(workload: Workload, program: Program, counted: Counted, accounting: Accounting) -> Damage:
    """Say what plans do to accuracy."""
    missing = {point: share for part in counted.halves for point, share in part.missing.items()}
    n = program.n_chips
    return Damage(
        missing=missing_weights(workload, missing) + np.zeros(n.shape),
        weight_bits=program.weight_bits,
        message_bits=program.message_bits,
        message_loss=np.where((n > 1) & ~np.asarray(program.resent), accounting.message_loss, 0.0),
        message_dropout=program.message_dropout,
    )


def costed(
    workload: Workload,
    platform: Platform,
    plans: Plans,
    accounting: Accounting,
    fills: Fills,
    reserved: Placement | None = None,
) -> Costing:
    """Cost canonical plans of one strategy, and keep what the costs are made of.

    Parameters
    ----------
    fills : Fills
        How shares by room are dealt out.
    reserved : Placement, optional
        Where everything lies already; without it, where chips wait least.
    """
    (strategy,) = plans.names
    mcu = platform.mcu
    program = strategy_named(strategy).program(workload, platform, plans, fills)
    n, chips, roles = program.n_chips, program.chips, program.roles
    n_blocks = accounting.blocks(workload)
    counted = Counted.of(workload, program, accounting)

    block, head = (
        stage(platform, program, [s for part in parts for s in part.steps], accounting.message_loss)
        for parts in (counted.halves, counted.around)
    )
    total = block.plus(head, times=n_blocks)

    there = n > 1
    besides = total.buffer_bytes + platform.link.reserve.ram_bytes * there
    bandwidth = (mcu.l3.bandwidth_bytes_per_s if mcu.l3 else np.inf) / np.where(platform.shares_l3, n, 1)
    pace = Pace(
        block_s=block.on_chip_s,
        head_s=head.on_chip_s,
        bandwidth_bytes_per_s=bandwidth,
        steady=accounting.prefetch == "steady",
    )
    pinning = plans["pinning"] == 1
    where = roles > 0
    of_plan = np.broadcast_to(np.arange(len(plans)), where.shape)[where]
    share = share_of(workload, platform, counted, besides, where)
    placement = reserved or place(mcu, share, pace.at(of_plan), pinning[of_plan]).spread(where)
    lookups = looked_up_bytes(counted)
    l3_s = l3_wait_s(placement, pace, workload, n_blocks, lookups, pinning)
    lookup = lookups * np.any(placement.table_off_chip, axis=OF_CHIPS)
    traffic = placement.block_traffic * (n_blocks / workload.model.layers) + placement.head_traffic
    l3_bytes = of_all(traffic * roles) + lookup

    latency = {"compute": total.compute_s, "root": total.root_s, "link": total.link_s, "l3": l3_s}
    latency_s = sum(latency[cause] for cause in LATENCY_CAUSES)
    n_with_l3 = np.asarray(np.sum(roles * (placement.l3 > 0), axis=OF_CHIPS))
    busy_s = np.sum(total.busy_s * chips, axis=0)
    l2_bytes = np.sum(total.l2_bytes * chips, axis=0)
    power_w = compute.chip_power_w(platform)
    root_power_w = compute.root_power_w(platform, workload.rows)
    waiting_s = n * latency_s - busy_s - total.root_busy_s - total.adding_busy_s
    energy = {
        "compute": busy_s * power_w,
        "root": total.root_busy_s * root_power_w + total.adding_busy_s * power_w,
        "idle": np.maximum(waiting_s, 0.0) * mcu.idle_power_w,
        "l3": l3_bytes * (mcu.l3.energy_j_per_byte if mcu.l3 else 0.0),
        "l2": l2_bytes * mcu.l2.energy_j_per_byte,
        "link": platform.link.energy_j(total.traffic),
        "controller": n * latency_s * (mcu.controller_power_w or 0.0),
        "l3_standby": latency_s * standby_w(platform, n_with_l3),
        "link_idle": latency_s * platform.link.idle_w(np.sum([*total.links.values(), 0 * n], axis=0)),
    }
    code = code_bytes(platform, n)
    needed = {**placement.held(mcu), mcu.l2_name: placement.l2_needed}
    demands = {
        name: Demand(
            asked=np.max(needed[name], axis=OF_CHIPS) + code.get(name, 0.0),
            limit=level.usable_bytes,
            unit="B",
        )
        for name, level in mcu.levels.items()
        if not (name == "L3" and platform.shares_l3)
    }
    if platform.shares_l3 and mcu.l3:
        in_all = of_all(placement.l3 * roles)
        demands[SHARED_L3] = Demand(asked=in_all, limit=mcu.l3.usable_bytes, unit="B")
    link_partners = np.sum([*total.partners.values(), 0 * n], axis=0)
    asked = {"ports": link_partners, **total.demands}
    for name, limit in platform.link.limits.items():
        demands[name] = Demand(asked=np.asarray(asked.get(name, 0.0) + 0.0 * n), limit=limit, unit=name)
    damage = damage_of(workload, program, counted, accounting)
    drop = damage.drop(workload.calibration)
    costs = Costs(
        latency_by_cause_s=latency,
        energy_by_cause_j=energy,
        tokens=np.full(len(plans), workload.rows),
        n_chips=n,
        n_chips_with_l3=n_with_l3,
        head_from_l3=np.any(placement.head_traffic > 0, axis=OF_CHIPS),
        link_bytes=total.traffic.wire_bytes,
        link_messages=total.traffic.messages,
        link_partners=link_partners,
        l3_bytes=l3_bytes,
        l2_bytes=l2_bytes,
        l2_footprint_bytes=np.max(placement.l2_needed, axis=OF_CHIPS),
        l3_footprint_bytes=np.max(placement.l3, axis=OF_CHIPS),
        flash_footprint_bytes=np.max(placement.flash, axis=OF_CHIPS),
        link_bound_s=total.link_bound_s,
        missing_weights=damage.missing,
        accuracy_drop=drop.estimate,
        accuracy_drop_low=drop.low,
        accuracy_drop_high=drop.high,
        score=workload.calibration.score(drop.estimate),
        accuracy_within=damage.within(workload.calibration),
        regime=np.max(placement.regime, axis=OF_CHIPS),
        on_chip_s=block.on_chip_s,
        prefetch_s=np.max(placement.block_prefetched + placement.block_stored, axis=OF_CHIPS) / bandwidth,
        demands=demands,
    )
    return Costing(
        plans=plans,
        fills=fills,
        program=program,
        counted=counted,
        share=share,
        placement=placement,
        pace=pace,
        block=block,
        total=total,
        damage=damage,
        costs=costs,
    )
