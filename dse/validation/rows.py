"""Published and simulated numbers beside the model's, row by row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from costmodel.parameters import read_toml
from dse.validation import cats2026, date2025, gvsoc
from dse.validation.source import FOLDER


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison; numbers in SI units.

    Attributes
    ----------
    error : float
        Model over published, less one; the model's own value where the published one is zero.
    status : {"ok", "off"}
        Whether the error is within the tolerance.
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

    def as_dict(self) -> dict[str, Any]:
        """Row as plain data."""
        return asdict(self)


def compare(entry: dict[str, Any], model: float | str) -> Row:
    """Set a model value beside a published entry."""
    published = entry["published"]
    if isinstance(published, str) or isinstance(model, str):
        error = 0.0 if model == published else 1.0
    else:
        error = model / published - 1 if published else model
    within = abs(error) <= entry["tolerance"]
    return Row(**entry, model=model, error=float(error), status="ok" if within else "off")


def validate() -> list[Row]:
    """All rows: the published ones, then every entry of the tables that some of them sum up."""
    data = read_toml(FOLDER / "published.toml", "published.toml")
    models: dict[str, float | str] = {**date2025.models(), **gvsoc.errors(), **cats2026.models()}
    rows = [compare(entry, models[entry["id"]]) for entry in data["row"]]
    details: list[tuple[dict[str, Any], float | str]] = [
        *cats2026.resources(),
        *cats2026.round_times(),
        *gvsoc.shards(),
    ]
    return rows + [compare(entry, model) for entry, model in details]
