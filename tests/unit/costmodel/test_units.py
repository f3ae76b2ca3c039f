from pathlib import Path

import pytest

from costmodel.parameters import KINDS, built_in_names, load, to_unit
from costmodel.parameters.files import read_toml
from costmodel.parameters.quantity import sourced_values
from costmodel.parameters.unit_registry import converted
from costmodel.parameters.units import FACTORS, HUGE_POWER, INFORMATION, MAX_UNIT_CHARS

TABLE = [(unit, target) for target, units in FACTORS.items() for unit in units]
EXAMPLES = Path(__file__).parents[3] / "docs" / "example"


@pytest.mark.parametrize(("unit", "target"), TABLE)
def test_the_table_has_what_pint_makes_of_a_unit_to_the_last_bit(unit: str, target: str) -> None:
    for value in (1.0, 0.295, 1 / 3, 51.2, 6.02e23, 3):
        assert to_unit(value, unit, target) == converted(value, unit, target)


@pytest.mark.parametrize(("unit", "target"), TABLE)
def test_the_table_has_no_unit_that_would_be_refused(unit: str, target: str) -> None:
    assert bool(INFORMATION.search(unit)) is ("byte" in target)
    assert not HUGE_POWER.search(unit)
    assert len(unit) <= MAX_UNIT_CHARS


def test_the_table_has_every_unit_of_the_files_that_ship() -> None:
    built_in = [load(kind, name).data for kind in KINDS for name in built_in_names(kind)]
    examples = [read_toml(path, path.name) for path in sorted(EXAMPLES.glob("*.toml"))]
    units = {entry.unit for data in (*built_in, *examples) for _, entry in sourced_values(data)}
    assert len(units) > 10
    assert units - {None} <= {unit for unit, _ in TABLE}


def test_other_units_are_read_too() -> None:
    assert to_unit(2, "megabyte / second", "byte/second") == 2e6
    assert to_unit(3, "minute", "second") == 180
