"""The table of strategies: one file a strategy, one line each here."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import PlanError, nearest
from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, Ints, Plan
from costmodel.plans import Plans
from costmodel.strategies.column_wise import COLUMN_WISE
from costmodel.strategies.head_wise import HEAD_WISE
from costmodel.strategies.strategy import Strategy
from costmodel.workload import Workload

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        HEAD_WISE,
        COLUMN_WISE,
    )
}  # fmt: skip
DEFAULT = HEAD_WISE.name
LARGEST_KEY = 2**63
Key = tuple[int, ...]  # of a plan, where keys are listed


def strategy_named(name: str) -> Strategy:
    """Look a strategy up.

    Raises
    ------
    PlanError
        There is none of that name.
    """
    if name not in STRATEGIES:
        raise PlanError(f"unknown strategy {name!r}; {nearest(name, STRATEGIES)}")
    return STRATEGIES[name]


def first_with(decisions: Iterable[str]) -> str:
    """Name the first strategy that has some decisions."""
    return next(name for name, one in STRATEGIES.items() if set(decisions) <= set(one.decisions))


def canonical(workload: Workload, platform: Platform, plans: Plans) -> Plans:
    """Give each plan its canonical form: equal costs, and one form for all plans that are the same.

    One chip is cut by no strategy; it is the first one's.
    """
    found = [
        (where, strategy_named(some.names[0]).canonical(workload, platform, some))
        for where, some in plans.by_strategy()
    ]
    if not found:
        return plans
    order = np.argsort(np.concatenate([where for where, _ in found]), kind="stable")
    joined = Plans.joined([some for _, some in found]).take(order)
    return _owned(workload, platform, joined)


def _owned(workload: Workload, platform: Platform, plans: Plans) -> Plans:
    """Give plans of one chip to the first strategy; name no strategy that has no plan."""
    alone = plans["n_chips"] == 1
    names = (DEFAULT, *(name for name in plans.names if name != DEFAULT))
    code = np.where(alone, 0, np.array([names.index(name) for name in plans.names])[plans.strategy])
    there, code = np.unique(code, return_inverse=True)
    values = dict(plans.values)
    if alone.any():
        one_chip = [name for name, decision in DECISIONS.items() if decision.of_one_chip]
        first = STRATEGIES[DEFAULT].canonical(workload, platform, plans.take(alone).neutralised(one_chip))
        for name in values:
            values[name] = plans[name].copy()
            values[name][alone] = first[name]
    return Plans(names=tuple(names[i] for i in there), strategy=code.astype(np.int64), values=values)


def canonical_plan(workload: Workload, platform: Platform, plan: Plan) -> Plan:
    """Give one plan its canonical form."""
    return canonical(workload, platform, Plans.of([plan])).row(0)


def keys(plans: Plans) -> NDArray[np.void]:
    """Give each canonical plan a key, (n,): equal for equal plans, ordered by strategy, then by decisions.

    A key is a few whole numbers, each of as many decisions as it has room for.
    """
    order = list(STRATEGIES)
    columns = [np.array([order.index(name) for name in plans.names], dtype=np.int64)[plans.strategy]]
    codes = len(STRATEGIES)
    for name, decision in DECISIONS.items():
        if codes * decision.codes >= LARGEST_KEY:
            columns.append(np.zeros(len(plans), dtype=np.int64))
            codes = 1
        codes *= decision.codes
        columns[-1] = columns[-1] * decision.codes + decision.code(plans[name])
    found = np.empty(len(plans), dtype=[(f"key_{i}", np.int64) for i in range(len(columns))])
    for name, column in zip(found.dtype.names or (), columns, strict=True):
        found[name] = column
    return found


def in_order(plans: Plans) -> Ints:
    """Positions of canonical plans in the order of their keys."""
    found = keys(plans)
    return np.lexsort([found[name] for name in reversed(found.dtype.names or ())])


__all__ = [
    "DEFAULT",
    "STRATEGIES",
    "Key",
    "Strategy",
    "canonical",
    "canonical_plan",
    "first_with",
    "in_order",
    "keys",
    "strategy_named",
]
