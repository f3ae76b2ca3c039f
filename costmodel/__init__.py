"""What a deployment plan costs: pure arithmetic on arrays, every constant with its source.

>>> from costmodel import Plan, Plans, evaluate, load_platform, load_workload
>>> workload = load_workload("tinyllama-42m")
>>> costs = evaluate(
...     workload, load_platform("siracusa-mipi"), Plans.of([Plan(strategy="head_wise", n_chips=8)])
... )
>>> bool(costs.feasible[0])
True
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costmodel.accounting import Accounting
    from costmodel.costs import Costs, Violation
    from costmodel.evaluation import evaluate
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

if not TYPE_CHECKING:
    # A name is fetched from its module when first asked for: whoever needs costmodel.errors or
    # costmodel.parameters alone, as dse list does, must not wait for NumPy and all of the model.
    MODULES = {
        "Accounting": "accounting",
        "Costs": "costs",
        "Plan": "plan",
        "Plans": "plans",
        "Platform": "hardware",
        "Violation": "costs",
        "Workload": "workload",
        "evaluate": "evaluation",
        "load_platform": "hardware",
        "load_workload": "workload",
    }

    def __getattr__(name: str) -> object:
        """Give a name of `__all__`."""
        from importlib import import_module

        if name not in MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)

    def __dir__() -> list[str]:
        """Give the names that are there, those that nobody asked for yet among them."""
        return sorted({*globals(), *__all__})
