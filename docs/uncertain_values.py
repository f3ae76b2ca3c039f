"""Tables of the templates: assumed and fitted values with what hangs on each, and what was fitted on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from worked_columns import columns
from worked_numbers import BLOCK_HIDDEN, MODEL, RADIO, SIRACUSA, TINY, costs, table

from costmodel import Platform
from costmodel.hardware import platform_of
from costmodel.parameters import KINDS, Record, Sourced, built_in_names, load
from costmodel.workload import Model
from dse.reference import shown_value
from dse.validation import validate


@dataclass(frozen=True, kw_only=True)
class Case:
    """A platform with the plans whose costs say what hangs on its values.

    Attributes
    ----------
    changes : tuple of str
        What `costs_of` gives, as headings.
    costs_of : callable
        Platform to costs.
    """

    platform: Platform
    changes: tuple[str, ...]
    costs_of: Callable[[Platform], np.ndarray]


def costs_of_eight(platform: Platform) -> np.ndarray:
    """Cost 8 chips: the model in steady state, a block with prefetches hidden."""
    whole, block = costs(8, MODEL, TINY, platform), costs(8, BLOCK_HIDDEN, TINY, platform)
    return np.concatenate([whole.latency_s, whole.energy_j, block.latency_s])


def costs_of_sixteen(platform: Platform) -> np.ndarray:
    """Cost a block on 16 chips by radio, pruned by 0.9 and not pruned."""
    pruned, whole = (columns(16, p, platform=platform).costs for p in (0.9, 0.0))
    return np.concatenate([pruned.latency_s, pruned.energy_j, whole.latency_s])


WIRED = Case(
    platform=SIRACUSA,
    changes=("model latency, %", "model energy, %", "block latency, %"),
    costs_of=costs_of_eight,
)
WIRELESS = Case(
    platform=RADIO,
    changes=("latency at p 0.9, %", "energy at p 0.9, %", "latency at p 0, %"),
    costs_of=costs_of_sixteen,
)


def shown(entry: Sourced) -> list[str]:
    """Show value and unit of an entry, its range, and its status."""
    value = str(entry.value).lower() if isinstance(entry.value, bool) else str(entry.value)
    span = "none stated" if entry.low is None else f"{entry.low:g} .. {entry.high:g}"
    return [f"{value} {entry.unit}" if entry.unit else value, span, entry.status]


def uncertain(record: Record) -> Iterator[tuple[str, Sourced]]:
    """Give the assumed and fitted values of a record by key."""
    return ((key, entry) for key, entry in record.values() if entry.status in ("assumed", "fitted"))


def uncertain_values(status: str, case: Case = WIRED) -> int:
    """Count the values of a platform that have a status."""
    return sum(entry.status == status for record in case.platform.records for _, entry in uncertain(record))


def platform_with(platform: Platform, record: Record, key: str, value: float) -> Platform:
    """Give a platform with another value in one of its records."""
    data = copy.deepcopy(record.data)
    *path, last = key.split(".")
    entries = data
    for part in path:
        entries = entries[part]
    entries[last]["value"] = value
    changed = replace(record, data=data)
    return platform_of(tuple(changed if r is record else r for r in platform.records))


def sensitivity(case: Case, record: Record, key: str, entry: Sourced) -> list[str]:
    """Say by how many percent each cost of a case changes when a value goes to its low and high end."""
    if entry.low is None or entry.high is None:
        return ["-"] * len(case.changes)
    whole = isinstance(entry.value, int)
    ends = (int(end) if whole and entry.unit is None else end for end in (entry.low, entry.high))
    now = case.costs_of(case.platform)
    low, high = (
        100 * (case.costs_of(platform_with(case.platform, record, key, end)) / now - 1) for end in ends
    )
    return [f"{a:+z.1f} .. {b:+z.1f}" for a, b in zip(low, high, strict=True)]


def platform_table(case: Case = WIRED) -> str:
    """List a platform's uncertain values with what hangs on each."""
    return table(
        ["parameter", "value", "low .. high", "status", *case.changes, "reason"],
        [
            [
                f"`{record.kind}/{record.name}` `{key}`",
                *shown(entry),
                *sensitivity(case, record, key, entry),
                entry.reason or "",
            ]
            for record in case.platform.records
            for key, entry in uncertain(record)
        ],
    )


def others_table() -> str:
    """List the uncertain values of all other built-in files but models."""
    told = {(r.kind, r.name) for case in (WIRED, WIRELESS) for r in case.platform.records}
    records = (
        load(kind, name)
        for kind in KINDS
        if kind != "model"
        for name in built_in_names(kind)
        if (kind, name) not in told
    )
    return table(
        ["parameter", "value", "low .. high", "status", "reason"],
        [
            [f"`{record.kind}/{record.name}` `{key}`", *shown(entry), entry.reason or ""]
            for record in records
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


def calibration_table(*sources: str) -> str:
    """Set the rows of some sources that took part in a fit beside the model's."""
    rows = [row for row in validate() if row.fitted and row.source.startswith(sources)]
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
