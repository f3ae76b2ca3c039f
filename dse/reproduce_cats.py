"""The CATS paper's evaluation again: resources, latency, what 16 chips can hold, and accuracy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from costmodel.accounting import SCOPES, Accounting
from costmodel.evaluation import evaluate, inspect
from costmodel.hardware import load_platform
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.program import HALVES
from costmodel.workload import load_workload
from dse.plots import BLUE, GREEN, GREY, ORANGE, STYLE, plain_log_ticks, save
from dse.reproduce_accuracy import message_loss_table, plot_message_loss, plot_pruning, pruning_table
from dse.validation.cats2026 import BLOCK, DEPTHS, PLATFORM, TOKENS, column_plan, largest, sized
from dse.validation.cats_forms import SCHEMES
from dse.validation.date2025 import AS_PUBLISHED

CHIPS = tuple(range(1, 17))
FEATURES = (128, 192, 256, 320, 384, 448, 512)
RATIOS = (0.0, 0.5, 0.9)
RED = "#c03d3e"
# What each scheme is, and how it is drawn: dashes and small markers lie on top, so that lines beneath show.
DRAWN: dict[str, tuple[str, dict[str, Any]]] = {
    "p 0": ("column-wise, nothing pruned (p 0)", {"color": BLUE, "marker": "o", "ms": 7}),
    "p 0.5": ("column-wise, half pruned (p 0.5)", {"color": GREEN, "marker": "s", "ms": 4}),
    "p 0.9": ("column-wise, nine tenths pruned (p 0.9)", {"color": ORANGE, "marker": "^", "ms": 5}),
    "flat head-wise": (
        "flat head-wise: split by heads, partial sums to one root",
        {"color": "black", "marker": "x", "ms": 4, "ls": "--", "lw": 1},
    ),
    "voltage": (
        "Voltage: split by tokens, all weights on every chip",
        {"color": RED, "marker": "d", "ms": 4, "ls": ":"},
    ),
}
DEPTHS_DRAWN: dict[int, dict[str, Any]] = dict(
    zip(
        DEPTHS,
        (
            {"color": BLUE, "marker": "o", "ms": 12, "mfc": "none", "lw": 3, "alpha": 0.6},
            {"color": GREEN, "marker": "s", "ms": 7, "mfc": "none", "lw": 1.3},
            {"color": ORANGE, "marker": "^", "ms": 4, "ls": "--", "lw": 1.3},
        ),
        strict=True,
    )
)


def flat_plan(n_chips: int) -> Plan:
    """Give the head-wise plan in which all chips send to the root."""
    return Plan(strategy="head_wise", n_chips=n_chips, group_size=max(n_chips, 2), **AS_PUBLISHED)


PLANS: dict[str, Callable[[int], Plan]] = {
    **{f"p {ratio:g}": partial(column_plan, prune=ratio) for ratio in RATIOS},
    "flat head-wise": flat_plan,
}
COLOURS = dict(zip(RATIOS, (BLUE, GREEN, ORANGE), strict=True))


def resources_table() -> pd.DataFrame:
    """Bytes a chip and on the link, F 128, N 64: the paper's closed forms, and whole columns as deployed.

    Schemes that are no strategy here have the closed forms alone.
    """
    workload, platform = sized(load_workload(BLOCK), 128, 1), load_platform(PLATFORM)
    rows = []
    for scheme, forms in SCHEMES.items():
        for n in CHIPS:
            ram, flash, communication = forms(n)
            row = {
                "scheme": scheme,
                "n_chips": n,
                "paper_ram_bytes": ram,
                "paper_attention_flash_bytes": flash,
                "paper_communication_bytes": communication,
            }
            if scheme in PLANS:
                found = inspect(workload, platform, PLANS[scheme](n), Accounting(scope="block"))
                costs = found.costing.costs
                row |= {
                    "activation_bytes": float(np.max(found.costing.counted.activation_peak_bytes)),
                    "ram_bytes": float(costs.l2_footprint_bytes[0]),
                    "flash_bytes": float(costs.flash_footprint_bytes[0]),
                    "link_bytes": float(costs.link_bytes[0]),
                }
            rows.append(row)
    return pd.DataFrame(rows)


def latency_table() -> pd.DataFrame:
    """Seconds of the attention and of the MLP half of a block, by features, chips and pruning."""
    platform = load_platform(PLATFORM)
    plans = [column_plan(n, p) for p in RATIOS for n in CHIPS if n > 1 or not p]
    frames = []
    for features in FEATURES:
        workload = sized(load_workload(BLOCK), features, 1)
        for half in (scope for scope in SCOPES if scope in HALVES):
            costs = evaluate(workload, platform, Plans.of(plans), Accounting(scope=half))
            frames.append(
                pd.DataFrame(
                    {
                        "half": half,
                        "features": features,
                        "n_chips": [plan.n_chips for plan in plans],
                        "prune": [plan.prune_qkv for plan in plans],
                        "latency_s": costs.latency_s,
                        "compute_s": costs.latency_by_cause_s["compute"] + costs.latency_by_cause_s["root"],
                        "radio_s": costs.latency_by_cause_s["link"],
                        "radio_bound_s": costs.link_bound_s,
                        "energy_j": costs.energy_j,
                        "fits": costs.feasible,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def capacity_table() -> pd.DataFrame:
    """Largest model by flash alone, weights stored at p 0, by blocks and chips, and what binds before."""
    rows = []
    for layers in DEPTHS:
        alone = largest(layers, 1)
        for n in (1, 2, 4, 8, 16):
            found = largest(layers, n)
            rows.append(
                {
                    "blocks": layers,
                    "n_chips": n,
                    "features": found.features,
                    "stored_weights": found.weights,
                    "over_one_chip": found.weights / alone.weights,
                    "also_limited_by": found.also_limited_by,
                    "runs_to_features": found.runs_to,
                }
            )
    return pd.DataFrame(rows)


def plot_resources(table: pd.DataFrame) -> Figure:
    """RAM, flash and communication over the number of chips, by the paper's closed forms."""
    panels = {
        "paper_ram_bytes": "RAM of activations [kB]",
        "paper_attention_flash_bytes": "flash of the attention's weights [kB]",
        "paper_communication_bytes": "communication of a block [kB]",
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 5), layout="constrained")
        for axes, (column, title) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            for scheme, rows in table.groupby("scheme", sort=False):
                name, style = DRAWN[str(scheme)]
                axes.plot(rows["n_chips"], rows[column] / 1e3, label=name, **style)
            axes.set(yscale="log", xlabel="chips", title=title, xticks=(1, 2, 4, 8, 12, 16))
            plain_log_ticks(axes.yaxis)
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=9)
        figure.suptitle(
            "F 128, 64 tokens, as the paper counts: column-wise at three pruning ratios, and other schemes",
            fontsize=11,
        )
    return figure


def plot_latency(table: pd.DataFrame) -> Figure:
    """Latency of both halves over features at 16 chips, and over chips at 512 features."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 7.6), layout="constrained")
        for row, half in zip(figure.subplots(2, 2, sharey="row"), HALVES, strict=True):
            some = table[table["half"] == half]
            name = "attention" if half == "attention" else "MLP"
            for axes, (x, fixed, value) in zip(
                row, (("features", "n_chips", 16), ("n_chips", "features", 512)), strict=True
            ):
                for ratio in RATIOS:
                    line = some[(some[fixed] == value) & (some["prune"] == ratio)]
                    axes.plot(line[x], line["latency_s"], marker=".", color=COLOURS[ratio])
                    _name_line(axes, f"p {ratio:g}", line[x], line["latency_s"], COLOURS[ratio])
                alone = some[some["n_chips"] == 1]
                if x == "features":
                    axes.plot(alone[x], alone["latency_s"], "--", color=GREY)
                    _name_line(axes, "one chip", alone[x], alone["latency_s"], "#666666")
                over = some[~some["fits"] & ((some[fixed] == value) | (some["n_chips"] == 1))]
                axes.scatter(over[x], over["latency_s"], marker="x", s=60, color=RED, zorder=3)
                words = "16 chips and one chip" if x == "features" else "512 features"
                axes.set(yscale="log", xlabel="chips" if x == "n_chips" else x, title=f"{name}, {words}")
                axes.set_xticks(FEATURES if x == "features" else (1, 2, 4, 8, 12, 16))
                plain_log_ticks(axes.yaxis)
            row[0].set_ylabel("latency [s] (absolute values ±40 %)")
        handles = [
            *(Line2D([], [], color=COLOURS[p], marker=".", label=f"column-wise, p {p:g}") for p in RATIOS),
            Line2D([], [], color=GREY, ls="--", label="one chip"),
            Line2D([], [], color=RED, marker="x", ls="", label="exceeds the chip's flash"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
        figure.suptitle(
            f"Half a block on nRF52840 under Mixer, {TOKENS} tokens; p: share of remote columns left out",
            fontsize=11,
        )
    return figure


def _name_line(axes: Axes, name: str, x: pd.Series[float], y: pd.Series[float], colour: str) -> None:
    """Write a line's name beside its last point."""
    axes.annotate(
        name, (x.iloc[-1], y.iloc[-1]), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
        color=colour,
    )  # fmt: skip


def plot_capacity(table: pd.DataFrame) -> Figure:
    """Stored weights of the largest model over the number of chips."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 5.4), layout="constrained")
        axes = figure.subplots()
        for layers, style in DEPTHS_DRAWN.items():
            rows = table[table["blocks"] == layers]
            name = "1 block" if layers == 1 else f"{layers} blocks"
            last = rows.iloc[-1]
            label = f"{name}: 16 chips hold {last['over_one_chip']:.1f} times what one does"
            axes.plot(rows["n_chips"], rows["stored_weights"] / 1e6, label=label, **style)
        beyond = table[table["also_limited_by"] != ""]
        axes.scatter(
            beyond["n_chips"], beyond["stored_weights"] / 1e6, s=130, marker="x", color=RED, zorder=3,
            label="flash holds it, but a gather needs more rounds than the firmware runs",
        )  # fmt: skip
        axes.set(
            xlabel="chips",
            ylabel="stored weights [millions]",
            title="Largest model by flash, nothing pruned",
            xticks=(1, 2, 4, 8, 16),
        )
        figure.legend(loc="outside lower center", fontsize=9)
    return figure


def reproduce_cats2026(folder: Path) -> list[Path]:
    """Write tables and figures to `folder`; give the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    studies = {
        "resources": (resources_table, plot_resources),
        "latency": (latency_table, plot_latency),
        "capacity": (capacity_table, plot_capacity),
        "accuracy_pruning": (pruning_table, plot_pruning),
        "accuracy_message_loss": (message_loss_table, plot_message_loss),
    }
    paths = []
    for stem, (make, draw) in studies.items():
        table = make()
        paths.append(folder / f"{stem}.csv")
        table.to_csv(paths[-1], index=False, lineterminator="\n", float_format="%.9g")
        figure = draw(table)
        for ending in ("svg", "png"):
            paths.append(folder / f"{stem}.{ending}")
            save(figure, paths[-1])
    return paths
