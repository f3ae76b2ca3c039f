"""Speed of the cost model: plans a second in batches, against one plan at a time, for both kernel sets.

Machines are noisy, so compare the ratios inside one run. Run: ``make bench``.
"""

from __future__ import annotations

import time

import numpy as np
from random_plans import random_plans

from costmodel import evaluate, load_platform, load_workload

BATCH = 100_000
SINGLE = 50
REPEATS = 3


def main() -> None:
    """Print a table."""
    plans = random_plans(BATCH, seed=0)
    print(f"{'workload':14} {'kernels':12} {'plans/s in batch':>17} {'plans/s one by one':>19} {'ratio':>7}")
    for name in ("tinyllama-42m", "stories260k"):
        workload = load_workload(name)
        for kernels in ("date2025", "pulp-gvsoc"):
            platform = load_platform("siracusa-mipi", kernels)
            batch_s, single_s = [], []
            for _ in range(REPEATS):
                started = time.perf_counter()
                evaluate(workload, platform, plans)
                batch_s.append(time.perf_counter() - started)
                started = time.perf_counter()
                for i in range(SINGLE):
                    evaluate(workload, platform, plans.take(np.array([i])))
                single_s.append(time.perf_counter() - started)
            fast, slow = BATCH / min(batch_s), SINGLE / min(single_s)
            print(f"{name:14} {kernels:12} {fast:17,.0f} {slow:19,.0f} {fast / slow:7.0f}")


if __name__ == "__main__":
    main()
