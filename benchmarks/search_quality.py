"""How much of the exact front search engines find, and how soon: hypervolume over plans evaluated.

Each run goes to the largest budget and is looked at on the way, as no engine knows its budget. Runs that
are in ``runs.csv`` already are not made again. Objectives of one sign are taken by their logarithm and all
are scaled so that the exact front lies between 0 and 1; the reference point is 1.1 in each. Plans that come
again do not count. Run: ``make quality``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib as mpl
import moocore
import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pymoo_engine import pymoo_nsga2

from costmodel import Accounting, Plans, evaluate, load_platform, load_workload
from costmodel.strategies import keys
from dse.engines import ENGINES, Engine
from dse.exact import exact_front
from dse.job import Job
from dse.objectives import minimised, objectives_named
from search_spaces import load_space

Floats = NDArray[np.float64]

RIVALS = ("nsga2", "nsga3", "tpe", "pymoo-nsga2", "random", "qmc")
OWN = "evolutionary"
BUDGETS = (100, 300, 1000, 3000, 10_000)
FIRST_SEED = 100  # settings of the own engine were tried out on seeds below
REFERENCE = 1.1
WHOLE = 200_000  # plans of a space that are costed once and looked up
MOST_PROPOSALS = 6  # times the budget, after which an engine has run dry
COLUMNS = ["space", "engine", "seed", "budget", "ratio", "cpu_s"]
FINE = tuple(round(0.032 * i, 3) for i in range(29))
SPACES = {
    "cats": ("cats-vit", "nrf52840-mixer", "cats", ("latency", "energy", "n_chips", "missing_weights"), {}),
    "cats-fine": (
        "cats-vit",
        "nrf52840-mixer",
        "cats",
        ("latency", "energy", "n_chips", "missing_weights"),
        {"prune": FINE},
    ),
    "head_wise": ("tinyllama-42m", "siracusa-mipi", "head_wise", ("latency", "energy", "n_chips"), {}),
}


class Ground:
    """A space with its exact front."""

    def __init__(self, name: str) -> None:
        model, platform, space, objectives, choices = SPACES[name]
        searched = load_space(space)
        for decision, values in choices.items():
            searched = searched.with_choices(decision, values)
        self.workload = load_workload(model)
        self.job = Job(
            workloads=(self.workload,),
            platform=load_platform(platform),
            accounting=Accounting(),
            space=searched,
            objectives=objectives_named(objectives),
        )
        self.candidates = searched.on(self.workload, self.job.platform)
        exact = exact_front(self.job, self.workload, self.candidates, lambda *_: None)
        self.front = exact.front.values
        self._one_sign = np.all(self.front > 0, axis=0)
        scaled = self._scaled(self.front)
        self._low, self._high = scaled.min(axis=0), scaled.max(axis=0)
        self._all = self._volume(self.front)

    def _scaled(self, values: Floats) -> Floats:
        return np.where(self._one_sign, np.log(np.where(self._one_sign, values, 1.0)), values)

    def _volume(self, values: Floats) -> float:
        unit = (self._scaled(values) - self._low) / (self._high - self._low)
        unit = unit[np.all(unit < REFERENCE, axis=1)]
        return float(moocore.hypervolume(unit, ref=[REFERENCE] * unit.shape[1])) if len(unit) else 0.0

    def ratio(self, values: Floats) -> float:
        """Hypervolume of feasible plans over that of the exact front."""
        return self._volume(values) / self._all

    def costed(self, plans: Plans) -> tuple[Floats, Floats]:
        """Objectives, minimised, and slack of plans."""
        costs = evaluate(self.workload, self.job.platform, plans, self.job.accounting)
        return minimised(self.job.objectives, costs), np.stack(list(self.job.slack(costs).values()), axis=-1)

    @cached_property
    def _whole(self) -> tuple[Floats, Floats]:
        return self.costed(self.candidates.all_plans)

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return keys(self.candidates.all_plans)

    def cost(self, plans: Plans) -> tuple[Floats, Floats]:
        """Objectives and slack, looked up where the space is small."""
        if self.candidates.size > WHOLE:
            return self.costed(plans)
        at = np.searchsorted(self._keys, keys(plans))
        values, slack = self._whole
        return values[at], slack[at]

    def words(self) -> str:
        """Say what the ratios rest on."""
        names = [one.column for one in self.job.objectives]
        low, high = self.front.min(axis=0), self.front.max(axis=0)
        ends = zip(names, low, high, self._one_sign, strict=True)
        bounds = ", ".join(f"{name} {a:.4g} to {b:.4g}{' (log)' if log else ''}" for name, a, b, log in ends)
        return f"{self.candidates.size:,} plans, {len(self.front):,} on the exact front; {bounds}"


@dataclass
class Found:
    """The front of what an engine found, and how many plans it took."""

    front: Floats
    count: int = 0

    def add(self, values: Floats, feasible: NDArray[np.bool_]) -> None:
        """Count plans, and keep the front."""
        self.count += len(values)
        both = np.concatenate([self.front, values[feasible]])
        self.front = both[moocore.is_nondominated(both)] if len(both) else both


def ratios(ground: Ground, engine: Engine, budgets: list[int]) -> Iterator[tuple[int, float]]:
    """Ask an engine for plans, and give the ratio at each budget."""
    seen: set[int] = set()
    found = Found(front=np.empty((0, len(ground.job.objectives))))
    proposals, left = 0, list(budgets)
    while left:
        plans = engine.propose(engine.batch)
        proposals += len(plans)
        values, slack = ground.cost(plans) if len(plans) else (np.empty((0, 1)), np.empty((0, 1)))
        new = np.array([key not in seen and not seen.add(key) for key in keys(plans).tolist()], dtype=bool)
        fresh, fits = values[new], np.all(slack[new] <= 0, axis=1)
        while left and found.count + len(fresh) >= left[0]:
            some = left[0] - found.count
            found.add(fresh[:some], fits[:some])
            fresh, fits = fresh[some:], fits[some:]
            yield left.pop(0), ground.ratio(found.front)
        if len(fresh):
            found.add(fresh, fits)
        if not len(plans) or proposals >= MOST_PROPOSALS * budgets[-1]:
            yield from ((budget, ground.ratio(found.front)) for budget in left)
            return
        if left:
            engine.tell(values, slack)


def made(name: str, ground: Ground, seed: int) -> Engine:
    """Make an engine by name."""
    make = pymoo_nsga2 if name == "pymoo-nsga2" else ENGINES[name].make
    return make(ground.candidates, len(ground.job.objectives), seed)


def table_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over seeds, how often the own engine is ahead of each, and CPU seconds."""
    own = runs[runs["engine"] == OWN].set_index(["space", "seed", "budget"])["ratio"]
    joined = runs.join(own.rename("own"), on=["space", "seed", "budget"])
    joined["ahead"] = np.where(joined["own"].isna(), np.nan, joined["own"] >= joined["ratio"])
    groups = joined.groupby(["space", "budget", "engine"], sort=True)
    table = groups.agg(
        seeds=("seed", "nunique"),
        lower_quartile=("ratio", lambda x: x.quantile(0.25)),
        median=("ratio", "median"),
        upper_quartile=("ratio", lambda x: x.quantile(0.75)),
        seeds_own_at_or_above=("ahead", "sum"),
        cpu_s=("cpu_s", "median"),
    )
    return table.reset_index()


def markdown(table: pd.DataFrame, grounds: dict[str, str]) -> str:
    """Write the medians and quartiles by space."""
    lines = ["# Hypervolume found, over that of the exact front", ""]
    lines += [
        f"Median over seeds, quartiles in brackets; `*` marks a median above that of {OWN}. Objectives",
        "marked log by their logarithm, all scaled so that the exact front lies between 0 and 1; reference",
        f"point {REFERENCE} in each. A run goes to the largest budget; CPU seconds include costing plans.",
        "",
    ]
    for space, some in table.groupby("space"):
        budgets = sorted(some["budget"].unique())
        lines += [f"## {space}", "", f"{grounds[str(space)]}.", ""]
        lines += [f"| engine | seeds | {' | '.join(f'{b:,}' for b in budgets)} | CPU s |"]
        lines += [f"|---|---|{'---|' * (len(budgets) + 1)}"]
        cells = some.set_index(["engine", "budget"])
        for engine in (OWN, *RIVALS):
            if engine not in set(some["engine"]):
                continue
            row, seeds = [], some[some["engine"] == engine]["seeds"].max()
            for budget in budgets:
                if (engine, budget) not in cells.index:
                    row.append("")
                    continue
                one = cells.loc[(engine, budget)]
                above = (OWN, budget) in cells.index and one["median"] > cells.loc[(OWN, budget), "median"]
                few = f", {one['seeds']} seeds" if one["seeds"] < seeds else ""
                row.append(
                    f"{one['median']:.4f}{'*' if above else ''} "
                    f"({one['lower_quartile']:.3f}, {one['upper_quartile']:.3f}{few})"
                )
            last = some[some["engine"] == engine].iloc[-1]
            lines.append(f"| {engine} | {seeds} | {' | '.join(row)} | {last['cpu_s']:.1f} |")
        lines.append("")
    return "\n".join(lines)


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw what is missed to the exact front, over plans evaluated."""
    spaces = list(table["space"].unique())
    with mpl.rc_context({"svg.hashsalt": "dse", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(4 * len(spaces), 3.6), layout="constrained")
        for axis, space in zip(figure.subplots(1, len(spaces), squeeze=False)[0], spaces, strict=True):
            for i, engine in enumerate((OWN, *RIVALS)):
                one = table[(table["space"] == space) & (table["engine"] == engine)].sort_values("budget")
                if len(one):
                    low, high = 1 - one["upper_quartile"], 1 - one["lower_quartile"]
                    axis.plot(one["budget"], 1 - one["median"], color=f"C{i}", marker="o", ms=3, label=engine)
                    axis.fill_between(one["budget"], low, high, color=f"C{i}", alpha=0.15, lw=0)
            axis.set(xscale="log", yscale="log", title=space, xlabel="plans evaluated")
            axis.grid(alpha=0.25)
        figure.axes[0].set_ylabel("hypervolume missed (share of the exact front's)")
        figure.axes[0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


def numbers(text: str) -> list[int]:
    """Read whole numbers, with commas between them."""
    return sorted({int(one) for one in text.split(",")})


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--engines", default=",".join((OWN, *RIVALS)))
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--budgets", type=numbers, default=list(BUDGETS))
    parser.add_argument("--tpe-most", type=int, default=300, help="largest budget of TPE")
    parser.add_argument("--optuna-most", type=int, default=3000, help="that of Optuna's NSGA-II and III")
    parser.add_argument("--out", type=Path, default=Path("results") / "search_quality")
    return parser.parse_args()


def main() -> None:
    """Make the runs that are not there yet; write table, text and figure."""
    asked = arguments()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    most = {"tpe": asked.tpe_most, "nsga2": asked.optuna_most, "nsga3": asked.optuna_most}
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / "runs.csv"
    runs = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
    there = set(zip(runs["space"], runs["engine"], runs["seed"], runs["budget"], strict=True))
    grounds = {}
    for space in asked.spaces.split(","):
        ground = Ground(space)
        grounds[space] = ground.words()
        for seed in range(FIRST_SEED, FIRST_SEED + asked.seeds):
            for engine in asked.engines.split(","):
                limit = min(most.get(engine, asked.budgets[-1]), ground.candidates.size)
                budgets = [b for b in asked.budgets if b <= limit]
                if not budgets or {(space, engine, seed, b) for b in budgets} <= there:
                    continue
                started = time.process_time()
                found = list(ratios(ground, made(engine, ground, seed), budgets))
                cpu_s = round(time.process_time() - started, 2)
                rows = [(space, engine, seed, budget, round(ratio, 6), cpu_s) for budget, ratio in found]
                there |= {row[:4] for row in rows}
                pd.DataFrame(rows, columns=COLUMNS).to_csv(
                    path, mode="a", header=not path.exists(), index=False
                )
                print(space, engine, seed, [f"{row[4]:.4f}" for row in rows], f"{cpu_s} s", flush=True)
    runs = pd.read_csv(path)
    table = table_of(runs[runs["space"].isin(grounds)].drop_duplicates(COLUMNS[:4], keep="last"))
    table.to_csv(asked.out / "table.csv", index=False, float_format="%.6g")
    (asked.out / "table.md").write_text(markdown(table, grounds), encoding="utf-8")
    plot(table, asked.out / "hypervolume.svg")


if __name__ == "__main__":
    main()
