"""What there is and how right it is, as rich renderables: parameters, objectives, published rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.parameters import Record
from costmodel.plan import Number
from dse.objectives import KNOWN
from dse.terminal import plain_table

if TYPE_CHECKING:
    from dse.validation import Row

SHOWN_UNITS = {"s": (1e3, "ms"), "J": (1e3, "mJ"), "relative": (1e2, "%"), "cycles": (1e-3, "kcycles")}
STATUS_STYLES = {"ok": "green", "miss": "yellow", "off": "bold red"}
WHOLE_UNITS = ("chips", "entries", "B")


def shown_choices(values: tuple[Number, ...]) -> str:
    """Choices of a decision, a run of whole numbers as its ends."""
    low, high = values[0], values[-1]
    whole = isinstance(low, int) and isinstance(high, int)
    run = whole and values == tuple(range(int(low), int(high) + 1)) and len(values) > 2
    return f"{low} to {high}" if run else ", ".join(map(str, values))


def validation_report(rows: Sequence[Row], notes: Sequence[str], *, every: bool) -> RenderableType:
    """Reference against model, row by row, and how many rows are calibration.

    Parameters
    ----------
    notes : sequence of str
        What a reader should know beside the rows.
    every : bool
        Whether to show rows that another one sums up.
    """
    table = plain_table(
        "case", "published", "model", "error", "within", "status", "fitted", "source", right=range(1, 5)
    )
    for row in rows:
        if row.detail and not every and row.status == "ok":
            continue
        table.add_row(
            row.quantity,
            shown_value(row.published, row.unit),
            shown_value(row.model, row.unit),
            error_words(row),
            within_words(row),
            Text(row.status, style=STATUS_STYLES[row.status]),
            "yes" if row.fitted else "no",
            row.source,
        )
    fitted = [row for row in rows if row.fitted]
    held = [row for row in rows if not row.fitted]

    def good(some: Sequence[Row]) -> str:
        return f"{sum(row.status == 'ok' for row in some)} of {len(some)} ok"

    return Group(
        "DATE 2025: one block, prefetches hidden, kernel set date2025; simulated shards: pulp-gvsoc; CATS: "
        "nrf52840-mixer, of whose times only ratios are published: absolute seconds carry about 40 %; "
        "accuracy: trainings of six small tasks.",
        ""
        if every
        else "dse validate --all shows rows that are summed up here, --json where in its source each stands.",
        "",
        table,
        "",
        f"rows that took part in a fit (calibration): {good(fitted)}; "
        f"rows that did not (validation): {good(held)}",
        *(f"miss, {row.quantity}: {row.reason}" for row in rows if row.status == "miss"),
        "",
        *notes,
    )


def error_words(row: Row) -> str:
    """How far the model is off."""
    if row.low is not None:
        return "" if row.error == 0 else f"{row.error:+.2g}"
    if row.tolerance == 0:
        return "" if row.error == 0 else "differs"
    return f"{row.error:+.1%}"


def within_words(row: Row) -> str:
    """How far it may be off."""
    if row.low is not None and row.high is not None:
        low, high = (shown_value(end, row.unit).split()[0] for end in (row.low, row.high))
        return f"{low} to {high}"
    return f"{row.tolerance:.0%}" if row.tolerance else "exact"


def shown_value(value: float | str, unit: str) -> str:
    """A published or model value in the unit that people see."""
    if isinstance(value, str):
        return value
    scale, name = SHOWN_UNITS.get(unit, (1.0, unit))
    number = f"{value * scale:.0f}" if unit in WHOLE_UNITS else f"{value * scale:.4g}"
    return f"{number} {name}"


def record_report(record: Record) -> RenderableType:
    """A parameter file: every value with its source."""
    table = plain_table("parameter", "value", "status", "source", "where", "reason", right=[1])
    for key, entry in record.values():
        unit = f" {entry.unit}" if entry.unit else ""
        bounds = (
            f" ({entry.low:g} to {entry.high:g})" if entry.low is not None and entry.high is not None else ""
        )
        colour = {"assumed": "yellow", "fitted": "yellow"}.get(entry.status)
        table.add_row(
            key, f"{entry.value}{unit}{bounds}", Text(entry.status, style=colour or ""), entry.source,
            entry.where,
            entry.reason or "",
        )  # fmt: skip
    description = str(record.data.get("description", ""))
    names = [f"{k} = {v}" for k, v in record.data.items() if isinstance(v, str) and k != "description"]
    values: list[RenderableType] = ["", table] if table.row_count else []
    return Group(Text(f"{record.kind} {record.name}", style="bold"), description, *names, *values)


def objective_entries() -> dict[str, str]:
    """Objectives with unit and direction."""
    return {
        o.name: f"{o.description}{f' [{o.shown_unit}]' if o.shown_unit else ''}"
        f"{', more is better' if o.maximise else ''}"
        for o in KNOWN.values()
    }
