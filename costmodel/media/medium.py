"""What every medium has, and the traffic that its energy is counted from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

PerPlan = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What an exchange puts on a medium; arrays by plan.

    Attributes
    ----------
    wire_bytes, messages : float
        Bytes on all links, headers included, and messages.
    """

    wire_bytes: PerPlan
    messages: PerPlan

    @staticmethod
    def none(zero: PerPlan) -> Traffic:
        """Give no traffic, in arrays of the shape of `zero`."""
        return Traffic(**{f.name: zero for f in fields(Traffic)})

    def plus(self, other: Traffic) -> Traffic:
        """Add traffic, field by field."""
        return Traffic(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def times(self, count: int) -> Traffic:
        """Repeat traffic `count` times."""
        return Traffic(**{name: count * value for name, value in vars(self).items()})


class Medium(BaseModel, ABC):
    """What joins the chips; a file's key `medium` says of which family it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    medium: str

    @abstractmethod
    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of all chips for `traffic`, both ends."""
