"""Many values of a platform's uncertain constants at once: from a sample that ships, or from its files.

A sample is of values that go together: each keeps what was published of a platform. Without one, each
constant is drawn for itself between the low and the high that its file states.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from costmodel.hardware import Platform, platform_of
from costmodel.parameters import (
    BUILT_IN,
    drawn_keys,
    hash_of,
    read_toml,
    validate,
)

Floats = NDArray[np.floating[Any]]
N_DRAWS = 200
M = TypeVar("M", bound=BaseModel)
Basis = Literal["sample", "ranges", "none"]
PARTS = ("mcu", "link", "kernels")
SEED = 2025


class Sample(BaseModel):
    """A sample that ships: values in SI units, by part and dotted key.

    Attributes
    ----------
    numbers : str
        Hash of the numbers of the platform that it was made for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: str
    numbers: str
    draws: dict[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Values of constants, all of shape (d,) in SI units, by part and dotted key.

    Attributes
    ----------
    basis : {"sample", "ranges", "none"}
        Whether they go together, as what was published allows; each was drawn for itself, from the range
        that its file states; or no file states any.
    """

    values: Mapping[str, Floats]
    basis: Basis

    def __len__(self) -> int:
        return max((len(values) for values in self.values.values()), default=1)


@dataclass(frozen=True, kw_only=True)
class Drawable:
    """A constant that can be drawn: its part and dotted key, its value, and how far it may be off, in SI.

    Attributes
    ----------
    counts : bool
        Whether it is a whole number.
    """

    name: str
    value: float
    low: float
    high: float
    counts: bool

    @property
    def share(self) -> float:
        """Share of the range that is below the value."""
        if self.low > 0:
            return float(np.log(self.value / self.low) / np.log(self.high / self.low))
        return (self.value - self.low) / (self.high - self.low)

    def between(self, at: Floats) -> Floats:
        """Give values at shares of the range, 0 to 1.

        The range is even by the logarithm, or by the value itself where its low is not above 0.
        """
        if self.low > 0:
            values = self.low * (self.high / self.low) ** at
        else:
            values = self.low + at * (self.high - self.low)
        return np.asarray(np.round(values) if self.counts else values)


def drawable(platform: Platform) -> Iterator[Drawable]:
    """Give the constants that costs can be asked for many values of, and that say how far they may be off."""
    for record in platform.records:
        if record.kind in PARTS:
            entries = dict(record.values())
            for key, reader in drawn_keys(getattr(platform, record.kind)):
                entry = entries[key]
                if entry.low is not None and entry.high is not None and entry.low < entry.high:
                    value, low, high = (
                        reader.in_si(end, entry.unit) for end in (float(entry.value), entry.low, entry.high)
                    )
                    yield Drawable(
                        name=f"{record.kind}.{key}", value=value, low=low, high=high, counts=reader.counts
                    )


def held(platform: Platform) -> list[str]:
    """List the numbers that are not drawn though their files say how far they may be off."""
    drawn_names = {one.name for one in drawable(platform)}
    ranged = (
        f"{record.kind}.{key}"
        for record in platform.records
        for key, entry in record.values()
        if entry.low != entry.high
    )
    return [name for name in ranged if name not in drawn_names]


def numbers_of(platform: Platform) -> str:
    """Hash the numbers of a platform's parts, whatever is said about them, and how many L3 there are."""
    parts = {
        record.kind: {key: [e.value, e.unit, e.low, e.high] for key, e in record.values()}
        for record in platform.records
        if record.kind in PARTS
    }
    return hash_of(parts | {"shares_l3": platform.shares_l3})


def apart(one: Drawable, n: int) -> Floats:
    """Draw one constant by itself, (n,) in SI: from each of n equal shares of its range, in random order."""
    rng = np.random.default_rng([SEED, zlib.crc32(one.name.encode())])
    values = one.between((rng.permutation(n) + rng.random(n)) / n)
    return np.array([float(f"{value:.6g}") for value in values])  # the same on every machine


@cache
def samples() -> tuple[Sample, ...]:
    """Read the samples that ship."""
    paths = sorted((BUILT_IN / "draws").glob("*.toml"))
    return tuple(validate(Sample, read_toml(path, path.name), f"draws/{path.name}") for path in paths)


def shipped(platform: Platform) -> Draws | None:
    """Give the sample made for just these numbers, where one ships."""
    numbers = numbers_of(platform)
    for sample in samples():
        if sample.numbers == numbers:
            return Draws(
                values={key: np.array(values) for key, values in sample.draws.items()}, basis="sample"
            )
    return None


def draws_of(platform: Platform) -> Draws:
    """Give values of a platform's uncertain constants: the sample that ships for it, or from its files.

    Raises
    ------
    ValueError
        The platform's values are not those of the files that it was read from.

    Examples
    --------
    >>> from costmodel.hardware import load_platform
    >>> found = draws_of(load_platform("nrf52840-mixer"))
    >>> len(found), found.basis
    (200, 'ranges')
    """
    if platform_of(platform.records) != platform:
        raise ValueError(f"platform {platform.name} is not as its files say; change its records")
    found = shipped(platform)
    if found is not None:
        return found
    values = {one.name: apart(one, N_DRAWS) for one in drawable(platform)}
    return Draws(values=values, basis="ranges" if values else "none")


def with_values(parameters: M, values: Mapping[str, Any], prefix: str = "") -> M:
    """Give parameters with other values of some keys, dotted; what is not named stays."""
    changed: dict[str, Any] = {}
    for name, field in type(parameters).model_fields.items():
        key, value = prefix + (field.alias or name), getattr(parameters, name)
        if isinstance(value, BaseModel):
            changed[name] = with_values(value, values, f"{key}.")
        elif key in values:
            changed[name] = values[key]
    return parameters.model_copy(update=changed)


def with_constants(platform: Platform, values: Mapping[str, Any]) -> Platform:
    """Give a platform with other values of some constants, in SI, by part and dotted key."""
    parts = {part: with_values(getattr(platform, part), values, f"{part}.") for part in PARTS}
    return replace(platform, **parts)


def drawn(platform: Platform, draws: Draws) -> Platform:
    """Give a platform whose drawn constants are arrays of shape (d, 1): an axis before that of plans.

    A chip that waits never draws more than one that works.
    """
    many = with_constants(platform, {key: values[:, None] for key, values in draws.values.items()})
    idle_w = np.minimum(many.mcu.idle_power_w, many.mcu.n_cores * many.mcu.core_power_w)
    return replace(many, mcu=many.mcu.model_copy(update={"idle_power_w": idle_w}))
