"""Resources of partitioning schemes in closed form, as the CATS paper's figure counts them.

For comparison only: pruning is a real number, one device is counted as if it sent, and each scheme has
its own conventions (`cats_code`, calculate_resources). The cost model counts whole columns instead.
"""

from __future__ import annotations

from math import ceil

TOKENS, FEATURES, HEADS = 64, 128, 16


def cats(devices: int, p: float) -> tuple[float, float, float]:
    """RAM, flash of the attention and communication of a block, bytes: column-wise, pruned by p."""
    n, f, d = TOKENS, FEATURES, devices
    local = f * ceil(HEADS / d) / HEADS
    attention = n * f / d + n * f / d * (d - 1) * (1 - p) + 3 * n * f / HEADS + n * local
    head = n * local + (n * f - n * local) * (1 - p) + n * f / d
    return max(attention, head), 4 * local * (local + (f - local) * (1 - p)), 4 * n * f * (1 - p)


def flat_head_wise(devices: int) -> tuple[float, float, float]:
    """Bytes of a block split by heads, with one root that holds all partial sums at once."""
    n, f, d = TOKENS, FEATURES, devices
    local = f * ceil(HEADS / d) / HEADS
    attention = n * f + 3 * n * f / HEADS + n * local
    head = n * local + n * f + n * f * (d - 1)
    return max(attention, head), 4 * f * local, 2 * n * f * d


def voltage(devices: int) -> tuple[float, float, float]:
    """Bytes of a block split by tokens."""
    n, f, d = TOKENS, FEATURES, devices
    ram = n * f + n / d * f / HEADS + 2 * n * f / HEADS + 2 * n / d * f
    return ram, 4 * f * f, n * f


SCHEMES = {
    "p 0": lambda d: cats(d, 0.0),
    "p 0.5": lambda d: cats(d, 0.5),
    "p 0.9": lambda d: cats(d, 0.9),
    "flat head-wise": flat_head_wise,
    "voltage": voltage,
}


def printed(values: tuple[float, float, float]) -> str:
    """RAM, flash and communication as the table prints them.

    >>> printed(cats(16, 0.9))
    '3328/640/3277'
    """
    return "/".join(f"{value:.0f}" for value in values)
