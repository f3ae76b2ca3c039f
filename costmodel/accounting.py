"""What costs count: which part of a model, which loads, how many messages are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from costmodel.errors import UsageError, cut, nearest
from costmodel.program import HALVES
from costmodel.workload import Workload

Scope = Literal["model", "block", "attention", "mlp"]
Prefetch = Literal["steady", "hidden"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFETCHES: tuple[Prefetch, ...] = get_args(Prefetch)
MOST_LOSS = 0.9


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """What is counted.

    Attributes
    ----------
    scope : {"model", "block", "attention", "mlp"}
        All blocks with embedding and LM head; one block in the middle of the model; or half a block
        by itself, with no other half in memory.
    prefetch : {"steady", "hidden"}
        Steady: inference after inference; a load longer than the work it hides behind keeps the
        chips waiting. Hidden: L3 traffic that can run beside a block (loads for the next one, new
        keys and values) costs no time, as the DATE 2025 paper counts.
    head : bool
        Whether embedding and LM head count, in scope "model".
    message_loss : float
        Probability that a chip does not get another one's message: it costs time where messages are
        sent again, and accuracy where they are not.
    """

    scope: Scope = "model"
    prefetch: Prefetch = "steady"
    head: bool = True
    message_loss: float = 0.0

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("scope", self.scope, SCOPES),
            ("prefetch", self.prefetch, PREFETCHES),
        ):
            if value not in allowed:
                raise UsageError(f"{name} {cut(value)} is not known; {nearest(str(value), allowed)}")
        if not 0 <= self.message_loss <= MOST_LOSS:
            raise UsageError(f"message_loss {cut(self.message_loss)} must be 0 to {MOST_LOSS:g}")

    def counts_head(self, workload: Workload) -> bool:
        """Whether embedding and LM head count, of a workload that may have none."""
        return self.scope == "model" and self.head and workload.model.vocabulary > 0

    @property
    def halves(self) -> tuple[str, ...]:
        """Parts of a block that count."""
        return HALVES if self.scope in ("model", "block") else (self.scope,)

    def blocks(self, workload: Workload) -> int:
        """Number of blocks that count."""
        return workload.model.layers if self.scope == "model" else 1
