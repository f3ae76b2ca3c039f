"""Operators to seconds, bytes and watts, by the kernel set in force; never a bare peak."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from costmodel import effective_rates, operator_laws, operator_rates
from costmodel.hardware import Platform
from costmodel.kernel_sets import EffectiveRates, OperatorLaws, OperatorRates
from costmodel.operators import Operator
from costmodel.parameters import stated

FORM_MODULES: dict[type, ModuleType] = {
    EffectiveRates: effective_rates,
    OperatorRates: operator_rates,
    OperatorLaws: operator_laws,
}


def shard_s(platform: Platform, operators: Sequence[Operator]) -> Any:
    """Seconds that a chip computes on its share, all chips at once; shape (c, ...)."""
    form = FORM_MODULES[type(platform.kernels)]
    return form.shard_cycles(platform.kernels, platform.mcu, operators) / platform.mcu.clock_hz


def alone_s(platform: Platform, operators: Sequence[Operator]) -> Any:
    """Seconds that one chip works while others wait for it: the root, or a leader that adds up."""
    form = FORM_MODULES[type(platform.kernels)]
    return form.alone_cycles(platform.kernels, platform.mcu, operators) / platform.mcu.clock_hz


def root_power_w(platform: Platform, rows: int) -> Any:
    """Power of the root while it works on `rows` rows: of the cores kept busy, or of a chip that waits."""
    form = FORM_MODULES[type(platform.kernels)]
    cores: int = form.root_cores(platform.mcu, rows)
    return np.maximum(cores * platform.mcu.core_power_w, platform.mcu.idle_power_w)


def chip_power_w(platform: Platform) -> Any:
    """Power of a chip while all its cores compute."""
    return platform.mcu.n_cores * platform.mcu.core_power_w


def load_overlap(platform: Platform) -> Any:
    """Share of a block's computing beside which weights come that it loads for itself."""
    return stated(platform.kernels.load_overlap)


def exchange_s(platform: Platform) -> Any:
    """Seconds that software takes for an exchange beside its messages."""
    return stated(platform.kernels.exchange_overhead_s)


def l2_bytes(platform: Platform, operators: Sequence[Operator]) -> Any:
    """Bytes between L2 and L1 of a share: weights once a row tile, cache, input and output."""
    moved: Any = 0.0
    for operator in operators:
        passes = platform.kernels.passes(np.max(operator.rows))
        moved = moved + operator.weight_bytes * passes + operator.data_bytes
    return moved
