"""Draw values of the uncertain constants of siracusa-mipi that keep what Bochem et al. published.

Each draw is a set of values, each between the low and the high of its file, with which every row that
``dse validate`` has of the DATE 2025 paper stays within its tolerance (but the known miss). Draws are even
over all such sets, by the logarithm of each value, or by the value itself where its low is 0: chains by
differential evolution Monte Carlo (ter Braak 2006), all of them priced at once. The last state of each is
kept if it stays within with shares laid out by its own values too.

Prints how the chains mixed and writes the sample. Run: ``make draws``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.dealing import laid_out
from costmodel.draws import N_DRAWS, Draws, drawable, drawn, numbers_of, with_constants
from costmodel.evaluation import evaluate
from costmodel.hardware import load_platform
from costmodel.intervals import repriced
from costmodel.parameters import BUILT_IN, read_toml
from costmodel.workload import load_workload
from dse.validation.date2025 import ACCOUNTING, CASES, KERNELS, PLATFORM, plans, rows_of
from dse.validation.source import FOLDER

CHAINS, STEPS, SEED = 400, 60_000, 2025
STEP, LONG_JUMPS, NOISE, THIN = 1.2, 0.1, 1e-4, 100
TARGET = BUILT_IN / "draws" / f"{PLATFORM}.toml"
Floats = NDArray[np.float64]

BASE = load_platform(PLATFORM, KERNELS)
WORKLOADS = {case: load_workload(*case) for case in CASES}
LAID_OUT = {
    case: next(laid_out(WORKLOADS[case], BASE, plans(chips), ACCOUNTING))[1] for case, chips in CASES.items()
}
PUBLISHED = {
    row["id"]: row
    for row in read_toml(FOLDER / "published.toml", "published.toml")["row"]
    if row["source"].startswith("bochem2025") and "reason" not in row
}


CONSTANTS = list(drawable(BASE))


def values_at(points: Floats) -> dict[str, Floats]:
    """Give points of the unit cube that the ranges of all constants are, (m, k), as values in SI."""
    return {one.name: one.between(at) for one, at in zip(CONSTANTS, points.T, strict=True)}


def kept(rows: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether every row is within its tolerance, by draw."""
    fits = []
    for name, row in PUBLISHED.items():
        model, published = rows[name], row["published"]
        if isinstance(published, str):
            fits.append(model == published)
        else:
            fits.append(np.abs(model / published - 1) <= row["tolerance"])
    return np.asarray(np.all(fits, axis=0))


def keeps(points: Floats) -> NDArray[np.bool_]:
    """Whether points keep all rows, with shares laid out by the constants as stated."""
    inside = np.all((points >= 0) & (points <= 1), axis=1)
    many = drawn(BASE, Draws(values=values_at(np.clip(points, 0, 1)), basis="sample"))

    def cost(model: str, request: str) -> tuple[Floats, Floats]:
        case = model, request
        return repriced(WORKLOADS[case], many, LAID_OUT[case], ACCOUNTING, slice(None))

    return np.asarray(inside & kept(rows_of(cost)))


def keeps_laid_out(point: Floats) -> bool:
    """Whether a point keeps all rows with shares laid out by its own values."""
    values = {name: value.item() for name, value in values_at(point[None]).items()}
    values["kernels.row_tile"] = int(values["kernels.row_tile"])
    platform = with_constants(BASE, values)

    def cost(model: str, request: str) -> tuple[Floats, Floats]:
        case = model, request
        found = evaluate(WORKLOADS[case], platform, plans(CASES[case]), ACCOUNTING)
        return found.latency_s, found.energy_j

    return bool(kept(rows_of(cost)))


def sampled(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Run the chains; give their last states, (m, k), and all states of the second half, thinned."""
    k = len(CONSTANTS)
    start = np.array([one.share for one in CONSTANTS])
    states = np.clip(start + 1e-3 * rng.standard_normal((CHAINS, k)), 0, 1)
    states[~keeps(states)] = start
    later, accepted = [], 0.0
    for step in range(STEPS):
        # Each chain jumps along the difference of two of the half that stays, now and then all the way.
        moves = rng.permutation(CHAINS)
        half, others = np.split(moves, 2)
        one = rng.integers(0, len(others), len(half))
        other = (one + rng.integers(1, len(others), len(half))) % len(others)
        difference = states[others[one]] - states[others[other]]
        some = rng.random((len(half), k)) < rng.choice([0.1, 0.3, 1.0], (len(half), 1))
        scale = STEP / np.sqrt(2 * np.maximum(np.sum(some, axis=1, keepdims=True), 1))
        scale = np.where(rng.random((len(half), 1)) < LONG_JUMPS, 1.0, scale)
        jump = scale * difference + NOISE * rng.standard_normal(some.shape)
        proposals = states[half] + np.where(some, jump, 0.0)
        taken = keeps(proposals)
        states[half[taken]] = proposals[taken]
        accepted += float(np.mean(taken)) / STEPS
        if step >= STEPS // 2 and step % THIN == 0:
            later.append(states.copy())
    print(f"accepted {accepted:.2f}")
    return states, np.array(later)


def main() -> None:
    """Sample, print how the chains mixed, and write the file."""
    rng = np.random.default_rng(SEED)
    states, later = sampled(rng)
    early, late = np.split(later[: len(later) // 2 * 2], 2)
    within, between = np.var(later, axis=0).mean(axis=0), np.var(later.mean(axis=0), axis=0)
    good = [point for point in states if keeps_laid_out(point)]
    print(f"{len(good)} of {len(states)} keep all rows laid out by their own values")
    chosen = np.array(good[:N_DRAWS])
    print(f"{'constant':32} {'5 %':>9} {'50 %':>9} {'95 %':>9} {'apart':>6} {'drift':>6}")
    for i, one in enumerate(CONSTANTS):
        low, median, high = one.between(np.percentile(later[..., i], [5, 50, 95]))
        drift = abs(np.median(early[..., i]) - np.median(late[..., i]))
        apart = np.sqrt(between[i] / within[i])
        print(f"{one.name:32} {low:9.4g} {median:9.4g} {high:9.4g} {apart:6.2f} {drift:6.3f}")
    lines = [
        "# Made by benchmarks/sample_draws.py: values that go together, in SI units.",
        'description = "sets of constants that keep the rows of Bochem et al. (DATE 2025)"',
        f'numbers = "{numbers_of(BASE)}"',
        "",
        "[draws]",
    ]
    for name, values in values_at(chosen).items():
        lines.append(f'"{name}" = [{", ".join(f"{value:.6g}" for value in values)}]')
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
