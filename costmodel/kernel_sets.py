"""Kernel sets: the cycles that a named software stack takes on an MCU, by rates or by laws."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from costmodel.parameters import IfAbsent, Record, count, fraction, quantity, real, validate_form

FILE = ConfigDict(frozen=True, extra="forbid")


class PackingCosts(BaseModel):
    """Cycles of one core to pack an element of some width, and to unpack it; all cores share the work."""

    model_config = FILE

    pack: Annotated[float, quantity("clock_cycle/element")]
    unpack: Annotated[float, quantity("clock_cycle/element")]


class Packing(BaseModel):
    """What elements of less than a byte cost, by their width."""

    model_config = FILE

    bits_4: PackingCosts
    bits_6: PackingCosts


class Kernels(BaseModel):
    """What kernel sets of every form say.

    Attributes
    ----------
    mcu : str
        The MCU that it was made for.
    row_tile : int
        Rows worked on at once.
    time_uncertainty : float, optional
        How far absolute times of a whole plan may be off, as a share of them; none when nobody has
        said. Ratios between plans are closer.
    packing : Packing, optional
        What elements of less than a byte cost; without it, plans have none.
    exchange_overhead_s : float, optional
        What software takes for an exchange beside its messages, each way.
    load_overlap : float, optional
        Share of a block's computing beside which weights come that it loads for itself.
    """

    model_config = FILE

    description: str
    mcu: str
    row_tile: Annotated[int, count(drawn=True)]
    time_uncertainty: Annotated[float | None, fraction()] = None
    packing: Packing | None = None
    exchange_overhead_s: Annotated[
        float | None, quantity("second", allow_zero=True), IfAbsent("0: an exchange takes its messages alone")
    ] = Field(alias="exchange_overhead", default=None)
    load_overlap: Annotated[
        float | None, real(0, 1, drawn=True), IfAbsent("0: a block waits for all that it loads for itself")
    ] = None

    def passes(self, rows: Any) -> Any:
        """Tiles that rows make: times that weights pass which do not stay."""
        return -(-rows // self.row_tile)


class ElementLaw(BaseModel):
    """Cycles of an element-wise kernel: fixed + elements/core per_element, `unit_elements` at a time."""

    model_config = FILE

    fixed: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    per_element: Annotated[float, quantity("clock_cycle/element")]
    unit_elements: Annotated[int, count()]

    def cycles(self, cores: int, elements: Any) -> Any:
        """Cycles when each core takes whole units of elements; none for no elements."""
        units = -(-elements // self.unit_elements)
        busy = self.fixed + self.per_element * self.unit_elements * -(-units // cores)
        return np.where(np.asarray(elements) > 0, busy, 0.0)


class EffectiveRates(Kernels):
    """Whole-graph rates: everything a chip does beside MACs and the root's work is inside them.

    Attributes
    ----------
    step_overhead_cycles : float, optional
        What a chip takes besides wherever it has products to compute, between two exchanges.
    accumulate, narrow : ElementLaw, optional
        What a leader takes to add a partial sum that arrives, and to narrow what it sends on; without
        them, both are inside the cost of the root.
    """

    form: Literal["effective_rates"]
    step_overhead_cycles: Annotated[
        float | None, quantity("clock_cycle", allow_zero=True), IfAbsent("inside the rates")
    ] = Field(alias="step_overhead", default=None)
    gemv_mac_per_cycle: Annotated[float, quantity("mac/clock_cycle")] = Field(alias="gemv")
    gemm_mac_per_cycle: Annotated[float, quantity("mac/clock_cycle")] = Field(alias="gemm")
    root_cycles_per_element: Annotated[float, quantity("clock_cycle/element", allow_zero=True)] = Field(
        alias="root"
    )
    accumulate: Annotated[ElementLaw | None, IfAbsent("inside the cost of the root")] = None
    narrow: Annotated[ElementLaw | None, IfAbsent("inside the cost of the root")] = None


class OperatorRates(Kernels):
    """Rates of a chip as a whole, one a kind of operator; requantisation is inside those of products.

    Attributes
    ----------
    gemv_mac_per_cycle, gemm_mac_per_cycle : float
        Products of one row, and of many.
    value_cycles_per_mac : float
        Probabilities times values, which some stacks compute in floating point.
    softmax, norm, activation, add : float
        Cycles per element.
    accumulate, narrow : float, optional
        Cycles per element of a leader that adds a partial sum which arrives, and narrows what it sends
        on; without them, an addition costs as any, and narrowing is inside the rates of products.
    """

    form: Literal["operator_rates"]
    gemv_mac_per_cycle: Annotated[float, quantity("mac/clock_cycle")] = Field(alias="gemv")
    gemm_mac_per_cycle: Annotated[float, quantity("mac/clock_cycle")] = Field(alias="gemm")
    value_cycles_per_mac: Annotated[float, quantity("clock_cycle/mac")] = Field(alias="values")
    softmax: Annotated[float, quantity("clock_cycle/element")]
    norm: Annotated[float, quantity("clock_cycle/element")]
    activation: Annotated[float, quantity("clock_cycle/element")]
    add: Annotated[float, quantity("clock_cycle/element")]
    accumulate: Annotated[
        float | None, quantity("clock_cycle/element"), IfAbsent("as any addition of elements")
    ] = None
    narrow: Annotated[
        float | None, quantity("clock_cycle/element"), IfAbsent("inside the rates of products")
    ] = None


class MatmulLaw(BaseModel):
    """Cycles of an int8 matrix kernel: groups of outputs go to cores, each costs K per_depth + per_group."""

    model_config = FILE

    fixed: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    rows_per_group: Annotated[int, count()]
    columns_per_group: Annotated[int, count()]
    per_depth: Annotated[float, quantity("clock_cycle")]
    per_group: Annotated[float, quantity("clock_cycle", allow_zero=True)]


class RowLaw(BaseModel):
    """Cycles of a row-wise kernel with whole rows on cores: fixed + rows/core (per_row + len per_element)."""

    model_config = FILE

    fixed: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    per_row: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    per_element: Annotated[float, quantity("clock_cycle/element")]


class SplitLaw(BaseModel):
    """Cycles of one row shared by several cores: fixed + len/cores per_element + cores per_core.

    `per_core` may be negative: it corrects `fixed` in the fit. A norm takes its length in whole
    units of four elements.
    """

    model_config = FILE

    fixed: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    per_element: Annotated[float, quantity("clock_cycle/element")]
    per_core: Annotated[float, quantity("clock_cycle", signed=True)]


class RowKernel(BaseModel):
    """A row-wise kernel in its two ways of sharing work between cores."""

    model_config = FILE

    rows: RowLaw
    split: SplitLaw


class DmaLaw(BaseModel):
    """Cycles of one L2-L1 transfer: fixed + bytes / bytes_per_cycle."""

    model_config = FILE

    fixed: Annotated[float, quantity("clock_cycle", allow_zero=True)]
    bytes_per_cycle: Annotated[float, quantity("byte/clock_cycle")]


class OperatorLaws(Kernels):
    """Cycle laws per operator, with weights streamed L2 to L1 through two tile buffers."""

    form: Literal["operator_laws"]
    row_tile: Annotated[int, count()]
    tile_bytes: Annotated[int, count(1, 10**9)]
    tile_overhead_cycles: Annotated[float, quantity("clock_cycle", allow_zero=True)] = Field(
        alias="tile_overhead"
    )
    step_overhead_cycles: Annotated[float, quantity("clock_cycle", allow_zero=True)] = Field(
        alias="step_overhead"
    )
    gemv: MatmulLaw
    gemm: MatmulLaw
    gemm_transposed: MatmulLaw
    dma: DmaLaw
    softmax: RowKernel
    rmsnorm: RowKernel
    layernorm: RowKernel
    gelu: ElementLaw
    silu: ElementLaw
    relu: ElementLaw
    add: ElementLaw
    multiply: ElementLaw
    accumulate: ElementLaw
    requantise: ElementLaw
    rotary: ElementLaw
    cache_append: ElementLaw


KernelSet = EffectiveRates | OperatorRates | OperatorLaws
FORMS: dict[str, type[EffectiveRates] | type[OperatorRates] | type[OperatorLaws]] = {
    "effective_rates": EffectiveRates,
    "operator_rates": OperatorRates,
    "operator_laws": OperatorLaws,
}


def kernel_set(record: Record) -> KernelSet:
    """Build the kernel set of a record; its key `form` says which kind it is."""
    return validate_form(FORMS, record)
