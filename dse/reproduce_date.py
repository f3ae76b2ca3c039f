"""The DATE 2025 paper's two studies again: tables, and figures of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from costmodel.accounting import Accounting
from costmodel.evaluation import evaluate
from costmodel.hardware import load_platform
from costmodel.workload import load_workload
from dse.deployment import regime_name
from dse.plots import BLUE, GREY, ORANGE, REGIME_MARKERS, STYLE, Label, label_points, plain_log_ticks, save
from dse.validation.date2025 import ACCOUNTING, KERNELS, PLATFORM, plans

MODELS = {"tinyllama-42m": "original, 8 heads", "tinyllama-42m-64h": "scaled up, 64 heads of 8"}
REQUESTS = {"autoregressive": "autoregressive, context 128", "prompt": "prompt of 16"}
CHIPS = tuple(range(1, 65))
LABELLED = (1, 2, 4, 8, 16, 32, 64)
COLOURS = {"tinyllama-42m": BLUE, "tinyllama-42m-64h": ORANGE}
# To 8 chips both models run alike: the second is drawn small and dashed, so that the first shows beneath.
LINES: dict[str, Any] = {"tinyllama-42m": "-", "tinyllama-42m-64h": (0, (5, 3))}
SIZES = {"tinyllama-42m": 90, "tinyllama-42m-64h": 26}


def scaling_table(accounting: Accounting = ACCOUNTING) -> pd.DataFrame:
    """One row a model, request and number of chips: latency, energy, speed-up and regime of a block."""
    platform = load_platform(PLATFORM, KERNELS)
    frames = []
    for model in MODELS:
        for request in REQUESTS:
            costs = evaluate(load_workload(model, request), platform, plans(CHIPS), accounting)
            frames.append(
                pd.DataFrame(
                    {
                        "model": model,
                        "request": request,
                        "n_chips": CHIPS,
                        "latency_s": costs.latency_s,
                        "energy_j": costs.energy_j,
                        "edp_js": costs.edp_js,
                        "speedup": costs.latency_s[0] / costs.latency_s,
                        "above_linear": costs.latency_s[0] / costs.latency_s >= np.array(CHIPS),
                        "regime": [regime_name(int(code)) for code in costs.regime],
                        "limited_by": [costs.limited_by(i) for i in range(len(CHIPS))],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _draw_model(axes: Axes, model: str, x: pd.Series[float], y: pd.Series[float], regimes: pd.Series) -> None:
    """Draw a line through a model's points, each marked by its regime."""
    colour, size = COLOURS[model], SIZES[model]
    axes.plot(x, y, color=colour, lw=1.4, linestyle=LINES[model])
    for regime, marker in REGIME_MARKERS.items():
        some = regimes == regime
        axes.scatter(x[some], y[some], marker=marker, s=size, color=colour, linewidths=0, zorder=3)


def _legend(figure: Figure, extra: Sequence[Line2D] = ()) -> None:
    """Put one legend for all panels below them."""
    models = [
        Line2D([], [], color=COLOURS[model], linestyle=LINES[model], label=name)
        for model, name in MODELS.items()
    ]
    regimes = [
        Line2D([], [], marker=marker, color=GREY, linestyle="", label=f"weights {regime}")
        for regime, marker in REGIME_MARKERS.items()
    ]
    handles = [*models, *extra, *regimes]
    figure.legend(handles=handles, loc="outside lower center", ncols=(len(handles) + 1) // 2, fontsize=9)


def plot_speedup(table: pd.DataFrame) -> Figure:
    """Speed-up against number of chips with the linear line; the marker shows the regime.

    Lines go through 1, 2, 4, ... 64 chips, as the paper counts; dots are the numbers between. These divide
    the work less evenly, and one line through all numbers would leap at each marker and seem to miss it.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        for axes, (request, words) in zip(figure.subplots(1, 2, sharey=True), REQUESTS.items(), strict=True):
            axes.plot(CHIPS, CHIPS, ":", color=GREY, lw=1.4)
            for model in MODELS:
                rows = table[(table["model"] == model) & (table["request"] == request)]
                chosen = rows["n_chips"].isin(LABELLED)
                marked, dots = rows[chosen], rows[~chosen]
                _draw_model(axes, model, marked["n_chips"], marked["speedup"], marked["regime"])
                axes.scatter(dots["n_chips"], dots["speedup"], s=5, color=COLOURS[model], linewidths=0)
            axes.set(xscale="log", yscale="log", xlabel="chips", title=words)
            axes.set_xticks(LABELLED, [str(n) for n in LABELLED])
            axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
            axes.minorticks_off()
        figure.axes[0].set_ylabel("speed-up over one chip")
        figure.suptitle("One block, weights of the next one prefetched and not counted", fontsize=11)
        linear = Line2D([], [], linestyle=":", color=GREY, label="linear")
        others = Line2D([], [], linestyle="", marker=".", ms=4, color=GREY, label="numbers of chips between")
        _legend(figure, (linear, others))
    return figure


def plot_tradeoff(table: pd.DataFrame) -> Figure:
    """Energy against latency, 1 to 64 chips, both models in both modes."""
    marked = table[table["n_chips"].isin(LABELLED)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 6), layout="constrained")
        panels = dict(zip(REQUESTS, figure.subplots(1, 2), strict=True))
        for request, axes in panels.items():
            for model in MODELS:
                rows = marked[(marked["model"] == model) & (marked["request"] == request)]
                _draw_model(axes, model, rows["latency_s"] * 1e3, rows["energy_j"] * 1e3, rows["regime"])
            axes.set(xscale="log", xlabel="latency of a block [ms]", title=REQUESTS[request])
            plain_log_ticks(axes.xaxis)
            axes.margins(x=0.06)
            axes.set_ylim(0, 1.12 * marked.loc[marked["request"] == request, "energy_j"].max() * 1e3)
        figure.axes[0].set_ylabel("energy of a block, all chips [mJ]")
        figure.suptitle(
            "One block; numbers are chips, black where both models are alike to 0.5 %", fontsize=11
        )
        _legend(figure)
    for request, axes in panels.items():
        label_points(figure, axes, _chip_labels(marked[marked["request"] == request]))
    return figure


def _chip_labels(rows: pd.DataFrame) -> list[Label]:
    """Label each point by its chips, in its model's colour; one label in black where models coincide."""
    labels: list[Label] = []
    for n, some in rows.groupby("n_chips"):
        points = some[["latency_s", "energy_j"]].to_numpy() * 1e3
        alike = np.allclose(points, points[0], rtol=0.005)
        for (x, y), model in zip(points[:1] if alike else points, some["model"], strict=False):
            labels.append((str(n), (x, y), "black" if alike else COLOURS[model]))
    return labels


def reproduce_date2025(folder: Path) -> list[Path]:
    """Write both studies to `folder`; give the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    table = scaling_table()
    steady = scaling_table(Accounting(scope="block", prefetch="steady"))
    paths = [folder / "scaling.csv", folder / "scaling_steady.csv"]
    for path, frame in zip(paths, (table, steady), strict=True):
        frame.to_csv(path, index=False, lineterminator="\n", float_format="%.9g")
    for stem, figure in (("speedup", plot_speedup(table)), ("tradeoff", plot_tradeoff(table))):
        for ending in ("svg", "png"):
            paths.append(folder / f"{stem}.{ending}")
            save(figure, paths[-1])
    return paths
