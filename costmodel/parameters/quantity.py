"""One sourced value of a parameter file: ``{value, unit, source, where, status}``, read to SI once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from costmodel.errors import nearest

if TYPE_CHECKING:
    import pint

Status = Literal["measured", "datasheet", "derived", "fitted", "assumed"]
SOURCED_KEYS = frozenset({"value", "source", "status"})
MAX_UNIT_CHARS = 40


@cache
def unit_registry() -> pint.UnitRegistry[Any]:
    """Return the registry of units: pint's, with clock cycles, MACs, elements and tokens."""
    import pint

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(cache_folder=None)
    for name in ("clock_cycle", "mac", "element", "row", "token"):
        registry.define(f"{name} = [{name}]")
    return registry


def to_unit(value: float, unit: str, target: str) -> float:
    """Convert `value` from `unit` to `target`; ValueError when they do not measure the same thing.

    >>> to_unit(0.5, "GB/s", "byte/second")
    500000000.0
    """
    import pint

    if len(unit) > MAX_UNIT_CHARS:
        raise ValueError(f"unit {unit[:MAX_UNIT_CHARS]!r}... is not a unit")
    registry = unit_registry()
    try:
        return float(registry.Quantity(value, unit).to(target).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"unit {unit!r} cannot be read as {target}") from None
    except (pint.UndefinedUnitError, pint.PintError, ValueError, TypeError, AttributeError):
        raise ValueError(f"unknown unit {unit!r}; expected one that reads as {target}") from None
    except Exception as error:  # pint's tokenizer raises bare syntax errors on garbage
        raise ValueError(f"unreadable unit {unit!r}; expected one that reads as {target}") from error


class Sourced(BaseModel):
    """A value with where it comes from and how far it may be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: bool | int | float | str
    unit: str | None = None
    source: str
    where: str
    status: Status
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    fitted_on: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Sourced:
        if self.status == "assumed" and not self.reason:
            raise ValueError("status 'assumed' needs a 'reason'")
        if self.status == "fitted" and not (
            self.fitted_on and self.low is not None and self.high is not None
        ):
            raise ValueError("status 'fitted' needs 'fitted_on', 'low' and 'high'")
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            low = -math.inf if self.low is None else self.low
            high = math.inf if self.high is None else self.high
            if not low <= self.value <= high:
                raise ValueError(f"value {self.value} is outside [low, high] = [{low}, {high}]")
        return self


def _sourced(raw: object) -> Sourced:
    if not isinstance(raw, dict):
        raise ValueError(
            f"got {raw!r}; expected a table {{value, unit, source, where, status}} "
            "so that the value has a source"
        )
    try:
        return Sourced.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {text}" if place else text) from None


def quantity(unit: str, *, allow_zero: bool = False, signed: bool = False) -> BeforeValidator:
    """Reader of a physical quantity into a float in `unit` (SI); positive unless allowed otherwise."""

    def read(raw: object) -> float:
        entry = _sourced(raw)
        if isinstance(entry.value, str | bool):
            raise ValueError(f"value {entry.value!r} is not a number")
        if entry.unit is None:
            raise ValueError(f"unit is missing; expected one that reads as {unit}")
        if not signed and (entry.value < 0 or (entry.value == 0 and not allow_zero)):
            raise ValueError(f"value {entry.value:g} must be {'at least' if allow_zero else 'above'} 0")
        return to_unit(float(entry.value), entry.unit, unit)

    return BeforeValidator(read)


def count(minimum: int = 1) -> BeforeValidator:
    """Reader of a whole number of at least `minimum`; it has a source and no unit."""

    def read(raw: object) -> int:
        value = _sourced(raw).value
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ValueError(f"value {value!r} must be a whole number of at least {minimum}")
        return value

    return BeforeValidator(read)


def choice(*options: str) -> BeforeValidator:
    """Reader of one word out of `options`; it has a source and no unit."""

    def read(raw: object) -> str:
        value = _sourced(raw).value
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"value {value!r} is not known; {nearest(str(value), options)}")
        return value

    return BeforeValidator(read)


def switch() -> BeforeValidator:
    """Reader of a yes or no; it has a source and no unit."""

    def read(raw: object) -> bool:
        value = _sourced(raw).value
        if not isinstance(value, bool):
            raise ValueError(f"value {value!r} must be true or false")
        return value

    return BeforeValidator(read)


def sourced_values(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Sourced]]:
    """Walk the tables of a parameter file and give each sourced value with its dotted key."""
    for key, entry in data.items():
        if isinstance(entry, dict):
            if entry.keys() >= SOURCED_KEYS:
                yield prefix + key, Sourced.model_validate(entry)
            else:
                yield from sourced_values(entry, f"{prefix}{key}.")
