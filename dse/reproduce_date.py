"""The DATE 2025 paper's two studies again: tables, and figures of them."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from costmodel.evaluate import Accounting, evaluate
from costmodel.hardware import load_platform
from costmodel.plan import Plan, Plans
from costmodel.workload import load_workload
from dse.deployment import regime_name
from dse.plots import BLUE, GREY, ORANGE, REGIME_MARKERS, STYLE, plain_log_ticks, save
from dse.validation.date2025 import ACCOUNTING, GROUP_SIZE, KERNELS, PLATFORM

MODELS = {"tinyllama-42m": "original, 8 heads", "tinyllama-42m-64h": "scaled up, 64 heads of 8"}
REQUESTS = {"autoregressive": "autoregressive, context 128", "prompt": "prompt of 16"}
CHIPS = tuple(range(1, 65))
LABELLED = (1, 2, 4, 8, 16, 32, 64)
COLOURS = {"tinyllama-42m": BLUE, "tinyllama-42m-64h": ORANGE}


def scaling_table(accounting: Accounting = ACCOUNTING) -> pd.DataFrame:
    """One row a model, request and number of chips: latency, energy, speed-up and regime of a block."""
    platform = load_platform(PLATFORM, KERNELS)
    plans = Plans.of(Plan(strategy="head_wise", n_chips=n, group_size=GROUP_SIZE) for n in CHIPS)
    frames = []
    for model in MODELS:
        for request in REQUESTS:
            costs = evaluate(load_workload(model, request), platform, plans, accounting)
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


def plot_speedup(table: pd.DataFrame) -> Figure:
    """Speed-up against number of chips with the linear line; the marker shows the regime."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        for axes, (request, words) in zip(figure.subplots(1, 2, sharey=True), REQUESTS.items(), strict=True):
            axes.plot(CHIPS, CHIPS, "--", color=GREY, lw=1.2, label="linear")
            for model, name in MODELS.items():
                rows = table[(table["model"] == model) & (table["request"] == request)]
                axes.plot(rows["n_chips"], rows["speedup"], color=COLOURS[model], lw=1.2, label=name)
                for regime, marker in REGIME_MARKERS.items():
                    some = rows[(rows["regime"] == regime) & rows["n_chips"].isin(LABELLED)]
                    axes.scatter(
                        some["n_chips"], some["speedup"], marker=marker, s=40, color=COLOURS[model], zorder=3
                    )
            for regime, marker in REGIME_MARKERS.items():
                axes.scatter([], [], marker=marker, color=GREY, label=f"weights {regime}")
            axes.set(xscale="log", yscale="log", xlabel="chips", title=words)
            axes.set_xticks(LABELLED, [str(n) for n in LABELLED])
            axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
            axes.minorticks_off()
            axes.legend(fontsize=8, loc="upper left")
        figure.axes[0].set_ylabel("speed-up over one chip")
        figure.suptitle("One block, weights of the next one prefetched and not counted", fontsize=11)
    return figure


def plot_tradeoff(table: pd.DataFrame) -> Figure:
    """Energy against latency, 1 to 64 chips, both models in both modes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        for axes, (request, words) in zip(figure.subplots(1, 2), REQUESTS.items(), strict=True):
            for model, name in MODELS.items():
                rows = table[
                    (table["model"] == model)
                    & (table["request"] == request)
                    & table["n_chips"].isin(LABELLED)
                ]
                axes.plot(
                    rows["latency_s"] * 1e3, rows["energy_j"] * 1e3, color=COLOURS[model], lw=1, label=name
                )
                for _, row in rows.iterrows():
                    point = (row["latency_s"] * 1e3, row["energy_j"] * 1e3)
                    axes.scatter(*point, marker=REGIME_MARKERS[row["regime"]], s=42, color=COLOURS[model])
                    above = model == "tinyllama-42m"
                    if above or row["n_chips"] >= 16:  # below, the two models coincide
                        axes.annotate(
                            str(row["n_chips"]),
                            point,
                            xytext=(0, 7 if above else -14),
                            textcoords="offset points",
                            ha="center",
                            fontsize=8,
                            color=COLOURS[model],
                        )
            for regime, marker in REGIME_MARKERS.items():
                axes.scatter([], [], marker=marker, color=GREY, label=f"weights {regime}")
            axes.set(xscale="log", xlabel="latency of a block [ms]", title=words)
            plain_log_ticks(axes.xaxis)
            axes.set_ylim(0, 1.12 * table[table["request"] == request]["energy_j"].max() * 1e3)
            axes.legend(fontsize=8)
        figure.axes[0].set_ylabel("energy of a block, all chips [mJ]")
        figure.suptitle("Numbers are chips", fontsize=11)
    return figure


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
