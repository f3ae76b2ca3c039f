"""Tables to figures; nothing is computed here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from dse.objectives import Objective
from dse.words import chips_words, plan_of_row, plan_words, whole_words

# Okabe and Ito's colours, legible with colour-blindness.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A8A8A"
LABELLED_CHIPS = (1, 2, 4, 8, 16, 32, 64)  # written beside the front's points
LABEL_SIZE, LABEL_GAP = 8.0, 7.0  # of texts beside points, and how far off they are, points
SIDES = ((0, 1), (0, -1), (-1, 0), (1, 0), (-1, 1), (1, -1), (1, 1), (-1, -1))  # right, up; best first
AXIS_NAMES = {"edp": "energy-delay product"}  # of objectives whose title is an abbreviation
REGIME_COLOURS = {"resident": GREEN, "pinned": PURPLE, "prefetched": BLUE, "streamed": ORANGE}
REGIME_MARKERS = {"resident": "o", "pinned": "D", "prefetched": "s", "streamed": "^"}
REGIME_SYMBOLS = {
    "resident": "circle",
    "pinned": "diamond",
    "prefetched": "square",
    "streamed": "triangle-up",
}
KIND_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00")
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

Label = tuple[str, tuple[float, float], str]  # a text beside a point: itself, the point, its colour


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in this style, silent about names in a script that the font lacks."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes."""
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with drawing():
        figure.savefig(path, metadata=metadata)


def plain_log_ticks(axis: Axis) -> None:
    """Label a log axis at 1, 2, 5, 10, ... with plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.10g}"))
    axis.set_minor_formatter(NullFormatter())


def is_log(objective: Objective, values: pd.Series[float]) -> bool:
    """Whether an axis is logarithmic: values span over a decade; never of shares, which may be 0."""
    positive = len(values) > 0 and values.min() > 0
    return bool(positive and not objective.share and values.max() / values.min() > 10)


def axis_label(objective: Objective) -> str:
    """Name of an axis, in words where the objective's name is short for them, with its unit."""
    if objective.share:
        return f"{objective.label} (share, 0 to 1)"
    return objective.label.replace(objective.title, AXIS_NAMES.get(objective.name, objective.title))


def _ticks(axis: Axis, objective: Objective) -> None:
    """Label an axis with plain numbers, whole ones where the objective counts something."""
    if axis.get_scale() == "log":
        plain_log_ticks(axis)
    elif objective.whole:
        axis.set_major_locator(MaxNLocator(integer=True))


def _drawn(axes: Axes) -> NDArray[np.float64]:
    """Where markers and lines are, in points."""
    marks = [np.asarray(c.get_offsets()) for c in axes.collections]
    places = [axes.transData.transform(some) for some in marks if len(some)]
    for line in axes.get_lines():
        path = axes.transData.transform(np.asarray(line.get_xydata()))
        share = np.linspace(0, 1, 50)[:, None]
        places += [path] + [a + share * (b - a) for a, b in pairwise(path)]
    return np.concatenate(places) * 72 / axes.figure.dpi


def label_points(figure: Figure, axes: Axes, labels: Sequence[Label]) -> None:
    """Write a text beside each point, on the side where it covers the least of what is drawn.

    Parameters
    ----------
    figure, axes : Figure, Axes
        With all but these texts drawn, as they give way to it.
    labels : sequence
        Text, point and colour of each.
    """
    if not labels:
        return
    with drawing():
        figure.draw_without_rendering()  # only a figure laid out knows which points are near
    drawn, frame = _drawn(axes), np.asarray(axes.bbox.get_points()) * 72 / figure.dpi
    taken: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for text, point, colour in labels:
        half = np.array([0.32 * len(text), 0.4]) * LABEL_SIZE
        origin = axes.transData.transform(point) * 72 / figure.dpi
        choices = []
        for side in SIDES:
            away = LABEL_GAP * (0.5 if all(side) else 0.85)
            offset = np.array(side) * (away + half)
            covered = (np.abs(drawn - origin - offset) < half + 2.5).all(axis=1).sum()
            crossed = sum((np.abs(at - origin - offset) < half + its).all() for at, its in taken)
            outside = ((origin + offset - half < frame[0]) | (origin + offset + half > frame[1])).any()
            choices.append((covered + 100 * crossed + 20 * outside, tuple(offset)))
        offset = np.array(min(choices, key=itemgetter(0))[1])
        taken.append((origin + offset, half))
        axes.annotate(
            text, point, xytext=tuple(offset), textcoords="offset points", fontsize=LABEL_SIZE, color=colour,
            ha="center", va="center", zorder=5,
        )  # fmt: skip


def front_groups(front: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """Cut a front in groups that are drawn alike: name, rows, colour, regime.

    Plans of several models are coloured by model, of several strategies by strategy, all others by regime.
    """
    by = "workload" if len(set(front["workload"])) > 1 else "strategy"
    kinds = list(dict.fromkeys(front[by]))
    for kind, colour in zip(kinds, cycle(KIND_COLOURS), strict=False):
        for regime in REGIME_MARKERS:
            rows = front[(front[by] == kind) & (front["regime"] == regime)]
            if len(rows) and len(kinds) > 1:
                yield f"Pareto front, {kind}, weights {regime}", rows, colour, regime
            elif len(rows):
                yield f"Pareto front, weights {regime}", rows, REGIME_COLOURS[regime], regime


def plot_front(trials: pd.DataFrame, front: pd.DataFrame, x: Objective, y: Objective, title: str) -> Figure:
    """All feasible plans in grey, the front in colour by regime, the knee ringed; the legend below.

    Parameters
    ----------
    trials, front : DataFrame
        As in trials.csv and pareto.csv.
    """
    with mpl.rc_context(STYLE):
        groups = list(front_groups(front))
        figure = Figure(figsize=(7.2, 5.3 + 0.2 * len(groups)), layout="constrained")
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
        for name, rows, colour, regime in groups:
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
            model = f"{row['workload']} on " if len(set(trials["workload"])) > 1 else ""
            point = (row[x.column] / x.per_shown, row[y.column] / y.per_shown)
            axes.scatter(
                *point, s=170, facecolors="none", edgecolors="black", linewidths=1.3, zorder=4,
                label=f"recommended: {model}{chips_words(plan := plan_of_row(row))}, {plan_words(plan)}",
            )  # fmt: skip
        for name, o in (("x", x), ("y", y)):
            axes.set(**{f"{name}scale": "log" if is_log(o, feasible[o.column]) else "linear"})
        _ticks(axes.xaxis, x)
        _ticks(axes.yaxis, y)
        axes.set(xlabel=axis_label(x), ylabel=axis_label(y), title=title.replace("$", r"\$"))
        labels = _fastest(front, x, y) if "n_chips" not in (x.name, y.name) else []
        heading = "numbers: the fastest plan with so many chips" if labels else None
        figure.legend(loc="outside lower center", fontsize=9, title=heading, title_fontsize=9)
    label_points(figure, axes, labels)
    return figure


def _fastest(front: pd.DataFrame, x: Objective, y: Objective) -> list[Label]:
    """Label the fastest plan of the front with one, two, four, ... chips by their number."""
    labels = []
    for n in LABELLED_CHIPS:
        for _, row in front[front["n_chips"] == n].nsmallest(1, "latency_s").iterrows():
            labels.append((str(n), (row[x.column] / x.per_shown, row[y.column] / y.per_shown), "black"))
    return labels


def front_page(trials: pd.DataFrame, front: pd.DataFrame, x: Objective, y: Objective, title: str) -> str:
    """Interactive page of the same data, complete in itself: hover shows a plan's decisions and costs."""
    import plotly.graph_objects as go

    names = dict.fromkeys(trials["workload"])
    models = {name: f"{name}: " for name in names} if len(names) > 1 else {}

    def texts(rows: pd.DataFrame) -> list[str]:
        return [
            f"{html_text(models.get(r['workload'], '') + whole_words(plan_of_row(r)))}<br>"
            f"{r['latency_s'] * 1e3:.4g} ms, {r['energy_j'] * 1e3:.4g} mJ<br>"
            f"weights {r['regime']}, limited by {r['limited_by']}"
            f"{'' if r['published_ground'] else '<br>outside published ground'}"
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
    kinds = {o.name: "log" if is_log(o, feasible[o.column]) else "linear" for o in (x, y)}
    figure.update_layout(
        title=html_text(title).replace("\n", "<br>"),
        xaxis={**axis, "title": axis_label(x), "type": kinds[x.name]},
        yaxis={**axis, "title": axis_label(y), "type": kinds[y.name]},
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
