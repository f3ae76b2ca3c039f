"""What plans of one strategy cost, and what the costs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.accuracy import Damage, missing_weights
from costmodel.costs import SHARED_L3, Costs, Demand, Later
from costmodel.counted import Counted, share_of
from costmodel.hardware import Mcu, Platform
from costmodel.memory import Placement, place_all
from costmodel.plans import Plans
from costmodel.pricing import OF_CHIPS, Stages, of_all, priced
from costmodel.program import Program
from costmodel.residency import Share
from costmodel.shards import Fills
from costmodel.strategies import strategy_named
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]


def code_bytes(platform: Platform, n: Any) -> dict[str, Any]:
    """Bytes that the link's software takes in a memory, by its name, of each chip where there are several."""
    return {"flash": platform.link.reserve.flash_bytes * (n > 1)}


@dataclass(frozen=True, kw_only=True)
class Costing:
    """Canonical plans of one strategy, their program, where everything lies, what it costs and damages.

    Of plans that are a product, arrays broadcast: each is as small as the decisions that it depends on.
    """

    plans: Plans
    fills: Fills
    program: Program
    counted: Counted
    share: Share
    placement: Placement
    stages: Stages
    damage: Damage
    costs: Costs

    def sizes(self, mcu: Mcu, resource: str) -> tuple[list[Array], list[Array]]:
        """Give what decides whether plans that load nothing have enough of a resource; where there are chips.

        Returns
        -------
        What adds up over parts of the program, of each class of chips, and what is that of the part that asks
        most. Where all of it is less, less is asked of the resource.
        """
        total, peaks = self.stages.total, self.counted.activation_peak_bytes
        of_chips = [of_class for of_role in peaks for of_class in of_role]
        if resource == "flash":
            return [of_class for of_role in self.placement.flash for of_class in of_role], []
        if resource == mcu.l2_name:
            return [] if mcu.flash else [*np.atleast_1d(self.share.weights)], [*of_chips, total.buffer_bytes]
        return [], [*total.partners.values()] if resource == "ports" else [total.demands[resource]]


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
    n, roles = program.n_chips, program.roles
    counted = Counted.of(workload, program, accounting)
    stages = Stages.of(workload, platform, counted, accounting)
    pinning = plans["pinning"] == 1
    besides = stages.total.buffer_bytes + platform.link.reserve.ram_bytes * (n > 1)
    share = share_of(workload, platform, counted, besides)
    placement = reserved or place_all(mcu, share, stages.pace, pinning, roles)
    prices = priced(workload, platform, counted, accounting, stages, placement, pinning)
    total = stages.total
    ahead = np.max(placement.block_prefetched + placement.block_stored, axis=OF_CHIPS)
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
    link_partners = np.asarray(sum(total.partners.values(), 0 * n))
    asked = {"ports": link_partners, **total.demands}
    for name, limit in platform.link.limits.items():
        demands[name] = Demand(asked=np.asarray(asked.get(name, 0.0) + 0.0 * n), limit=limit, unit=name)
    damage = damage_of(workload, program, counted, accounting)
    damage.check(workload.calibration)
    costs = Costs(
        latency_by_cause_s=prices.latency_by_cause_s,
        energy_by_cause_j=prices.energy_by_cause_j,
        tokens=np.full(n.shape, workload.rows),
        n_chips=n,
        n_chips_with_l3=prices.n_chips_with_l3,
        head_from_l3=np.any(placement.head_traffic > 0, axis=OF_CHIPS),
        link_bytes=total.traffic.wire_bytes,
        link_messages=total.traffic.messages,
        link_partners=link_partners,
        l3_bytes=prices.l3_bytes,
        l2_bytes=prices.l2_bytes,
        l2_footprint_bytes=np.max(placement.l2_needed, axis=OF_CHIPS),
        l3_footprint_bytes=np.max(placement.l3, axis=OF_CHIPS),
        flash_footprint_bytes=np.max(placement.flash, axis=OF_CHIPS),
        link_bound_s=total.link_bound_s,
        missing_weights=damage.missing,
        lost=Later(lambda: damage.lost(workload.calibration)),
        regime=np.max(placement.regime, axis=OF_CHIPS),
        on_chip_s=stages.block.on_chip_s,
        prefetch_s=ahead / stages.pace.bandwidth_bytes_per_s,
        demands=demands,
    )
    return Costing(
        plans=plans,
        fills=fills,
        program=program,
        counted=counted,
        share=share,
        placement=placement,
        stages=stages,
        damage=damage,
        costs=costs,
    )
