"""Cycles by effective whole-graph rates: MACs at a GEMV or GEMM rate, the root's work per element."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.hardware import Mcu
from costmodel.kernel_sets import EffectiveRates
from costmodel.workload import Kind, Operator


def shard_cycles(kernels: EffectiveRates, _mcu: Mcu, operators: list[Operator]) -> Any:
    """Cycles of a shard: each product at the GEMV rate a row, up to the GEMM rate.

    Everything that is no product is inside the rates, which were fitted to whole graphs.
    """
    cycles: Any = 0.0
    for operator in operators:
        rate = np.minimum(kernels.gemm_mac_per_cycle, np.asarray(operator.rows) * kernels.gemv_mac_per_cycle)
        cycles = cycles + operator.macs / rate
    return cycles


def root_cycles(kernels: EffectiveRates, mcu: Mcu, operators: list[Operator]) -> Any:
    """Cycles of the root: whole rows on cores, a fixed cost per element of each normalised row."""
    cycles: Any = 0.0
    for operator in operators:
        if operator.kind is Kind.NORM:
            rows_a_core = np.ceil(operator.rows / mcu.n_cores)
            cycles = cycles + rows_a_core * operator.columns * kernels.root_cycles_per_element
    return cycles


def accumulate_cycles(_kernels: EffectiveRates, _mcu: Mcu, elements: Any) -> Any:
    """Cycles of adding one received partial sum: 0, it is inside the root's fitted cost."""
    return 0.0 * elements


def narrow_cycles(_kernels: EffectiveRates, _mcu: Mcu, elements: Any) -> Any:
    """Cycles of narrowing a sum before it is sent on: 0, it is inside the root's fitted cost."""
    return 0.0 * elements


def root_cores(mcu: Mcu, rows: int) -> int:
    """Cores that the root keeps busy: a row stays on one core."""
    return min(rows, mcu.n_cores)
