"""Head-wise partitioning (Bochem et al., DATE 2025): two synchronisations a block, no weight twice.

Q, K, V are split by heads, O by rows, the FFN along its hidden dimension. Both halves of a block begin
with a broadcast of their input and end on each chip with a partial sum of the whole output; the sums go
up a hierarchy to the root, which adds the residual and normalises. Chips without heads have no part in
attention: no input comes to them, and no sum of zeros goes up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import transformer
from costmodel.hardware import Platform
from costmodel.operators import Ints, Kind, Operator
from costmodel.plan import DECISIONS as EVERY_DECISION
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.precision import BYTE, at_most, element_bytes, narrower, quantised, widths_words
from costmodel.program import ChipSlices, Exchange, MatrixSlice, Part, PerChip, Program, Step
from costmodel.shards import EVEN, Dimension, Extent, Fills, Shards, assignment, balanced, head_classes
from costmodel.strategies.strategy import Strategy, kv_replication, pinning, words_of_all
from costmodel.workload import Model, Workload

Bools = NDArray[np.bool_]
HELD_SUM_BITS = 32  # a partial sum that a leader adds to
SHARES = {0: ("even shares",), 1: (), 2: ("shares for energy",)}  # the usual one goes without saying
# Each chip narrows its sum by a scale of its own. The errors of n sums of a share each add up to that of one
# narrowing of the whole; up to six levels of leaders narrow again, which costs up to 1.4 bit.
NARROW_SUM_BITS, WORTH_OF_NARROW_SUM = 8, 6


def attention(workload: Workload, heads: Ints, kv_heads: Ints) -> tuple[Operator, ...]:
    """Operators of a chip's attention from its input in L1 to its int32 partial sum."""
    m = workload.model
    return (
        *transformer.projections(workload, heads, kv_heads, m.embedding),
        *transformer.heads_work(workload, heads, kv_heads),
        transformer.product(workload, "o", columns=m.embedding, depth=heads * m.head_size),
    )


def feed_forward(workload: Workload, columns: Ints) -> tuple[Operator, ...]:
    """Operators of a chip's FFN from its input in L1 to its int32 partial sum."""
    m = workload.model
    return (
        *transformer.hidden(workload, columns, m.embedding),
        transformer.product(workload, "down", columns=m.embedding, depth=columns),
    )


def root_work(workload: Workload) -> tuple[Operator, ...]:
    """What the root does with a finished sum: requantise, add the residual, normalise."""
    e = workload.model.embedding
    return (*transformer.residual(workload, e), transformer.norm(workload, e))


def accumulate(workload: Workload) -> Operator:
    """Add a partial sum that arrived to a leader's own."""
    return Operator(
        kind=Kind.ACCUMULATE, name="add partial sum", rows=workload.rows, columns=workload.model.embedding
    )


def narrow(workload: Workload, plans: Plans) -> Operator:
    """Narrow a sum to the width that it travels at; nothing to do where it travels as it is held."""
    columns = workload.model.embedding * (plans["partial_sum_bits"] < HELD_SUM_BITS)
    return Operator(kind=Kind.NARROW, name="narrow partial sum", rows=workload.rows, columns=columns)


def handed_down(
    workload: Workload, plans: Plans, part: str, *, rows: int, takes_part: bool | Bools = True
) -> Step:
    """Broadcast the input of a part, so many rows of it."""
    size = rows * workload.model.embedding * workload.model.activation_bytes
    return Step(
        name=f"{part} input",
        exchange=Exchange(
            kind="broadcast",
            sent_bytes=size,
            takes_part=takes_part,
            group_size=plans["group_size"],
        ),
    )


def half(
    workload: Workload,
    plans: Plans,
    name: str,
    work: tuple[Operator, ...],
    takes_part: Bools,
) -> tuple[Step, ...]:
    """Give half a block: its input comes, chips that take part work on it, and their sums go up."""
    m, s, e = workload.model, workload.rows, workload.model.embedding
    sum_bytes = plans["partial_sum_bits"] / 8
    own = e * takes_part
    arrive = transformer.transfer("input to L1", rows=s, columns=own, element_bytes=m.activation_bytes)
    leave = transformer.transfer("partial sum to L2", rows=s, columns=own, element_bytes=sum_bytes)
    narrowed = narrow(workload, plans)
    own_narrowed = replace(narrowed, columns=narrowed.columns * takes_part)
    exchange = Exchange(
        kind="reduce",
        sent_bytes=s * e * sum_bytes,
        takes_part=takes_part,
        group_size=plans["group_size"],
        merge=(accumulate(workload),),
        forward=(narrowed,),
        root=root_work(workload),
        merge_bytes=s * e * HELD_SUM_BITS / 8,
        root_bytes=s * e * m.activation_bytes,
    )
    packed = quantised(work, plans, m.weight_bits)
    return (
        handed_down(workload, plans, name, rows=s, takes_part=takes_part),
        Step(name=name, work=(arrive, *packed, own_narrowed, leave), exchange=exchange),
    )


def embedding(workload: Workload, plans: Plans, table: Mapping[str, PerChip]) -> Part:
    """Look the tokens' rows up.

    The chip that owns a token's row puts it into a sum to which all others add nothing, so the
    embedding is reduced and normalised like a half block.
    """
    m, s = workload.model, workload.rows
    exchange = Exchange(
        kind="reduce",
        sent_bytes=s * m.embedding * m.activation_bytes,
        group_size=plans["group_size"],
        merge=(accumulate(workload),),
        root=(transformer.norm(workload, m.embedding),),
    )
    return Part(
        name="embedding",
        steps=(Step(name="embedding", exchange=exchange),),
        weights=table,
        activation_peak_bytes=0.0,
        tile_bytes=0.0,
        looked_up_bytes=s * m.embedding * element_bytes(plans["weight_bits"], m.weight_bits),
    )


def head(
    workload: Workload,
    plans: Plans,
    vocabulary_rows: Ints,
    table: Mapping[str, PerChip],
) -> Part:
    """LM head of the last token; each chip's best token goes up the hierarchy, the winner comes down."""
    m = workload.model
    alive = (m.embedding + vocabulary_rows) * m.activation_bytes
    group_size = plans["group_size"]
    best = Exchange(kind="reduce", sent_bytes=transformer.CANDIDATE_BYTES, group_size=group_size)
    told = Exchange(kind="broadcast", sent_bytes=transformer.TOKEN_BYTES, group_size=group_size)
    logits = transformer.logits(workload, vocabulary_rows)
    work = quantised(logits, plans, m.weight_bits)
    return Part(
        name="head",
        steps=(
            handed_down(workload, plans, "head", rows=1),
            Step(name="head", work=work, exchange=best),
            Step(name="token", exchange=told),
        ),
        weights=table,
        activation_peak_bytes=alive,
        tile_bytes=alive,
    )


def activation_peaks(
    workload: Workload, plans: Plans, shards: Shards, row_tile: int
) -> dict[str, tuple[PerChip, PerChip]]:
    """Largest number of activation bytes alive at once in each half, and of one tile of rows, (c, ...).

    Rows are worked on `row_tile` at a time. Whole are the input, a partial sum that leaves or arrives,
    and in attention the keys and values of all rows; one tile has queries, scores, head outputs, or
    hidden columns of the FFN. A leader's running sum at full width and the residual that the root
    keeps are counted with the exchange. A chip without heads has nothing of attention.
    """
    m, s, a = workload.model, workload.rows, workload.model.activation_bytes
    tile = min(s, row_tile)
    there = shards.heads > 0
    row = m.embedding * (a + plans["partial_sum_bits"] / 8)
    keys_values = 2 * s * shards.kv_heads * m.head_size * a
    scores = tile * shards.heads * (2 * m.head_size + workload.room_to_attend) * a
    columns = tile * shards.units["ffn_columns"] * (m.ffn_matrices - 1) * a
    return {
        "attention": (s * row * there + (keys_values + scores), tile * row * there + scores),
        "mlp": (s * row + columns, tile * row + columns),
    }


def dimensions(model: Model, weight_bytes: Any = 1.0, fills: Fills = EVEN) -> dict[str, Dimension]:
    """Dimensions dealt out besides heads, and what a chip holds for each unit, in all blocks or tables."""
    tables = transformer.table_bytes(model, weight_bytes, 1)
    return {
        "ffn_columns": Dimension(
            total=model.ffn,
            unit_bytes=model.layers * model.ffn_matrices * model.embedding * weight_bytes,
            fill=fills.columns,
        ),
        "vocabulary_rows": Dimension(
            total=model.vocabulary,
            unit_bytes=sum(size for table in tables for size in table.values()),
            fill=fills.rows,
        ),
    }


def dealt_out(workload: Workload, plans: Plans, fills: Fills) -> Shards:
    """Deal out heads, then columns of the FFN, then vocabulary rows, by what chips hold already."""
    m = workload.model
    weight_bytes = element_bytes(plans["weight_bits"], m.weight_bits)
    head_bytes = m.layers * 2 * m.embedding * m.head_size * weight_bytes  # q and o, or k and v
    tokens = workload.cached_tokens if fills.cached_tokens is None else fills.cached_tokens
    cache_bytes = m.layers * 2 * m.head_size * m.activation_bytes * tokens
    return balanced(
        m,
        plans["n_chips"],
        dimensions(m, weight_bytes, fills),
        replicate=plans["kv_replication"],
        head_bytes=head_bytes,
        kv_head_bytes=head_bytes + cache_bytes,
    )


def program(workload: Workload, platform: Platform, plans: Plans, fills: Fills) -> Program:
    """Write what the chips do."""
    m = workload.model
    shards = dealt_out(workload, plans, fills)
    columns = shards.units["ffn_columns"]
    steps = {
        name: half(workload, plans, name, work, takes_part)
        for name, work, takes_part in (
            ("attention", attention(workload, shards.heads, shards.kv_heads), shards.heads > 0),
            ("mlp", feed_forward(workload, columns), np.ones(columns.shape, dtype=bool)),
        )
    }
    peaks = activation_peaks(workload, plans, shards, platform.kernels.row_tile)
    rows = shards.units["vocabulary_rows"]
    weight_bytes = element_bytes(plans["weight_bits"], m.weight_bits)
    embedding_table, head_table = transformer.table_bytes(m, weight_bytes, rows)
    halves = {
        name: Part(
            name=name,
            steps=of_half,
            weights=transformer.weight_bytes(of_half[-1].work),
            activation_peak_bytes=peaks[name][0],
            tile_bytes=peaks[name][1],
            cache_token_bytes=2.0 * shards.kv_heads * m.head_size * m.activation_bytes
            if name == "attention"
            else 0.0,
        )
        for name, of_half in steps.items()
    }
    narrow_sums = (plans["n_chips"] > 1) & (plans["partial_sum_bits"] == NARROW_SUM_BITS)
    return Program(
        first=shards.first,
        chips=shards.n_chips,
        parts=(
            embedding(workload, plans, embedding_table),
            *halves.values(),
            head(workload, plans, rows, head_table),
        ),
        weight_bits=narrower(plans["weight_bits"], m.weight_bits),
        message_bits=(np.where(narrow_sums, WORTH_OF_NARROW_SUM, BYTE),),
        ports=platform.link.limits.get("ports"),
    )


def canonical(workload: Workload, platform: Platform, plans: Plans) -> Plans:
    """Give each plan its canonical form.

    A group larger than the number of chips is that number (a flat reduction), and so is any on a
    channel that all share; with one chip nothing travels, and group size and width have their least
    values. Where all chips have as many heads, shares by room are even.
    """
    plans = plans.neutralised(DECISIONS)
    n = plans["n_chips"]
    replicated = kv_replication(workload, plans)
    _, _, count = head_classes(workload.model, n, replicated)
    equal = np.max(count, axis=0) == n
    group = n if platform.link.shared else np.minimum(plans["group_size"], n)
    return plans.changed(
        group_size=np.maximum(2, group),
        partial_sum_bits=np.where(n == 1, 8, plans["partial_sum_bits"]),
        shares=np.where(equal, 1, plans["shares"]),
        kv_replication=replicated,
        pinning=pinning(platform, plans),
        weight_bits=at_most("weight_bits", plans, workload.model.weight_bits, platform),
    )


def slices(workload: Workload, _platform: Platform, plan: Plan, fills: Fills) -> tuple[ChipSlices, ...]:
    """Say what each chip has of every matrix."""
    m = workload.model
    weight_bytes = float(element_bytes(plan.weight_bits, m.weight_bits))
    found = []
    for share in assignment(m, dealt_out(workload, Plans.of([plan]), fills)):
        whole = Extent(first=0, count=m.embedding)
        width, kv_width = share.heads.times(m.head_size), share.kv_heads.times(m.head_size)
        columns, rows = share.units["ffn_columns"], share.units["vocabulary_rows"]
        found.append(
            ChipSlices(
                owns={"heads": share.heads, "kv_heads": share.kv_heads, **share.units},
                kept_columns={},
                matrices=(
                    *(
                        MatrixSlice.of(name, weight_bytes=weight_bytes, rows=inputs, columns=outputs)
                        for name, inputs, outputs in (
                            ("q", whole, width),
                            ("k", whole, kv_width),
                            ("v", whole, kv_width),
                            ("o", width, whole),
                            *((name, whole, columns) for name in transformer.hidden_matrices(m)),
                            ("down", columns, whole),
                        )
                    ),
                    *transformer.tables(m, weight_bytes, rows),
                ),
            )
        )
    return tuple(found)


def words(plan: Plan) -> str:
    """Say how partial sums are reduced, and which widths are packed."""
    shares = SHARES[plan.shares]
    rest = (*shares, *words_of_all(plan), *widths_words("weights", plan.weight_bits))
    if plan.n_chips == 1:
        return ", ".join(("alone", *rest))
    flat = plan.group_size == plan.n_chips > 2
    tree = "flat" if flat else f"groups of {plan.group_size}"
    usual = EVERY_DECISION["partial_sum_bits"].default
    sums = () if plan.partial_sum_bits == usual else (f"{plan.partial_sum_bits} bit sums",)
    return ", ".join((tree, *sums, *rest))


DECISIONS = (
    "n_chips",
    "group_size",
    "partial_sum_bits",
    "shares",
    "kv_replication",
    "pinning",
    "weight_bits",
)
HEAD_WISE = Strategy(
    name="head_wise",
    description="heads, and hidden columns of the FFN, on different chips; partial sums are reduced",
    decisions=DECISIONS,
    canonical=canonical,
    program=program,
    slices=slices,
    words=words,
    scales={
        "weights": "one an output channel",
        "partial_sums": "each sender's own, one for each half of each block",
    },
    published_chips=64,  # of a model with 64 heads: Bochem et al., poster, section 4 (bochem2025poster)
)
