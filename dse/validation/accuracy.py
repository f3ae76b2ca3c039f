"""What pruning costs on measured tasks, beside what a calibration says."""

from __future__ import annotations

import csv
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from costmodel.accuracy import POINTS, weighted_mean, weights_of
from costmodel.calibration import Fitted, HalfWidth, Law, Tasks, drop_of, power_law
from costmodel.drops import Drop
from costmodel.evaluation import evaluate
from costmodel.hardware import load_platform
from costmodel.plan import SHORTHANDS, plan_of
from costmodel.plans import Plans
from costmodel.workload import load_workload
from dse.fitting import Fit, Retrained, fit, half_width
from dse.validation.source import FOLDER

Array = NDArray[np.floating[Any]]
ONE_PLAN, TWO_PLANS = ((16, 1.0),), ((16, 0.75), (16, 1.0))  # chips and ratio of the plans to retrain
CATS_DEVICES = 8  # assumed: the published curves do not say
NO_COMMUNICATION = 1.0  # a saving that is another model than SomeGather's
ENCODER, RADIO = "cats-vit", "nrf52840-mixer"
LOSES_EARLY = "it loses at half the pruning that others bear (b 1.9); five tasks are too few to allow for it"
UNEVEN_CHIPS = 8  # of the plans in which some gathers send nothing and the others all
PRUNING = SHORTHANDS["prune"]
SPARED = "o ffn_in ffn_out"
SHOWN, UNEVEN_TASKS = ("digits", "plaid", "watch"), ("digits", "italy", "plaid", "watch")
Uniform = tuple[int, float]


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
        whole_seeds=min(len(drop) for drop in drops),
        seed_std=seed_std,
    )


@cache
def tasks() -> dict[str, tuple[list[Uniform], Retrained]]:
    """Each task's plans, chips and ratio, with what they lost: own rows by seed, or means of them.

    Ratios are nominal: ``u = p (1 - 1/N)`` of the weights is missing behind every gather.
    """
    scores: dict[str, dict[Uniform, list[float]]] = {}
    for row in rows_of("somegather_accuracy.csv"):
        plan = int(row["n_devices"]), float(row["pruning_ratio"])
        scores.setdefault(row["dataset"], {}).setdefault(plan, []).append(100 * float(row["accuracy"]))
    found = {}
    for name, of in scores.items():
        dense = np.array(of.pop((1, 0.0)))
        drops = [dense - np.array(score) for score in of.values()]
        std = float(np.sqrt(np.mean([np.var(drop, ddof=1) for drop in drops])))
        found[name] = list(of), uniform(_missing(list(of)), drops, std)
    means: dict[str, dict[Uniform, tuple[float, float]]] = {}
    for row in rows_of("somegather_drops.csv"):
        plan = int(row["n_devices"]), float(row["pruning_ratio"])
        means.setdefault(row["dataset"], {})[plan] = float(row["drop"]), float(row["std"])
    for name, stated in means.items():
        drops = [np.full(3, drop) for drop, _ in stated.values()]
        std = float(np.sqrt(np.mean([std**2 for _, std in stated.values()])))
        found[name] = list(stated), uniform(_missing(list(stated)), drops, std)
    return found


def _missing(plans: list[Uniform]) -> Array:
    return np.array([p * (1 - 1 / n) for n, p in plans])


@cache
def encoder_weights() -> dict[str, float]:
    """Importance of an encoder's gathers."""
    return weights_of(load_workload(ENCODER))


def fitted(plans: Retrained) -> Fit:
    """Fit a law with an encoder's importance."""
    return fit(plans, encoder_weights(), 1.0)


def after_retraining(name: str, chosen: tuple[Uniform, ...]) -> tuple[Fit, Array]:
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


def known_tasks() -> Tasks:
    """Give what an encoder's family makes one expect."""
    found = load_workload(ENCODER).calibration
    if not isinstance(found, Tasks):
        raise TypeError(f"{ENCODER} is calibrated")
    return found


def law_of_two(name: str) -> Fitted:
    """Give the law of two of a task's plans, as ``dse calibrate`` would."""
    plans, measured = tasks()[name]
    two = measured.take([plans.index(plan) for plan in TWO_PLANS])
    found, _ = after_retraining(name, TWO_PLANS)
    return Fitted.model_construct(
        metric="accuracy",
        base=100.0,
        scale=found.scale,
        exponent=found.exponent,
        half_width=half_width(two, found, known_tasks().half_width.more_plans),
        most_missing=float(np.max(found.missing)),
    )


@cache
def published(dataset: str) -> tuple[float, Retrained]:
    """Loss of a published model that nothing is missing of, and its pruned ones, per cent of that loss."""
    rows = [row for row in rows_of("cats_pruning.csv") if row["dataset"] == dataset]
    base = next(float(r["loss"]) for r in rows if r["pruning"] == "narrower" and float(r["saving"]) == 0)
    pruned = [
        row for row in rows if row["pruning"] == "somegather" and 0 < float(row["saving"]) < NO_COMMUNICATION
    ]
    u = np.array([float(row["saving"]) for row in pruned]) * (1 - 1 / CATS_DEVICES)
    drops = [np.full(10, 100 * drop_of("loss", base, float(row["loss"]))) for row in pruned]
    std = float(np.sqrt(np.mean([float(row["std"]) ** 2 for row in pruned])))
    return base, uniform(u, drops, 100 * std / base)


def inside(band: Drop, drops: Array) -> float:
    """Share of measured drops inside a band."""
    return float(np.mean((band.low <= drops) & (drops <= band.high)))


def tasks_left_out() -> list[tuple[dict[str, Any], float]]:
    """Each task as the others make one expect it: share of its plans inside the 90 % band."""
    entries = []
    for name in tasks():
        band, drops = left_out(name)
        entry = {
            "id": f"accuracy-left-out-{name}",
            "source": "dse_accuracy2026",
            "where": "leave one task out",
            "quantity": f"{name}, from five other tasks: plans inside the 90 % band",
            "unit": "relative",
            "published": "90 %",
            "tolerance": 0.0,
            "low": 0.8,
            "high": 1.0,
            "fitted": False,
            "detail": True,
        }
        entries.append((entry | ({"reason": LOSES_EARLY} if name == "plaid" else {}), inside(band, drops)))
    return entries


@cache
def uneven(name: str) -> Retrained:
    """Give a task's plans in which some gathers send nothing and the others all."""
    rows, u = rows_of("gather_drops.csv"), 1 - 1 / UNEVEN_CHIPS
    return Retrained(
        missing={point: np.array([u * (point in row["pruned"].split()) for row in rows]) for point in POINTS},
        drop=np.array([float(row[name]) for row in rows]),
        seeds=np.full(len(rows), 2),
        whole_seeds=2,
        seed_std=0.0,
    )


def uneven_errors(name: str) -> Array:
    """Errors on a task's uneven plans of the law of its two uniform ones, points."""
    law, _ = after_retraining(name, TWO_PLANS)
    measured = uneven(name)
    u = weighted_mean(law.weights, 1.0, measured.missing)
    return np.asarray(power_law(law.scale, law.exponent, u) - measured.drop)


def spared_drops() -> dict[str, float]:
    """Drop of the plan that sends all before Q, K and V and nothing else, after two uniform plans, points."""
    at = [row["pruned"] for row in rows_of("gather_drops.csv")].index(SPARED)
    return {name: float((uneven_errors(name) + uneven(name).drop)[at]) for name in SHOWN}


def spared_beats_uniform() -> str:
    """Whether, at no more bytes, sparing the gather before Q, K and V loses less than pruning all alike."""
    workload, platform = load_workload(ENCODER), load_platform(RADIO)
    alike = [dict.fromkeys(PRUNING, p / 10) for p in range(10)]
    spared = [{**dict.fromkeys(PRUNING, p), "prune_qkv": 0.0} for p in (0.5, 0.7, 0.9)]
    plans = [
        plan_of({"strategy": "column_wise", "n_chips": UNEVEN_CHIPS, **one}) for one in (*alike, *spared)
    ]
    costs = evaluate(workload, platform, Plans.of(plans))
    link_bytes, drop = costs.link_bytes, costs.accuracy_drop
    rivals = [max(i for i in range(len(alike)) if link_bytes[i] >= most) for most in link_bytes[len(alike) :]]
    return "yes" if np.all(drop[len(alike) :] < drop[rivals]) else "no"


def models() -> dict[str, float | str]:
    """Model's side of the rows of pruning."""
    found: dict[str, float | str] = {}
    errors = {name: np.abs(after_retraining(name, TWO_PLANS)[1]) for name in tasks()}
    for name in SHOWN:
        found[f"accuracy-two-plans-{name}"] = float(np.mean(errors[name]))
    every = [*errors.values(), *(np.abs(uneven_errors(name)) for name in UNEVEN_TASKS)]
    found["accuracy-two-plans-inside"] = float(
        np.mean(np.concatenate(every) <= known_tasks().half_width.more_plans)
    )
    bands = [left_out(name) for name in tasks()]
    ends = {end: np.concatenate([vars(band)[end] for band, _ in bands]) for end in vars(bands[0][0])}
    drops = np.concatenate([drops for _, drops in bands])
    found["accuracy-left-out"] = inside(Drop(**ends), drops)
    found |= {f"accuracy-spared-{name}": drop for name, drop in spared_drops().items()}
    found["accuracy-spared-beats-uniform"] = spared_beats_uniform()
    return found
