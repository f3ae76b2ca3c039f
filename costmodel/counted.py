"""The parts of a program that count, and what chips have to put somewhere because of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.hardware import Platform
from costmodel.program import AROUND, HALVES, Part, Program
from costmodel.residency import Share
from costmodel.workload import Workload

Array = NDArray[np.floating[Any]]


def held_bytes(parts: Iterable[Part]) -> Any:
    """Bytes of all weights of some parts, by class of chips."""
    return sum((size for part in parts for size in part.weights.values()), 0.0)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The parts of a program that an accounting counts.

    Attributes
    ----------
    parts : tuple of Part
        In order of execution.
    program : Program
        Where they are from.
    """

    parts: tuple[Part, ...]
    program: Program

    @staticmethod
    def of(workload: Workload, program: Program, accounting: Accounting) -> Counted:
        """Choose the parts."""
        names = (*accounting.halves, *(AROUND if accounting.counts_head(workload) else ()))
        parts = tuple(part for part in program.parts if part.name in names)
        return Counted(parts=parts, program=program)

    @property
    def halves(self) -> tuple[Part, ...]:
        """Parts of a block."""
        return tuple(part for part in self.parts if part.name in HALVES)

    @property
    def around(self) -> tuple[Part, ...]:
        """Parts beside the blocks."""
        return tuple(part for part in self.parts if part.name in AROUND)

    @property
    def classes(self) -> Array:
        """Zeros, to give every class of chips an entry, (c, n)."""
        return np.zeros(self.program.chips.shape)

    def _most(self, sizes: Iterable[Any]) -> Array:
        """Give the largest of some sizes of each class of chips, (c, ...)."""
        return np.asarray(reduce(np.maximum, sizes, self.classes))

    @property
    def activation_peak_bytes(self) -> Array:
        """Most activation bytes alive at once, by role and class, (r, c, n).

        A role that a class does not have repeats the entries of one that it has; a class that a plan does
        not have, those of the chip that it begins at.
        """
        chips = self.program.chips
        member = self._most(part.activation_peak_bytes for part in self.parts)
        if self.program.group_size is None:
            return np.asarray(member[None])
        several = self.program.n_chips > 1
        leader, root = member, member
        for part in self.parts:
            for step in part.steps:
                if step.exchange is not None:
                    merges = several & step.exchange.takes_part
                    merging = part.activation_peak_bytes + step.exchange.merge_bytes * merges
                    leader = np.maximum(leader, merging)
                    root = np.maximum(root, merging + step.exchange.root_bytes)
        roots, leaders, members = self.program.roles
        first, none = self.program.first, (chips == 0) & several
        leads = (first % self.program.group_size == 0) & (first + 1 < self.program.n_chips)
        begins = np.where(first == 0, root, np.where(leads, leader, member))
        present = np.where(members > 0, member, np.where(leaders > 0, leader, root))
        least = np.where(none, begins, present)
        return np.stack(
            [
                np.where(count > 0, peak, least)
                for count, peak in ((roots, root), (leaders, leader), (members, member))
            ]
        )

    @property
    def tile_bytes(self) -> Array:
        """What one tile of rows takes of a chip's activations, (r, c, n)."""
        return np.asarray(self._most(part.tile_bytes for part in self.parts) + 0.0 * self.program.roles)

    @property
    def cache_token_bytes(self) -> Array:
        """Bytes of one token's keys and values in a block, (c, n)."""
        return np.asarray(sum((part.cache_token_bytes for part in self.halves), self.classes))


def looked_up_bytes(counted: Counted) -> Array:
    """Bytes of the embedding that chips look up in all, by plan."""
    none = np.zeros(counted.program.n_chips.shape)
    return none + sum(part.looked_up_bytes for part in counted.around)


def share_of(workload: Workload, platform: Platform, counted: Counted, besides: Array) -> Share:
    """Say what chips have to put somewhere: weights, KV cache, activations, and what is held besides."""
    rows, token_bytes = workload.rows, counted.cache_token_bytes
    embedding, head = ([part for part in counted.around if part.name == name] for name in AROUND)

    return Share(
        weights=held_bytes(counted.halves),
        cache=token_bytes * workload.cached_tokens,
        cache_read=token_bytes * (workload.context if workload.reads_cache else 0),
        room_to_read=token_bytes * (workload.cached_tokens if workload.reads_cache else 0),
        stored=token_bytes * (rows if workload.writes_cache else 0),
        activations=counted.activation_peak_bytes + besides,
        working=counted.tile_bytes + besides,
        head=held_bytes(head),
        embedding=held_bytes(embedding),
        looked_up=looked_up_bytes(counted),
        n_blocks=workload.model.layers,
        passes=platform.kernels.passes(rows),
    )
