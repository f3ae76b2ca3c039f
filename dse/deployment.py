"""The deployment plan as a document: what every chip holds, who sends what when, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES, Costs
from costmodel.errors import ParameterError
from costmodel.evaluate import Accounting, Prefetch, Scope, evaluate
from costmodel.hardware import Platform, platform_of
from costmodel.memory import Regime
from costmodel.parameters import KINDS, Kind, Record, validate
from costmodel.plan import DECISIONS, Plan, Plans, Strategy
from costmodel.shards import assignment
from costmodel.strategies import head_wise
from costmodel.workload import RequestKind, Workload, workload_of
from dse import __version__
from dse.schedule import Hop, broadcast, levels, reduction

SCHEMA_VERSION: Literal["1"] = "1"
STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Extent(BaseModel):
    """Consecutive units: `count` of them from `first` on."""

    model_config = STRICT

    first: int
    count: int


class MatrixShare(BaseModel):
    """A chip's part of one weight matrix; `bytes` are those of one block (of the one head)."""

    model_config = STRICT

    matrix: str
    bytes: float
    home: Literal["L2", "L3"]


class ChipShare(BaseModel):
    """What one chip holds.

    `regime` says how its weights reach its cores: resident, prefetched or streamed. Cache and
    footprints are those of all blocks.
    """

    model_config = STRICT

    chip: int
    heads: list[int]
    kv_heads: list[int]
    ffn_columns: Extent
    vocabulary_rows: Extent
    weights: list[MatrixShare]
    regime: Literal["resident", "prefetched", "streamed"]
    kv_cache_bytes: float
    activation_peak_bytes: float
    footprint_bytes: dict[str, float]


class Message(BaseModel):
    """One message; messages of the same slot go at the same time."""

    model_config = STRICT

    slot: int
    sender: int
    receiver: int
    payload_bytes: float


class Synchronisation(BaseModel):
    """A reduction to the root, the root's work, and a broadcast of what comes out."""

    model_config = STRICT

    name: str
    times: int
    reduce: list[Message]
    root_work: list[str]
    broadcast: list[Message]


class Schedule(BaseModel):
    """All synchronisations of an inference over one hierarchy of groups; a group's first chip leads it."""

    model_config = STRICT

    root: int
    levels: list[list[list[int]]]
    synchronisations: list[Synchronisation]


class PredictedCosts(BaseModel):
    """Costs of one inference as the cost model gives them, SI units."""

    model_config = STRICT

    latency_s: float
    latency_by_cause_s: dict[str, float]
    energy_j: float
    energy_by_cause_j: dict[str, float]
    edp_js: float
    throughput_tokens_per_s: float
    link_bytes: float
    link_messages: float
    l3_bytes: float
    l2_bytes: float
    l2_footprint_bytes: float
    l3_footprint_bytes: float
    regime: Literal["resident", "prefetched", "streamed"]
    limited_by: str
    block_on_chip_s: float
    block_prefetch_s: float
    feasible: bool
    violations: list[str]


class Input(BaseModel):
    """A parameter file that the plan rests on, carried along whole."""

    model_config = STRICT

    kind: Kind
    name: str
    path: str
    sha256: str
    data: dict[str, Any]


class WorkloadChoice(BaseModel):
    """The workload by name, request and tokens."""

    model_config = STRICT

    name: str
    request: RequestKind
    n_tokens: int


class PlatformChoice(BaseModel):
    """The platform by name, and the names of its parts."""

    model_config = STRICT

    name: str
    mcu: str
    link: str
    kernels: str


class AccountingChoice(BaseModel):
    """What the costs count."""

    model_config = STRICT

    scope: Scope
    prefetch: Prefetch
    head: bool


class Decisions(BaseModel):
    """The values of all decisions."""

    model_config = STRICT

    strategy: Strategy
    n_chips: int
    group_size: int
    partial_sum_bits: int


class Deployment(BaseModel):
    """A deployment plan, complete: it can be built from, checked, and costed again."""

    model_config = STRICT

    schema_version: Literal["1"]
    generator: str
    workload: WorkloadChoice
    platform: PlatformChoice
    accounting: AccountingChoice
    decisions: Decisions
    costs: PredictedCosts
    chips: list[ChipShare]
    schedule: Schedule
    rests_on: list[str]
    inputs: list[Input]


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


def parts(document: Deployment) -> tuple[Workload, Platform, Plan, Accounting]:
    """Give back what a document was made of, from the parameters that it carries.

    Raises
    ------
    ParameterError, UsageError, PlanError
        The document's contents make no sense.
    """
    records: dict[str, Record] = {
        i.kind: Record(kind=i.kind, name=i.name, path=f"inputs.{i.kind}", sha256=i.sha256, data=i.data)
        for i in document.inputs
    }
    for kind in KINDS:
        if kind not in records:
            raise ParameterError(f"the plan carries no {kind} among its inputs")
    choice = document.workload
    workload = workload_of(records["model"], choice.request, choice.n_tokens)
    platform = platform_of(tuple(records[k] for k in ("platform", "mcu", "link", "kernels")))
    accounting = document.accounting
    return (
        workload,
        platform,
        Plan(**document.decisions.model_dump()),
        Accounting(scope=accounting.scope, prefetch=accounting.prefetch, head=accounting.head),
    )


MAX_PLAN_BYTES = 20_000_000


def read_deployment(path: Path) -> Deployment:
    """Read a plan's file.

    Raises
    ------
    ParameterError
        It cannot be read, is no JSON, or is no plan of this schema.
    """
    try:
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise ParameterError(f"{path}: larger than {MAX_PLAN_BYTES} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"plan {path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, RecursionError):
        raise ParameterError(f"plan {path} is not readable text") from None
    except json.JSONDecodeError as error:
        raise ParameterError(f"plan {path}: broken JSON: {error}") from None
    return validate(Deployment, data, f"plan {path}")
