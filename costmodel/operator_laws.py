"""Cycles by laws per operator, with weights and cache streamed through two L1 tile buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from costmodel.hardware import Mcu
from costmodel.kernel_sets import MatmulLaw, OperatorLaws, RowKernel
from costmodel.operators import HEAD_PRODUCTS, Kind, Operator
from costmodel.precision import packing_cycles
from costmodel.streaming import WARM, Timeline

NORM_UNIT = 4  # elements that a core takes at a time when a row is split


def _ceil(a: Any, b: Any) -> Any:
    return -(-a // b)


def matmul_cycles(law: MatmulLaw, cores: int, rows: Any, columns: Any, depth: Any, batch: Any = 1) -> Any:
    """Cycles of a product with operands in L1; its column groups (of all heads) are shared by the cores."""
    columns_a_core = _ceil(batch * _ceil(columns, law.columns_per_group), cores)
    groups = _ceil(rows, law.rows_per_group) * columns_a_core
    return law.fixed + groups * (law.per_depth * depth + law.per_group)


def norm_cycles(law: RowKernel, cores: int, rows: Any, length: Any) -> Any:
    """Cycles of a norm: a single row is split over all cores, more rows stay whole, one core each."""
    whole = law.rows.fixed + _ceil(rows, cores) * (law.rows.per_row + law.rows.per_element * length)
    elements = NORM_UNIT * _ceil(length, NORM_UNIT)
    one = law.split.fixed + law.split.per_element * elements / cores + law.split.per_core * cores
    return np.where(np.asarray(rows) == 1, one, whole)


def softmax_cycles(law: RowKernel, cores: int, rows: Any, length: Any) -> Any:
    """Cycles of a softmax: whole rows on cores, or teams of cores a row when rows are few."""
    whole = law.rows.fixed + _ceil(rows, cores) * (law.rows.per_row + law.rows.per_element * length)
    team = np.maximum(cores // np.maximum(rows, 1), 1)
    shared = law.split.fixed + law.split.per_element * length / team + law.split.per_core * team
    return np.where(team > 1, shared, whole)


def dma_cycles(kernels: OperatorLaws, size_bytes: Any) -> Any:
    """Cycles of one transfer between L2 and L1."""
    return kernels.dma.fixed + size_bytes / kernels.dma.bytes_per_cycle


def tile_columns(kernels: OperatorLaws, cores: int, columns: Any, column_bytes: Any) -> Any:
    """Columns of a weight tile: what fits, in whole rounds of all cores, else in whole groups."""
    fits = (kernels.tile_bytes // np.maximum(column_bytes, 1)).astype(np.int64)
    group = kernels.gemv.columns_per_group
    rounds = group * cores
    whole = np.where(fits >= rounds, fits // rounds * rounds, np.maximum(group, fits // group * group))
    return np.minimum(whole, np.maximum(columns, 1))


def weight_matmul(kernels: OperatorLaws, cores: int, operator: Operator) -> tuple[Any, Any]:
    """Number of weight tiles of a product, and the cycles on all of them together.

    Rows beyond `row_tile` are worked on in chunks; the weights pass through L1 once a chunk.
    """
    rows, columns = int(np.max(operator.rows)), operator.columns
    law = kernels.gemv if rows == 1 else kernels.gemm_transposed if operator.transposed else kernels.gemm
    width = tile_columns(kernels, cores, columns, operator.weight_bytes / np.maximum(columns, 1))
    full, rest = columns // width, columns % width
    full_chunks, last_rows = divmod(rows, kernels.row_tile)
    cycles: Any = 0.0
    for chunk_rows, times in ((kernels.row_tile, full_chunks), (last_rows, min(last_rows, 1))):
        whole = full * matmul_cycles(law, cores, chunk_rows, width, operator.depth)
        partial = matmul_cycles(law, cores, chunk_rows, rest, operator.depth)
        cycles = cycles + times * (whole + np.where(rest > 0, partial, 0.0))
    return _ceil(columns, width) * kernels.passes(rows), cycles


def head_matmul(kernels: OperatorLaws, cores: int, operator: Operator) -> Any:
    """Cycles of a product per head: one row shares all heads over the cores, more rows go head by head."""
    if np.max(operator.rows) == 1:
        return matmul_cycles(kernels.gemv, cores, 1, operator.columns, operator.depth, operator.batch)
    once = matmul_cycles(kernels.gemm, cores, operator.rows, operator.columns, operator.depth)
    return operator.batch * once


def step_cycles(kernels: OperatorLaws, cores: int, operator: Operator) -> Any:
    """Cycles of an operator that streams nothing, without the overhead of a step."""
    rows, columns, n = operator.rows, operator.columns, operator.elements
    match operator.kind:
        case Kind.SCORES | Kind.VALUES:
            return head_matmul(kernels, cores, operator)
        case Kind.SOFTMAX if np.max(rows) == 1:
            return softmax_cycles(kernels.softmax, cores, operator.batch, columns)
        case Kind.SOFTMAX:
            return operator.batch * softmax_cycles(kernels.softmax, cores, rows, columns)
        case Kind.NORM:
            law = kernels.rmsnorm if operator.name == "rmsnorm" else kernels.layernorm
            return norm_cycles(law, cores, rows, columns)
        case Kind.ACTIVATION:
            laws = {"gelu": kernels.gelu, "silu": kernels.silu, "relu": kernels.relu}
            return laws[operator.name].cycles(cores, n)
        case Kind.CACHE_APPEND if np.max(rows) > 1:
            return 2 * dma_cycles(kernels, n)
        case Kind.CACHE_APPEND:
            return kernels.cache_append.cycles(cores, n)
        case Kind.TRANSFER:
            return dma_cycles(kernels, operator.data_bytes)
        case Kind.PACK | Kind.UNPACK:
            return packing_cycles(kernels, operator, cores)
        case _:
            law_of = {
                Kind.ADD: kernels.add,
                Kind.MULTIPLY: kernels.multiply,
                Kind.ACCUMULATE: kernels.accumulate,
                Kind.REQUANTISE: kernels.requantise,
                Kind.NARROW: kernels.requantise,
                Kind.ROTARY: kernels.rotary,
            }
            return law_of[operator.kind].cycles(cores, n)


def shard_cycles(kernels: OperatorLaws, mcu: Mcu, operators: Sequence[Operator], start: float = WARM) -> Any:
    """Cycles of a shard: operators in order, weights and cache streamed, tiles and steps with overhead.

    Parameters
    ----------
    start : float
        `WARM`: the first two tiles came while the chip waited; 0: the buffers are cold.
    """
    timeline = Timeline(start=start)
    for operator in operators:
        product = operator.kind is Kind.MATMUL
        some = np.asarray(operator.macs if product else operator.elements) > 0
        if product:
            tiles, cycles = weight_matmul(kernels, mcu.n_cores, operator)
            passes = kernels.passes(int(np.max(operator.rows)))
            moved = operator.weight_bytes * passes
        elif operator.kind in HEAD_PRODUCTS and np.any(operator.data_bytes):
            tiles = np.ceil(np.asarray(operator.data_bytes) / kernels.tile_bytes)
            cycles, moved = head_matmul(kernels, mcu.n_cores, operator), operator.data_bytes
        else:
            cycles = step_cycles(kernels, mcu.n_cores, operator) + kernels.step_overhead_cycles
            timeline.step(np.where(some, cycles, 0.0))
            continue
        tiles = np.maximum(tiles, 1)
        timeline.stream(
            tiles,
            np.where(some, dma_cycles(kernels, moved / tiles), 0.0),
            np.where(some, cycles / tiles + kernels.tile_overhead_cycles, 0.0),
        )
    return timeline.now


def alone_cycles(kernels: OperatorLaws, mcu: Mcu, operators: Sequence[Operator]) -> Any:
    """Cycles of a chip that others wait for, with the overhead of its steps."""
    cycles: Any = 0.0
    for operator in operators:
        step = step_cycles(kernels, mcu.n_cores, operator) + kernels.step_overhead_cycles
        cycles = cycles + np.where(np.asarray(operator.elements) > 0, step, 0.0)
    return cycles


def root_cores(mcu: Mcu, rows: int) -> int:
    """Cores that the root keeps busy: a single row is split over all of them."""
    return mcu.n_cores if rows == 1 else min(rows, mcu.n_cores)
