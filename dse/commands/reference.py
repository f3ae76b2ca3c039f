"""What there is, and how right it is: ``dse validate``, ``list``, ``show``, ``schema``, ``reproduce``.

Heavy imports happen inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.options import JsonOption
from dse.terminal import listing, show, show_json


def validate(
    as_json: JsonOption = False,
    every: Annotated[bool, typer.Option("--all", help="Show rows that others sum up, too.")] = False,
) -> None:
    """Set the model beside published and simulated numbers; exit code 1 when a row is off."""
    from dse.reference import validation_report
    from dse.validation import notes
    from dse.validation import validate as rows_of

    rows = rows_of()
    if as_json:
        show_json([row.as_dict() for row in rows])
    else:
        show(validation_report(rows, notes(), every=every))
    if any(row.status == "off" for row in rows):
        raise typer.Exit(1)


def list_names(
    what: Annotated[
        str,
        typer.Argument(
            help="workloads, platforms, spaces, strategies, decisions, objectives, engines, kernels, mcus, "
            "links, importances or calibrations."
        ),
    ],
) -> None:
    """List what is built in."""
    from dse.listings import FILES, file_entries

    if what in FILES:
        found = file_entries(what)
    else:  # out of the tables of the model, which takes longer to load
        from dse.catalogue import entries

        found = entries(what)
    show(listing(found))


def show_entry(
    name: Annotated[str, typer.Argument(help="A name out of dse list, or a parameter file's path.")],
) -> None:
    """Show a parameter file with the source of every value, a space, an objective or an engine."""
    from dse.catalogue import describe

    for renderable in describe(name):
        show(renderable)


def schema(
    what: Annotated[str, typer.Argument(help="plan: JSON Schema of plan.json.")],
) -> None:
    """Print a JSON Schema."""
    from costmodel.errors import UsageError, nearest
    from dse.document import Deployment

    if what != "plan":
        raise UsageError(f"unknown schema {what!r}; {nearest(what, ['plan'])}")
    show_json(Deployment.model_json_schema())


def reproduce(
    study: Annotated[str, typer.Argument(help="date2025 or cats2026: the studies of that paper.")],
    out: Annotated[Path | None, typer.Option(help="Folder. [default: results/<study>]")] = None,
) -> None:
    """Compute a published study again: tables and figures."""
    from costmodel.errors import RunError, UsageError, nearest
    from dse.reproduce import STUDIES

    if study not in STUDIES:
        raise UsageError(f"unknown study {study!r}; {nearest(study, STUDIES)}")
    folder = out or Path("results") / study
    try:
        paths = STUDIES[study](folder)
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror})") from None
    show("written: " + ", ".join(str(path) for path in paths))
