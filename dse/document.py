"""The schema of a deployment plan, ``plan.json``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from costmodel.accounting import Prefetch, Scope
from costmodel.draws import Basis
from costmodel.parameters import Kind, PlainNumber
from costmodel.workload import RequestKind

SCHEMA_VERSION: Literal["4"] = "4"
Regime = Literal["resident", "pinned", "prefetched", "streamed"]
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Extent(BaseModel):
    """Consecutive units: `count` of them from `first` on."""

    model_config = STRICT

    first: int
    count: int


class MatrixSlice(BaseModel):
    """A chip's part of one weight matrix of one block (of the model, around the blocks).

    `rows` are inputs that the chip owns; `received_rows` counts, by chip, those that arrive from it
    and are multiplied too. `home` is the memory that holds the slice.
    """

    model_config = STRICT

    matrix: str
    rows: Extent
    received_rows: dict[str, int]
    columns: Extent
    bytes: float
    home: str


class ChipShare(BaseModel):
    """What one chip holds.

    `owns` gives its heads, columns and rows by name; `kept_columns` how many of its columns it sends
    at each gather point. `regime` says how its blocks' weights reach its cores: resident, pinned (some
    of them resident), prefetched or streamed; `pinned_blocks` are those that stay on chip, counted from
    0, all others live in the `home` of their matrices. `head_rows_kept` of its rows of the LM head stay
    on chip. Cache and footprints are those of all blocks; the prefetch buffer is the part of L2 that
    holds what is loaded ahead.
    """

    model_config = STRICT

    chip: int
    owns: dict[str, Extent]
    kept_columns: dict[str, int]
    weights: list[MatrixSlice]
    regime: Regime
    pinned_blocks: list[int]
    head_rows_kept: int
    kv_cache_bytes: float
    activation_peak_bytes: float
    prefetch_buffer_bytes: float
    footprint_bytes: dict[str, float]


class Message(BaseModel):
    """One message; messages of the same slot go at the same time."""

    model_config = STRICT

    slot: int
    sender: int
    receivers: list[int]
    payload_bytes: float


class Round(BaseModel):
    """How a leg's messages travel in rounds: packets of a payload, so many a round, in timed slots.

    A round is given `slots`; it is expected to stop after `expected_slots`. All rounds together take
    `expected_s`, and never more than `bound_s`.
    """

    model_config = STRICT

    payload_bytes: int
    packets: int
    rounds: int
    slots: int
    expected_slots: float
    slot_s: float
    expected_s: float
    bound_s: float


class Synchronisation(BaseModel):
    """An exchange: its messages, and what chips work on the way; with a round, they go in it all together.

    Attributes
    ----------
    merge_work : list of str
        Whoever gets a message does this with each.
    forward_work : list of str
        A chip that got one does this before it sends on.
    root_work : list of str
        The root does this in the end.
    """

    model_config = STRICT

    name: str
    kind: Literal["reduce", "broadcast", "gather"]
    times: int
    merge_work: list[str]
    forward_work: list[str]
    root_work: list[str]
    round: Round | None
    messages: list[Message]


class Violation(BaseModel):
    """A resource that the plan asks more of than there is."""

    model_config = STRICT

    resource: str
    demand: float
    limit: float
    unit: str


class AccuracyDrop(BaseModel):
    """Accuracy lost by what the plan leaves out, with the interval that holds it nine times of ten.

    Attributes
    ----------
    unit : {"points", "loss ratio"}
        Points of accuracy, of a hundred; or the ratio to the loss of the whole model, less one.
    score : float, optional
        Accuracy in per cent, or loss, that is left; none where nobody measured the whole model's.
    calibration : str, optional
        Name of the calibration; none where the numbers are what other tasks make one expect.
    within : bool
        Whether the plan's share of missing weights is among those that the calibration measured.
    """

    model_config = STRICT

    unit: Literal["points", "loss ratio"]
    estimate: float
    low: float
    high: float
    score: float | None
    calibration: str | None
    within: bool


class PublishedGround(BaseModel):
    """Whether the plan stands on published ground, and what of it does not.

    Attributes
    ----------
    more_chips_than_published : bool
        More than any published system of its strategy.
    """

    model_config = STRICT

    within: bool
    more_chips_than_heads: bool
    more_chips_than_published: bool


class CostInterval(BaseModel):
    """What 5 % of the draws are below, what half of them are, and what 95 % are."""

    model_config = STRICT

    low: float
    median: float
    high: float


class CostIntervals(BaseModel):
    """How far latency and energy may be off: priced with many values of the platform's constants at once.

    Attributes
    ----------
    basis : {"sample", "ranges", "none"}
        Values that go together, with which all comes out that does with those stated of what was published;
        each constant drawn by itself between the low and the high of its file; or no file states any of one
        that these costs depend on, and there are no intervals.
    latency_s, energy_j : CostInterval, optional
        None of a cost that no draw changes.
    held : list of str
        Numbers that are not drawn though their files state how far they may be off.
    time_uncertainty : float, optional
        How far absolute times may be off besides, as the kernel set says.
    """

    model_config = STRICT

    basis: Basis
    latency_s: CostInterval | None
    energy_j: CostInterval | None
    held: list[str]
    time_uncertainty: float | None


class PredictedCosts(BaseModel):
    """Costs of one inference as the cost model gives them, SI units.

    `energy_evidence` says of each cause of energy how its constants are known, the weakest of them:
    measured, datasheet, derived, fitted, assumed, or not stated.
    """

    model_config = STRICT

    latency_s: float
    latency_by_cause_s: dict[str, float]
    energy_j: float
    energy_by_cause_j: dict[str, float]
    energy_evidence: dict[str, str]
    intervals: CostIntervals
    edp_js: float
    throughput_tokens_per_s: float
    link_bytes: float
    link_messages: float
    link_partners: int
    l3_bytes: float
    l2_bytes: float
    l2_footprint_bytes: float
    l3_footprint_bytes: float
    flash_footprint_bytes: float
    link_bound_s: float
    missing_weights: float
    accuracy_drop: AccuracyDrop
    regime: Regime
    limited_by: str
    block_on_chip_s: float
    block_prefetch_s: float
    feasible: bool
    violations: list[Violation]


class Input(BaseModel):
    """A parameter file that the plan rests on, carried along whole."""

    model_config = STRICT

    kind: Kind
    name: str
    path: str
    sha256: str
    data: dict[str, Any]


class WorkloadChoice(BaseModel):
    """The workload by name, request, tokens, and the longest context there is room for (0: no cache)."""

    model_config = STRICT

    name: str
    request: RequestKind
    n_tokens: int
    context_max: int


class RunWorkload(WorkloadChoice):
    """A workload of a run, with its parameter files."""

    inputs: list[Input]


class PlatformChoice(BaseModel):
    """The platform by name, and the names of its parts; what each chip has room for in each memory.

    Where chips share an L3, there is one of that size for all of them.
    """

    model_config = STRICT

    name: str
    mcu: str
    link: str
    kernels: str
    usable_bytes: dict[str, float]
    shares_l3: bool


class AccountingChoice(BaseModel):
    """What the costs count."""

    model_config = STRICT

    scope: Scope
    prefetch: Prefetch
    head: bool
    message_loss: float


class Decisions(BaseModel):
    """The strategy and the values of its decisions."""

    model_config = STRICT

    strategy: str
    values: dict[str, PlainNumber]


class ContextRoom(BaseModel):
    """How long a context there is room for.

    Up to `up_to` tokens each chip keeps the blocks that it keeps, and all fits; 0 where it does not fit.
    `latency_beyond_s` is what an inference takes once there is room for one more; none where that does
    not fit.
    """

    model_config = STRICT

    up_to: int
    latency_beyond_s: float | None


class Deployment(BaseModel):
    """A deployment plan, complete: it can be built from, checked, and costed again.

    Without a cache it has no context. `rests_on` are the assumed and fitted parameters that its costs rest
    on; `not_stated` are optional keys that the files leave out, with what is taken to be so.
    """

    model_config = STRICT

    schema_version: Literal["4"]
    generator: str
    workload: WorkloadChoice
    platform: PlatformChoice
    accounting: AccountingChoice
    decisions: Decisions
    published_ground: PublishedGround
    scales: dict[str, str]
    costs: PredictedCosts
    context: ContextRoom | None
    chips: list[ChipShare]
    synchronisations: list[Synchronisation]
    rests_on: list[str]
    not_stated: list[str]
    inputs: list[Input]
