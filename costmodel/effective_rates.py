"""Cycles by effective whole-graph rates: MACs at a GEMV or GEMM rate, the root's work per element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from costmodel.hardware import Mcu
from costmodel.kernel_sets import EffectiveRates
from costmodel.operators import PACKING, Kind, Operator
from costmodel.parameters import stated
from costmodel.precision import packing_cycles


def norm_cycles(kernels: EffectiveRates, mcu: Mcu, operator: Operator) -> Any:
    """Cycles of a norm with the residual before it: whole rows on cores, a fixed cost per element."""
    rows_a_core = np.ceil(np.asarray(operator.rows) / mcu.n_cores)
    return rows_a_core * operator.columns * kernels.root_cycles_per_element


def shard_cycles(kernels: EffectiveRates, mcu: Mcu, operators: Sequence[Operator]) -> Any:
    """Cycles of a chip's share: each product at the GEMV rate a row, up to the GEMM rate; norms; packing.

    Everything else is inside the rates, which were fitted to whole graphs.
    """
    cycles: Any = 0.0
    macs: Any = 0.0
    for operator in operators:
        if operator.kind is Kind.NORM:
            cycles = cycles + norm_cycles(kernels, mcu, operator)
            continue
        if operator.kind in PACKING:
            cycles = cycles + packing_cycles(kernels, operator, mcu.n_cores)
            continue
        rate = np.minimum(kernels.gemm_mac_per_cycle, np.asarray(operator.rows) * kernels.gemv_mac_per_cycle)
        cycles = cycles + operator.macs / rate
        macs = macs + operator.macs
    return cycles + np.where(np.asarray(macs) > 0, stated(kernels.step_overhead_cycles), 0.0)


def alone_cycles(kernels: EffectiveRates, mcu: Mcu, operators: Sequence[Operator]) -> Any:
    """Cycles of a chip that others wait for: its norms, and its part as a leader.

    What the root does beside the norm is inside the norm's fitted cost.
    """
    leader = {Kind.ACCUMULATE: kernels.accumulate, Kind.NARROW: kernels.narrow}
    cycles: Any = 0.0
    for operator in operators:
        if operator.kind is Kind.NORM:
            cycles = cycles + norm_cycles(kernels, mcu, operator)
        law = leader.get(operator.kind)
        if law is not None:
            cycles = cycles + law.cycles(mcu.n_cores, operator.elements)
    return cycles


def root_cores(mcu: Mcu, rows: int) -> int:
    """Cores that the root keeps busy: a row stays on one core."""
    return min(rows, mcu.n_cores)
