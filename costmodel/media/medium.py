"""What every medium has, and the traffic that its energy is counted from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from costmodel.parameters import fraction

PerPlan = NDArray[np.floating[Any]]


FULL_PACKET = 1e-9  # of rounding allowed when a payload just fills its packets


def packets(payload: Any, capacity: float) -> Any:
    """Packets that a payload takes, each with room for `capacity` bytes."""
    return np.ceil(payload / capacity - FULL_PACKET)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What an exchange puts on a medium; arrays by plan.

    Attributes
    ----------
    wire_bytes, messages : float
        Bytes that are sent, headers included, and messages. On a shared channel a message counts
        once, however many chips hear it or pass it on.
    sending_s, receiving_s : float
        Time that radios send and listen, of all chips together.
    """

    wire_bytes: PerPlan
    messages: PerPlan
    sending_s: PerPlan
    receiving_s: PerPlan

    @staticmethod
    def none(zero: PerPlan) -> Traffic:
        """Give no traffic, in arrays of the shape of `zero`."""
        return Traffic(**{f.name: zero for f in fields(Traffic)})

    @staticmethod
    def wired(*, wire_bytes: PerPlan, messages: PerPlan) -> Traffic:
        """Give traffic on wires."""
        zero = np.zeros(np.shape(messages))
        return Traffic(wire_bytes=wire_bytes, messages=messages, sending_s=zero, receiving_s=zero)

    def plus(self, other: Traffic) -> Traffic:
        """Add traffic, field by field."""
        return Traffic(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def times(self, count: Any) -> Traffic:
        """Repeat traffic `count` times."""
        return Traffic(**{name: count * value for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Reserve:
    """What a medium's software takes of every chip that uses it."""

    ram_bytes: float = 0.0
    flash_bytes: float = 0.0


class Medium(BaseModel, ABC):
    """What joins the chips; a file's key `medium` says of which family it is.

    Attributes
    ----------
    shared : bool
        Whether all chips hear everything that is sent; there are no trees then.
    informational : tuple of str
        Keys that no cost depends on.
    energy_keys : dict
        Keys that joules are times or bytes times, by cause of energy.
    loss : float, optional
        Probability that a chip does not get another one's message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    shared: ClassVar[bool] = False
    informational: ClassVar[tuple[str, ...]] = ("loss",)
    energy_keys: ClassVar[Mapping[str, tuple[str, ...]]]

    description: str
    medium: str
    loss: Annotated[float | None, fraction()] = None

    @abstractmethod
    def energy_j(self, traffic: Traffic) -> Any:
        """Joules of all chips for `traffic`, both ends."""

    def idle_w(self, links: Any) -> Any:
        """Watts that so many links draw all the time; the radio of a shared channel is off when it waits."""
        return 0.0 * links

    def sends(self, loss: float, _receptions: Any) -> Any:
        """Give how often a message is sent, on average, until all have it that should.

        Parameters
        ----------
        loss : float
            Probability that a chip does not get another one's message.
        _receptions : int or array
            Messages times chips that each is for, where what is lost makes all be sent again.
        """
        return 1 / (1 - loss)

    @property
    def reserve(self) -> Reserve:
        """What the medium's software takes of every chip that uses it; the MCU's reserve covers wires."""
        return Reserve()

    @property
    def limits(self) -> Mapping[str, int]:
        """What there is of the resources that a collective may ask for, by name."""
        return {}
