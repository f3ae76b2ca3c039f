"""What a deployment plan costs: pure arithmetic on arrays, every constant with its source.

>>> from costmodel import Plan, Plans, evaluate, load_platform, load_workload
>>> workload = load_workload("tinyllama-42m")
>>> costs = evaluate(
...     workload, load_platform("siracusa-mipi"), Plans.of([Plan(strategy="head_wise", n_chips=8)])
... )
>>> bool(costs.feasible[0])
True
"""

from costmodel.accounting import Accounting
from costmodel.costs import Costs, Violation
from costmodel.evaluate import evaluate
from costmodel.hardware import Platform, load_platform
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.workload import Workload, load_workload

__all__ = [
    "Accounting",
    "Costs",
    "Plan",
    "Plans",
    "Platform",
    "Violation",
    "Workload",
    "evaluate",
    "load_platform",
    "load_workload",
]
