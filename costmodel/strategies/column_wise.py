"""Column-wise partitioning with SomeGather (CATS): a chip owns columns, and all weights that make them.

Every activation is cut by columns; heads never span chips. Before each product the columns that a chip
lacks are gathered: before Q, K and V, before O, before the FFN's first and its last matrix. With
pruning, a chip sends only some of its columns; weights for the others are stored nowhere but with
their owner. LayerNorm is redundant, over the columns that a chip has; the residual is local. With no
pruning SomeGather is an all-gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import transformer
from costmodel.hardware import Platform
from costmodel.operators import Kind, Operator
from costmodel.plan import DECISIONS as EVERY_DECISION
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.precision import at_most, element_bytes, narrower, packing, quantised, widths_words
from costmodel.program import ChipSlices, Exchange, MatrixSlice, Part, PerChip, Program, Step
from costmodel.pruning import kept, roundest
from costmodel.shards import Dimension, Extent, Fills, Shards, Share, assignment, balanced
from costmodel.strategies.strategy import Strategy, kv_replication, pinning, words_of_all
from costmodel.workload import Model, Workload

GATHERS = ("qkv", "o", "ffn_in", "ffn_out")
PRUNING = tuple(f"prune_{name}" for name in GATHERS)
BITS = tuple(f"bits_{name}" for name in GATHERS)
DECISIONS = (
    "n_chips",
    *PRUNING,
    "retransmission",
    "message_dropout",
    "kv_replication",
    "pinning",
    "weight_bits",
    *BITS,
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GatherPoint:
    """A gather before a product; arrays of shape (c, ...).

    Attributes
    ----------
    owned, sent, seen : int
        Columns of the product's input that a chip owns, sends, and has after the gather.
    made : int
        Columns of the product's output that a chip makes.
    bits : int
        Width of a column's elements on their way, (...).
    """

    owned: Ints
    sent: Ints
    seen: Ints
    made: Ints
    bits: Ints

    def missing(self, shards: Shards) -> Any:
        """Share of the product's weights that no chip stores, by plan."""
        stored = shards.total(self.seen * self.made)
        return 1 - stored / (shards.total(self.owned) * shards.total(self.made))


def dimensions(model: Model) -> dict[str, Dimension]:
    """Dimensions dealt out besides heads."""
    return {
        "embedding_columns": Dimension(total=model.embedding),
        "ffn_columns": Dimension(total=model.ffn),
        "vocabulary_rows": Dimension(total=model.vocabulary),
    }


def gather_points(model: Model, shards: Shards, plans: Plans) -> dict[str, GatherPoint]:
    """Give the four gathers of a block, in order."""
    own, hidden = shards.units["embedding_columns"], shards.units["ffn_columns"]
    heads = shards.heads * model.head_size
    projected = heads + 2 * shards.kv_heads * model.head_size
    columns = {"qkv": (own, projected), "o": (heads, own), "ffn_in": (own, hidden), "ffn_out": (hidden, own)}
    points = {}
    for name, (owned, made) in columns.items():
        sent = kept(owned, plans[f"prune_{name}"])
        seen = owned + shards.total(sent) - sent
        points[name] = GatherPoint(owned=owned, sent=sent, seen=seen, made=made, bits=plans[f"bits_{name}"])
    return points


def half(
    workload: Workload,
    platform: Platform,
    plans: Plans,
    shards: Shards,
    points: dict[str, GatherPoint],
    *,
    name: str,
    gathers: tuple[str, str],
    work: Sequence[Operator],
    last: str,
    alive: Ints,
    cache_token_bytes: PerChip = 0.0,
) -> Part:
    """Give half a block: gather the input, work on it, gather the result, make own columns of the output.

    Parameters
    ----------
    gathers : tuple of str
        Gather points before `work` and after it.
    work : sequence of Operator
        From the normalised input to what is gathered next.
    last : str
        The matrix that makes the output.
    alive : (c, ...) int
        Columns alive at once in `work`, beside its input.
    """
    m, s, a = workload.model, workload.rows, workload.model.activation_bytes
    own = shards.units["embedding_columns"]
    before, after = (points[gather] for gather in gathers)
    sent_bytes = [np.ceil(s * p.sent * element_bytes(p.bits, m.activation_bits)) for p in (before, after)]
    into, out_of = (Exchange(kind="gather", sent_bytes=size) for size in sent_bytes)

    def pack(kind: Kind, point: GatherPoint, columns: Ints) -> tuple[Operator, ...]:
        return packing(kind, "activations", point.bits, rows=s, columns=columns)

    def quantise(*operators: Operator) -> tuple[Operator, ...]:
        return quantised(operators, plans, m.weight_bits)

    arrive = transformer.transfer("input to L1", rows=s, columns=before.seen, element_bytes=a)
    made = transformer.product(workload, last, columns=own, depth=after.seen)
    received = [pack(Kind.UNPACK, point, point.seen - point.owned) for point in (before, after)]
    middle = (arrive, *received[0], transformer.norm(workload, before.seen), *quantise(*work))
    steps = (
        Step(name=gathers[0], work=pack(Kind.PACK, before, before.sent), exchange=into),
        Step(name=gathers[1], work=(*middle, *pack(Kind.PACK, after, after.sent)), exchange=out_of),
        Step(name=name, work=(*received[1], *quantise(made), *transformer.residual(workload, own))),
    )
    # Own columns take up the last product in place.
    row_bytes = np.maximum(before.seen + alive, after.seen + own) * a
    return Part(
        name=name,
        steps=steps,
        weights=transformer.weight_bytes(o for step in steps for o in step.work),
        cache_token_bytes=cache_token_bytes,
        activation_peak_bytes=s * row_bytes,
        tile_bytes=min(s, platform.kernels.row_tile) * row_bytes,
        missing={gather: points[gather].missing(shards) for gather in gathers},
    )


def attention(
    workload: Workload, platform: Platform, plans: Plans, shards: Shards, points: dict[str, GatherPoint]
) -> Part:
    """Gather the input, attend with own heads, gather their outputs, make own columns."""
    m, seen = workload.model, points["qkv"].seen
    return half(
        workload,
        platform,
        plans,
        shards,
        points,
        name="attention",
        gathers=("qkv", "o"),
        work=(
            *transformer.projections(workload, shards.heads, shards.kv_heads, seen),
            *transformer.heads_work(workload, shards.heads, shards.kv_heads),
        ),
        last="o",
        # Heads go one after the other, softmax row by row.
        alive=3 * m.head_size + shards.heads * m.head_size,
        cache_token_bytes=2.0 * shards.kv_heads * m.head_size * m.activation_bytes,
    )


def mlp(
    workload: Workload, platform: Platform, plans: Plans, shards: Shards, points: dict[str, GatherPoint]
) -> Part:
    """Gather the input, make own hidden columns, gather them, make own columns."""
    hidden = shards.units["ffn_columns"]
    return half(
        workload,
        platform,
        plans,
        shards,
        points,
        name="mlp",
        gathers=("ffn_in", "ffn_out"),
        work=transformer.hidden(workload, hidden, points["ffn_in"].seen),
        last="down",
        alive=(workload.model.ffn_matrices - 1) * hidden,
    )


def around(workload: Workload, plans: Plans, shards: Shards) -> tuple[Part, Part]:
    """Embedding, and LM head of the last token; both matrices are cut by vocabulary rows.

    Tokens' rows are taken to lie evenly on the chips, and are gathered. The head needs all columns of
    the last token; each chip's best token is gathered.
    """
    m, s = workload.model, workload.rows
    rows, n = shards.units["vocabulary_rows"], np.sum(shards.n_chips, axis=0)
    weight_bytes = element_bytes(plans["weight_bits"], m.weight_bits)
    embedding_table, head_table = transformer.table_bytes(m, weight_bytes, rows)
    found = Exchange(kind="gather", sent_bytes=np.ceil(s * m.embedding * m.activation_bytes / n))
    last = shards.units["embedding_columns"] * m.activation_bytes
    product = quantised(transformer.logits(workload, rows), plans, m.weight_bits)
    logits = (transformer.norm(workload, m.embedding, rows=1), *product)
    best = Exchange(kind="gather", sent_bytes=transformer.CANDIDATE_BYTES)
    embedding = Part(
        name="embedding",
        steps=(Step(name="embedding", exchange=found),),
        weights=embedding_table,
        activation_peak_bytes=0.0,
        tile_bytes=0.0,
        looked_up_bytes=s * m.embedding * weight_bytes,
    )
    head = Part(
        name="head",
        steps=(
            Step(name="last token", exchange=Exchange(kind="gather", sent_bytes=last)),
            Step(name="head", work=logits, exchange=best),
        ),
        weights=head_table,
        activation_peak_bytes=(m.embedding + rows) * m.activation_bytes,
        tile_bytes=(m.embedding + rows) * m.activation_bytes,
    )
    return embedding, head


def program(workload: Workload, platform: Platform, plans: Plans, _fills: Fills) -> Program:
    """Write what the chips do."""
    m = workload.model
    shards = balanced(m, plans["n_chips"], dimensions(m), replicate=plans["kv_replication"])
    points = gather_points(m, shards, plans)
    embedding, head = around(workload, plans, shards)
    halves = (part(workload, platform, plans, shards, points) for part in (attention, mlp))
    parts = (embedding, *halves, head)
    return Program(
        first=shards.first,
        chips=shards.n_chips,
        parts=parts,
        weight_bits=narrower(plans["weight_bits"], m.weight_bits),
        message_bits=tuple(narrower(plans[name], m.activation_bits) for name in BITS),
        resent=plans["retransmission"] == 1,
        message_dropout=plans["message_dropout"],
    )


def canonical(workload: Workload, platform: Platform, plans: Plans) -> Plans:
    """Give each plan its canonical form.

    Heads never span chips, so no more chips than heads are used. A pruning ratio is the roundest that
    leaves out as many columns on every chip.
    """
    m = workload.model
    plans = plans.neutralised(DECISIONS)
    n = np.minimum(plans["n_chips"], m.heads)
    replicated = kv_replication(workload, plans.changed(n_chips=n))
    values = {name: np.zeros(len(plans)) for name in PRUNING}
    for chips, replicate in np.unique(np.stack([n, replicated])[:, n > 1], axis=1).T.tolist():
        here = (n == chips) & (replicated == replicate)
        shards = balanced(m, np.array([chips]), dimensions(m), replicate=replicate)
        own, hidden = shards.units["embedding_columns"], shards.units["ffn_columns"]
        owned = {"qkv": own, "o": shards.heads * m.head_size, "ffn_in": own, "ffn_out": hidden}
        for name, columns in owned.items():
            codes = EVERY_DECISION[f"prune_{name}"].code(plans[f"prune_{name}"][here])
            each = tuple(np.unique(columns).tolist())
            values[f"prune_{name}"][here] = roundest(each)[codes]
    widths = {
        "weight_bits": at_most("weight_bits", plans, m.weight_bits, platform),
        **{name: at_most(name, plans, m.activation_bits, platform) for name in BITS},
    }
    return plans.changed(
        n_chips=n, kv_replication=replicated, pinning=pinning(platform, plans), **values, **widths
    )


def _inputs(model: Model, share: Share) -> dict[str, Extent]:
    """Columns of each gather's activation that a chip owns."""
    own, hidden = share.units["embedding_columns"], share.units["ffn_columns"]
    return {"qkv": own, "o": share.heads.times(model.head_size), "ffn_in": own, "ffn_out": hidden}


def slices(workload: Workload, _platform: Platform, plan: Plan, _fills: Fills) -> tuple[ChipSlices, ...]:
    """Say what each chip has of every matrix, and how many of its columns it sends."""
    m = workload.model
    shares = assignment(
        m, balanced(m, np.array([plan.n_chips]), dimensions(m), replicate=plan.kv_replication)
    )
    weight_bytes = float(element_bytes(plan.weight_bits, m.weight_bits))
    inputs = [_inputs(m, share) for share in shares]
    sent = {
        name: [int(kept(np.array(own[name].count), getattr(plan, f"prune_{name}"))) for own in inputs]
        for name in GATHERS
    }
    found = []
    for chip, (share, own) in enumerate(zip(shares, inputs, strict=True)):
        received = {
            name: {other: count for other, count in enumerate(counts) if other != chip}
            for name, counts in sent.items()
        }
        made = {
            "qkv": {
                "q": own["o"],
                "k": share.kv_heads.times(m.head_size),
                "v": share.kv_heads.times(m.head_size),
            },
            "o": {"o": own["qkv"]},
            "ffn_in": dict.fromkeys(transformer.hidden_matrices(m), own["ffn_out"]),
            "ffn_out": {"down": own["qkv"]},
        }
        found.append(
            ChipSlices(
                owns={"heads": share.heads, "kv_heads": share.kv_heads, **share.units},
                kept_columns={name: counts[chip] for name, counts in sent.items()},
                matrices=(
                    *(
                        MatrixSlice.of(
                            matrix,
                            weight_bytes=weight_bytes,
                            rows=own[name],
                            columns=columns,
                            received=received[name],
                        )
                        for name in GATHERS
                        for matrix, columns in made[name].items()
                    ),
                    *transformer.tables(m, weight_bytes, share.units["vocabulary_rows"]),
                ),
            )
        )
    return tuple(found)


def words(plan: Plan) -> str:
    """Say what is pruned, and which widths are packed."""
    ratios = {name: getattr(plan, f"prune_{name}") for name in GATHERS}
    if len(set(ratios.values())) == 1:
        (ratio, *_) = ratios.values()
        pruned = f"pruned by {ratio:g}" if ratio else "all columns sent"
    else:
        pruned = "pruned by " + ", ".join(f"{name} {ratio:g}" for name, ratio in ratios.items())
    lossy = (
        *(("lost messages sent again",) if plan.retransmission else ()),
        *((f"trained with message dropout {plan.message_dropout:g}",) if plan.message_dropout else ()),
    )
    of_gathers = [getattr(plan, name) for name in BITS]
    widths = (
        *widths_words("weights", plan.weight_bits),
        *widths_words("messages", *of_gathers),
    )
    return ", ".join((pruned, *words_of_all(plan), *widths, *lossy))


COLUMN_WISE = Strategy(
    name="column_wise",
    description="columns of activations, and whole heads, on different chips; pruned columns stay",
    decisions=DECISIONS,
    canonical=canonical,
    program=program,
    slices=slices,
    words=words,
    scales={
        "weights": "one an output channel",
        "messages": "each sender's own, one for each gather of each block",
    },
    published_chips=16,  # Graefe et al., evaluation (cats2026)
    axes={"attention": (*PRUNING[:2], *BITS[:2]), "mlp": (*PRUNING[2:], *BITS[2:])},
)
