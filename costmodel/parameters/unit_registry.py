"""Units by pint: whatever people write, at the price of loading pint and all of its units."""

from __future__ import annotations

from functools import cache
from typing import Any

import pint


@cache
def unit_registry() -> pint.UnitRegistry[Any]:
    """Return the registry of units: pint's, with clock cycles, MACs, elements, tokens, slots and packets."""
    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(cache_folder=None)
    for name in ("clock_cycle", "mac", "element", "row", "token", "slot", "packet"):
        registry.define(f"{name} = [{name}]")
    return registry


def converted(value: float, unit: str, target: str) -> float:
    """Convert `value` from `unit` to `target`; ValueError when they do not measure the same thing.

    >>> converted(0.5, "gigabyte / second", "byte/second")
    500000000.0
    """
    registry = unit_registry()
    try:
        return float(registry.Quantity(value, unit).to(target).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"unit {unit!r} cannot be read as {target}") from None
    except (pint.UndefinedUnitError, pint.PintError, ValueError, TypeError, AttributeError):
        raise ValueError(f"unknown unit {unit!r}; expected one that reads as {target}") from None
    except Exception as error:  # pint's tokenizer raises bare syntax errors on garbage
        raise ValueError(f"unreadable unit {unit!r}; expected one that reads as {target}") from error
