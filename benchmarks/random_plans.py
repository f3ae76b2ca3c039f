"""Plans to measure speed on."""

from __future__ import annotations

import numpy as np

from costmodel import Plans


def random_plans(n: int, seed: int) -> Plans:
    """Draw head-wise plans over the whole range of decisions."""
    rng = np.random.default_rng(seed)
    values = {
        "n_chips": rng.integers(1, 65, n),
        "group_size": rng.integers(2, 65, n),
        "partial_sum_bits": rng.choice([8, 16, 32], n),
        "shares": rng.integers(0, 3, n),
        "pinning": rng.integers(0, 2, n),
    }
    return Plans.filled("head_wise", n, values)
