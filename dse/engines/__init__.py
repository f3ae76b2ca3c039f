"""Search engines: one file each, one line each in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from dse.engines.engine import Engine
from search_spaces import Candidates

AN_HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class EngineEntry:
    """An engine by name; `make` takes the plans of the space, the number of objectives and the seed."""

    description: str
    make: Callable[[Candidates, int, int], Engine]


def _exhaustive(candidates: Candidates, _n_objectives: int, _seed: int) -> Engine:
    from dse.engines.exhaustive import exhaustive

    return exhaustive(candidates)


def _random(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.optuna_samplers import random

    return random(candidates, n_objectives, seed)


def _nsga2(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.optuna_samplers import nsga2

    return nsga2(candidates, n_objectives, seed)


def _nsga3(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.optuna_samplers import nsga3

    return nsga3(candidates, n_objectives, seed)


def _evolutionary(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.evolutionary import evolutionary

    return evolutionary(candidates, n_objectives, seed)


def _qmc(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.qmc import qmc

    return qmc(candidates, n_objectives, seed)


def _tpe(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.optuna_samplers import tpe

    return tpe(candidates, n_objectives, seed)


ENGINES: dict[str, EngineEntry] = {
    "exhaustive": EngineEntry(description="every plan of the space; the front is exact", make=_exhaustive),
    "evolutionary": EngineEntry(
        description="evolution on arrays, no plan twice; best where not all plans can be costed",
        make=_evolutionary,
    ),
    "random": EngineEntry(description="plans at random (Optuna RandomSampler)", make=_random),
    "qmc": EngineEntry(description="plans spread evenly (Halton sequence)", make=_qmc),
    "nsga2": EngineEntry(description="evolution (Optuna NSGAIISampler)", make=_nsga2),
    "nsga3": EngineEntry(description="evolution (Optuna NSGAIIISampler)", make=_nsga3),
    "tpe": EngineEntry(description="Parzen estimators (Optuna TPESampler)", make=_tpe),
}


def pick(size: int, budget: int, takes_s: float, exact_seconds: float) -> tuple[str, str]:
    """Choose an engine for a space of `size` plans, and say why.

    Parameters
    ----------
    takes_s, exact_seconds : float
        How long all of them take, as estimated, and how long they may take.

    >>> pick(409, 500, 0.4, 0)[0], pick(40900, 100, 0.4, 20)[0]
    ('exhaustive', 'exhaustive')
    >>> pick(10**9, 1000, 1e3, 20)[0]
    'evolutionary'
    """
    has = f"the space has {size} plan{'s' if size > 1 else ''}"
    if size <= budget:
        return "exhaustive", f"{has}, the budget covers all of them"
    if takes_s <= exact_seconds:
        return "exhaustive", f"{has}, which take about {about(takes_s)} s in all, whatever the budget"
    exact = f"; --exact-seconds {ceil(takes_s)} makes the front exact" if takes_s <= AN_HOUR_S else ""
    return "evolutionary", f"{has}, more than the budget{exact}"


def about(seconds: float) -> str:
    """Say a time that is estimated.

    >>> about(0.02), about(0.34), about(7.8)
    ('0.1', '0.3', '8')
    """
    return f"{seconds:.0f}" if seconds >= 1 else f"{max(seconds, 0.1):.1f}"


__all__ = ["ENGINES", "Engine", "EngineEntry", "pick"]
