"""One plan on every number of chips: latency, energy, and where what stays on chip changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np
import pandas as pd

from costmodel.accounting import Accounting
from costmodel.costs import Costs
from costmodel.dealing import laid_out
from costmodel.errors import PlanError
from costmodel.hardware import Platform
from costmodel.intervals import DrawnCosts, drawn_costs_of
from costmodel.plan import MAX_CHIPS, Ints, Plan
from costmodel.plans import Plans
from costmodel.strategies import canonical
from costmodel.workload import Workload
from dse.deployment import regime_name
from dse.ground import Ground, ground
from dse.objectives import FloatArray
from dse.tables import INTERVAL, cost_columns

# Where the weights of the chip are that keeps least, in words.
WORDS = {
    "streamed": "no block fits on chip: weights come in tiles",
    "prefetched": "no block stays on chip: one runs while the next is loaded",
    "pinned": "some blocks stay on chip, the others are loaded",
    "blocks resident": "all blocks stay on chip, rows of embedding or LM head do not",
    "resident": "all weights stay on chip",
    "in flash": "all weights are in flash, and read in place",
}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Numbers of chips in a row, `first` to `last`, with which weights lie alike.

    `kind` is one of `WORDS`, or none of plans that do not fit; `exceeded` are the resources that do not
    suffice.
    """

    first: int
    last: int
    kind: str | None
    exceeded: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say where weights are, or what there is not enough of."""
        return f"not enough {' and '.join(self.exceeded)}" if self.kind is None else WORDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Cliff:
    """A plan on each of n numbers of chips, ascending, those that do not fit as well.

    Attributes
    ----------
    plan : Plan
        The plan asked for, on any number of chips.
    start : int, optional
        The number of chips from which another one is asked for, if any.
    plans : Plans
        Canonical plans, (n,).
    """

    workload: Workload
    platform: Platform
    accounting: Accounting
    plan: Plan
    start: int | None
    plans: Plans
    costs: Costs
    drawn: DrawnCosts

    @property
    def n_chips(self) -> Ints:
        """Numbers of chips, (n,)."""
        return self.costs.n_chips

    @cached_property
    def fitting(self) -> Ints:
        """Positions of the plans that fit."""
        return np.flatnonzero(self.costs.feasible)

    @cached_property
    def fastest(self) -> int | None:
        """Position of the fastest plan that fits; of equal ones the one with fewest chips."""
        return self._least(self.costs.latency_s)

    @cached_property
    def thriftiest(self) -> int | None:
        """Position of the plan that fits and takes least energy; of equal ones the one with fewest chips."""
        return self._least(self.costs.energy_j)

    def _least(self, values: FloatArray) -> int | None:
        return int(self.fitting[np.argmin(values[self.fitting])]) if len(self.fitting) else None

    @cached_property
    def speed_up(self) -> FloatArray:
        """How many times faster than on the fewest chips that fit, (n,); NaN of what does not fit."""
        found = np.full(len(self.plans), np.nan)
        if len(self.fitting):
            found[self.fitting] = self.costs.latency_s[self.fitting[0]] / self.costs.latency_s[self.fitting]
        return found

    @cached_property
    def ground(self) -> Ground:
        """Which plans stand on published ground."""
        return ground(self.plans, self.workload.model.heads)

    def _kind(self, index: int) -> str:
        """Name where the weights of plan `index` are, by `WORDS`."""
        regime = regime_name(int(self.costs.regime[index]))
        if self.platform.mcu.flash is not None:
            return "in flash"
        if regime == "resident" and self.costs.n_chips_with_l3[index]:
            return "blocks resident"
        return regime

    @cached_property
    def stretches(self) -> list[Stretch]:
        """Numbers of chips in a row with which weights lie alike, or the same resources do not suffice.

        A border is where one ends and the next begins.
        """

        def alike(index: int) -> tuple[str | None, tuple[str, ...]]:
            exceeded = tuple(v.resource for v in self.costs.violations(index))
            return None if exceeded else self._kind(index), exceeded

        found = []
        for (kind, exceeded), run in groupby(range(len(self.plans)), key=alike):
            there = self.n_chips[list(run)]
            found.append(Stretch(first=int(there[0]), last=int(there[-1]), kind=kind, exceeded=exceeded))
        return found

    def stretch(self, index: int) -> Stretch:
        """Give the stretch that plan `index` is of."""
        return next(one for one in self.stretches if one.last >= self.n_chips[index])

    def border(self, index: int) -> bool:
        """Whether plan `index` is the first of a stretch, and not of the first one."""
        return index > 0 and self.stretch(index) is not self.stretch(index - 1)


def cliff(
    workload: Workload, platform: Platform, accounting: Accounting, plan: Plan, start: int | None = None
) -> Cliff:
    """Cost a plan on every number of chips that its strategy can use, as one batch.

    Parameters
    ----------
    start : int, optional
        Number of chips from which another one is asked for.

    Raises
    ------
    PlanError
        The strategy cannot use so many chips as `start`.
    """
    asked = np.arange(1, MAX_CHIPS + 1)
    plans = canonical(workload, platform, Plans.of(replace(plan, n_chips=n) for n in asked.tolist()))
    plans = plans.take(plans["n_chips"] == asked)
    if start is not None and start not in plans["n_chips"]:
        most = int(plans["n_chips"].max())
        raise PlanError(f"n_chips {start}: {plan.strategy} can use {most} on {workload.name} at most")
    batches = list(laid_out(workload, platform, plans, accounting))
    return Cliff(
        workload=workload,
        platform=platform,
        accounting=accounting,
        plan=plan,
        start=start,
        plans=plans,
        costs=Costs.scattered([(where, found.costs) for where, found in batches]),
        drawn=drawn_costs_of(workload, platform, batches, accounting),
    )


def cliff_table(found: Cliff) -> pd.DataFrame:
    """Give one row a number of chips: what trials.csv has of a plan, intervals, speed-up and borders.

    `speed_up` is over the fewest chips that fit; `border` marks the first row of each stretch but the
    first, and `where_weights_are` says what a stretch is.
    """
    costs, n = found.costs, len(found.plans)
    table = cost_columns([found.workload] * n, found.plans, costs)
    for column, interval in found.drawn.intervals.items():
        table |= {f"{column}_{end}": getattr(interval, end) for end in INTERVAL}
    table["speed_up"] = found.speed_up
    table["where_weights_are"] = [found.stretch(i).words for i in range(n)]
    table["border"] = [found.border(i) for i in range(n)]
    table["published_ground"] = found.ground.within
    table["feasible"] = costs.feasible
    table["exceeds"] = [" | ".join(map(str, costs.violations(i))) for i in range(n)]
    return pd.DataFrame(table).set_index("n_chips")
