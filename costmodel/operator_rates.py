"""Cycles by rates of a chip as a whole, one a kind of operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from costmodel.hardware import Mcu
from costmodel.kernel_sets import OperatorRates
from costmodel.operators import PACKING, Kind, Operator
from costmodel.parameters import stated
from costmodel.precision import packing_cycles


def product_cycles(kernels: OperatorRates, operator: Operator) -> Any:
    """Cycles of a product: the rate of a single row times rows, up to the GEMM rate."""
    rows = np.asarray(operator.rows)
    return operator.macs / np.minimum(kernels.gemm_mac_per_cycle, rows * kernels.gemv_mac_per_cycle)


def operator_cycles(kernels: OperatorRates, operator: Operator) -> Any:
    """Cycles of one operator; copies and what is inside the rates of products take none."""
    match operator.kind:
        case Kind.MATMUL | Kind.SCORES:
            return product_cycles(kernels, operator)
        case Kind.VALUES:
            return operator.macs * kernels.value_cycles_per_mac
        case Kind.SOFTMAX:
            return operator.elements * kernels.softmax
        case Kind.NORM:
            return operator.elements * kernels.norm
        case Kind.ACTIVATION | Kind.MULTIPLY | Kind.ROTARY:
            return operator.elements * kernels.activation
        case Kind.ADD:
            return operator.elements * kernels.add
        case Kind.ACCUMULATE:
            return operator.elements * (kernels.add if kernels.accumulate is None else kernels.accumulate)
        case _:
            return 0.0 * operator.elements


def shard_cycles(kernels: OperatorRates, mcu: Mcu, operators: Sequence[Operator]) -> Any:
    """Cycles of a chip's share: its operators one after the other."""
    cycles: Any = 0.0
    for operator in operators:
        if operator.kind in PACKING:
            cycles = cycles + packing_cycles(kernels, operator, mcu.n_cores)
        else:
            cycles = cycles + operator_cycles(kernels, operator)
    return cycles


def alone_cycles(kernels: OperatorRates, mcu: Mcu, operators: Sequence[Operator]) -> Any:
    """Cycles of a chip that others wait for: as of any chip, and what a leader takes to narrow a sum."""
    narrowed = sum((operator.elements for operator in operators if operator.kind is Kind.NARROW), 0)
    return shard_cycles(kernels, mcu, operators) + narrowed * stated(kernels.narrow)


def root_cores(mcu: Mcu, _rows: int) -> int:
    """Cores that the root keeps busy: the rates are those of all."""
    return mcu.n_cores
