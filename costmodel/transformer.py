"""A Transformer's operators for given widths; which chip has which width is a strategy's business."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from costmodel.operators import Floats, Ints, Kind, Operator
from costmodel.program import MatrixSlice
from costmodel.shards import Extent
from costmodel.workload import Model, Workload

CANDIDATE_BYTES = 8.0  # a chip's best token of greedy decoding: index and score, 4 B each
TOKEN_BYTES = 4.0  # the token decided on


def product(
    workload: Workload,
    name: str,
    *,
    columns: Ints,
    depth: Ints,
    rows: Ints | None = None,
    transposed: bool = False,
) -> Operator:
    """Give a product with a weight matrix of `depth` rows and `columns` columns; all tokens by default."""
    return Operator(
        kind=Kind.MATMUL,
        name=name,
        rows=workload.rows if rows is None else rows,
        columns=columns,
        depth=depth,
        weight_bytes=workload.model.weight_bytes * columns * depth,
        transposed=transposed,
    )


def projections(workload: Workload, heads: Ints, kv_heads: Ints, depth: Ints) -> tuple[Operator, ...]:
    """Q, K and V of some heads from `depth` columns of the input, and their way into the cache."""
    m, s = workload.model, workload.rows
    width, kv_width = heads * m.head_size, kv_heads * m.head_size
    widths = {"q": width, "k": kv_width, "v": kv_width}
    operators = [
        product(workload, name, columns=columns, depth=depth, transposed=name == "v" and s > 1)
        for name, columns in widths.items()
    ]
    operators += [
        Operator(kind=Kind.REQUANTISE, name=f"requantise {name}", rows=s, columns=columns)
        for name, columns in widths.items()
    ]
    if m.rotary:
        operators += [
            Operator(kind=Kind.ROTARY, name=f"rotate {name}", rows=s, columns=widths[name])
            for name in ("q", "k")
        ]
    if workload.writes_cache:
        operators.append(Operator(kind=Kind.CACHE_APPEND, name="append to cache", rows=s, columns=kv_width))
    return tuple(operators)


def heads_work(workload: Workload, heads: Ints, kv_heads: Ints) -> tuple[Operator, ...]:
    """Scores, softmax and values of some heads."""
    m, s, p, kv = workload.model, workload.rows, workload.model.head_size, workload.context
    cached = m.activation_bytes * (kv_heads * p) * kv if workload.reads_cache else 0.0

    def head_product(kind: Kind, columns: int, depth: int) -> Operator:
        return Operator(
            kind=kind,
            name=kind.value,
            batch=heads,
            rows=s,
            columns=columns,
            depth=depth,
            data_bytes=cached,
        )

    requantise = Operator(kind=Kind.REQUANTISE, name="requantise scores", batch=heads, rows=s, columns=kv)
    return (
        head_product(Kind.SCORES, kv, p),
        *((requantise,) if s > 1 else ()),
        Operator(kind=Kind.SOFTMAX, name="softmax", batch=heads, rows=s, columns=kv),
        head_product(Kind.VALUES, p, kv),
        Operator(kind=Kind.REQUANTISE, name="requantise values", rows=s, columns=heads * p),
    )


def hidden_matrices(model: Model) -> tuple[str, ...]:
    """Names of the matrices that make hidden columns."""
    return ("gate", "up") if model.ffn_matrices == 3 else ("up",)


def hidden(workload: Workload, columns: Ints, depth: Ints) -> tuple[Operator, ...]:
    """Hidden columns of the feed-forward network from `depth` columns of its input."""
    m, s = workload.model, workload.rows
    inputs = hidden_matrices(m)
    multiply = Operator(kind=Kind.MULTIPLY, name="gate x up", rows=s, columns=columns)
    return (
        *(product(workload, name, columns=columns, depth=depth) for name in inputs),
        *(
            Operator(kind=Kind.REQUANTISE, name=f"requantise {name}", rows=s, columns=columns)
            for name in inputs
        ),
        Operator(kind=Kind.ACTIVATION, name=m.activation, rows=s, columns=columns),
        *((multiply,) if m.ffn_matrices == 3 else ()),
    )


def residual(workload: Workload, columns: Ints) -> tuple[Operator, ...]:
    """Requantise `columns` of a product, and add the residual to them."""
    s = workload.rows
    return (
        Operator(kind=Kind.REQUANTISE, name="requantise sum", rows=s, columns=columns),
        Operator(kind=Kind.ADD, name="residual", rows=s, columns=columns),
    )


def norm(workload: Workload, columns: Ints, rows: Ints | None = None) -> Operator:
    """Normalise `columns` of each token; of all tokens by default."""
    tokens = workload.rows if rows is None else rows
    return Operator(kind=Kind.NORM, name=workload.model.norm, rows=tokens, columns=columns)


def transfer(name: str, *, rows: Ints, columns: Ints, element_bytes: Floats) -> Operator:
    """Move activations between L2 and L1."""
    return Operator(
        kind=Kind.TRANSFER, name=name, rows=rows, columns=columns, data_bytes=rows * columns * element_bytes
    )


def logits(workload: Workload, vocabulary_rows: Ints) -> tuple[Operator, ...]:
    """Some rows of the LM head, for the last token."""
    m = workload.model
    return (
        product(workload, "head", columns=vocabulary_rows, depth=m.embedding, rows=1),
        Operator(kind=Kind.REQUANTISE, name="requantise logits", rows=1, columns=vocabulary_rows),
        transfer("logits to L2", rows=1, columns=vocabulary_rows, element_bytes=m.activation_bytes),
    )


def weight_bytes(work: Iterable[Operator]) -> dict[str, Any]:
    """Bytes of each weight matrix that some operators multiply with, by name."""
    return {operator.name: operator.weight_bytes for operator in work if operator.kind is Kind.MATMUL}


def table_bytes(
    model: Model, weight_bytes: Floats, vocabulary_rows: Ints
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bytes of some rows of the embedding and of the LM head, by name; one table when they are tied."""
    size = vocabulary_rows * model.embedding * weight_bytes
    if model.tied_embedding:
        return {}, {"embedding and head": size}
    return {"embedding": size}, {"head": size}


def tables(model: Model, weight_bytes: float, vocabulary_rows: Extent) -> tuple[MatrixSlice, ...]:
    """Some rows of the embedding and of the LM head, as slices."""
    whole = Extent(first=0, count=model.embedding)
    names = [name for held in table_bytes(model, weight_bytes, vocabulary_rows.count) for name in held]
    return tuple(
        MatrixSlice.of(name, weight_bytes=weight_bytes, rows=whole, columns=vocabulary_rows) for name in names
    )
