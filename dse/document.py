"""The schema of a deployment plan, ``plan.json``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from costmodel.evaluate import Prefetch, Scope
from costmodel.parameters import Kind
from costmodel.plan import Strategy
from costmodel.workload import RequestKind

SCHEMA_VERSION: Literal["1"] = "1"
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


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

    `regime` says how its blocks' weights reach its cores: resident, prefetched or streamed. Cache
    and footprints are those of all blocks; the prefetch buffer is the part of L2 that holds what is
    loaded ahead.
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
    prefetch_buffer_bytes: float
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
