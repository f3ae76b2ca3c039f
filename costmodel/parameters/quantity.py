"""One sourced value of a parameter file: ``{value, unit, source, where, status}``, read to SI once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)

from costmodel.errors import cut, nearest
from costmodel.parameters.units import to_unit

Status = Literal["measured", "datasheet", "derived", "fitted", "assumed"]
SOURCED_KEYS = frozenset({"value", "source", "status"})
MAX_COUNT = 10**6
# No quantity of this field is larger, or nearer to zero, in SI units.
LARGEST, SMALLEST = 1e30, 1e-30


def _plain(value: object) -> object:
    """Pass a number, a word or a yes or no, and nothing else."""
    finite = isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    if not finite:
        raise ValueError(f"must be a finite number, text, true or false, got {cut(value)}")
    return value


def is_number(value: object) -> bool:
    """Whether a value is a finite number, which yes and no are not."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _number(value: object) -> object:
    """Refuse what is no number by the key that the file has; a union would name one of its own."""
    if is_number(value):
        return value
    raise ValueError(f"must be a number, got {cut(value)}")


PlainNumber = Annotated[int | float, BeforeValidator(_number)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Sourced(BaseModel):
    """A value with where it comes from and how far it may be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: Annotated[bool | int | float | str, PlainValidator(_plain)]
    unit: str | None = None
    source: Text
    where: Text
    status: Status
    low: PlainNumber | None = None
    high: PlainNumber | None = None
    reason: str | None = None
    fitted_on: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Sourced:
        if self.status == "assumed" and not (self.reason or "").strip():
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
            f"got {cut(raw)}; expected a table {{value, unit, source, where, status}} "
            "so that the value has a source"
        )
    try:
        return Sourced.model_validate(raw)
    except ValidationError as error:
        faults = error.errors()
        first = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
        place = cut(".".join(str(part) for part in first["loc"]))[1:-1]
        text = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            text = f"unknown key; {nearest(place, Sourced.model_fields)}"
        elif first["type"] == "missing":
            text = "is missing"
        elif place and first["type"] != "value_error":
            text = f"{text}, got {cut(first['input'])}"
        raise ValueError(f"{place}: {text}" if place else text) from None


def _without_unit(raw: object) -> object:
    entry = _sourced(raw)
    if entry.unit is not None:
        raise ValueError(f"takes no unit, got {cut(entry.unit)}")
    return entry.value


@dataclass(frozen=True, slots=True)
class Reader(BeforeValidator):
    """Reader of a number, in a unit where it has one.

    Attributes
    ----------
    drawn : bool
        Whether costs may be asked for many values at once, drawn between its low and its high.
    counts : bool
        Whether it is a whole number.
    """

    unit: str | None = None
    drawn: bool = False
    counts: bool = False

    def in_si(self, number: float, unit: str | None) -> float:
        """Give a number of a file's unit in SI."""
        return number if self.unit is None or unit is None else to_unit(number, unit, self.unit)


def quantity(
    unit: str, *, allow_zero: bool = False, signed: bool = False, drawn: bool | None = None
) -> Reader:
    """Reader of a physical quantity into a float in `unit` (SI); positive unless allowed otherwise.

    All are drawn but sizes, which decide where things lie.
    """

    def in_si(name: str, number: float, its_unit: str) -> float:
        if not signed and (number < 0 or (number == 0 and not allow_zero)):
            raise ValueError(f"{name} {cut(number)} must be {'at least' if allow_zero else 'above'} 0")
        if abs(number) > LARGEST:
            raise ValueError(f"{name} {cut(number)} is beyond {LARGEST:g}")
        converted = to_unit(float(number), its_unit, unit)
        if number and not SMALLEST <= abs(converted) <= LARGEST:
            raise ValueError(f"{name} {cut(number)} {its_unit} is beyond {SMALLEST:g} to {LARGEST:g} {unit}")
        return converted

    def read(raw: object) -> float:
        entry = _sourced(raw)
        if isinstance(entry.value, str | bool):
            raise ValueError(f"value {entry.value!r} is not a number")
        if entry.unit is None:
            raise ValueError(f"unit is missing; expected one that reads as {unit}")
        converted = in_si("value", entry.value, entry.unit)
        for name, end in _ends(entry):
            in_si(name, end, entry.unit)
        return converted

    return Reader(read, unit=unit, drawn=unit != "byte" if drawn is None else drawn)


def _ends(entry: Sourced) -> list[tuple[str, float]]:
    """Give the low and the high of a value that are stated; what holds for it holds for them."""
    ends = (("low", entry.low), ("high", entry.high))
    return [(name, end) for name, end in ends if end is not None]


def count(minimum: int = 1, maximum: int = MAX_COUNT, *, drawn: bool = False) -> Reader:
    """Reader of a whole number from `minimum` to `maximum`; it has a source and no unit."""

    def read(raw: object) -> int:
        value = _without_unit(raw)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"value {cut(value)} must be a whole number, {minimum} to {maximum}")
        for name, end in _ends(_sourced(raw)):
            if not minimum <= end <= maximum or not float(end).is_integer():
                raise ValueError(f"{name} {cut(end)} must be a whole number, {minimum} to {maximum}")
        return value

    return Reader(read, drawn=drawn, counts=True)


def fraction(*, drawn: bool = False) -> Reader:
    """Reader of a share or a probability, 0 up to but not including 1; it has a source and no unit."""
    return _plain_number(
        lambda value: 0 <= value < 1, "must be a number, at least 0 and below 1", drawn=drawn
    )


def real(minimum: float, maximum: float, *, drawn: bool = False) -> Reader:
    """Reader of a plain number from `minimum` to `maximum`; it has a source and no unit."""
    return _plain_number(
        lambda value: minimum <= value <= maximum,
        f"must be a number, {minimum:g} to {maximum:g}",
        drawn=drawn,
    )


def _plain_number(allows: Callable[[float], bool], must: str, *, drawn: bool) -> Reader:
    """Reader of a number that has a source and no unit; `must` says which are allowed."""

    def held_to(name: str, number: float) -> None:
        if not allows(number):
            raise ValueError(f"{name} {cut(number)} {must}")
        if number and abs(number) < SMALLEST:
            raise ValueError(f"{name} {cut(number)} is nearer to 0 than {SMALLEST:g}")

    def read(raw: object) -> float:
        value = _without_unit(raw)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"value {cut(value)} {must}")
        held_to("value", value)
        for name, end in _ends(_sourced(raw)):
            held_to(name, end)
        return float(value)

    return Reader(read, drawn=drawn)


def choice(*options: str) -> BeforeValidator:
    """Reader of one word out of `options`; it has a source and no unit."""

    def read(raw: object) -> str:
        value = _without_unit(raw)
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"value {cut(value)} is not known; {nearest(str(value), options)}")
        return value

    return BeforeValidator(read)


def switch() -> BeforeValidator:
    """Reader of a yes or no; it has a source and no unit."""

    def read(raw: object) -> bool:
        value = _without_unit(raw)
        if not isinstance(value, bool):
            raise ValueError(f"value {value!r} must be true or false")
        return value

    return BeforeValidator(read)


@dataclass(frozen=True)
class IfAbsent:
    """What is taken to be so where a file leaves an optional key out; goes with the key's annotation."""

    taken: str


def stated(value: Any) -> Any:
    """Give an optional constant, 0 where a file leaves it out."""
    return 0.0 if value is None else value


def not_stated(parameters: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give the optional keys that a file leaves out, dotted, and what is taken to be so without them."""
    for name, field in type(parameters).model_fields.items():
        key, value = prefix + (field.alias or name), getattr(parameters, name)
        if isinstance(value, BaseModel):
            yield from not_stated(value, f"{key}.")
        if name not in parameters.model_fields_set:
            yield from ((key, one.taken) for one in field.metadata if isinstance(one, IfAbsent))


def drawn_keys(parameters: BaseModel, prefix: str = "") -> Iterator[tuple[str, Reader]]:
    """Give the keys that may be drawn and that a file states, dotted, each with its reader."""
    for name, field in type(parameters).model_fields.items():
        key, value = prefix + (field.alias or name), getattr(parameters, name)
        if isinstance(value, BaseModel):
            yield from drawn_keys(value, f"{key}.")
        elif value is not None:
            yield from ((key, one) for one in field.metadata if isinstance(one, Reader) and one.drawn)


def sourced_values(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Sourced]]:
    """Walk the tables of a parameter file and give each sourced value with its dotted key.

    Raises
    ------
    ValueError
        A value is not complete; the message names its key.
    """
    for key, entry in data.items():
        if isinstance(entry, dict):
            if entry.keys() >= SOURCED_KEYS:
                try:
                    yield prefix + key, _sourced(entry)
                except ValueError as error:
                    raise ValueError(f"key {prefix + key!r}: {error}") from None
            else:
                yield from sourced_values(entry, f"{prefix}{key}.")
