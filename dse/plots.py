"""Tables to figures; nothing is computed here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dse.objectives import Objective
from dse.words import chips_words, plan_of_row, plan_words, whole_words

# Okabe and Ito's colours, legible with colour-blindness.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
LABELLED_CHIPS = (1, 2, 4, 8, 16, 32, 64)  # written beside the front's points
REGIME_COLOURS = {"resident": GREEN, "prefetched": BLUE, "streamed": ORANGE}
REGIME_MARKERS = {"resident": "o", "prefetched": "s", "streamed": "^"}
REGIME_SYMBOLS = {"resident": "circle", "prefetched": "square", "streamed": "triangle-up"}
STRATEGY_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00")
PAGE_BUTTONS: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtons": [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "dse",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font lacks
        metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, metadata=metadata)


def plain_log_ticks(axis: Axis) -> None:
    """Label a log axis at 1, 2, 5, 10, ... with plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())


def _scale(axes: Axes, x: pd.Series[float], y: pd.Series[float]) -> None:
    """Use log axes where values span more than a decade."""
    for name, values in (("x", x), ("y", y)):
        positive = len(values) and values.min() > 0
        if positive and values.max() / values.min() > 10:
            axes.set(**{f"{name}scale": "log"})
            plain_log_ticks(axes.xaxis if name == "x" else axes.yaxis)


def front_groups(front: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """Cut a front in groups that are drawn alike: name, rows, colour, regime.

    Plans of one strategy are coloured by regime, those of several by strategy.
    """
    strategies = list(dict.fromkeys(front["strategy"]))
    for strategy, colour in zip(strategies, cycle(STRATEGY_COLOURS), strict=False):
        for regime in REGIME_MARKERS:
            rows = front[(front["strategy"] == strategy) & (front["regime"] == regime)]
            if len(rows) and len(strategies) > 1:
                yield f"Pareto front, {strategy}, weights {regime}", rows, colour, regime
            elif len(rows):
                yield f"Pareto front, weights {regime}", rows, REGIME_COLOURS[regime], regime


def plot_front(trials: pd.DataFrame, front: pd.DataFrame, x: Objective, y: Objective, title: str) -> Figure:
    """All feasible plans in grey, the front in colour by regime, the knee ringed.

    Parameters
    ----------
    trials, front : DataFrame
        As in trials.csv and pareto.csv.
    """
    with mpl.rc_context(STYLE):
        several = len(set(front["strategy"])) > 1
        figure = Figure(figsize=(10.2, 4.8) if several else (7.2, 4.8), layout="constrained")
        axes = figure.subplots()
        feasible = trials[trials["feasible"]]
        axes.scatter(
            feasible[x.column] / x.per_shown,
            feasible[y.column] / y.per_shown,
            s=10,
            color=GREY,
            alpha=0.35,
            linewidths=0,
            label=f"evaluated, fits ({len(feasible)})",
        )
        for name, rows, colour, regime in front_groups(front):
            axes.scatter(
                rows[x.column] / x.per_shown,
                rows[y.column] / y.per_shown,
                marker=REGIME_MARKERS[regime],
                color=colour,
                label=f"{name} ({len(rows)})",
                s=42,
                linewidths=0,
                alpha=0.8,
                zorder=3,
            )
        knee = front[front["knee"]]
        for _, row in knee.iterrows():
            point = (row[x.column] / x.per_shown, row[y.column] / y.per_shown)
            axes.scatter(
                *point, s=170, facecolors="none", edgecolors="black", linewidths=1.3, zorder=4,
                label=f"recommended: {chips_words(plan := plan_of_row(row))}, {plan_words(plan)}",
            )  # fmt: skip
        for n in LABELLED_CHIPS:
            for _, row in front[front["n_chips"] == n].head(1).iterrows():
                point = (row[x.column] / x.per_shown, row[y.column] / y.per_shown)
                axes.annotate(
                    str(n), point, xytext=(0, 7), textcoords="offset points", fontsize=8, ha="center"
                )
        _scale(axes, feasible[x.column], feasible[y.column])
        axes.set(xlabel=x.label, ylabel=y.label, title=title.replace("$", r"\$"))
        place: dict[str, Any] = (
            {"loc": "upper left", "bbox_to_anchor": (1.01, 1)} if several else {"loc": "best"}
        )
        axes.legend(**place, fontsize=9, title="numbers in the plot: chips", title_fontsize=8)
    return figure


def front_page(trials: pd.DataFrame, front: pd.DataFrame, x: Objective, y: Objective, title: str) -> str:
    """Interactive page of the same data, complete in itself: hover shows a plan's decisions and costs."""
    import plotly.graph_objects as go

    def texts(rows: pd.DataFrame) -> list[str]:
        return [
            f"{html_text(whole_words(plan_of_row(r)))}<br>"
            f"{r['latency_s'] * 1e3:.4g} ms, {r['energy_j'] * 1e3:.4g} mJ<br>"
            f"weights {r['regime']}, limited by {r['limited_by']}"
            for r in rows.to_dict("records")
        ]

    figure = go.Figure()
    feasible = trials[trials["feasible"]]
    groups = [(feasible, "evaluated, fits", {"size": 6, "color": GREY, "opacity": 0.4})]
    for name, some, colour, regime in front_groups(front):
        marker = {"size": 10, "color": colour, "symbol": REGIME_SYMBOLS[regime], "opacity": 0.85}
        groups.append((some, name, marker))
    groups.append(
        (front[front["knee"]], "recommended", {"size": 18, "color": "black", "symbol": "circle-open"})
    )
    for rows, name, marker in groups:
        figure.add_trace(
            go.Scatter(
                x=(rows[x.column] / x.per_shown).tolist(),
                y=(rows[y.column] / y.per_shown).tolist(),
                text=texts(rows),
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                mode="markers",
                name=name,
                marker=marker,
            )
        )
    axis: dict[str, Any] = {"gridcolor": "#e6e6e6", "zeroline": False}
    log = {
        o.name: len(feasible) > 0
        and feasible[o.column].min() > 0
        and feasible[o.column].max() / feasible[o.column].min() > 10
        for o in (x, y)
    }
    figure.update_layout(
        title=html_text(title).replace("\n", "<br>"),
        xaxis={**axis, "title": x.label, "type": "log" if log[x.name] else "linear"},
        yaxis={**axis, "title": y.label, "type": "log" if log[y.name] else "linear"},
        plot_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 14},
        legend={"orientation": "h", "y": -0.18},
        height=640,
    )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, div_id="front", config=PAGE_BUTTONS)
    return page.replace("<head>", f"<head><title>{html_text(title.splitlines()[0])}</title>", 1)


def html_text(text: str) -> str:
    """Escape text for HTML."""
    import html

    return html.escape(text)


def save_front(
    folder: Path,
    stem: str,
    trials: pd.DataFrame,
    front: pd.DataFrame,
    x: Objective,
    y: Objective,
    title: str,
) -> Sequence[Path]:
    """Write the front as SVG, PNG and page."""
    figure = plot_front(trials, front, x, y, title)
    paths = [folder / f"{stem}.{ending}" for ending in ("svg", "png", "html")]
    for path in paths[:2]:
        save(figure, path)
    paths[2].write_text(front_page(trials, front, x, y, title), encoding="utf-8")
    return paths
