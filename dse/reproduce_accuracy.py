"""Accuracy against pruning and against message loss: what was measured, and what is predicted of it.

Curves of the CATS paper are losses; small encoders lose points of accuracy. No prediction knows the points
that it is held against, but for the law of a published curve, which is fitted on all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from costmodel.calibration import Fitted, Tasks, score_after
from costmodel.drops import Drop
from costmodel.message_loss import LossFitted
from costmodel.workload import load_workload
from dse.loss_fitting import Lossy
from dse.plots import BLUE, GREEN, GREY, ORANGE, STYLE
from dse.validation import accuracy, message_loss

Array = NDArray[np.floating[Any]]
SHARES = np.linspace(0, 1, 51)  # where curves are drawn
RATES, CATS_RATES = np.linspace(0, 0.4, 41), np.linspace(0, 0.1, 41)
CURVE, TWO_PLANS, OTHER_TASKS = "law of the curve", "law of two plans", "the other tasks"
LOW_RATES = "law of rates up to 6 %"
COLOURS = {CURVE: BLUE, TWO_PLANS: BLUE, OTHER_TASKS: GREY}
DROPOUTS = {0.0: BLUE, 0.01: "#CC79A7", 0.05: GREEN, 0.1: ORANGE, 0.2: "#E69F00"}
MOST_DRAWN = 32  # points; one scale for all tasks, which intervals would flatten
UNITS = {"loss": "loss", "points": "accuracy lost [points]"}


def _rows(band: Drop, **columns: Any) -> pd.DataFrame:
    """Give one row for each place of a prediction."""
    return pd.DataFrame({**columns, "estimate": band.estimate, "low": band.low, "high": band.high})


def _scores(base: float, band: Drop) -> Drop:
    """Give the loss that is left of a drop's."""
    return Drop(**{end: score_after("loss", base, drop) for end, drop in vars(band).items()})


def _pruned_curves() -> Iterator[pd.DataFrame]:
    for dataset, name in message_loss.DATASETS.items():
        law = load_workload(message_loss.SERIES, calibration=f"cats-{dataset}").calibration
        if not isinstance(law, Fitted):
            raise TypeError(f"{dataset} is not calibrated")
        rows = [
            row
            for row in accuracy.rows_of("cats_pruning.csv")
            if row["dataset"] == dataset and row["pruning"] == "somegather"
        ]
        saving, loss, std = (np.array([float(row[key]) for row in rows]) for key in ("saving", "loss", "std"))
        sent = saving < accuracy.NO_COMMUNICATION
        measured = {"in_fit": (saving > 0) & sent, "measured": loss, "measured_std": std}
        for ratio, columns in ((saving, measured), (SHARES, {})):
            missing = ratio * (1 - 1 / accuracy.CATS_DEVICES)
            yield _rows(
                _scores(law.base, law.drop(missing)),
                task=name,
                unit="loss",
                predicted_by=CURVE,
                n_chips=accuracy.CATS_DEVICES,
                prune=ratio,
                missing_weights=missing,
                **columns,
            )


def _pruned_tasks() -> Iterator[pd.DataFrame]:
    for name, (plans, retrained) in accuracy.tasks().items():
        known: dict[str, Tasks | Fitted] = {
            OTHER_TASKS: accuracy.uncalibrated([other for other in accuracy.tasks() if other != name]),
            TWO_PLANS: accuracy.law_of_two(name),
        }
        n_chips, ratio = np.array(plans).T
        missing = retrained.missing["qkv"]
        for by, law in known.items():
            in_fit = [by == TWO_PLANS and plan in accuracy.TWO_PLANS for plan in plans]
            columns = {"in_fit": in_fit, "measured": retrained.drop, "n_chips": n_chips, "prune": ratio}
            for share, at in ((missing, columns), (SHARES, {})):
                yield _rows(
                    law.drop(share), task=name, unit="points", predicted_by=by, missing_weights=share, **at
                )


def pruning_table() -> pd.DataFrame:
    """Loss, or points lost, by the weights that are missing; rows without a measurement draw a curve."""
    return pd.concat([*_pruned_curves(), *_pruned_tasks()], ignore_index=True)


def _lossy(
    predict: Callable[[Array, Any], Drop], rows: Lossy, rates: Array, measured: dict[str, Any], **columns: Any
) -> Iterator[pd.DataFrame]:
    """Predict what was measured, and the curve of each rate of message dropout."""
    curves: list[tuple[Array, Any, dict[str, Any]]] = [(rates, one, {}) for one in np.unique(rows.dropout)]
    for loss, dropout, at in [(rows.loss, rows.dropout, measured), *curves]:
        yield _rows(predict(loss, dropout), **columns, message_dropout=dropout, message_loss=loss, **at)


def message_loss_table() -> pd.DataFrame:
    """Loss, or points lost, by message loss and message dropout; rows without a measurement draw a curve."""
    frames: list[pd.DataFrame] = []
    for dataset, name in message_loss.DATASETS.items():
        base, rows = message_loss.evaluations(dataset)
        low = message_loss.law_of_low_rates(dataset)

        def left(loss: Array, dropout: Any, base: float = base, law: LossFitted = low) -> Drop:
            return _scores(base, law.interval(loss, dropout, of_loss=True))

        in_fit = rows.loss <= low.most_loss + message_loss.ROUNDING
        measured: dict[str, Any] = {
            "in_fit": in_fit,
            "measured": score_after("loss", base, rows.drop),
            "prune": 0.0,
        }
        frames += _lossy(left, rows, CATS_RATES, measured, task=name, unit="loss", predicted_by=LOW_RATES)
    for name, rows in message_loss.of_tasks().items():
        others = message_loss.losses_left_out(name).drop
        measured = {"in_fit": False, "measured": rows.drop, "prune": message_loss.ratios_of(name)}
        frames += _lossy(others, rows, RATES, measured, task=name, unit="points", predicted_by=OTHER_TASKS)
    return pd.concat(frames, ignore_index=True)


def _draw(axes: Axes, rows: pd.DataFrame, x: str, colour: str, *, points: bool = True) -> None:
    """Draw measured points, filled where they took part in a fit, over a curve and its interval."""
    curve, measured = rows[rows["measured"].isna()], rows[rows["measured"].notna()]
    axes.fill_between(curve[x], curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)
    axes.plot(curve[x], curve["estimate"], color=colour, lw=1.3)
    if not points:
        return
    for fitted, face in ((True, colour), (False, "white")):
        some = measured[measured["in_fit"].astype(bool) == fitted]
        axes.errorbar(
            some[x], some["measured"], yerr=some.get("measured_std"), fmt="o", ms=4, color=colour, mfc=face,
            elinewidth=0.8, zorder=3,
        )  # fmt: skip


def _legend(colours: dict[str, str]) -> list[Any]:
    """Say what points, lines and bands are."""
    dots: dict[str, Any] = {"color": "black", "marker": "o", "ms": 4, "ls": ""}
    return [
        *(Line2D([], [], color=colour, label=name) for name, colour in colours.items()),
        Patch(color="black", alpha=0.15, lw=0, label="90 % interval"),
        Line2D([], [], **dots, label="measured, in the fit"),
        Line2D([], [], **dots, mfc="white", label="measured, not in the fit"),
    ]


def plot_pruning(table: pd.DataFrame) -> Figure:
    """Loss of the published models over communication saved, and points lost by small encoders over U."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 10), layout="constrained")
        grid = figure.subplots(3, 3).flat
        for axes, (task, rows) in zip(grid, table.groupby("task", sort=False), strict=True):
            published = rows["unit"].iloc[0] == "loss"
            x = "prune" if published else "missing_weights"
            for by, some in rows.groupby("predicted_by", sort=False):
                _draw(axes, some, x, COLOURS[str(by)], points=by != OTHER_TASKS)
            axes.set(
                title=task,
                xlabel="communication saved" if published else "weights missing, U",
                ylabel=UNITS[rows["unit"].iloc[0]],
            )
        colours = {
            "law a U^b: of the whole curve (ETT, ICD, London), or of two retrained plans": BLUE,
            "expected from the other five tasks, nothing retrained": GREY,
        }
        figure.legend(handles=_legend(colours), loc="outside lower center", ncols=2, fontsize=9)
        figure.suptitle("Accuracy against pruning: three published models, six small encoders", fontsize=11)
    return figure


def plot_message_loss(table: pd.DataFrame) -> Figure:
    """Loss, or points lost, over message loss, by message dropout in training."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 7.6), layout="constrained")
        grid = figure.add_gridspec(2, 12)
        places = [grid[0, 4 * i : 4 * i + 4] for i in range(3)] + [
            grid[1, 3 * i : 3 * i + 3] for i in range(4)
        ]
        for place, (task, rows) in zip(places, table.groupby("task", sort=False), strict=True):
            axes = figure.add_subplot(place)
            for dropout, some in rows.groupby("message_dropout"):
                _draw(axes, some, "message_loss", DROPOUTS[float(str(dropout))])
            axes.set(title=task, xlabel="message loss", ylabel=UNITS[rows["unit"].iloc[0]])
            if rows["unit"].iloc[0] == "points":
                axes.set_ylim(-MOST_DRAWN / 10, MOST_DRAWN)
        colours = {
            f"trained with message dropout {dropout:g}"
            if dropout
            else "trained without message dropout": colour
            for dropout, colour in DROPOUTS.items()
        }
        figure.legend(handles=_legend(colours), loc="outside lower center", ncols=3, fontsize=9)
        figure.suptitle(
            "Accuracy against message loss: published models predicted from their rates up to 6 %,\n"
            "small encoders from the three others (pruned by half or not; intervals reach beyond the axes)",
            fontsize=11,
        )
    return figure
