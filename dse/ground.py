"""Published ground: which plans have more chips than any published system that ran so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.plan import Ints
from costmodel.plans import Plans
from costmodel.strategies import strategy_named

Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where plans stand; arrays are (n,).

    Attributes
    ----------
    more_chips_than_heads : (n,) bool
        Chips without a head have no part in attention, and no published system has such chips.
    more_chips_than_published : (n,) bool
        More than any published system of the plan's strategy.
    """

    more_chips_than_heads: Bools
    more_chips_than_published: Bools

    @property
    def within(self) -> Bools:
        """Whether a plan stands on published ground."""
        return ~(self.more_chips_than_heads | self.more_chips_than_published)


def ground(plans: Plans, heads: int | Ints) -> Ground:
    """Tell where plans stand.

    Parameters
    ----------
    heads : int or (n,) int
        Heads of the plans' models.

    >>> from costmodel.plan import Plan
    >>> plans = Plans.of([Plan(strategy="head_wise", n_chips=n) for n in (8, 9)])
    >>> ground(plans, 8).within.tolist()
    [True, False]
    """
    published = np.array([strategy_named(name).published_chips for name in plans.names])
    return Ground(
        more_chips_than_heads=np.asarray(plans["n_chips"] > heads),
        more_chips_than_published=np.asarray(plans["n_chips"] > published[plans.strategy]),
    )
