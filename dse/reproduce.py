"""Published studies that can be computed again, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dse.reproduce_cats import reproduce_cats2026
from dse.reproduce_date import reproduce_date2025

STUDIES: dict[str, Callable[[Path], list[Path]]] = {
    "date2025": reproduce_date2025,
    "cats2026": reproduce_cats2026,
}
