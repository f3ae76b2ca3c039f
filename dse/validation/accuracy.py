"""What pruning costs on measured tasks, beside what a calibration says."""

from __future__ import annotations

import csv
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from costmodel.accuracy import POINTS, weights_of
from costmodel.calibration import Drop, HalfWidth, Law, Tasks, power_law
from costmodel.workload import load_workload
from dse.fitting import Fit, Retrained, fit
from dse.validation.source import FOLDER

Array = NDArray[np.floating[Any]]
ONE_PLAN, TWO_PLANS = ((16, 1.0),), ((16, 0.75), (16, 1.0))  # chips and ratio of the plans to retrain
CATS_DEVICES = 8  # assumed: the published curves do not say
NO_COMMUNICATION = 1.0  # a saving that is another model than SomeGather's
ENCODER = "cats-vit"
Plan = tuple[int, float]


def rows_of(name: str) -> list[dict[str, str]]:
    """Read a table beside this file."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def uniform(u: Array, drops: list[Array], seed_std: float) -> Retrained:
    """Give plans that miss the same share at every gather."""
    return Retrained(
        missing=dict.fromkeys(POINTS, u),
        drop=np.array([np.mean(drop) for drop in drops]),
        seeds=np.array([len(drop) for drop in drops]),
        seed_std=seed_std,
    )


@cache
def tasks() -> dict[str, tuple[list[Plan], Retrained]]:
    """Each task's plans, chips and ratio, with what they lost: own rows by seed, or means of them.

    Ratios are nominal: ``u = p (1 - 1/N)`` of the weights is missing behind every gather.
    """
    scores: dict[str, dict[Plan, list[float]]] = {}
    for row in rows_of("somegather_accuracy.csv"):
        plan = int(row["n_devices"]), float(row["pruning_ratio"])
        scores.setdefault(row["dataset"], {}).setdefault(plan, []).append(100 * float(row["accuracy"]))
    found = {}
    for name, of in scores.items():
        dense = np.array(of.pop((1, 0.0)))
        drops = [dense - np.array(score) for score in of.values()]
        std = float(np.sqrt(np.mean([np.var(drop, ddof=1) for drop in drops])))
        found[name] = list(of), uniform(_missing(list(of)), drops, std)
    means: dict[str, dict[Plan, tuple[float, float]]] = {}
    for row in rows_of("somegather_drops.csv"):
        plan = int(row["n_devices"]), float(row["pruning_ratio"])
        means.setdefault(row["dataset"], {})[plan] = float(row["drop"]), float(row["std"])
    for name, stated in means.items():
        drops = [np.full(3, drop) for drop, _ in stated.values()]
        std = float(np.sqrt(np.mean([std**2 for _, std in stated.values()])))
        found[name] = list(stated), uniform(_missing(list(stated)), drops, std)
    return found


def _missing(plans: list[Plan]) -> Array:
    return np.array([p * (1 - 1 / n) for n, p in plans])


@cache
def encoder_weights() -> dict[str, float]:
    """Importance of an encoder's gathers."""
    return weights_of(load_workload(ENCODER))


def fitted(plans: Retrained) -> Fit:
    """Fit a law with an encoder's importance."""
    return fit(plans, encoder_weights(), 1.0)


def after_retraining(name: str, chosen: tuple[Plan, ...]) -> tuple[Fit, Array]:
    """Fit some plans of a task, and give the errors of the law on the others, points."""
    plans, measured = tasks()[name]
    mine = np.array([plan in chosen for plan in plans])
    found = fitted(measured.take(mine))
    others = measured.take(~mine)
    return found, power_law(found.scale, found.exponent, others.missing["qkv"]) - others.drop


def uncalibrated(names: list[str]) -> Tasks:
    """Give what some tasks make one expect of another."""
    laws, residuals = {}, []
    for name in names:
        found = fitted(tasks()[name][1])
        laws[name] = Law.model_construct(scale=found.scale, exponent=found.exponent)
        residuals.append(found.residual)
    none = HalfWidth.model_construct(one_plan=0.0, more_plans=0.0, one_plan_loss=0.0, more_plans_loss=0.0)
    return Tasks.model_construct(
        form="tasks",
        description="",
        family="encoder",
        tasks=laws,
        residual=float(np.sqrt(np.mean(np.concatenate(residuals) ** 2))),
        quantile=float(stats.t.ppf(0.95, len(names) - 1)),
        half_width=none,
    )


def left_out(name: str) -> tuple[Drop, Array]:
    """Expect one task from all others: the band at each of its plans, and what they lost."""
    measured = tasks()[name][1]
    band = uncalibrated([other for other in tasks() if other != name]).drop(measured.missing["qkv"])
    return band, measured.drop


@cache
def published(dataset: str) -> tuple[float, Retrained]:
    """Loss of a published model that nothing is missing of, and its pruned ones, per cent of that loss."""
    rows = [row for row in rows_of("cats_pruning.csv") if row["dataset"] == dataset]
    base = next(float(r["loss"]) for r in rows if r["pruning"] == "narrower" and float(r["saving"]) == 0)
    pruned = [
        row for row in rows if row["pruning"] == "somegather" and 0 < float(row["saving"]) < NO_COMMUNICATION
    ]
    u = np.array([float(row["saving"]) for row in pruned]) * (1 - 1 / CATS_DEVICES)
    drops = [np.full(10, 100 * (float(row["loss"]) / base - 1)) for row in pruned]
    std = float(np.sqrt(np.mean([float(row["std"]) ** 2 for row in pruned])))
    return base, uniform(u, drops, 100 * std / base)
