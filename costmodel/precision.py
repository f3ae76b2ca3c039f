"""Widths of weights and messages below those of the model: bytes, and the work of packing.

A width of a plan is at most the model's own. Elements narrower than a byte lie packed: whoever computes
with them unpacks them first, and packs what it sends. Scales are static, known when a plan is built:
one an output channel of a weight matrix, and each sender's own for each gather.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from costmodel.errors import PlanError
from costmodel.hardware import Platform
from costmodel.kernel_sets import Kernels
from costmodel.operators import Ints, Kind, Operator
from costmodel.plan import DECISIONS, Values
from costmodel.plans import Plans

PACKED = (4, 6)  # widths that are packed
BYTE = 8


def at_most(name: str, plans: Plans, own: int, platform: Platform) -> Values:
    """Give the canonical values of a width: the least that is listed and holds the narrower of both.

    Raises
    ------
    PlanError
        The kernel set does not say how long it takes to pack such elements.
    """
    listed = np.array(DECISIONS[name].only)
    wanted = np.minimum(plans[name], own)
    found = listed[np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)]
    if platform.kernels.packing is None:
        packed = [width for width in PACKED if np.any(found == width)]
        if packed:
            raise PlanError(
                f"{name} {packed[0]}: kernel set {platform.kernels_name} does not say how long packing takes",
                f"take {BYTE} {name}, or add a table 'packing' to the kernel set",
            )
    return np.asarray(found)


def packing_cycles(kernels: Kernels, operator: Operator, n_cores: int) -> Any:
    """Cycles of packing or unpacking; the cores share the elements.

    Raises
    ------
    ValueError
        The kernel set does not say; canonical plans ask for none.
    """
    if kernels.packing is None:
        raise ValueError(f"no packing in kernel set {kernels.description!r}")
    costs = {4: kernels.packing.bits_4, 6: kernels.packing.bits_6}[operator.bits]
    each = costs.pack if operator.kind is Kind.PACK else costs.unpack
    return kernels.passes(operator.tiled_rows) * operator.elements * each / n_cores


def element_bytes(bits: Values | int, own: int) -> Any:
    """Bytes of an element, (...), of a plan's width or the model's, whichever is narrower."""
    return np.minimum(bits, own) / 8


def narrower(bits: Values | int, own: int) -> Any:
    """Give widths below a byte that are below the model's own, and a byte for all others."""
    return np.where(np.minimum(bits, BYTE) < own, np.minimum(bits, BYTE), BYTE)


def packing(
    kind: Kind, name: str, bits: Values, *, rows: Ints, columns: Ints, tiled_rows: Ints = 1
) -> tuple[Operator, ...]:
    """Pack or unpack elements of plans whose width is below a byte; nothing for others."""
    return tuple(
        Operator(
            kind=kind,
            name=f"{kind} {name}",
            rows=rows,
            columns=columns * (bits == width),
            bits=width,
            tiled_rows=tiled_rows,
        )
        for width in PACKED
        if np.any(bits == width)
    )


def quantised(work: Iterable[Operator], plans: Plans, own: int) -> tuple[Operator, ...]:
    """Give work with weights of the plans' width: fewer bytes, unpacked once for each tile of rows.

    Parameters
    ----------
    own : int
        Width of the model's weights.
    """
    bits = plans["weight_bits"]
    found: list[Operator] = []
    for operator in work:
        if operator.kind is Kind.MATMUL:
            found += packing(
                Kind.UNPACK,
                operator.name,
                bits,
                rows=operator.depth,
                columns=operator.columns,
                tiled_rows=operator.rows,
            )
            share = np.minimum(bits, own) / own
            operator = replace(operator, weight_bytes=operator.weight_bytes * share)
        found.append(operator)
    return tuple(found)


def widths_words(name: str, *bits: int) -> tuple[str, ...]:
    """Say which widths are below a byte: nothing where none is.

    >>> widths_words("messages", 6, 6), widths_words("messages", 6, 32), widths_words("weights", 8)
    (('6 bit messages',), ('messages of 6 and 8 bit',), ())
    """
    shown = [min(width, BYTE) for width in bits]
    if min(shown) == BYTE:
        return ()
    if len(set(shown)) == 1:
        return (f"{shown[0]} bit {name}",)
    *others, last = map(str, shown)
    return (f"{name} of {', '.join(others)} and {last} bit",)
