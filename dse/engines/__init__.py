"""Search engines: one file each, one line each in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dse.engines.engine import Engine
from search_spaces import Candidates

# Below this budget TPE finds more of the front than NSGA-II, above it costs more time than it saves.
TPE_BUDGET = 300
SOON_LISTED = 50_000  # so many plans are all evaluated within half a minute


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


def _tpe(candidates: Candidates, n_objectives: int, seed: int) -> Engine:
    from dse.engines.optuna_samplers import tpe

    return tpe(candidates, n_objectives, seed)


ENGINES: dict[str, EngineEntry] = {
    "exhaustive": EngineEntry(description="every plan of the space; the front is exact", make=_exhaustive),
    "random": EngineEntry(description="plans at random (Optuna RandomSampler)", make=_random),
    "nsga2": EngineEntry(description="evolution (Optuna NSGAIISampler)", make=_nsga2),
    "tpe": EngineEntry(description="Parzen estimators (Optuna TPESampler)", make=_tpe),
}


def pick(size: int, budget: int, total: int | None = None) -> tuple[str, str]:
    """Choose an engine for a space of `size` plans, and say why.

    Of several spaces that share a budget, `total` is how many plans they have.

    >>> pick(409, 500)[0], pick(409, 100)[0], pick(9999, 1000)[0]
    ('exhaustive', 'tpe', 'nsga2')
    """
    has = f"the space has {size} plan{'s' if size > 1 else ''}"
    if size <= budget:
        return "exhaustive", f"{has}, the budget covers all of them"
    needed = size if total is None else total
    exact = f"; --budget {needed} makes the front exact" if needed <= SOON_LISTED else ""
    if budget <= TPE_BUDGET:
        return "tpe", f"{has}; TPE is the best sampler up to {TPE_BUDGET} evaluations{exact}"
    return "nsga2", f"{has}, more than the budget{exact}"


__all__ = ["ENGINES", "Engine", "EngineEntry", "pick"]
