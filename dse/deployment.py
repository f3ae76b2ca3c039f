"""The deployment plan as a document: what every chip holds, who sends what when, and what it costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import get_args

import numpy as np

from costmodel import shards
from costmodel.accounting import Accounting
from costmodel.accuracy import Damage
from costmodel.calibration import UNITS
from costmodel.context import context_room
from costmodel.costing import code_bytes
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES, Costs
from costmodel.dealing import recosted
from costmodel.draws import held
from costmodel.evaluation import Inspection, evaluate, inspect
from costmodel.evaluation import Synchronisation as PlannedSynchronisation
from costmodel.evidence import energy_evidence
from costmodel.hardware import Platform
from costmodel.intervals import DrawnCosts, Interval, drawn_costs_of
from costmodel.loads import loaded_blocks
from costmodel.memory import Regime
from costmodel.operators import PACKING
from costmodel.parameters import Record
from costmodel.plan import SHORTHANDS, Plan
from costmodel.plans import Plans
from costmodel.precision import PACKED
from costmodel.program import ChipSlices
from costmodel.strategies import strategy_named
from costmodel.workload import REQUEST_KINDS, Workload
from dse import __version__
from dse.document import (
    SCHEMA_VERSION,
    AccountingChoice,
    AccuracyDrop,
    ChipShare,
    ContextRoom,
    CostInterval,
    CostIntervals,
    Decisions,
    Deployment,
    Extent,
    Input,
    MatrixSlice,
    Message,
    PlatformChoice,
    PredictedCosts,
    PublishedGround,
    Round,
    Synchronisation,
    Violation,
    WorkloadChoice,
)
from dse.document import Regime as RegimeName
from dse.ground import ground


def predicted(
    workload: Workload, platform: Platform, costs: Costs, drawn: DrawnCosts, index: int
) -> PredictedCosts:
    """Costs of plan `index` as numbers; workload and platform say how far accuracy and times may be off."""
    ends = {name: _cost_interval(one, index) for name, one in drawn.intervals.items()}
    return PredictedCosts(
        latency_s=float(costs.latency_s[index]),
        latency_by_cause_s={c: float(costs.latency_by_cause_s[c][index]) for c in LATENCY_CAUSES},
        energy_j=float(costs.energy_j[index]),
        energy_by_cause_j={c: float(costs.energy_by_cause_j[c][index]) for c in ENERGY_CAUSES},
        energy_evidence=dict(energy_evidence(platform)),
        intervals=CostIntervals(
            basis=drawn.basis if any(ends.values()) else "none",
            **ends,
            held=held(platform),
            time_uncertainty=platform.kernels.time_uncertainty,
        ),
        edp_js=float(costs.edp_js[index]),
        throughput_tokens_per_s=float(costs.throughput_tokens_per_s[index]),
        link_bytes=float(costs.link_bytes[index]),
        link_messages=float(costs.link_messages[index]),
        link_partners=int(costs.link_partners[index]),
        l3_bytes=float(costs.l3_bytes[index]),
        l2_bytes=float(costs.l2_bytes[index]),
        l2_footprint_bytes=float(costs.l2_footprint_bytes[index]),
        l3_footprint_bytes=float(costs.l3_footprint_bytes[index]),
        flash_footprint_bytes=float(costs.flash_footprint_bytes[index]),
        link_bound_s=float(costs.link_bound_s[index]),
        missing_weights=float(costs.missing_weights[index]),
        accuracy_drop=_accuracy_drop(workload, costs, index),
        regime=regime_name(int(costs.regime[index])),
        limited_by=costs.limited_by(index),
        block_on_chip_s=float(costs.on_chip_s[index]),
        block_prefetch_s=float(costs.prefetch_s[index]),
        feasible=bool(costs.feasible[index]),
        violations=[
            Violation(resource=v.resource, demand=v.demand, limit=v.limit, unit=v.unit)
            for v in costs.violations(index)
        ],
    )


def _cost_interval(of: Interval, index: int) -> CostInterval | None:
    low, median, high = (float(values[index]) for values in (of.low, of.median, of.high))
    return None if np.isnan(median) else CostInterval(low=low, median=median, high=high)


def _accuracy_drop(workload: Workload, costs: Costs, index: int) -> AccuracyDrop:
    known = workload.calibration
    return AccuracyDrop(
        unit=UNITS[known.metric],
        estimate=float(costs.accuracy_drop[index]),
        low=float(costs.accuracy_drop_low[index]),
        high=float(costs.accuracy_drop_high[index]),
        score=None if costs.score is None else float(costs.score[index]),
        calibration=workload.calibrated_by,
        within=bool(costs.accuracy_within[index]),
    )


def regime_name(code: int) -> RegimeName:
    """Name of a regime."""
    names: tuple[RegimeName, ...] = get_args(RegimeName)
    return names[Regime(code)]


def rests_on(workload: Workload, platform: Platform, plan: Plan, damage: Damage) -> list[str]:
    """List the assumed and fitted parameters behind a plan's costs.

    Not those of other requests, of a link over which nothing goes or that no cost depends on; nor of
    importance where nothing is missing, of packing where nothing is packed, nor what a calibration says of
    anything that the plan does not do.
    """
    unused = {"link"} if plan.n_chips == 1 else set()
    if not np.any(damage.missing):
        unused |= {"importance"}
    packed = {plan.weight_bits, *(getattr(plan, name) for name in SHORTHANDS["message_bits"])}
    without: dict[str, Collection[str]] = {
        "model": [f"requests.{one}" for one in REQUEST_KINDS if one != workload.request],
        "link": platform.link.informational,
        "kernels": [
            f"packing.bits_{bits}.{kind}" for bits in PACKED if bits not in packed for kind in PACKING
        ],
        "calibration": [
            key
            for key, _ in workload.calibration_record.values()
            if not damage.uses(workload.calibration, key)
        ],
    }
    records = (r for r in (*workload.records, *platform.records) if r.kind not in unused)
    return [line for record in records for line in record.uncertain(without.get(record.kind, ()))]


def deployment(workload: Workload, platform: Platform, plan: Plan, accounting: Accounting) -> Deployment:
    """Write a plan out."""
    found = inspect(workload, platform, plan, accounting)
    plan = found.plan
    platform_record, mcu, link, kernels = platform.records
    decisions = strategy_named(plan.strategy).decisions
    batch = [(np.zeros(1, dtype=np.int64), found.costing)]
    drawn = drawn_costs_of(workload, platform, batch, accounting)
    costs = predicted(workload, platform, found.costing.costs, drawn, 0)
    return Deployment(
        schema_version=SCHEMA_VERSION,
        generator=f"dse {__version__}",
        workload=workload_choice(workload),
        platform=PlatformChoice(
            name=platform_record.name,
            mcu=mcu.name,
            link=link.name,
            kernels=kernels.name,
            usable_bytes={name: level.usable_bytes for name, level in platform.mcu.levels.items()},
            shares_l3=platform.shares_l3,
        ),
        accounting=AccountingChoice(
            scope=accounting.scope,
            prefetch=accounting.prefetch,
            head=accounting.head,
            message_loss=accounting.message_loss,
        ),
        decisions=Decisions(strategy=plan.strategy, values={name: getattr(plan, name) for name in decisions}),
        published_ground=_published_ground(workload, plan),
        scales={what: f"static, {scale}" for what, scale in strategy_named(plan.strategy).scales.items()},
        costs=costs,
        context=_context(workload, platform, accounting, found),
        chips=_chips(workload, platform, found),
        synchronisations=[_synchronisation(one) for one in found.synchronisations],
        rests_on=rests_on(workload, platform, plan, found.costing.damage),
        not_stated=list(platform.not_stated),
        inputs=inputs_of((*workload.records, *platform.records)),
    )


def _published_ground(workload: Workload, plan: Plan) -> PublishedGround:
    found = ground(Plans.of([plan]), workload.model.heads)
    return PublishedGround(
        within=bool(found.within[0]),
        more_chips_than_heads=bool(found.more_chips_than_heads[0]),
        more_chips_than_published=bool(found.more_chips_than_published[0]),
    )


def latency_by(
    workload: Workload, platform: Platform, plan: Plan, accounting: Accounting, other: Accounting
) -> float:
    """Give the latency of a plan, as it is dealt out for one accounting, by another one of prefetches."""
    found = inspect(workload, platform, plan, accounting)
    return float(recosted(found.costing, workload, platform, other).costs.latency_s[0])


def _context(
    workload: Workload, platform: Platform, accounting: Accounting, found: Inspection
) -> ContextRoom | None:
    if not workload.writes_cache:
        return None
    up_to = context_room(workload, platform, accounting, found.costing)
    again = evaluate(workload.with_room(up_to + 1), platform, found.costing.plans, accounting)
    return ContextRoom(up_to=up_to, latency_beyond_s=float(again.latency_s[0]) if again.feasible[0] else None)


def workload_choice(workload: Workload) -> WorkloadChoice:
    """Give a workload as a document names it."""
    return WorkloadChoice(
        name=workload.name,
        request=workload.request,
        n_tokens=workload.n_tokens,
        context_max=workload.cached_tokens,
    )


def inputs_of(records: Sequence[Record]) -> list[Input]:
    """Give parameter files as a document carries them."""
    return [Input(kind=r.kind, name=r.name, path=r.path, sha256=r.sha256, data=r.data) for r in records]


def _chips(workload: Workload, platform: Platform, found: Inspection) -> list[ChipShare]:
    """Shares chip by chip: classes unrolled in order, in memory each chip by its role too."""
    program, place = found.costing.program, found.costing.placement
    counted = found.costing.counted
    block_matrices = {name for part in counted.halves for name in part.weights}
    tables = {part.name: set(part.weights) for part in counted.around}
    head_matrices = tables.get("head", set())
    peaks, token_bytes = counted.activation_peak_bytes, counted.cache_token_bytes
    of_chip = np.repeat(np.arange(len(program.chips)), program.chips[:, 0])
    mcu = platform.mcu
    on_chip = mcu.l2_name if mcu.flash is None else "flash"
    code = code_bytes(platform, len(found.slices))
    result = []
    for chip, (share, k) in enumerate(zip(found.slices, of_chip.tolist(), strict=True)):
        at = program.role(chip), k, 0
        off_chip = dict.fromkeys(block_matrices, place.loaded[at] > 0)
        off_chip |= dict.fromkeys(tables.get("embedding", ()), place.table_off_chip[at])
        off_chip |= dict.fromkeys(head_matrices, place.head_traffic[at] > 0)
        result.append(
            ChipShare(
                chip=chip,
                owns={name: _extent(extent) for name, extent in share.owns.items()},
                kept_columns=dict(share.kept_columns),
                weights=[
                    MatrixSlice(
                        matrix=one.matrix,
                        rows=_extent(one.rows),
                        received_rows={str(sender): count for sender, count in one.received_rows.items()},
                        columns=_extent(one.columns),
                        bytes=one.size_bytes,
                        home="L3" if off_chip[one.matrix] else on_chip,
                    )
                    for one in share.matrices
                    if one.matrix in off_chip
                ],
                regime=regime_name(int(place.regime[at])),
                pinned_blocks=_pinned_blocks(workload, found, at),
                head_rows_kept=_rows_kept(share, head_matrices, float(place.head_kept[at])),
                kv_cache_bytes=float(token_bytes[k, 0] * workload.cached_tokens * workload.model.layers),
                activation_peak_bytes=float(peaks[at]),
                prefetch_buffer_bytes=float(max(place.block_prefetched[at], place.head_prefetched[at])),
                footprint_bytes={
                    name: float(held[at] + code.get(name, 0.0)) for name, held in place.held(mcu).items()
                },
            )
        )
    return result


def _rows_kept(share: ChipSlices, head: Collection[str], kept_bytes: float) -> int:
    """Say how many whole rows of the LM head, of these matrices, some bytes are."""
    heads = [(one.columns.count, one.size_bytes) for one in share.matrices if one.matrix in head]
    return int(sum(count * kept_bytes / size for count, size in heads if size))


def _pinned_blocks(workload: Workload, found: Inspection, at: tuple[int, int, int]) -> list[int]:
    """Say which blocks stay on a chip."""
    place, layers = found.costing.placement, workload.model.layers
    pace = found.costing.stages.pace.at(np.int64(at[-1]))
    load = place.block_prefetched[at] + place.block_stored[at]
    loaded = loaded_blocks(
        layers,
        int(place.loaded[at]),
        float(pace.load_s(load)),
        float(place.head_prefetched[at] / pace.bandwidth_bytes_per_s),
        float(pace.block_s),
        float(pace.head_s),
    )
    return sorted(set(range(layers)) - set(loaded))


def _extent(extent: shards.Extent) -> Extent:
    return Extent(first=extent.first, count=extent.count)


def _synchronisation(one: PlannedSynchronisation) -> Synchronisation:
    return Synchronisation(
        name=one.name,
        kind=one.kind,
        times=one.times,
        merge_work=list(one.merge_work),
        forward_work=list(one.forward_work),
        root_work=list(one.root_work),
        round=None if one.messages.round is None else Round(**vars(one.messages.round)),
        messages=[
            Message(slot=m.slot, sender=m.sender, receivers=list(m.receivers), payload_bytes=m.payload_bytes)
            for m in one.messages.messages
        ],
    )
