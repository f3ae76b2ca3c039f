"""Speed of intervals: plans priced with all draws of their platform's constants, against once as stated.

Plans are split over two processes. Machines are noisy, so compare the ratio inside one run.
Run: ``make bench``.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor

from random_plans import random_plans

from costmodel import Plans, evaluate, load_platform, load_workload
from costmodel.draws import draws_of
from costmodel.intervals import drawn_costs

PLANS, PROCESSES, PIECES = 100_000, 2, 32


def evaluated(piece: int) -> None:
    """Cost a piece of the plans once."""
    evaluate(load_workload("tinyllama-42m"), load_platform("siracusa-mipi"), plans_of(piece))


def priced(piece: int) -> None:
    """Give a piece of the plans its intervals."""
    found = drawn_costs(load_workload("tinyllama-42m"), load_platform("siracusa-mipi"), plans_of(piece))
    _ = found.intervals


def plans_of(piece: int) -> Plans:
    """Give a piece of all plans."""
    return random_plans(PLANS // PIECES, seed=piece)


def main() -> None:
    """Print a line."""
    seconds = []
    for work in (evaluated, priced):
        started = time.perf_counter()
        with ProcessPoolExecutor(PROCESSES) as pool:
            list(pool.map(work, range(PIECES)))
        seconds.append(time.perf_counter() - started)
    n_draws = len(draws_of(load_platform("siracusa-mipi")))
    once_s, many_s = seconds
    print(
        f"{PLANS:,} plans x {n_draws} draws on {PROCESSES} processes: {many_s:.0f} s, "
        f"{many_s / once_s:.1f} times as long as costing them once ({once_s:.0f} s)"
    )


if __name__ == "__main__":
    main()
