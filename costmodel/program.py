"""Programs: what a strategy writes about its plans, and everything else reads.

A program says what each chip computes and holds, and what is exchanged; what that costs is said
elsewhere. Arrays are by plan, ``(...)``, or by class of chips and plan, ``(c, ...)``: the axis of
classes comes first, so that both broadcast as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from costmodel.operators import Operator
from costmodel.roles import role_of, roles_of
from costmodel.shards import Extent

ExchangeKind = Literal["reduce", "broadcast", "gather"]
PerPlan = float | NDArray[Any]
PerChip = float | NDArray[Any]

HALVES = ("attention", "mlp")  # parts of a block
AROUND = ("embedding", "head")  # parts that a model has once


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Chips send each other something.

    Attributes
    ----------
    kind : {"reduce", "broadcast", "gather"}
        Partial sums go up to a root; what the root has comes down; or every chip gets every other one's
        message.
    sent_bytes : (c, ...) or (...)
        Payload of each chip's message; of a broadcast, of the root's.
    takes_part : (c, ...) bool
        Classes that take part: the first chips of a plan, the root in any case.
    group_size : (...), optional
        Chips that one level of a hierarchy joins; none where there is no hierarchy.
    merge, forward, root : tuple of Operator
        Work of whoever receives, for each message; of a relay, before it sends on; of the root alone,
        in the end. Sizes by plan.
    merge_bytes, root_bytes : (...)
        RAM that whoever receives takes for merging, and that the root takes alone, beside the
        part's activation peak.
    """

    kind: ExchangeKind
    sent_bytes: PerChip
    takes_part: bool | NDArray[np.bool_] = True
    group_size: PerPlan | None = None
    merge: tuple[Operator, ...] = ()
    forward: tuple[Operator, ...] = ()
    root: tuple[Operator, ...] = ()
    merge_bytes: PerPlan = 0.0
    root_bytes: PerPlan = 0.0

    def members(self, chips: Any) -> Any:
        """Give the chips of each class that take part, (c, ...), or (c,) of one plan."""
        of_one = np.ndim(chips) < np.ndim(self.takes_part)
        return chips * (np.ravel(self.takes_part) if of_one else self.takes_part)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Work that every chip does on its share, sizes (c, ...), then an exchange."""

    name: str
    work: tuple[Operator, ...] = ()
    exchange: Exchange | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the model: embedding, attention, mlp or head.

    Attributes
    ----------
    steps : tuple of Step
        In order of execution.
    weights : dict of (c, ...)
        Bytes of each matrix that a chip stores.
    activation_peak_bytes : (c, ...)
        Most activation bytes alive at once on a chip that merges nothing.
    tile_bytes : (c, ...)
        What one tile of rows takes of them, which no chip can do without.
    cache_token_bytes : (c, ...)
        Bytes of keys and values of one token.
    looked_up_bytes : (...)
        Rows of a table that are read, whoever owns them.
    missing : dict of (...)
        Gather point to the share of the weights behind it that no chip stores.
    """

    name: str
    steps: tuple[Step, ...]
    weights: Mapping[str, PerChip]
    activation_peak_bytes: PerChip
    tile_bytes: PerChip
    cache_token_bytes: PerChip = 0.0
    looked_up_bytes: PerPlan = 0.0
    missing: Mapping[str, PerPlan] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a strategy makes of a batch of plans.

    Attributes
    ----------
    first, chips : (c, ...) int
        First chip of each class, and chips in it; 0 for a class that a plan does not have. Such a
        class repeats the entries of a real one, so that a largest entry is that of some chip.
    parts : tuple of Part
        All four, in order of execution; which of them count is not the strategy's business.
    weight_bits : int or (n,) array
        How well weights are known: a byte, or less where a plan narrows them below that and below the
        model's own.
    message_bits : tuple of int or (n,) array
        How well what chips send in a block is known, of each kind of message.
    resent : bool or (n,) array
        Whether what is lost is sent again until it arrives.
    message_dropout : float or (n,) array
        Share of the messages that were left out in training.
    ports : int, optional
        Links that a chip can have, which trees follow.

    Raises
    ------
    ValueError
        Parts are missing or do no work: nothing is costed as free because it was forgotten. Or
        exchanges have groups of different sizes, so that a chip would have several roles.
    """

    first: NDArray[np.int64]
    chips: NDArray[np.int64]
    parts: tuple[Part, ...]
    weight_bits: int | NDArray[np.int64] = 8
    message_bits: tuple[int | NDArray[np.int64], ...] = (8,)
    resent: bool | NDArray[np.bool_] = True
    message_dropout: float | NDArray[np.floating[Any]] = 0.0
    ports: int | None = None

    def __post_init__(self) -> None:
        names = tuple(part.name for part in self.parts)
        if names != (AROUND[0], *HALVES, AROUND[1]):
            raise ValueError(f"a program has parts embedding, attention, mlp and head, got {names}")
        for part in self.parts[1:]:
            if not any(step.work for step in part.steps) or not part.weights:
                raise ValueError(f"part {part.name!r} of the program does no work or holds no weights")
        sizes = list(self._group_sizes())
        if not all(np.array_equal(size, sizes[0]) for size in sizes):
            raise ValueError("exchanges of a program have groups of different sizes")

    def _group_sizes(self) -> Iterator[PerPlan]:
        for part in self.parts:
            for step in part.steps:
                if step.exchange is not None and step.exchange.group_size is not None:
                    yield step.exchange.group_size

    @property
    def group_size(self) -> PerPlan | None:
        """Chips that one level of the plan's hierarchy joins; none where there is no hierarchy."""
        return next(self._group_sizes(), None)

    @cached_property
    def roles(self) -> NDArray[np.int64]:
        """Chips of each class in each role, (r, c, ...); one role where there is no hierarchy."""
        if self.group_size is None:
            return self.chips[None]
        return roles_of(self.first, self.chips, self.group_size, self.ports)

    def role(self, chip: int) -> int:
        """Give the role of a chip of the one plan that there is: its place on the axis of roles."""
        if self.group_size is None:
            return 0
        (n,), (group,) = self.n_chips.tolist(), set(np.ravel(self.group_size).tolist())
        return role_of(chip, n, int(group), self.ports)

    @property
    def n_chips(self) -> NDArray[np.int64]:
        """Chips of each plan."""
        return np.asarray(np.sum(self.chips, axis=0))

    def part(self, name: str) -> Part:
        """Look a part up."""
        return next(part for part in self.parts if part.name == name)


@dataclass(frozen=True, kw_only=True)
class MatrixSlice:
    """A chip's part of one weight matrix of one block (or of the model, around the blocks).

    Attributes
    ----------
    rows, columns : Extent
        Inputs and outputs of the matrix that the chip has: the rows that belong to itself.
    received_rows : dict
        Chip to how many of its rows arrive from it, and are multiplied too.
    size_bytes : float
        Bytes of all these weights.
    """

    matrix: str
    rows: Extent
    columns: Extent
    received_rows: Mapping[int, int]
    size_bytes: float

    @staticmethod
    def of(
        matrix: str,
        *,
        weight_bytes: float,
        rows: Extent,
        columns: Extent,
        received: Mapping[int, int] | None = None,
    ) -> MatrixSlice:
        """Count the bytes of a slice of a matrix."""
        arriving = dict(received or {})
        depth = rows.count + sum(arriving.values())
        size = weight_bytes * depth * columns.count
        return MatrixSlice(matrix=matrix, rows=rows, columns=columns, received_rows=arriving, size_bytes=size)


@dataclass(frozen=True, kw_only=True)
class ChipSlices:
    """What one chip has: heads, columns and rows by name, and its part of every matrix.

    `kept_columns` gives, for each gather point, how many of its columns it sends.
    """

    owns: Mapping[str, Extent]
    kept_columns: Mapping[str, int]
    matrices: tuple[MatrixSlice, ...]
