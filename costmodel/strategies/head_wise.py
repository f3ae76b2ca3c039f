"""Head-wise partitioning (Bochem et al., DATE 2025): two synchronisations a block, no weight twice.

Q, K, V are split by heads, O by rows, the FFN along its hidden dimension. Each chip ends both halves
of a block with a partial sum of the whole output; the sums go up a hierarchy to the root, which adds
the residual and normalises; the result is broadcast down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.plan import Plans
from costmodel.shards import Shards
from costmodel.workload import Floats, Ints, Kind, Operator, Workload

HELD_SUM_BITS = 32  # a partial sum that a leader adds to
CANDIDATE_BYTES = 8.0  # a chip's best token of greedy decoding: index and score, 4 B each
TOKEN_BYTES = 4.0  # the token decided on


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Work between two synchronisations.

    Attributes
    ----------
    shard : list of Operator
        What every chip does on its share; arrays of shape (n, c).
    up_bytes, down_bytes : (n,) or float
        Payload of each message of the reduction, and of the broadcast that follows.
    root : list of Operator
        What the root does in between, alone.
    sum_elements : int
        Elements of the partial sum that a leader adds to its own for each message it gets.
    narrowed : (n,) or bool
        Whether sums travel narrower than they are held, so that a leader narrows what it sends on.
    """

    name: str
    shard: list[Operator]
    root: list[Operator]
    sum_elements: int
    narrowed: Any
    up_bytes: Floats
    down_bytes: Floats


def attention(workload: Workload, heads: Ints, kv_heads: Ints) -> list[Operator]:
    """Operators of a shard's attention from its input in L1 to its int32 partial sum."""
    m = workload.model
    s, e, p, kv = workload.rows, m.embedding, m.head_size, workload.context
    width, kv_width = heads * p, kv_heads * p
    cached = m.activation_bytes * kv_width * kv if workload.reads_cache else 0.0
    projections = [("q", width, False), ("k", kv_width, False), ("v", kv_width, s > 1)]
    operators = [
        Operator(
            kind=Kind.MATMUL,
            name=name,
            rows=s,
            columns=columns,
            depth=e,
            weight_bytes=m.weight_bytes * columns * e,
            transposed=transposed,
        )
        for name, columns, transposed in projections
    ]
    operators += [
        Operator(kind=Kind.REQUANTISE, name=f"requantise {name}", rows=s, columns=columns)
        for name, columns, _ in projections
    ]
    if m.rotary:
        operators += [
            Operator(kind=Kind.ROTARY, name=f"rotate {name}", rows=s, columns=columns)
            for name, columns in (("q", width), ("k", kv_width))
        ]
    if workload.writes_cache:
        operators.append(Operator(kind=Kind.CACHE_APPEND, name="append to cache", rows=s, columns=kv_width))
    operators.append(
        Operator(
            kind=Kind.HEAD_MATMUL,
            name="scores",
            batch=heads,
            rows=s,
            columns=kv,
            depth=p,
            data_bytes=cached,
        )
    )
    if s > 1:
        operators.append(
            Operator(kind=Kind.REQUANTISE, name="requantise scores", batch=heads, rows=s, columns=kv)
        )
    operators += [
        Operator(kind=Kind.SOFTMAX, name="softmax", batch=heads, rows=s, columns=kv),
        Operator(
            kind=Kind.HEAD_MATMUL,
            name="values",
            batch=heads,
            rows=s,
            columns=p,
            depth=kv,
            data_bytes=cached,
        ),
        Operator(kind=Kind.REQUANTISE, name="requantise values", rows=s, columns=width),
        Operator(
            kind=Kind.MATMUL,
            name="o",
            rows=s,
            columns=e,
            depth=width,
            weight_bytes=m.weight_bytes * e * width,
        ),
    ]
    return operators


def feed_forward(workload: Workload, columns: Ints) -> list[Operator]:
    """Operators of a shard's FFN from its input in L1 to its int32 partial sum."""
    m = workload.model
    s, e = workload.rows, m.embedding
    gated = m.ffn_matrices == 3
    inputs = ("gate", "up") if gated else ("up",)
    weights = m.weight_bytes * e * columns
    operators = [
        Operator(kind=Kind.MATMUL, name=name, rows=s, columns=columns, depth=e, weight_bytes=weights)
        for name in inputs
    ]
    operators += [
        Operator(kind=Kind.REQUANTISE, name=f"requantise {name}", rows=s, columns=columns) for name in inputs
    ]
    operators.append(Operator(kind=Kind.ACTIVATION, name=m.activation, rows=s, columns=columns))
    if gated:
        operators.append(Operator(kind=Kind.MULTIPLY, name="gate x up", rows=s, columns=columns))
    operators.append(
        Operator(kind=Kind.MATMUL, name="down", rows=s, columns=e, depth=columns, weight_bytes=weights)
    )
    return operators


def root_work(workload: Workload) -> list[Operator]:
    """What the root does with a finished sum: requantise, add the residual, normalise."""
    s, e = workload.rows, workload.model.embedding
    return [
        Operator(kind=Kind.REQUANTISE, name="requantise sum", rows=s, columns=e),
        Operator(kind=Kind.ADD, name="residual", rows=s, columns=e),
        Operator(kind=Kind.NORM, name=workload.model.norm, rows=s, columns=e),
    ]


def block(workload: Workload, shards: Shards, plans: Plans) -> list[Phase]:
    """Give the two phases of a block for every plan."""
    m = workload.model
    s, e = workload.rows, m.embedding
    sum_bytes = plans.partial_sum_bits / 8
    halves = (
        ("attention", attention(workload, shards.heads, shards.kv_heads)),
        ("ffn", feed_forward(workload, shards.ffn_columns)),
    )
    arrive = Operator(
        kind=Kind.TRANSFER,
        name="input to L1",
        rows=s,
        columns=e,
        data_bytes=s * e * m.activation_bytes,
    )
    narrowed = plans.partial_sum_bits < HELD_SUM_BITS
    narrow = Operator(
        kind=Kind.REQUANTISE, name="narrow partial sum", rows=s, columns=(e * narrowed)[:, None]
    )
    leave = Operator(
        kind=Kind.TRANSFER,
        name="partial sum to L2",
        rows=s,
        columns=e,
        data_bytes=(s * e * sum_bytes)[:, None],
    )
    return [
        Phase(
            name=name,
            shard=[arrive, *work, narrow, leave],
            root=root_work(workload),
            sum_elements=s * e,
            narrowed=narrowed,
            up_bytes=s * e * sum_bytes,
            down_bytes=s * e * m.activation_bytes,
        )
        for name, work in halves
    ]


def vocabulary(workload: Workload, shards: Shards) -> list[Phase]:
    """Give the two phases around the blocks: embedding, and LM head for the last token.

    Both matrices are cut by vocabulary rows. The chip that owns a token's row puts it into a sum to
    which all others add nothing, so the embedding is reduced, normalised and broadcast like a half
    block. Each chip's best token of the LM head goes up the hierarchy, the winner comes down.
    """
    m = workload.model
    io_bytes = workload.rows * m.embedding * m.activation_bytes
    rows = shards.vocabulary_rows
    project = [
        Operator(
            kind=Kind.MATMUL,
            name="head",
            rows=1,
            columns=rows,
            depth=m.embedding,
            weight_bytes=m.weight_bytes * rows * m.embedding,
        ),
        Operator(kind=Kind.REQUANTISE, name="requantise logits", rows=1, columns=rows),
        Operator(
            kind=Kind.TRANSFER,
            name="logits to L2",
            rows=1,
            columns=rows,
            data_bytes=rows * m.activation_bytes,
        ),
    ]
    return [
        Phase(
            name="embedding",
            shard=[],
            root=[o for o in root_work(workload) if o.kind is Kind.NORM],
            sum_elements=workload.rows * m.embedding,
            narrowed=False,
            up_bytes=io_bytes,
            down_bytes=io_bytes,
        ),
        Phase(
            name="head",
            shard=project,
            root=[],
            sum_elements=0,
            narrowed=False,
            up_bytes=CANDIDATE_BYTES,
            down_bytes=TOKEN_BYTES,
        ),
    ]


def matrices(workload: Workload, shards: Shards) -> dict[str, np.ndarray]:
    """Weight bytes of each matrix of one block, by class of chips; shape (n, c)."""
    work = attention(workload, shards.heads, shards.kv_heads)
    work += feed_forward(workload, shards.ffn_columns)
    return {o.name: np.asarray(o.weight_bytes) for o in work if o.kind is Kind.MATMUL}


def activation_peak_bytes(
    workload: Workload, shards: Shards, plans: Plans, row_tile: int, *, with_head: bool
) -> np.ndarray:
    """Largest number of activation bytes alive at once on a chip; shape (n, c).

    Rows are worked on `row_tile` at a time. Whole are the input, the residual (the root keeps it), a
    leader's running sum at full width and a partial sum that arrives, and in attention the keys and
    values of all rows; one tile has queries, scores, head outputs, or hidden columns of the FFN.
    Every chip is given the room of a root. The LM head holds one token's activations and the chip's
    logits.
    """
    m = workload.model
    s, a = workload.rows, m.activation_bytes
    tile = min(s, row_tile)
    whole = 2 * s * m.embedding * a
    bits = plans.partial_sum_bits + np.where(plans.n_chips > 1, HELD_SUM_BITS, 0)
    sums = (s * m.embedding * bits / 8)[:, None]
    keys_values = 2 * s * shards.kv_heads * m.head_size * a
    scores = tile * shards.heads * (2 * m.head_size + workload.context) * a
    hidden = tile * shards.ffn_columns * (m.ffn_matrices - 1) * a
    head = (m.embedding + shards.vocabulary_rows) * a * float(with_head)
    return np.asarray(np.maximum(whole + sums + np.maximum(keys_values + scores, hidden), head))
