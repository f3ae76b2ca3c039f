"""Plans in words, as their strategies speak of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from costmodel.plan import DECISIONS, Plan, plan_of
from costmodel.strategies import strategy_named

# Causes of latency, as tables name them, in words.
CAUSES = {
    "compute": "compute",
    "root": "root (residual, norm)",
    "link": "link",
    "l3": "off-chip memory (L3)",
}


def plan_of_row(row: Mapping[Any, Any] | pd.Series[Any]) -> Plan:
    """Give the plan in a row of a table; decisions without a column are neutral."""
    decided = {name: row.get(name, decision.neutral) for name, decision in DECISIONS.items()}
    return plan_of({"strategy": row["strategy"], **decided})


def plan_words(plan: Plan) -> str:
    """Say a plan's decisions beside strategy and number of chips."""
    return strategy_named(plan.strategy).words(plan)


def chips_words(plan: Plan) -> str:
    """Say how many chips a plan has."""
    return f"{plan.n_chips} {'chip' if plan.n_chips == 1 else 'chips'}"


def whole_words(plan: Plan) -> str:
    """Say all of a plan: chips, strategy and decisions."""
    return f"{chips_words(plan)}, {plan.strategy}, {plan_words(plan)}"
