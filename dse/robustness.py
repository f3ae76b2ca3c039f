"""How a recommendation stands up to constants that nobody knows exactly: data first, then sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dse.digits import joules, seconds
from dse.objectives import FloatArray
from dse.pareto import front_mask, knee
from dse.search import SearchResult

SELDOM = 0.05  # share of the draws below which another plan is not named


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """What the plans of a front are over the draws of the platform's constants.

    Attributes
    ----------
    knee : (f,) float
        Share of the draws in which each is the knee, of those on the front that meet all bounds.
    met : dict
        Bound to the share of the draws in which the recommended plan meets it, of bounds on what is drawn.
    """

    knee: FloatArray
    met: Mapping[str, float]


def robustness(result: SearchResult) -> Robustness | None:
    """Look for the knee anew in each draw; none where no draw changes any cost."""
    drawn, front = result.front_drawn, result.front
    if not (len(front) and drawn.vary):
        return None
    shape = drawn.latency_s.shape
    costs = result.costs.take(front).with_totals(drawn.latency_s, drawn.energy_j)
    values = np.stack([np.broadcast_to(o.minimised(costs), shape) for o in result.job.objectives], axis=-1)
    met = {bound.text: np.asarray(bound.slack(costs) <= 0) for bound in result.job.constraints}
    fits = np.all(
        [np.ones(shape, dtype=bool), *(np.broadcast_to(one, shape) for one in met.values())], axis=0
    )
    times = np.zeros(len(front))
    for of_draw, fit in zip(values, fits, strict=True):
        best = np.flatnonzero(front_mask(of_draw, fit))
        if len(best):
            times[best[knee(of_draw[best])]] += 1
    (own,) = np.flatnonzero(front == result.recommended)
    shares = {text: float(np.mean(one[:, own])) for text, one in met.items() if one.ndim == len(shape)}
    return Robustness(knee=times / len(values), met=shares)


def robustness_sentences(result: SearchResult) -> list[str]:
    """Say how far the recommended plan may be off, how often it stays the knee, and what bounds it meets."""
    found = robustness(result)
    if found is None:
        return []
    (own,) = np.flatnonzero(result.front == result.recommended)
    ends = result.front_drawn.intervals
    ranges = [
        f"{shown(float(ends[name].low[own]))} to {shown(float(ends[name].high[own]))}"
        for name, shown in (("latency_s", seconds), ("energy_j", joules))
        if not np.isnan(ends[name].low[own])
    ]
    others = np.where(np.arange(len(found.knee)) == own, 0.0, found.knee)
    most = int(np.argmax(others))
    sentence = f"Over the draws, 5 to 95 %: {', '.join(ranges)}. " if ranges else ""
    sentence += f"It stays the knee in {found.knee[own]:.0%} of them"
    if others[most] >= SELDOM:
        sentence += f"; front plan {most} is it in {others[most]:.0%}"
    return [
        f"{sentence}.",
        *(f"It meets {text} in {share:.0%} of the draws." for text, share in found.met.items()),
    ]
