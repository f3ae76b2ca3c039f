"""Speed of the cost model: plans a second in lists, products and one by one, and which modules take the time.

Machines are noisy, so compare the ratios inside one run. Run: ``make bench``.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from costmodel import Accounting, Plans, evaluate, load_platform, load_workload
from costmodel.dealing import costing
from search_spaces import load_space
from search_spaces.candidates import DRAWN_AT_ONCE

SINGLE, LISTED, SECONDS = 20, 4_000, 2.0
AT_ONCE = 80_000  # plans of a product whose arrays stay in cache
MODULES = 8


@dataclass(frozen=True)
class Case:
    """What is costed: a list of random plans of all strategies, or products; and which of them fit."""

    name: str
    workload: str
    platform: str
    kernels: str | None
    chips: tuple[int, ...] = ()  # of products; none: a list

    def blocks(self) -> Iterator[Plans]:
        """Give plans, again and again."""
        workload, platform = load_workload(self.workload), load_platform(self.platform, self.kernels)
        if not self.chips:
            candidates = load_space("all").on(workload, platform)
            drawn = candidates.drawn(0)
            plans = Plans.joined([next(drawn) for _ in range(LISTED // DRAWN_AT_ONCE)])
            while True:
                yield plans
        space = load_space("cats").with_choices("n_chips", self.chips)
        space = space.with_choices("prune", [round(i / 32, 3) for i in range(32)])
        products = space.on(workload, platform).products
        while True:
            for product in products:
                yield from product.blocks(AT_ONCE)


CASES = (
    Case("list, mixed", "tinyllama-42m", "siracusa-mipi", "date2025"),
    Case("list, mixed", "tinyllama-42m", "siracusa-mipi", "pulp-gvsoc"),
    Case("list, radio", "cats-vit", "nrf52840-mixer", None),
    Case("product, L3, all fit", "tinyllama-42m", "siracusa-mipi", "date2025", (8,)),
    Case("product, L3, all fit", "tinyllama-42m", "siracusa-mipi", "pulp-gvsoc", (8,)),
    Case("product, radio, none fits", "cats-vit", "nrf52840-mixer", None, (2,)),
    Case("product, radio, some fit", "cats-vit", "nrf52840-mixer", None, (5,)),
    Case("product, radio, all fit", "cats-vit", "nrf52840-mixer", None, (16,)),
)


def per_second(case: Case) -> float:
    """Cost plans for some seconds, as far as objectives and constraints ask; plans a second."""
    workload, platform = load_workload(case.workload), load_platform(case.platform, case.kernels)
    done, started = 0, 0.0
    for block in case.blocks():
        if len(block.shape) == 1:
            costs = evaluate(workload, platform, block)
        else:
            costs = costing(workload, platform, block, Accounting()).costs
        _ = costs.feasible, costs.latency_s, costs.energy_j, costs.missing_weights
        if not started:  # the first block fills caches
            started = time.perf_counter()
            continue
        done += len(block)
        if time.perf_counter() - started > SECONDS:
            break
    return done / (time.perf_counter() - started)


def one_by_one(case: Case) -> float:
    """Cost plans alone; plans a second."""
    workload, platform = load_workload(case.workload), load_platform(case.platform, case.kernels)
    plans = next(case.blocks())
    index = np.random.default_rng(0).integers(len(plans), size=SINGLE)
    some = plans.take(index) if len(plans.shape) == 1 else plans.listed(index)
    started = time.perf_counter()
    for i in range(SINGLE):
        evaluate(workload, platform, some.take(np.array([i])))
    return SINGLE / (time.perf_counter() - started)


def shares(work: Callable[[Case], float], case: Case) -> str:
    """Say which modules of the cost model take the time, their calls into NumPy included."""
    profile = cProfile.Profile()
    profile.runcall(work, case)
    own: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, alone, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if "costmodel" in file:
            own[Path(file).stem] += alone
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():
            own[Path(caller).stem if "costmodel" in caller else "other"] += part
    total = sum(own.values())
    most = sorted(own.items(), key=lambda item: -item[1])[:MODULES]
    return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in most)


def main() -> None:
    """Print a table."""
    cores = os.cpu_count() or 1
    header = f"{'plans':26} {'kernels':11} {'plans/s':>10} {f'{cores} cores':>11} {'one by one':>10}"
    print(f"{header}  share of time")
    for case in CASES:
        fast, slow = per_second(case), one_by_one(case)
        with ProcessPoolExecutor(cores) as pool:
            together = sum(pool.map(per_second, [case] * cores))
        kernels = case.kernels or "nrf52840"
        row = f"{case.name:26} {kernels:11} {fast:10,.0f} {together:11,.0f} {slow:10,.0f}"
        print(f"{row}  {shares(per_second, case)}", flush=True)


if __name__ == "__main__":
    main()
