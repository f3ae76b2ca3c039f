"""Example of a strategy: attention on every chip, the FFN cut along its hidden dimension.

Every chip holds all of attention and computes it for itself, so that nothing is exchanged there. Each
chip has some hidden columns of the FFN and ends with a partial sum of its output; the root adds these
up, adds the residual, and broadcasts the result: a block synchronises once. Embedding and LM head are
cut by vocabulary rows, whose results are gathered.
"""

from __future__ import annotations

import numpy as np

from costmodel import transformer
from costmodel.hardware import Platform
from costmodel.operators import Kind, Operator
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.program import ChipSlices, Exchange, MatrixSlice, Part, Program, Step
from costmodel.shards import Dimension, Extent, Fills, Shards, assignment, balanced
from costmodel.strategies.strategy import Strategy
from costmodel.workload import Model, Workload

DECISIONS = ("n_chips", "group_size")
HELD_SUM_BYTES = 4.0  # an element of a partial sum before it is narrowed


def dimensions(model: Model) -> dict[str, Dimension]:
    """Dimensions dealt out, evenly; heads are not, as every chip has all of them."""
    return {
        "ffn_columns": Dimension(total=model.ffn),
        "vocabulary_rows": Dimension(total=model.vocabulary),
    }


def canonical(_workload: Workload, platform: Platform, plans: Plans) -> Plans:
    """Give each plan its canonical form: no group is larger than the plan, and a shared channel has none."""
    plans = plans.neutralised(DECISIONS)
    n = plans["n_chips"]
    group = n if platform.link.shared else np.minimum(plans["group_size"], n)
    return plans.changed(group_size=np.maximum(2, group))


def attention(workload: Workload, platform: Platform) -> Part:
    """All of attention, on every chip: its sizes depend on no decision, and nothing is exchanged."""
    m, s, a = workload.model, workload.rows, workload.model.activation_bytes
    work = (
        transformer.transfer("input to L1", rows=s, columns=m.embedding, element_bytes=a),
        transformer.norm(workload, m.embedding),
        *transformer.projections(workload, m.heads, m.kv_heads, m.embedding),
        *transformer.heads_work(workload, m.heads, m.kv_heads),
        transformer.product(workload, "o", columns=m.embedding, depth=m.heads * m.head_size),
        *transformer.residual(workload, m.embedding),
    )
    tile = min(s, platform.kernels.row_tile)
    keys_values = 2 * s * m.kv_heads * m.head_size
    scores = tile * m.heads * (2 * m.head_size + workload.context)
    return Part(
        name="attention",
        steps=(Step(name="attention", work=work),),
        weights=transformer.weight_bytes(work),
        cache_token_bytes=2.0 * m.kv_heads * m.head_size * a,
        activation_peak_bytes=(2 * s * m.embedding + keys_values + scores) * a,
        tile_bytes=(2 * tile * m.embedding + scores) * a,
    )


def mlp(workload: Workload, platform: Platform, plans: Plans, shards: Shards) -> Part:
    """Some hidden columns on each chip, then the only synchronisation of the block."""
    m, s, a = workload.model, workload.rows, workload.model.activation_bytes
    hidden = shards.units["ffn_columns"]
    narrow = Operator(kind=Kind.NARROW, name="narrow partial sum", rows=s, columns=m.embedding)
    add = Operator(kind=Kind.ACCUMULATE, name="add partial sum", rows=s, columns=m.embedding)
    work = (
        transformer.norm(workload, m.embedding),
        *transformer.hidden(workload, hidden, m.embedding),
        transformer.product(workload, "down", columns=m.embedding, depth=hidden),
        narrow,
        transformer.transfer("partial sum to L2", rows=s, columns=m.embedding, element_bytes=a),
    )
    size = s * m.embedding * a
    summed = Exchange(
        kind="reduce",
        sent_bytes=size,
        group_size=plans["group_size"],
        merge=(add,),
        forward=(narrow,),
        root=transformer.residual(workload, m.embedding),
        merge_bytes=s * m.embedding * HELD_SUM_BYTES,
    )
    told = Exchange(kind="broadcast", sent_bytes=size, group_size=plans["group_size"])
    tile = min(s, platform.kernels.row_tile)
    return Part(
        name="mlp",
        steps=(Step(name="mlp", work=work, exchange=summed), Step(name="result", exchange=told)),
        weights=transformer.weight_bytes(work),
        activation_peak_bytes=(3 * s * m.embedding + tile * hidden * (m.ffn_matrices - 1)) * a,
        tile_bytes=tile * (3 * m.embedding + hidden * (m.ffn_matrices - 1)) * a,
    )


def around(workload: Workload, plans: Plans, shards: Shards) -> tuple[Part, Part]:
    """Embedding and LM head; each chip has some vocabulary rows, and all get what the others found."""
    m, s, a = workload.model, workload.rows, workload.model.activation_bytes
    rows = shards.units["vocabulary_rows"]
    embedding_table, head_table = transformer.table_bytes(m, m.weight_bytes, rows)
    found = Exchange(kind="gather", sent_bytes=np.ceil(s * m.embedding * a / plans["n_chips"]))
    embedding = Part(
        name="embedding",
        steps=(Step(name="embedding", exchange=found),),
        weights=embedding_table,
        activation_peak_bytes=0.0,
        tile_bytes=0.0,
        looked_up_bytes=s * m.embedding * m.weight_bytes,
    )
    work = (transformer.norm(workload, m.embedding, rows=1), *transformer.logits(workload, rows))
    best = Exchange(kind="gather", sent_bytes=transformer.CANDIDATE_BYTES)
    head = Part(
        name="head",
        steps=(Step(name="head", work=work, exchange=best),),
        weights=head_table,
        activation_peak_bytes=(m.embedding + rows) * a,
        tile_bytes=(m.embedding + rows) * a,
    )
    return embedding, head


def program(workload: Workload, platform: Platform, plans: Plans, _fills: Fills) -> Program:
    """Write what the chips do."""
    shards = balanced(workload.model, plans["n_chips"], dimensions(workload.model))
    embedding, head = around(workload, plans, shards)
    halves = attention(workload, platform), mlp(workload, platform, plans, shards)
    return Program(
        first=shards.first,
        chips=shards.n_chips,
        parts=(embedding, *halves, head),
        ports=platform.link.limits.get("ports"),
    )


def slices(workload: Workload, _platform: Platform, plan: Plan, _fills: Fills) -> tuple[ChipSlices, ...]:
    """Say what each chip has of every matrix: all of attention, its own columns of the FFN."""
    m = workload.model
    whole, heads, kv_heads = (Extent(first=0, count=count) for count in (m.embedding, m.heads, m.kv_heads))
    width, kv_width = heads.times(m.head_size), kv_heads.times(m.head_size)
    replicated = (
        MatrixSlice.of("q", weight_bytes=m.weight_bytes, rows=whole, columns=width),
        MatrixSlice.of("k", weight_bytes=m.weight_bytes, rows=whole, columns=kv_width),
        MatrixSlice.of("v", weight_bytes=m.weight_bytes, rows=whole, columns=kv_width),
        MatrixSlice.of("o", weight_bytes=m.weight_bytes, rows=width, columns=whole),
    )
    shards = balanced(m, np.array([plan.n_chips]), dimensions(m))
    found = []
    for share in assignment(m, shards):
        hidden = share.units["ffn_columns"]
        own = (
            *(
                MatrixSlice.of(name, weight_bytes=m.weight_bytes, rows=whole, columns=hidden)
                for name in transformer.hidden_matrices(m)
            ),
            MatrixSlice.of("down", weight_bytes=m.weight_bytes, rows=hidden, columns=whole),
            *transformer.tables(m, m.weight_bytes, share.units["vocabulary_rows"]),
        )
        owns = {"heads": heads, "kv_heads": kv_heads, **share.units}
        found.append(ChipSlices(owns=owns, kept_columns={}, matrices=(*replicated, *own)))
    return tuple(found)


def words(plan: Plan) -> str:
    """Say how partial sums are reduced."""
    if plan.n_chips == 1:
        return "alone"
    return "flat" if plan.group_size == plan.n_chips > 2 else f"groups of {plan.group_size}"


MLP_WISE = Strategy(
    name="mlp_wise",
    description="attention on every chip, hidden columns of the FFN on different ones",
    decisions=DECISIONS,
    canonical=canonical,
    program=program,
    slices=slices,
    words=words,
    scales={"weights": "one an output channel", "partial_sums": "each sender's own, one a block"},
    published_chips=1,  # no published system is cut so
)
