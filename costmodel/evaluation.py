"""What plans cost: ``evaluate(workload, platform, plans, accounting) -> Costs``, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from costmodel.accounting import Accounting
from costmodel.collectives import Messages, collective
from costmodel.costing import Costing
from costmodel.costs import Costs
from costmodel.dealing import costing, laid_out
from costmodel.errors import PlanError
from costmodel.hardware import Platform
from costmodel.operators import Operator
from costmodel.plan import Plan
from costmodel.plans import Plans
from costmodel.program import HALVES, ChipSlices, ExchangeKind
from costmodel.strategies import canonical, strategy_named
from costmodel.workload import Workload


def evaluate(
    workload: Workload, platform: Platform, plans: Plans, accounting: Accounting | None = None
) -> Costs:
    """Cost a batch of plans, of one strategy or of several.

    Parameters
    ----------
    plans : Plans
        n plans; infeasible ones are costed as well.
    accounting : Accounting, optional
        What is counted; the whole model in steady state by default.

    Returns
    -------
    Costs
        Arrays of shape (n,), in the order of `plans`.

    Raises
    ------
    PlanError
        A strategy is not known, or has no such plan on this workload and platform.
    """
    accounting = accounting or Accounting()
    batches = laid_out(workload, platform, plans, accounting)
    return Costs.scattered([(where, found.costs) for where, found in batches])


@dataclass(frozen=True, kw_only=True)
class Synchronisation:
    """An exchange of a plan, message by message; it happens `times` times an inference."""

    name: str
    kind: ExchangeKind
    times: int
    merge_work: tuple[str, ...]
    forward_work: tuple[str, ...]
    root_work: tuple[str, ...]
    messages: Messages


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """All there is to know of one plan.

    Attributes
    ----------
    plan : Plan
        In its canonical form.
    costing : Costing
        Program, placement and costs; a batch of one.
    slices : tuple of ChipSlices
        What each chip has of every matrix.
    synchronisations : tuple of Synchronisation
        Who sends what to whom, in order of execution.
    """

    plan: Plan
    costing: Costing
    slices: tuple[ChipSlices, ...]
    synchronisations: tuple[Synchronisation, ...]


def _names(work: Iterable[Operator]) -> tuple[str, ...]:
    """Names of work of some size."""
    return tuple(operator.name for operator in work if np.any(operator.elements))


def inspect(workload: Workload, platform: Platform, plan: Plan, accounting: Accounting) -> Inspection:
    """Write one plan out: what each chip has, who sends what to whom, where it lies, what it costs.

    Raises
    ------
    PlanError
        The strategy cannot use so many chips.
    """
    plans = canonical(workload, platform, Plans.of([plan]))
    if (most := int(plans["n_chips"][0])) != plan.n_chips:
        raise PlanError(f"n_chips {plan.n_chips}: {plan.strategy} can use {most} on {workload.name} at most")
    found = costing(workload, platform, plans, accounting)
    plan, program = plans.row(0), found.program
    synchronisations = []
    for part in found.counted.parts:
        for step in part.steps:
            if step.exchange is not None:
                carried_out = collective(step.exchange, platform.link)
                synchronisations.append(
                    Synchronisation(
                        name=step.name,
                        kind=step.exchange.kind,
                        times=accounting.blocks(workload) if part.name in HALVES else 1,
                        merge_work=_names(step.exchange.merge),
                        forward_work=_names(step.exchange.forward),
                        root_work=_names(step.exchange.root),
                        messages=carried_out.messages(platform.link, step.exchange, program.chips[:, 0]),
                    )
                )
    return Inspection(
        plan=plan,
        costing=found,
        slices=strategy_named(plan.strategy).slices(workload, platform, plan, found.fills),
        synchronisations=tuple(synchronisations),
    )
