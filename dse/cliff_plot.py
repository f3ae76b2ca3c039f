"""A plan on every number of chips, drawn: latency and energy, and the borders between where weights are."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from dse.cliff import WORDS, Cliff
from dse.objectives import OBJECTIVES, Objective
from dse.plots import GREEN, GREY, LABELLED_CHIPS, REGIME_COLOURS, STYLE, is_log, plain_log_ticks
from dse.words import plan_words

# By `WORDS`.
COLOURS = {
    **REGIME_COLOURS,
    "blocks resident": "#56B4E9",
    "in flash": GREEN,
}
LINEAR_MOST = 16  # chips up to which each has its tick


def plot_cliff(found: Cliff) -> Figure:
    """Latency over energy, by number of chips, each with the band of its draws.

    Markers are coloured by where weights are, vertical lines are borders; what does not fit is hatched, its
    markers hollow.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 7.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _draw(found, above, OBJECTIVES["latency"])
        _draw(found, below, OBJECTIVES["energy"])
        _chips_axis(found, below)
        for axes in (above, below):
            _borders(found, axes)
        _border_labels(found, above)
        decided = plan_words(found.plans.row(len(found.plans) - 1))
        title = (
            f"{found.workload.name}, {found.workload.request}, on {found.platform.name}\n"
            f"{found.plan.strategy}, {decided}"
        )
        figure.suptitle(title.replace("$", r"\$"), fontsize=12)
        handles, labels = above.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", fontsize=9)
    return figure


def _draw(found: Cliff, axes: Axes, objective: Objective) -> None:
    """Draw one objective over the number of chips."""
    chips, values = found.n_chips, objective.of(found.costs) / objective.per_shown
    interval = found.drawn.intervals[objective.column]
    low, high = (end / objective.per_shown for end in (interval.low, interval.high))
    axes.plot(chips, values, color=GREY, linewidth=1, zorder=2)
    if not np.all(np.isnan(low)):
        axes.fill_between(
            chips, low, high, color=GREY, alpha=0.25, linewidth=0, zorder=1, label="5 to 95 % of the draws"
        )
    fits = found.costs.feasible
    kinds = np.array([found.stretch(i).kind or "" for i in range(len(chips))])
    for kind, words in WORDS.items():
        here = kinds == kind
        if here.any():
            axes.scatter(
                chips[here], values[here], s=22, color=COLOURS[kind], linewidths=0, zorder=3, label=words
            )
    lacking = np.array([found.stretch(i).words for i in range(len(chips))])
    for words in dict.fromkeys(lacking[~fits].tolist()):
        here = ~fits & (lacking == words)
        axes.scatter(
            chips[here], values[here], s=22, facecolors="white", edgecolors=GREY, linewidths=1, zorder=3,
            label=f"does not fit: {words}",
        )  # fmt: skip
    drawn = np.concatenate([values, low[~np.isnan(low)], high[~np.isnan(high)]])
    if is_log(objective, pd.Series(drawn)):
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    axes.set_ylabel(objective.label)


def _chips_axis(found: Cliff, axes: Axes) -> None:
    """Label the number of chips: each of few, powers of two of many."""
    least, most = int(found.n_chips[0]), int(found.n_chips[-1])
    if most > LINEAR_MOST:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(LABELLED_CHIPS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:.0f}"))
        axes.set_xlim(least * 0.9, most * 1.1)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=LINEAR_MOST))
        axes.set_xlim(least - 0.5, most + 0.5)
    axes.set_xlabel(OBJECTIVES["n_chips"].title)


def _borders(found: Cliff, axes: Axes) -> None:
    """Draw a line at the first number of chips of each stretch but the first, and hatch what does not fit."""
    left, right = axes.get_xlim()
    for one, after in zip(found.stretches, [*found.stretches[1:], None], strict=True):
        begins = left if one is found.stretches[0] else one.first - 0.5
        ends = right if after is None else after.first - 0.5
        if begins > left:
            axes.axvline(begins, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5)
        if one.kind is None:
            axes.axvspan(
                begins, ends, facecolor="#F0F0F0", edgecolor="#D0D0D0", hatch="///", linewidth=0, zorder=0
            )


def _border_labels(found: Cliff, axes: Axes) -> None:
    """Say above each border what begins there."""
    for one in found.stretches[1:]:
        axes.annotate(
            f"from {one.first} chips: {one.kind or one.words}", (one.first - 0.5, 1), xytext=(0, 4),
            xycoords=axes.get_xaxis_transform(), textcoords="offset points", rotation=30, ha="left",
            va="bottom", fontsize=8.5,
        )  # fmt: skip
