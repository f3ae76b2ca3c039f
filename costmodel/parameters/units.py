"""Units as parameter files and bounds write them, read to SI."""

from __future__ import annotations

import re

from costmodel.errors import cut

MAX_UNIT_CHARS = 40
# pint counts bytes and bits as plain numbers, so that pJ would pass for pJ/byte.
INFORMATION = re.compile(
    r"(?<![A-Za-z])([kKMGT]i?|kilo|mega|giga|kibi|mebi|gibi)?([Bb]|[Bb]ytes?|bits?)(?![A-Za-z])"
)
# Numbers of several digits, and powers of powers, which would take for ever to compute.
HUGE_POWER = re.compile(r"\d\d|(\*\*|\^).*(\*\*|\^)")
# How many of the target one of a unit is, for the units that built-in files use and those beside them.
# pint knows them all, but takes longer to load than most commands to run. So it is asked for other
# texts alone, and tests hold these to what it gives, to the last bit. So no cache of parsed files is needed,
# which would have to be found, written and kept up to date.
FACTORS: dict[str, dict[str, float]] = {
    "byte": {"byte": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    "byte/clock_cycle": {"byte/clock_cycle": 1.0},
    "byte/second": {
        "byte/s": 1.0,
        "kB/s": 1e3,
        "MB/s": 1e6,
        "GB/s": 1e9,
        "kbit/s": 1e3 / 8,
        "Mbit/s": 1e6 / 8,
        "Gbit/s": 1e9 / 8,
    },
    "clock_cycle": {"clock_cycle": 1.0},
    "clock_cycle/element": {"clock_cycle/element": 1.0},
    "clock_cycle/mac": {"clock_cycle/mac": 1.0},
    "dimensionless": {"dimensionless": 1.0},
    "hertz": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "joule": {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12},
    "joule/byte": {"J/byte": 1.0, "uJ/byte": 1e-6, "nJ/byte": 1e-9, "pJ/byte": 1e-12},
    "mac/clock_cycle": {"mac/clock_cycle": 1.0},
    "second": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "slot": {"slot": 1.0},
    "slot/packet": {"slot/packet": 1.0},
    "watt": {"W": 1.0, "mW": 1e-3, "uW": 1e-6, "nW": 1e-9},
}


def to_unit(value: float, unit: str, target: str) -> float:
    """Convert `value` from `unit` to `target`; ValueError when they do not measure the same thing.

    >>> to_unit(0.5, "GB/s", "byte/second")
    500000000.0
    """
    factor = FACTORS.get(target, {}).get(unit)
    if factor is not None:
        return float(value * factor)
    if not unit.strip() or len(unit) > MAX_UNIT_CHARS or HUGE_POWER.search(unit) or ";" in unit:
        raise ValueError(f"unit {cut(unit)} is not a unit")
    if bool(INFORMATION.search(unit)) is not ("byte" in target):
        raise ValueError(f"unit {unit!r} cannot be read as {target}")
    from costmodel.parameters.unit_registry import converted

    return converted(value, unit, target)
