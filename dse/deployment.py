"""The deployment plan as a document: what every chip holds, who sends what when, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES, Costs
from costmodel.errors import DseError, ParameterError, cut
from costmodel.evaluate import Accounting, evaluate
from costmodel.hardware import Platform, platform_of
from costmodel.memory import Regime
from costmodel.parameters import KINDS, Record, hash_of, validate
from costmodel.plan import DECISIONS, Plan, Plans
from costmodel.shards import assignment
from costmodel.strategies import head_wise
from costmodel.workload import Workload, workload_of
from dse import __version__
from dse.document import (
    SCHEMA_VERSION,
    AccountingChoice,
    ChipShare,
    Decisions,
    Deployment,
    Extent,
    Input,
    MatrixShare,
    Message,
    PlatformChoice,
    PredictedCosts,
    Schedule,
    Synchronisation,
    WorkloadChoice,
)
from dse.schedule import Hop, broadcast, levels, reduction


def predicted(costs: Costs, index: int) -> PredictedCosts:
    """Costs of plan `index` as numbers."""
    return PredictedCosts(
        latency_s=float(costs.latency_s[index]),
        latency_by_cause_s={c: float(costs.latency_by_cause_s[c][index]) for c in LATENCY_CAUSES},
        energy_j=float(costs.energy_j[index]),
        energy_by_cause_j={c: float(costs.energy_by_cause_j[c][index]) for c in ENERGY_CAUSES},
        edp_js=float(costs.edp_js[index]),
        throughput_tokens_per_s=float(costs.throughput_tokens_per_s[index]),
        link_bytes=float(costs.link_bytes[index]),
        link_messages=float(costs.link_messages[index]),
        l3_bytes=float(costs.l3_bytes[index]),
        l2_bytes=float(costs.l2_bytes[index]),
        l2_footprint_bytes=float(costs.l2_footprint_bytes[index]),
        l3_footprint_bytes=float(costs.l3_footprint_bytes[index]),
        regime=regime_name(int(costs.regime[index])),
        limited_by=costs.limited_by(index),
        block_on_chip_s=float(costs.on_chip_s[index]),
        block_prefetch_s=float(costs.prefetch_s[index]),
        feasible=bool(costs.feasible[index]),
        violations=[str(v) for v in costs.violations(index)],
    )


def regime_name(code: int) -> Literal["resident", "prefetched", "streamed"]:
    """Name of a regime."""
    return ("resident", "prefetched", "streamed")[Regime(code)]


def rests_on(workload: Workload, platform: Platform) -> list[str]:
    """List the assumed and fitted parameters behind a cost; not those of other requests."""
    lines = [line for record in (workload.record, *platform.records) for line in record.uncertain()]
    return [line for line in lines if " requests." not in line or f" requests.{workload.request} " in line]


def deployment(workload: Workload, platform: Platform, plan: Plan, accounting: Accounting) -> Deployment:
    """Write a plan out."""
    plan = plan.canonical()
    plans = Plans.of([plan])
    costs = evaluate(workload, platform, plans, accounting)
    platform_record, mcu, link, kernels = platform.records
    return Deployment(
        schema_version=SCHEMA_VERSION,
        generator=f"dse {__version__}",
        workload=WorkloadChoice(name=workload.name, request=workload.request, n_tokens=workload.n_tokens),
        platform=PlatformChoice(
            name=platform_record.name, mcu=mcu.name, link=link.name, kernels=kernels.name
        ),
        accounting=AccountingChoice(
            scope=accounting.scope, prefetch=accounting.prefetch, head=accounting.head
        ),
        decisions=Decisions(strategy=plan.strategy, **{name: getattr(plan, name) for name in DECISIONS}),
        costs=predicted(costs, 0),
        chips=_chips(workload, plans, costs, accounting),
        schedule=_schedule(workload, plans, costs, accounting),
        rests_on=rests_on(workload, platform),
        inputs=[
            Input(kind=r.kind, name=r.name, path=r.path, sha256=r.sha256, data=r.data)
            for r in (workload.record, *platform.records)
        ],
    )


def _chips(workload: Workload, plans: Plans, costs: Costs, accounting: Accounting) -> list[ChipShare]:
    """Shares chip by chip: classes unrolled in order."""
    model, place = workload.model, costs.placement
    classes = np.repeat(np.arange(costs.shards.n_chips.shape[1]), costs.shards.n_chips[0])
    matrices = head_wise.matrices(workload, costs.shards)
    with_head = accounting.counts_head(workload)
    peaks = costs.activation_peak_bytes
    result = []
    for chip, (share, k) in enumerate(
        zip(assignment(model, int(plans.n_chips[0])), classes.tolist(), strict=True)
    ):
        resident = place.regime[0, k] == Regime.RESIDENT
        weights = [
            MatrixShare(
                matrix=name,
                bytes=float(np.broadcast_to(size, place.regime.shape)[0, k]),
                home="L2" if resident else "L3",
            )
            for name, size in matrices.items()
        ]
        if with_head:
            rows = share.vocabulary_rows[1] * model.embedding * model.weight_bytes
            home: Literal["L2", "L3"] = "L3" if place.head_traffic[0, k] > 0 else "L2"
            names = ["embedding and head"] if model.tied_embedding else ["head", "embedding"]
            weights += [MatrixShare(matrix=name, bytes=rows, home=home) for name in names]
        token_bytes = 2 * len(share.kv_heads) * model.head_size * model.activation_bytes
        result.append(
            ChipShare(
                chip=chip,
                heads=list(share.heads),
                kv_heads=list(share.kv_heads),
                ffn_columns=Extent(first=share.ffn_columns[0], count=share.ffn_columns[1]),
                vocabulary_rows=Extent(first=share.vocabulary_rows[0], count=share.vocabulary_rows[1]),
                weights=weights,
                regime=regime_name(int(place.regime[0, k])),
                kv_cache_bytes=token_bytes * workload.cached_tokens * model.layers,
                activation_peak_bytes=float(peaks[0, k]),
                prefetch_buffer_bytes=float(max(place.block_prefetched[0, k], place.head_prefetched[0, k])),
                footprint_bytes={"L2": float(place.l2[0, k]), "L3": float(place.l3[0, k])},
            )
        )
    return result


def _schedule(workload: Workload, plans: Plans, costs: Costs, accounting: Accounting) -> Schedule:
    """The message trees of every synchronisation of an inference."""
    plan = plans.row(0)
    up, down = reduction(plan.n_chips, plan.group_size), broadcast(plan.n_chips, plan.group_size)
    n_blocks = accounting.blocks(workload)

    def messages(hops: list[Hop], payload: Any) -> list[Message]:
        size = float(np.ravel(payload)[0])
        return [Message(slot=h.slot, sender=h.sender, receiver=h.receiver, payload_bytes=size) for h in hops]

    phases = [(phase, n_blocks) for phase in head_wise.block(workload, costs.shards, plans)]
    if accounting.counts_head(workload):
        first, last = head_wise.vocabulary(workload, costs.shards)
        phases = [(first, 1), *phases, (last, 1)]
    return Schedule(
        root=0,
        levels=levels(plan.n_chips, plan.group_size),
        synchronisations=[
            Synchronisation(
                name=phase.name,
                times=times,
                reduce=messages(up, phase.up_bytes),
                root_work=[operator.name for operator in phase.root],
                broadcast=messages(down, phase.down_bytes),
            )
            for phase, times in phases
        ],
    )


Parts = tuple[Workload, Platform, Plan, Accounting]


def parts(document: Deployment) -> Parts:
    """Give back what a document was made of, from the parameters that it carries.

    Raises
    ------
    DseError
        The document's contents make no sense.
    """
    records: dict[str, Record] = {}
    for entry in document.inputs:
        if entry.kind in records:
            raise ParameterError(f"key 'inputs' holds two of kind {entry.kind!r}")
        if hash_of(entry.data) != entry.sha256:
            raise ParameterError(
                f"key 'inputs': the contents of {entry.kind} {entry.name!r} are not those hashed"
            )
        records[entry.kind] = Record(**entry.model_dump())
    for kind in KINDS:
        if kind not in records:
            raise ParameterError(f"key 'inputs' holds no {kind}")
    choice, accounting = document.workload, document.accounting
    return (
        workload_of(records["model"], choice.request, choice.n_tokens),
        platform_of(tuple(records[k] for k in ("platform", "mcu", "link", "kernels"))),
        Plan(**document.decisions.model_dump()),
        Accounting(**accounting.model_dump()),
    )


MAX_PLAN_BYTES = 20_000_000


def read_deployment(path: Path) -> tuple[Deployment, Parts]:
    """Read a plan's file, and what it was made of.

    Raises
    ------
    ParameterError
        It cannot be read, is no JSON, is no plan of this schema, or makes no sense.
    """
    try:
        if path.exists() and not path.is_file():
            raise ParameterError(f"plan {path} is not a file")
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise ParameterError(f"plan {path}: larger than {MAX_PLAN_BYTES} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"plan {path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, RecursionError):
        raise ParameterError(f"plan {path} is not readable text") from None
    except ValueError as error:
        raise ParameterError(f"plan {path}: broken JSON: {error}") from None
    document = validate(Deployment, data, f"plan {path}")
    try:
        return document, parts(document)
    except DseError as error:
        raise ParameterError(f"plan {path}: {error.message}", error.hint) from None


def check_unchanged(path: Path, stored: Deployment, again: Deployment) -> None:
    """Refuse a plan's file that says anything else than its own parameters and decisions give.

    Raises
    ------
    ParameterError
        The first key that differs, with both values.
    """
    difference = first_difference(stored.model_dump(mode="json"), again.model_dump(mode="json"), "")
    if difference:
        raise ParameterError(
            f"plan {path}: {difference}",
            f"the file was edited, or made by another version: {stored.generator}",
        )


def first_difference(stored: Any, again: Any, key: str) -> str:
    """Name the first key at which two documents differ; empty when they are equal."""
    if isinstance(stored, dict) and isinstance(again, dict) and stored.keys() == again.keys():
        pairs = [(stored[k], again[k], f"{key}.{k}" if key else k) for k in stored]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        pairs = [(a, b, f"{key}[{i}]") for i, (a, b) in enumerate(zip(stored, again, strict=True))]
    else:
        return "" if stored == again else f"key {key!r} is {cut(stored)}, its parameters give {cut(again)}"
    return next((found for a, b, k in pairs if (found := first_difference(a, b, k))), "")
