"""Which strategy is ahead where, in a space that mixes them: data first, then a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costmodel.costs import LATENCY_CAUSES
from dse.digits import seconds
from dse.search import SearchResult
from dse.words import CAUSES


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a strategy stands in a search.

    Attributes
    ----------
    on_front : int
        Plans on the front.
    least_chips, most_chips : int
        Of those.
    fastest : int, optional
        Position of its fastest plan that is feasible, of equal ones that with fewest chips; none
        when no plan is feasible.
    """

    strategy: str
    on_front: int
    least_chips: int
    most_chips: int
    fastest: int | None


def standings(result: SearchResult) -> list[Standing]:
    """How each strategy of the space stands, most plans on the front first."""
    names = np.array(result.plans.strategies)
    chips, latency, energy = result.costs.n_chips, result.costs.latency_s, result.costs.energy_j
    found = []
    for strategy in result.job.space.choices:
        mine = names == strategy
        front = result.front[mine[result.front]]
        fit = np.flatnonzero(mine & result.feasible)
        found.append(
            Standing(
                strategy=strategy,
                on_front=len(front),
                least_chips=int(min(chips[front], default=0)),
                most_chips=int(max(chips[front], default=0)),
                fastest=int(fit[np.lexsort((energy[fit], chips[fit], latency[fit]))[0]])
                if len(fit)
                else None,
            )
        )
    return sorted(found, key=lambda standing: -standing.on_front)


def winners_sentence(result: SearchResult) -> str:
    """Say which strategy is on the front where, and why the fastest plan beats the other strategies'.

    Empty when the space has one strategy.
    """
    found = standings(result)
    if len(found) < 2:
        return ""
    parts = []
    for standing in found:
        if standing.on_front:
            chips = f"{standing.least_chips} to {standing.most_chips} chips"
            parts.append(f"{standing.strategy} has {standing.on_front} plans on the front, on {chips}")
        elif standing.fastest is None:
            parts.append(f"{standing.strategy} has no plan that fits")
        else:
            parts.append(f"{standing.strategy} has none")
    able = [(s.strategy, s.fastest) for s in found if s.fastest is not None]
    reason = ""
    if len(able) > 1:
        able.sort(key=lambda entry: float(result.costs.latency_s[entry[1]]))
        (first, best), (second, other) = able[:2]
        by_cause = result.costs.latency_by_cause_s
        gains = {c: float(by_cause[c][other] - by_cause[c][best]) for c in LATENCY_CAUSES}
        cause = max(gains, key=lambda c: gains[c])
        took, takes = (seconds(float(by_cause[cause][i])) for i in (other, best))
        total, least = (seconds(float(result.costs.latency_s[i])) for i in (other, best))
        reason = (
            f"; fastest is {first} with {least} on {int(result.costs.n_chips[best])} chips, "
            f"{second} takes {total} on {int(result.costs.n_chips[other])}, "
            f"mostly for {CAUSES[cause]}: {took} against {takes}"
        )
    return f"{'; '.join(parts)}{reason}."
