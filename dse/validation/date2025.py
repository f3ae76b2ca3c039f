"""The model's side of the DATE 2025 rows: one block, prefetches hidden, as the paper counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.evaluation import evaluate
from costmodel.hardware import load_platform
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.workload import load_workload

PLATFORM, KERNELS = "siracusa-mipi", "date2025"
GROUP_SIZE = 4
# What the paper's plans decide unlike others: 8-bit sums, even shares, and no block kept unless all are.
AS_PUBLISHED = {"partial_sum_bits": 8, "shares": 0, "pinning": 0}
ACCOUNTING = Accounting(scope="block", prefetch="hidden")
CHIPS = (1, 2, 4, 8, 16, 32, 64)


# Model, request and numbers of chips of the plans behind the rows.
CASES: dict[tuple[str, str], tuple[int, ...]] = {
    ("tinyllama-42m", "autoregressive"): (1, 2, 4, 8),
    ("tinyllama-42m", "prompt"): (1, 8),
    ("mobilebert", "encoder"): (1, 4),
    ("tinyllama-42m-64h", "autoregressive"): CHIPS,
    ("tinyllama-42m-64h", "prompt"): CHIPS,
}
Array = NDArray[np.floating[Any]]


def plans(chips: Sequence[int]) -> Plans:
    """Give the paper's plans, in groups of four."""
    return Plans.of(
        Plan(strategy="head_wise", n_chips=n, group_size=GROUP_SIZE, **AS_PUBLISHED) for n in chips
    )


def costs(model: str, request: str) -> tuple[Array, Array]:
    """Latency and energy of a case, by number of chips."""
    platform = load_platform(PLATFORM, KERNELS)
    found = evaluate(load_workload(model, request), platform, plans(CASES[model, request]), ACCOUNTING)
    return found.latency_s, found.energy_j


def first_below_linear(latency_s: Array) -> Array:
    """First of 2, 4, ..., 64 chips whose speed-up is below their number; 0 when none is."""
    below = latency_s[..., :1] / latency_s < np.array(CHIPS)
    return np.where(np.any(below, axis=-1), np.array(CHIPS)[np.argmax(below, axis=-1)], 0)


def rows_of(cost: Callable[[str, str], tuple[Array, Array]]) -> dict[str, NDArray[Any]]:
    """Give the model's side of each row, (...), where a case costs (..., number of chips)."""
    latency, energy = zip(*(cost(model, request) for model, request in CASES), strict=True)
    tiny, prompt, mobile, scaled, scaled_prompt = latency
    edp = tiny * energy[0]
    gains = tiny[..., 0] / tiny[..., 3] > prompt[..., 0] / prompt[..., 1]
    return {
        "tinyllama-1-latency": tiny[..., 0],
        "tinyllama-1-energy": energy[0][..., 0],
        "tinyllama-8-latency": tiny[..., 3],
        "tinyllama-8-energy": energy[0][..., 3],
        "tinyllama-8-speedup": tiny[..., 0] / tiny[..., 3],
        "tinyllama-8-edp-gain": edp[..., 0] / edp[..., 3],
        "mobilebert-4-latency": mobile[..., 1],
        "mobilebert-4-speedup": mobile[..., 0] / mobile[..., 1],
        "scaled-autoregressive-crossing": first_below_linear(scaled),
        "scaled-prompt-crossing": first_below_linear(scaled_prompt),
        "tinyllama-least-edp": np.array(CASES["tinyllama-42m", "autoregressive"])[np.argmin(edp, axis=-1)],
        "autoregressive-gains-more": np.where(gains, "yes", "no"),
    }


def models() -> dict[str, float | str]:
    """Model values by row."""
    return {row: value.item() for row, value in rows_of(costs).items()}
