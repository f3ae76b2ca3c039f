"""The terminal: the one table without boxes, and the only functions that print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MAX_MESSAGE_CHARS = 600


def show(renderable: RenderableType) -> None:
    """Print something for people; wide enough that nothing is cut when piped."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())
    if not console.is_terminal:
        console.width = 240
    console.print(renderable)


def show_json(data: object) -> None:
    """Print JSON for programs."""
    print(json.dumps(data, indent=2, allow_nan=False))


def complain(message: str, hint: str = "") -> None:
    """Print an error in one line, and the hint in a second."""
    shortened = message if len(message) <= MAX_MESSAGE_CHARS else message[:MAX_MESSAGE_CHARS] + "..."
    print(f"error: {' '.join(shortened.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def plain_table(*columns: str, right: Iterable[int] = ()) -> Table:
    """A table without boxes that stays legible when piped."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    numbers = set(right)
    for i, column in enumerate(columns):
        numeric = i in numbers
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    return table


def listing(entries: dict[str, str]) -> Table:
    """Names with a line about each."""
    table = plain_table("name", "what it is")
    for name, text in entries.items():
        table.add_row(name, text)
    return table
