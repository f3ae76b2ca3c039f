"""The model's side of the DATE 2025 rows: one block, prefetches hidden, as the paper counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costmodel.accounting import Accounting
from costmodel.costs import Costs
from costmodel.evaluate import evaluate
from costmodel.hardware import load_platform
from costmodel.plan import Plan, Plans
from costmodel.workload import load_workload

PLATFORM, KERNELS = "siracusa-mipi", "date2025"
GROUP_SIZE = 4
# What the paper's plans decide unlike others: 8-bit sums, even shares, and no block kept unless all are.
AS_PUBLISHED = {"partial_sum_bits": 8, "shares": 0, "pinning": 0}
ACCOUNTING = Accounting(scope="block", prefetch="hidden")
CHIPS = (1, 2, 4, 8, 16, 32, 64)


def plans(chips: Sequence[int]) -> Plans:
    """Give the paper's plans, in groups of four."""
    return Plans.of(
        Plan(strategy="head_wise", n_chips=n, group_size=GROUP_SIZE, **AS_PUBLISHED) for n in chips
    )


def costs(model: str, request: str, chips: Sequence[int]) -> Costs:
    """Cost a model on some numbers of chips, in groups of four."""
    platform = load_platform(PLATFORM, KERNELS)
    return evaluate(load_workload(model, request), platform, plans(chips), ACCOUNTING)


def speedup(model: str, request: str, chips: int) -> float:
    """Latency on one chip over latency on `chips`."""
    latency = costs(model, request, (1, chips)).latency_s
    return float(latency[0] / latency[1])


def first_below_linear(model: str, request: str) -> int:
    """First of 2, 4, ..., 64 chips whose speed-up is below their number; 0 when none is."""
    latency = costs(model, request, CHIPS).latency_s
    below = latency[0] / latency < np.array(CHIPS)
    return CHIPS[int(np.argmax(below))] if np.any(below) else 0


def models() -> dict[str, float | str]:
    """Model values by row."""
    tiny = costs("tinyllama-42m", "autoregressive", (1, 2, 4, 8))
    mobile = costs("mobilebert", "encoder", (4,))
    t, e, edp = tiny.latency_s, tiny.energy_j, tiny.edp_js
    gains = speedup("tinyllama-42m", "autoregressive", 8) > speedup("tinyllama-42m", "prompt", 8)
    return {
        "tinyllama-1-latency": float(t[0]),
        "tinyllama-1-energy": float(e[0]),
        "tinyllama-8-latency": float(t[3]),
        "tinyllama-8-energy": float(e[3]),
        "tinyllama-8-speedup": float(t[0] / t[3]),
        "tinyllama-8-edp-gain": float(edp[0] / edp[3]),
        "mobilebert-4-latency": float(mobile.latency_s[0]),
        "mobilebert-4-speedup": speedup("mobilebert", "encoder", 4),
        "scaled-autoregressive-crossing": first_below_linear("tinyllama-42m-64h", "autoregressive"),
        "scaled-prompt-crossing": first_below_linear("tinyllama-42m-64h", "prompt"),
        "tinyllama-least-edp": (1, 2, 4, 8)[int(np.argmin(edp))],
        "autoregressive-gains-more": "yes" if gains else "no",
    }
