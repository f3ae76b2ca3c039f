"""Published and simulated numbers beside the model's, row by row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from costmodel.parameters import read_toml
from dse.validation import accuracy, cats2026, date2025, gvsoc, message_loss
from dse.validation.source import FOLDER


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison; numbers in SI units.

    Attributes
    ----------
    error : float
        Model over published, less one; the model's own value where the published one is zero. Of a row
        with ends, how far the model is outside them.
    low, high : float, optional
        Ends that the model must lie between, instead of a tolerance.
    status : {"ok", "off", "miss"}
        Whether the error is within the tolerance; a miss is off for a reason that is known.
    reason : str
        Why a row may be off; empty where it may not.
    fitted : bool
        Whether the row took part in a fit, and so is calibration and not validation.
    detail : bool
        Whether another row sums it up.
    """

    id: str
    source: str
    where: str
    quantity: str
    unit: str
    published: float | str
    model: float | str
    error: float
    tolerance: float
    status: str
    fitted: bool
    detail: bool = False
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Row as plain data."""
        return asdict(self)


def compare(entry: dict[str, Any], model: float | str) -> Row:
    """Set a model value beside a published entry."""
    published, ends = entry["published"], (entry.get("low"), entry.get("high"))
    if not isinstance(model, str) and None not in ends:
        error = model - float(np.clip(model, *ends))
    elif isinstance(published, str) or isinstance(model, str):
        error = 0.0 if model == published else 1.0
    else:
        error = model / published - 1 if published else model
    off = "miss" if entry.get("reason") else "off"
    status = "ok" if abs(error) <= entry["tolerance"] else off
    return Row(**entry, model=model, error=float(error), status=status)


def validate() -> list[Row]:
    """All rows: the published ones, then every entry of the tables that some of them sum up."""
    data = read_toml(FOLDER / "published.toml", "published.toml")
    models: dict[str, float | str] = {
        **date2025.models(),
        **gvsoc.errors(),
        **cats2026.models(),
        **accuracy.models(),
        **message_loss.models(),
    }
    rows = [compare(entry, models[entry["id"]]) for entry in data["row"]]
    details: list[tuple[dict[str, Any], float | str]] = [
        *cats2026.resources(),
        *cats2026.round_times(),
        *gvsoc.shards(),
        *accuracy.tasks_left_out(),
        *message_loss.rates(),
    ]
    return rows + [compare(entry, model) for entry, model in details]
