from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from costmodel.parameters import Sourced, choice, count, fraction, quantity, real, switch, to_unit
from costmodel.parameters.quantity import sourced_values

MEASURED = {"source": "s", "where": "w", "status": "measured"}


def read(reader: BeforeValidator, entry: object) -> Any:
    class One(BaseModel):
        model_config = ConfigDict(frozen=True)
        key: Annotated[Any, reader]

    return One.model_validate({"key": entry}).key


def fault(reader: BeforeValidator, entry: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(reader, entry)
    (error,) = caught.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("value", "unit", "target", "si"),
    [
        (500, "MHz", "hertz", 5e8),
        (0.296, "GB/s", "byte/second", 2.96e8),
        (2, "MiB", "byte", 2097152),
        (1, "kB", "byte", 1000),
        (256, "KiB", "byte", 262144),
        (16, "bit", "byte", 2),
        (4, "Gbit/s", "byte/second", 5e8),
        (100, "pJ/byte", "joule/byte", 1e-10),
        (13, "mW", "watt", 0.013),
        (0.5, "us", "second", 5e-7),
        (3, "mac/clock_cycle", "mac/clock_cycle", 3),
        (7, "clock_cycle/element", "clock_cycle/element", 7),
    ],
)
def test_units_are_read_to_si(value: float, unit: str, target: str, si: float) -> None:
    assert to_unit(value, unit, target) == pytest.approx(si, rel=1e-15)
    assert read(quantity(target), {"value": value, "unit": unit, **MEASURED}) == pytest.approx(si, rel=1e-15)


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("GB", "unit 'GB' cannot be read as byte/second"),
        ("", "unit '' is not a unit"),
        ("element/second", "unit 'element/second' cannot be read as byte/second"),
        ("mac/clock_cycle", "unit 'mac/clock_cycle' cannot be read as byte/second"),
        ("GB/sec0nd", "unknown unit 'GB/sec0nd'; expected one that reads as byte/second"),
        ("2 GB/s", "unknown unit '2 GB/s'; expected one that reads as byte/second"),
        ("(((", "unit '(((' cannot be read as byte/second"),
        ("B/0", "unreadable unit 'B/0'; expected one that reads as byte/second"),
        ("s" * 41, f"unit '{'s' * 41}' is not a unit"),
        ("9**9**9 Hz", "unit '9**9**9 Hz' is not a unit"),
    ],
)
def test_a_unit_that_measures_something_else_is_refused(unit: str, said: str) -> None:
    assert fault(quantity("byte/second"), {"value": 1, "unit": unit, **MEASURED}) == said


@pytest.mark.parametrize(
    ("reader", "value", "said"),
    [
        (quantity("watt"), 0, "value 0 must be above 0"),
        (quantity("watt"), -1, "value -1 must be above 0"),
        (quantity("watt", allow_zero=True), -0.5, "value -0.5 must be at least 0"),
        (quantity("watt"), "1", "value '1' is not a number"),
        (quantity("watt"), True, "value True is not a number"),
        (quantity("watt"), [1], "value"),
        (quantity("watt"), float("nan"), "value"),
        (quantity("watt"), float("inf"), "value"),
    ],
)
def test_a_quantity_of_wrong_sign_or_type_is_refused(reader: BeforeValidator, value: Any, said: str) -> None:
    assert fault(reader, {"value": value, "unit": "W", **MEASURED}).startswith(said)


@pytest.mark.parametrize(
    ("reader", "unit", "ends", "said"),
    [
        (quantity("watt"), "W", {"low": 0}, "low 0 must be above 0"),
        (quantity("watt", allow_zero=True), "W", {"low": -1}, "low -1 must be at least 0"),
        (quantity("watt"), "W", {"low": 1e-40}, "low 1e-40 W is beyond 1e-30 to 1e+30 watt"),
        (quantity("watt"), "W", {"high": 1e31}, "high 1e+31 is beyond 1e+30"),
        (count(), None, {"low": 0}, "low 0 must be a whole number, 1 to 1000000"),
        (count(), None, {"high": 1.5}, "high 1.5 must be a whole number, 1 to 1000000"),
        (fraction(), None, {"high": 1}, "high 1 must be a number, at least 0 and below 1"),
        (real(0, 1), None, {"high": 2}, "high 2 must be a number, 0 to 1"),
        (real(0, 1), None, {"low": 1e-320}, "low 1e-320 is nearer to 0 than 1e-30"),
        (fraction(), None, {"low": 1e-40}, "low 1e-40 is nearer to 0 than 1e-30"),
    ],
)
def test_what_holds_for_a_value_holds_for_its_ends(
    reader: BeforeValidator, unit: str | None, ends: dict[str, float], said: str
) -> None:
    value = 1 if unit or "whole" in said else 0.5
    entry = {"value": value, "unit": unit, **MEASURED, **ends}
    assert fault(reader, {key: one for key, one in entry.items() if one is not None}) == said


def test_zero_and_negative_quantities_are_read_where_allowed() -> None:
    entry = {"value": 0, "unit": "W", **MEASURED}
    assert read(quantity("watt", allow_zero=True), entry) == 0
    assert read(quantity("watt", signed=True), {**entry, "value": -2}) == -2


def test_a_quantity_without_unit_is_refused() -> None:
    assert (
        fault(quantity("watt"), {"value": 1, **MEASURED})
        == "unit is missing; expected one that reads as watt"
    )


@pytest.mark.parametrize("reader", [quantity("watt"), count(), choice("a"), switch()])
@pytest.mark.parametrize("raw", [5, "5", None, [5]])
def test_a_bare_value_is_refused_because_it_has_no_source(reader: BeforeValidator, raw: object) -> None:
    assert fault(reader, raw).startswith(
        f"got {raw!r}; expected a table {{value, unit, source, where, status}}"
    )


@pytest.mark.parametrize("value", [0, -3, 8.0, "8", True])
def test_a_count_is_a_whole_number_of_at_least_one(value: Any) -> None:
    assert fault(count(), {"value": value, **MEASURED}) == (
        f"value {value!r} must be a whole number, 1 to 1000000"
    )


def test_a_count_has_the_limits_asked_for() -> None:
    assert read(count(0), {"value": 0, **MEASURED}) == 0
    assert read(count(2), {"value": 2, **MEASURED}) == 2
    assert fault(count(2), {"value": 1, **MEASURED}) == "value 1 must be a whole number, 2 to 1000000"
    assert read(count(1, 64), {"value": 64, **MEASURED}) == 64
    assert fault(count(1, 64), {"value": 65, **MEASURED}) == "value 65 must be a whole number, 1 to 64"


def test_a_choice_is_one_of_its_words() -> None:
    assert read(choice("gelu", "silu"), {"value": "silu", **MEASURED}) == "silu"
    assert fault(choice("gelu", "silu"), {"value": "sliu", **MEASURED}) == (
        "value 'sliu' is not known; did you mean 'silu'? there are: gelu, silu"
    )
    assert fault(choice("gelu"), {"value": 1, **MEASURED}).startswith("value 1 is not known")


def test_a_switch_is_true_or_false_and_no_number() -> None:
    assert read(switch(), {"value": False, **MEASURED}) is False
    for value in (0, 1, "true"):
        assert fault(switch(), {"value": value, **MEASURED}) == f"value {value!r} must be true or false"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "guessed"}, "status: Input should be 'measured'"),
        ({"status": "assumed"}, "status 'assumed' needs a 'reason'"),
        ({"status": "assumed", "reason": ""}, "status 'assumed' needs a 'reason'"),
        ({"status": "fitted"}, "status 'fitted' needs 'fitted_on', 'low' and 'high'"),
        ({"status": "fitted", "low": 1, "high": 9}, "status 'fitted' needs"),
        ({"status": "fitted", "fitted_on": ["a"], "high": 9}, "status 'fitted' needs"),
        ({"status": "fitted", "fitted_on": ["a"], "low": 1}, "status 'fitted' needs"),
        ({"status": "fitted", "fitted_on": [], "low": 1, "high": 9}, "status 'fitted' needs"),
        ({"low": 6}, "value 5 is outside [low, high] = [6, inf]"),
        ({"high": 4}, "value 5 is outside [low, high] = [-inf, 4]"),
        ({"low": 9, "high": 1}, "value 5 is outside [low, high] = [9, 1]"),
        ({"low": float("nan")}, "low: must be a number, got nan"),
        ({"low": "5"}, "low: must be a number, got '5'"),
        ({"high": True}, "high: must be a number, got True"),
    ],
)
def test_a_value_that_cannot_be_believed_is_refused(changes: dict[str, Any], said: str) -> None:
    assert fault(count(), {"value": 5, **MEASURED, **changes}).startswith(said)


@pytest.mark.parametrize("key", ["value", "source", "where", "status"])
def test_a_value_lacks_none_of_its_keys(key: str) -> None:
    entry = {"value": 5, **MEASURED}
    del entry[key]
    assert fault(count(), entry) == f"{key}: is missing"


def test_values_are_walked_with_dotted_keys() -> None:
    entry = {"value": 5, **MEASURED}
    data = {"description": "x", "a": entry, "b": {"c": entry, "d": {"e": {**entry, "value": 7}}}}
    assert [(key, value.value) for key, value in sourced_values(data)] == [("a", 5), ("b.c", 5), ("b.d.e", 7)]


def test_a_sourced_value_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Sourced(value=5, **MEASURED).value = 6


@pytest.mark.parametrize(("value", "unit"), [(1e31, "W"), (1e29, "GW"), (1e-28, "mW")])
def test_a_number_beyond_all_that_is_measured_is_refused(value: float, unit: str) -> None:
    assert "is beyond" in fault(quantity("watt"), {"value": value, "unit": unit, **MEASURED})
    assert "is beyond" in fault(quantity("watt", signed=True), {"value": -value, "unit": unit, **MEASURED})


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_a_whole_number_beyond_all_floats_is_refused(value: int) -> None:
    assert fault(quantity("watt", signed=True), {"value": value, "unit": "W", **MEASURED})


def test_a_number_that_becomes_zero_in_si_is_refused() -> None:
    assert fault(quantity("watt"), {"value": 1e-320, "unit": "uW", **MEASURED})


@pytest.mark.parametrize(("reader", "value"), [(count(), 5), (choice("a"), "a"), (switch(), True)])
def test_a_value_that_has_no_unit_is_given_none(reader: BeforeValidator, value: Any) -> None:
    assert "unit" in fault(reader, {"value": value, "unit": "MHz", **MEASURED})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1]])
def test_a_value_that_is_no_number_is_not_called_a_bad_boolean(value: Any) -> None:
    assert "boolean" not in fault(quantity("watt"), {"value": value, "unit": "W", **MEASURED})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sauce": "x"}, "sauce: unknown key; did you mean 'source'?"),
        ({"hgih": 9}, "hgih: unknown key; did you mean 'high'?"),
        ({"status": "meassured"}, "status: Input should be 'measured'"),
    ],
)
def test_a_key_of_a_value_that_there_is_not_gets_the_nearest_one(changes: dict[str, Any], said: str) -> None:
    assert fault(count(), {"value": 5, **MEASURED, **changes}).startswith(said)


@pytest.mark.parametrize(("unit", "target"), [("pJ", "joule/byte"), ("GHz", "byte/second"), ("%", "byte")])
def test_bytes_are_no_plain_numbers(unit: str, target: str) -> None:
    assert "cannot be read as" in fault(quantity(target), {"value": 1, "unit": unit, **MEASURED})
