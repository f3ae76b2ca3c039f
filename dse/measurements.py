"""Plans that a user retrained and measured: a table of rows, read with the line of every fault."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import MOST_LOSS
from costmodel.accuracy import POINTS
from costmodel.calibration import MOST_BASE, MOST_POINTS, WHOLE, Metric, drop_of
from costmodel.errors import DseError, UsageError, cut, nearest
from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, SHORTHANDS, Plan, plan_of
from costmodel.plans import Plans
from costmodel.precision import narrower
from costmodel.shards import EVEN
from costmodel.strategies import canonical, first_with, strategy_named
from costmodel.workload import Workload
from dse.digits import share_of
from dse.fitting import Retrained
from dse.loss_fitting import Lossy

METRICS: tuple[Metric, ...] = get_args(Metric)
COLUMNS = ("strategy", *DECISIONS, *SHORTHANDS, "message_loss", "seed", *METRICS)
PRUNED = first_with(SHORTHANDS["prune"])  # strategy of a row that names none
MAX_BYTES = 1_000_000
LEAST_LOSS = 1e-12
Shares = NDArray[np.float64]
NOTHING = 1e-12  # share of missing weights that is rounding


@dataclass(frozen=True, kw_only=True)
class Row:
    """One training: the line it stands in, its plan, its seed, and accuracy in per cent or loss.

    `message_loss` is the share of the messages that was left out when it was scored.
    """

    line: int
    plan: Plan
    message_loss: float
    seed: str
    score: float

    @property
    def lossy(self) -> bool:
        """Whether messages were left out, in training or after it."""
        return self.message_loss > 0 or self.plan.message_dropout > 0


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """What left-out messages cost, by plan and rate, k of them.

    Attributes
    ----------
    plans : tuple of Plan
        Canonical plans, with their message dropout.
    rows : Lossy
        Drops against the same plan that no message was left out of.
    seeds : (k,) int
        Trainings of each.
    noise : float
        Standard deviation of the drop of one that was trained least, points or share of the loss; 0 where
        each was trained once.
    """

    plans: tuple[Plan, ...]
    rows: Lossy
    seeds: NDArray[np.int64]
    noise: float


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Trainings of one model, by plan.

    Attributes
    ----------
    base : float
        Mean score of the trainings that miss nothing, accuracy in per cent or loss.
    plans : tuple of Plan
        Canonical plans that miss something, k of them, in the order of the table; none where accuracy of the
        whole model is all that was measured.
    retrained : Retrained
        What they miss and lost.
    lost : Evaluations, optional
        What left-out messages cost.
    trainings : int
        Rows of the table.
    """

    path: Path
    sha256: str
    metric: Metric
    base: float
    plans: tuple[Plan, ...]
    retrained: Retrained
    lost: Evaluations | None
    trainings: int


def missing_shares(
    workload: Workload, platform: Platform, plans: list[Plan]
) -> dict[str, NDArray[np.float64]]:
    """Give, for each gather point, the share of the weights behind it that no chip stores, (k,)."""
    shares = {point: np.zeros(len(plans)) for point in POINTS}
    for where, some in canonical(workload, platform, Plans.of(plans)).by_strategy():
        program = strategy_named(some.names[0]).program(workload, platform, some, EVEN)
        for part in program.parts:
            for point, share in part.missing.items():
                shares[point][where] = np.maximum(share, 0.0)
    return shares


def read_measurements(path: Path, workload: Workload, platform: Platform) -> Measurements:
    """Read a table of trainings.

    Raises
    ------
    UsageError
        It cannot be read; a line has a fault; or no training misses nothing, or none misses anything although
        losses or left-out messages were measured.
    """
    text = _text(path)
    table = csv.DictReader(text.splitlines(), skipinitialspace=True, strict=True)
    try:
        table.fieldnames = [name.strip() for name in table.fieldnames or []]
        metric = _metric(path, table.fieldnames)
        rows = list(_rows(path, table, metric, workload, platform))
    except csv.Error as error:
        raise UsageError(f"{path}, line {table.line_num + 1}: {error}") from None
    if metric == "accuracy" and rows and max(row.score for row in rows) <= 1:
        raise UsageError(f"{path}: no accuracy is above 1", "write per cent, as 95.2")
    if metric == "accuracy" and (shares_too := [row for row in rows if 0 < row.score < 1]):
        raise UsageError(
            f"{path}, line {shares_too[0].line}: accuracy {shares_too[0].score:g} among others above 1",
            "write per cent, as 95.2",
        )
    shares = missing_shares(workload, platform, [row.plan for row in rows]) if rows else {}
    lacking = np.any([share > NOTHING for share in shares.values()], axis=0) if rows else np.zeros(0, bool)
    lossy = np.array([row.lossy for row in rows], dtype=bool)
    whole = [rows[i] for i in np.flatnonzero(~lacking & ~lossy).tolist()]
    if not whole:
        raise UsageError(f"{path}: no row is of the whole model", "add one or more with n_chips 1")
    if not np.any(lacking & ~lossy) and (metric == "loss" or np.any(lossy)):
        raise UsageError(f"{path}: no row misses any weights", "dse calibrate --propose says which to train")
    base = float(np.mean([row.score for row in whole]))
    if base <= 0:
        raise UsageError(f"{path}: the {metric} of the whole model is {base:g}; it must be above 0")
    groups: dict[Plan, list[int]] = {}
    for i in np.flatnonzero(lacking & ~lossy).tolist():
        groups.setdefault(rows[i].plan, []).append(i)
    scores = [np.array([rows[i].score for i in group]) for group in groups.values()]
    means, of_loss = np.array([np.mean(score) for score in scores]), metric == "loss"
    drop, per_cent = drop_of(metric, base, means), 100 / base
    std = _pooled_std([*scores, np.array([row.score for row in whole])])
    firsts = np.array([group[0] for group in groups.values()], dtype=np.int64)
    bases = dict(zip(groups, means.tolist(), strict=True))
    bases |= {_undisturbed(row.plan): base for row, lacks in zip(rows, lacking, strict=True) if not lacks}
    disturbed = [row for row in rows if row.lossy]
    return Measurements(
        path=path,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        metric=metric,
        base=base,
        plans=tuple(groups),
        retrained=Retrained(
            missing={point: share[firsts] for point, share in shares.items()},
            drop=100 * drop if of_loss else drop,
            seeds=np.array([len(score) for score in scores]),
            whole_seeds=len(whole),
            seed_std=per_cent * std if of_loss else std,
        ),
        lost=_evaluations(path, disturbed, bases, metric) if disturbed else None,
        trainings=len(rows),
    )


def _evaluations(path: Path, rows: list[Row], bases: dict[Plan, float], metric: Metric) -> Evaluations:
    """Compare rows with left-out messages to the mean score of the same plan without."""
    groups: dict[tuple[Plan, float], list[float]] = {}
    for row in rows:
        if _undisturbed(row.plan) not in bases:
            raise UsageError(f"{path}, line {row.line}: no row is of the same plan with no message left out")
        groups.setdefault((row.plan, row.message_loss), []).append(row.score)
    loss, dropout = np.array([(loss, plan.message_dropout) for plan, loss in groups]).T
    if not np.any((loss > 0) & (dropout == 0)):
        raise UsageError(f"{path}: no row has message_loss and no message_dropout", "add one or more")
    trained = dropout > 0
    if np.any(trained) and not (np.any(trained & (loss < dropout)) and np.any(trained & (loss >= dropout))):
        raise UsageError(
            f"{path}: message_dropout needs rows with less message_loss, and rows with as much or more",
            "add both",
        )
    base = np.array([bases[_undisturbed(plan)] for plan, _ in groups])
    scores = [np.array(group) for group in groups.values()]
    means, seeds = np.array([np.mean(score) for score in scores]), np.array([len(score) for score in scores])
    of_loss = metric == "loss"
    std = _pooled_std([score / np.mean(score) for score in scores] if of_loss else scores)
    return Evaluations(
        plans=tuple(plan for plan, _ in groups),
        rows=Lossy(loss=loss, dropout=dropout, drop=drop_of(metric, base, means), of_loss=of_loss),
        seeds=seeds,
        noise=std / math.sqrt(float(np.min(seeds))),
    )


def _undisturbed(plan: Plan) -> Plan:
    """Give the same plan trained without message dropout."""
    return replace(plan, message_dropout=0.0)


def _pooled_std(groups: list[Shares]) -> float:
    """Standard deviation of one training, of all plans that were trained more than once; 0 without any."""
    squares = sum(float(np.sum((group - np.mean(group)) ** 2)) for group in groups)
    free = sum(len(group) - 1 for group in groups)
    return math.sqrt(squares / free) if free else 0.0


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"measurements {path}: larger than {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"measurements {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"measurements {path} is not readable text") from None


def _metric(path: Path, columns: Sequence[str]) -> Metric:
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise UsageError(f"{path}: columns are not separated by commas")
    for column in columns:
        if column not in COLUMNS:
            raise UsageError(f"{path}: unknown column {cut(column)}; {nearest(str(column), COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise UsageError(f"{path}: a column is there twice")
    if "n_chips" not in columns:
        raise UsageError(f"{path}: column 'n_chips' is missing", "dse calibrate --template shows a table")
    found = [metric for metric in METRICS if metric in columns]
    if len(found) != 1:
        raise UsageError(f"{path}: needs column 'accuracy', in per cent, or 'loss', one of them")
    return found[0]


def _rows(
    path: Path, table: csv.DictReader[str], metric: Metric, workload: Workload, platform: Platform
) -> Iterator[Row]:
    """Read the rows one by one."""
    seen: dict[tuple[Plan, float, str], int] = {}
    for count, entry in enumerate(table):
        line, place = table.line_num, f"{path}, line {table.line_num}"
        if None in entry or None in entry.values():
            raise UsageError(f"{place}: not as many cells as there are columns")
        cells = {name: cell.strip() for name, cell in entry.items()}
        text = cells.pop(metric)
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        fits = 0 <= score <= MOST_POINTS if metric == "accuracy" else LEAST_LOSS <= score < MOST_BASE
        if not fits:
            allowed = (
                "a number, 0 to 100 per cent"
                if metric == "accuracy"
                else f"a number, at least {LEAST_LOSS:g} and below {MOST_BASE:g}"
            )
            raise UsageError(f"{place}: {metric} {cut(text)} must be {allowed}")
        seed = _seed(cells.pop("seed", "")) or f"row {count}"
        loss = _message_loss(place, cells.pop("message_loss", "") or "0")
        try:
            plan = plan_of({"strategy": PRUNED, **{name: cell for name, cell in cells.items() if cell}})
            plans = canonical(workload, platform, Plans.of([plan]))
        except DseError as error:
            raise UsageError(f"{place}: {error.message}", error.hint) from None
        if (most := int(plans["n_chips"][0])) != plan.n_chips:
            raise UsageError(
                f"{place}: n_chips {plan.n_chips}: {plan.strategy} can use {most} on {workload.name} at most"
            )
        widths = {"weight_bits": workload.model.weight_bits}
        widths |= dict.fromkeys(SHORTHANDS["message_bits"], workload.model.activation_bits)
        for name, own in widths.items():
            if narrower(plans[name], own)[0] < WHOLE:
                raise UsageError(
                    f"{place}: {name} {plans[name][0]}: calibrations are of the model's own {own} bit",
                    "leave trainings of narrower ones out",
                )
        program = strategy_named(plan.strategy).program(workload, platform, plans, EVEN)
        if any(np.any(bits < WHOLE) for bits in program.message_bits):
            raise UsageError(
                f"{place}: partial_sum_bits {WHOLE}: calibrations are of wider sums, which lose nothing",
                "leave trainings of narrower ones out",
            )
        canon = plans.row(0)
        if (loss > 0 or plan.message_dropout > 0) and (plan.n_chips == 1 or np.any(program.resent)):
            why = "one chip sends none" if plan.n_chips == 1 else "lost ones are sent again"
            raise UsageError(f"{place}: no message can be left out, {why}")
        key = canon, loss, seed
        if key in seen:
            raise UsageError(f"{place}: the same plan and seed as in line {seen[key]}")
        seen[key] = line
        yield Row(line=line, plan=canon, message_loss=loss, seed=seed, score=score)


def _seed(text: str) -> str:
    """Give a seed; numbers are the same however they are written."""
    try:
        return repr(float(text))
    except ValueError:
        return text


def _message_loss(place: str, text: str) -> float:
    """Read a share, as 0.05 or 5%."""
    try:
        loss = share_of(text)
    except ValueError:
        loss = math.nan
    if not 0 <= loss <= MOST_LOSS:
        raise UsageError(f"{place}: message_loss {cut(text)} must be 0 to {MOST_LOSS:g}, as 0.05 or 5%")
    return loss
