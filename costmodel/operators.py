"""Operators: what a chip computes or moves, in sizes that a kernel set gives a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = float | NDArray[np.floating[Any]]
Ints = int | NDArray[np.int64]


class Kind(StrEnum):
    """What an operator does; a kernel set gives each kind its time."""

    MATMUL = "matmul"
    SCORES = "scores"
    VALUES = "values"
    SOFTMAX = "softmax"
    NORM = "norm"
    ACTIVATION = "activation"
    ADD = "add"
    MULTIPLY = "multiply"
    ACCUMULATE = "accumulate"
    REQUANTISE = "requantise"
    NARROW = "narrow"
    ROTARY = "rotary"
    CACHE_APPEND = "cache_append"
    TRANSFER = "transfer"
    PACK = "pack"
    UNPACK = "unpack"


PACKING = (Kind.PACK, Kind.UNPACK)
HEAD_PRODUCTS = (Kind.SCORES, Kind.VALUES)  # products of a head with its own keys and values


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator; sizes are numbers or arrays that broadcast, by class of chips (c, ...) or plan (...).

    Attributes
    ----------
    rows, columns, depth : int or array
        M, N, K of a matrix product; rows x columns elements of anything else.
    batch : int or array
        Heads that a per-head operator runs over.
    weight_bytes, data_bytes : float or array
        Bytes of weights, and of KV cache or activations, that it moves between L2 and L1.
    bits : int
        Width of the elements that are packed or unpacked.
    tiled_rows : int or array
        Rows of a product that this is for, once for each tile of them.
    transposed : bool
        Whether the product is written transposed (V, so that it can be multiplied row by row).
    """

    kind: Kind
    name: str
    rows: Ints
    columns: Ints
    depth: Ints = 1
    batch: Ints = 1
    weight_bytes: Floats = 0.0
    data_bytes: Floats = 0.0
    bits: int = 8
    tiled_rows: Ints = 1
    transposed: bool = False

    @property
    def elements(self) -> Any:
        """Elements it works on, all heads together; floats, so that no product overflows."""
        return np.float64(self.rows) * self.batch * self.columns

    @property
    def macs(self) -> Any:
        """Multiply-accumulates: zero for all but matrix products."""
        if self.kind is Kind.MATMUL or self.kind in HEAD_PRODUCTS:
            return self.elements * self.depth
        return 0 * self.elements
