"""Tables of the templates: assumed and fitted values with what hangs on each, and what was fitted on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from worked_numbers import BLOCK_HIDDEN, MODEL, SIRACUSA, TINY, costs, table

from costmodel import Platform
from costmodel.hardware import platform_of
from costmodel.parameters import Record, Sourced, built_in_names, load
from costmodel.workload import Model
from dse.reference import shown_value
from dse.validation import validate

CHANGES = ["model latency, %", "model energy, %", "block latency, %"]


def shown(entry: Sourced) -> list[str]:
    """Show value and unit of an entry, its range, and its status."""
    value = str(entry.value).lower() if isinstance(entry.value, bool) else str(entry.value)
    span = "none stated" if entry.low is None else f"{entry.low:g} .. {entry.high:g}"
    return [f"{value} {entry.unit}" if entry.unit else value, span, entry.status]


def uncertain(record: Record) -> Iterator[tuple[str, Sourced]]:
    """Give the assumed and fitted values of a record by key."""
    return ((key, entry) for key, entry in record.values() if entry.status in ("assumed", "fitted"))


def uncertain_values(status: str) -> int:
    """Count the values of the platform that have a status."""
    return sum(entry.status == status for record in SIRACUSA.records for _, entry in uncertain(record))


def platform_with(record: Record, key: str, value: float) -> Platform:
    """Give the platform with another value in one of its records."""
    data = copy.deepcopy(record.data)
    *path, last = key.split(".")
    entries = data
    for part in path:
        entries = entries[part]
    entries[last]["value"] = value
    changed = replace(record, data=data)
    return platform_of(tuple(changed if r is record else r for r in SIRACUSA.records))


def costs_of_eight(platform: Platform) -> np.ndarray:
    """Give what `CHANGES` are of: the model in steady state, a block with prefetches hidden."""
    whole, block = costs(8, MODEL, TINY, platform), costs(8, BLOCK_HIDDEN, TINY, platform)
    return np.concatenate([whole.latency_s, whole.energy_j, block.latency_s])


def sensitivity(record: Record, key: str, entry: Sourced) -> list[str]:
    """Say by how many percent each cost of 8 chips changes when a value goes to its low and high end."""
    if entry.low is None or entry.high is None:
        return ["-"] * len(CHANGES)
    whole = isinstance(entry.value, int)
    ends = (int(end) if whole and entry.unit is None else end for end in (entry.low, entry.high))
    low, high = (
        100 * (costs_of_eight(platform_with(record, key, end)) / costs_of_eight(SIRACUSA) - 1) for end in ends
    )
    return [f"{a:+z.1f} .. {b:+z.1f}" for a, b in zip(low, high, strict=True)]


def platform_table() -> str:
    """List the platform's uncertain values with what hangs on each."""
    return table(
        ["parameter", "value", "low .. high", "status", *CHANGES, "reason"],
        [
            [
                f"`{record.kind}/{record.name}` `{key}`",
                *shown(entry),
                *sensitivity(record, key, entry),
                entry.reason or "",
            ]
            for record in SIRACUSA.records
            for key, entry in uncertain(record)
        ],
    )


def model_table() -> str:
    """List the models' uncertain values, equal ones in one row."""
    models: dict[tuple[str, ...], list[str]] = {}
    for name in built_in_names("model"):
        for key, entry in uncertain(load("model", name)):
            models.setdefault((key, *shown(entry), entry.reason or ""), []).append(name)
    order = list(Model.model_fields)
    rows = sorted(models.items(), key=lambda row: (order.index(row[0][0].split(".")[0]), row[0][0], row[1]))
    return table(
        ["key", "value", "low .. high", "status", "models", "reason"],
        [
            [f"`{key}`", value, span, status, ", ".join(names), reason]
            for (key, value, span, status, reason), names in rows
        ],
    )


def calibration_table() -> str:
    """Set the paper's rows that took part in the fit beside the model's."""
    rows = [row for row in validate() if row.fitted and row.source.startswith("bochem2025")]
    return table(
        ["quantity", "published", "model", "error", "source"],
        [
            [
                row.quantity,
                shown_value(row.published, row.unit),
                shown_value(row.model, row.unit),
                f"{row.error:+.1%}",
                f"`{row.source}`",
            ]
            for row in rows
        ],
    )
