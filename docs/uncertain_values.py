"""Tables of the templates: assumed and fitted values with what hangs on each, and what was fitted on.

What is listed comes from the parameter directories, so that a new file or value cannot be forgotten.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from worked_columns import columns
from worked_numbers import (
    BLOCK,
    BLOCK_HIDDEN,
    CATS,
    MODEL,
    MS,
    PROMPT,
    RADIO,
    SIMULATED,
    SIRACUSA,
    TINY,
    costs,
    table,
)

from costmodel import Platform
from costmodel.hardware import platform_of
from costmodel.parameters import KINDS, Record, Sourced, built_in_names, load
from costmodel.workload import Model
from dse.reference import shown_value
from dse.validation import validate

NOT_CERTAIN = ("assumed", "fitted")
PACKING = (
    "packing."  # how such keys begin: of plans with widths below a byte, which have a table of their own
)
OTHER_WORD = {"half": "full", "full": "half"}  # what else a value that is a word could be
# Reserves change no cost, only what fits: their effect is shown for all of them at once.
RADIO_RESERVES = (
    ("mcu", "l2.reserve"),
    ("mcu", "flash.reserve"),
    ("link", "ram_reserve"),
    ("link", "flash_reserve"),
)
WIDTHS = (8, 6, 4)


class Case(NamedTuple):
    """Plans that stand for a platform: how their costs change says what hangs on a value."""

    platform: Platform
    costs: Callable[[Platform], np.ndarray]
    changes: list[str]


def shown(entry: Sourced) -> list[str]:
    """Show value and unit of an entry, its range, and its status."""
    value = str(entry.value).lower() if isinstance(entry.value, bool) else str(entry.value)
    if entry.value in OTHER_WORD:
        span = f"or {OTHER_WORD[str(entry.value)]}"
    else:
        span = "none stated" if entry.low is None else f"{entry.low:g} .. {entry.high:g}"
    unit = "" if entry.unit in (None, "dimensionless") else f" {entry.unit}"
    return [value + unit, span, entry.status]


def uncertain(record: Record) -> Iterator[tuple[str, Sourced]]:
    """Give the assumed and fitted values of a record by key."""
    return ((key, entry) for key, entry in record.values() if entry.status in NOT_CERTAIN)


def uncertain_values(status: str) -> int:
    """Count the built-in values of a status."""
    return sum(
        entry.status == status
        for kind in KINDS
        for name in built_in_names(kind)
        for _, entry in load(kind, name).values()
    )


def ends(entry: Sourced) -> list[Any]:
    """Low and high of a value, the other word of one that is a word, nothing where there is no range."""
    if entry.value in OTHER_WORD:
        return [OTHER_WORD[str(entry.value)]]
    if entry.low is None or entry.high is None:
        return []
    whole = isinstance(entry.value, int) and entry.unit is None
    return [int(end) if whole else end for end in (entry.low, entry.high)]


def record_with(record: Record, key: str, value: Any) -> Record:
    """Give a record with another value."""
    data = copy.deepcopy(record.data)
    *path, last = key.split(".")
    entries = data
    for part in path:
        entries = entries[part]
    entries[last]["value"] = value
    return replace(record, data=data)


def platform_with(platform: Platform, record: Record, key: str, value: Any) -> Platform:
    """Give a platform with another value in one of its records."""
    changed = record_with(record, key, value)
    return platform_of(tuple(changed if r is record else r for r in platform.records))


def joined_by(link: str) -> Platform:
    """Give the nRF52840 of the radio platform with another link."""
    return platform_of(tuple(load("link", link) if r.kind == "link" else r for r in RADIO.records))


def costs_of_eight(platform: Platform) -> np.ndarray:
    """Cost the model on 8 Siracusa in steady state, and a block of it with prefetches hidden."""
    whole, block = costs(8, MODEL, TINY, platform), costs(8, BLOCK_HIDDEN, TINY, platform)
    return np.concatenate([whole.latency_s, whole.energy_j, block.latency_s])


def costs_of_sixteen(platform: Platform) -> np.ndarray:
    """Cost a block that is cut by columns over 16 nRF52840, pruned by 0.9 and not at all."""
    pruned, whole = (columns(16, p, BLOCK, CATS, platform).costs for p in (0.9, 0.0))
    return np.concatenate([pruned.latency_s, pruned.energy_j, whole.latency_s, whole.energy_j])


EIGHT = ["model latency, %", "model energy, %", "block latency, %"]
SIXTEEN = ["latency p 0.9, %", "energy p 0.9, %", "latency p 0, %", "energy p 0, %"]
SIRACUSA_CASE = Case(SIRACUSA, costs_of_eight, EIGHT)
RADIO_CASE = Case(RADIO, costs_of_sixteen, SIXTEEN)

IDLE = dict(load("mcu", "nrf52840").values())["idle_power"]


def percent(change: float) -> str:
    """Show a relative change in percent, and none as 0."""
    text = f"{100 * change:+z.1f}"
    return "0" if float(text) == 0 else text


def sensitivity(case: Case, record: Record, key: str, entry: Sourced) -> list[str]:
    """Say by how many percent each cost changes when a value goes to its low and to its high end."""
    now = case.costs(case.platform)
    found = [case.costs(platform_with(case.platform, record, key, end)) / now - 1 for end in ends(entry)]
    if not found:
        return ["-"] * len(case.changes)
    rows = ([percent(float(change)) for change in changes] for changes in zip(*found, strict=True))
    return ["0" if set(row) == {"0"} else " .. ".join(row) for row in rows]


def moved(key: str, cost: int) -> str:
    """Say by how many percent a cost of the radio plans changes with a value of the link, of any status."""
    (record,) = (r for r in RADIO.records if r.kind == "link")
    return sensitivity(RADIO_CASE, record, key, dict(record.values())[key])[cost]


def section(record: Record, header: list[str], rows: list[list[str]], remark: str = "") -> str:
    """Head a record's table with its name, what it has, and where sources and reasons are."""
    found = Counter(entry.status for _, entry in uncertain(record))
    counts = ", ".join(f"{found[status]} {status}" for status in NOT_CERTAIN if found[status])
    anchor = f"{record.kind}-{record.name}"
    lines = [
        f"#### `{record.kind}/{record.name}`\n",
        f"{counts} ([sources and reasons](parameters.md#{anchor})).{remark}\n",
        table(["key", "value", "low .. high", "status", *header], rows),
    ]
    return "\n".join(lines)


def costs_when_packed(platform: Platform, bits: int) -> np.ndarray:
    """Cost a block that is cut by columns, with weights and messages of some bits."""
    radio = platform.link.shared
    chips, workload = (16, CATS) if radio else (8, PROMPT)
    return columns(chips, 0.0, BLOCK, workload, platform, weight_bits=bits, message_bits=bits).costs.latency_s


def packing_tables() -> str:
    """List the uncertain cycles of packing with what hangs on them, by kernel set."""
    sections = []
    for platform in (SIRACUSA, SIMULATED, RADIO):
        (record,) = (r for r in platform.records if r.kind == "kernels")
        rows = []
        for key, entry in uncertain(record):
            if key.startswith(PACKING):
                bits = 4 if "bits_4" in key else 6
                case = Case(platform, partial(costs_when_packed, bits=bits), ["latency, %"])
                rows.append([f"`{key}`", *shown(entry), *sensitivity(case, record, key, entry)])
        ms = ", ".join(
            f"{costs_when_packed(platform, bits)[0] * MS:.2f} ms with {bits} bit" for bits in WIDTHS
        )
        header = ["key", "value", "low .. high", "status", "latency, %"]
        sections.append(f"#### `kernels/{record.name}`\n\nThe block takes {ms}.\n\n{table(header, rows)}")
    return "\n".join(sections)


def case_section(case: Case, record: Record, remark: str = "") -> str:
    """List a record's uncertain values with what hangs on each."""
    rows = [
        [f"`{key}`", *shown(entry), *sensitivity(case, record, key, entry)]
        for key, entry in uncertain(record)
        if not key.startswith(PACKING)
    ]
    return section(record, case.changes, rows, remark)


def platform_tables(case: Case) -> str:
    """List the uncertain values of a platform, file by file."""
    return "\n".join(case_section(case, record) for record in case.platform.records if any(uncertain(record)))


def links_of_no_platform() -> list[str]:
    """Name the built-in links that no built-in platform has."""
    taken = {load("platform", name).data["link"] for name in built_in_names("platform")}
    return [name for name in built_in_names("link") if name not in taken]


def wire_tables() -> str:
    """List the uncertain values of each such link, with what hangs on them between 16 nRF52840."""
    sections = []
    for name in links_of_no_platform():
        case = RADIO_CASE._replace(platform=joined_by(name))
        (record,) = (r for r in case.platform.records if r.kind == "link")
        p9_s, p9_j, p0_s, p0_j = case.costs(case.platform)
        remark = (
            f" The block takes {p9_s * MS:.0f} ms and {p9_j * MS:.0f} mJ with p 0.9, "
            f"{p0_s * MS:.0f} ms and {p0_j * MS:.0f} mJ with p 0."
        )
        sections.append(case_section(case, record, remark))
    return "\n".join(sections)


def radio_room(memory: str, end: str | None = None) -> float:
    """Share of a memory that the unpruned plan takes, with all reserves at their low or high end."""
    platform = RADIO
    for kind, key in RADIO_RESERVES if end else ():
        (record,) = (r for r in platform.records if r.kind == kind)
        value = getattr(dict(record.values())[key], end or "")
        platform = platform_with(platform, record, key, value)
    return 1 + float(columns(16, 0.0, BLOCK, CATS, platform).costs.slack[memory][0])


def model_table() -> str:
    """List the models' uncertain values, equal ones in one row."""
    models: dict[tuple[str, str, str], list[str]] = {}
    for name in built_in_names("model"):
        for key, entry in uncertain(load("model", name)):
            models.setdefault((key, shown(entry)[0], entry.reason or ""), []).append(name)
    order = list(Model.model_fields)
    rows = sorted(models.items(), key=lambda row: (order.index(row[0][0].split(".")[0]), row[0][0], row[1]))
    return table(
        ["key", "value", "models", "reason"],
        [[f"`{key}`", value, ", ".join(names), reason] for (key, value, reason), names in rows],
    )


def calibration_table(*sources: str) -> str:
    """Set the published rows that took part in a fit beside the model's."""
    rows = [row for row in validate() if row.fitted and not row.detail and row.source in sources]
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
