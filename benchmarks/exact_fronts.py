"""Time and memory of exact fronts of 10^6 to 5 x 10^9 plans, and whether costing all plans gives the same.

Machines are noisy; what counts is how time grows with plans. Run: ``make bench``.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from costmodel import Accounting, load_platform, load_workload
from costmodel.calibration import Metric
from dse import exact
from dse.job import Job
from dse.objectives import objectives_named
from dse.workers import workers_of
from search_spaces import load_space

# Pruning ratios, widths of each gather, objectives; column-wise plans of cats-vit on 1 to 16 chips.
OBJECTIVES = ("latency", "energy", "n_chips")
SPACES: tuple[tuple[int, tuple[int, ...], str], ...] = (
    (20, (8,), "missing_weights"),
    (31, (8,), "missing_weights"),
    (20, (8, 6, 4), "accuracy_drop"),
    (50, (8, 6, 4), "accuracy_drop"),
)
BRUTE_FORCE = 15_000_000  # plans up to which all are costed too


def job_of(ratios: int, widths: Sequence[int], last: str) -> Job:
    """Ask for the front of a space."""
    workload, platform = load_workload("cats-vit"), load_platform("nrf52840-mixer")
    metric: Metric = workload.calibration.metric
    space = load_space("cats").with_choices("prune", [round(i / ratios, 3) for i in range(ratios)])
    return Job(
        workloads=(workload,),
        platform=platform,
        accounting=Accounting(),
        space=space.with_choices("message_bits", widths),
        objectives=objectives_named((*OBJECTIVES, last), metric),
    )


def measure(number: int, n_workers: int) -> None:
    """Print one row."""
    ratios, widths, last = SPACES[number]
    job = job_of(ratios, widths, last)
    (workload,) = job.workloads
    with workers_of(n_workers, None) as workers:
        list(workers.each(abs, range(n_workers)))  # processes are there
        started = time.perf_counter()
        candidates = job.space.on(workload, job.platform)
        found = exact.exact_front(job, workload, candidates, lambda *_: None, workers)
        wall_s = time.perf_counter() - started
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    same = "-"
    if candidates.size <= BRUTE_FORCE and n_workers == 1:
        exact.COMPOSED_FROM = sys.maxsize
        every = exact.exact_front(job, workload, candidates, lambda *_: None)
        plans = list(every.front.plans) == list(found.front.plans)
        same = str(plans and np.array_equal(every.front.values, found.front.values))
    print(
        f"{candidates.size:15,} {n_workers:8} {wall_s:8.1f} {peak / 1e3:10.0f} {found.evaluated:10,} "
        f"{len(found.front.plans):7,}  {same}",
        flush=True,
    )


def main() -> None:
    """Print a table, each row from a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=int, nargs=2, metavar=("SPACE", "WORKERS"))
    row = parser.parse_args().row
    if row is not None:
        measure(*row)
        return
    print("          plans  workers   wall_s    peak_mb  evaluated   front  all plans costed give the same")
    for number in range(len(SPACES)):
        for n_workers in (1, 2):
            command = [sys.executable, str(Path(__file__)), "--row", str(number), str(n_workers)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
