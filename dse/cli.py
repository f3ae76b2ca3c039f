"""The command line."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from dse.commands.calibrate import calibrate
from dse.commands.cliff import cliff
from dse.commands.plans import evaluate, export, importance, plot
from dse.commands.reference import list_names, reproduce, schema, show_entry, validate
from dse.commands.search import search
from dse.terminal import complain

DEBUG_VARIABLE = "DSE_DEBUG"
INTERRUPTED = 130
# Root of the errors that typer raises for a command line it cannot parse; it has no public name there.
CommandLineError: type[Any] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="dse",
    help="Decide how to run a Transformer on a handful of linked low-power microcontrollers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # else "[default: ...]" is taken for markup and not shown
)


app.command()(search)
app.command()(evaluate)
app.command()(cliff)
app.command()(calibrate)
app.command()(export)
app.command()(plot)
app.command()(importance)
app.command()(validate)
app.command(name="list")(list_names)
app.command(name="show")(show_entry)
app.command()(schema)
app.command()(reproduce)


def version_callback(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from dse import __version__

        print(f"dse {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=version_callback, is_eager=True)
    ] = False,
) -> None:
    """Decide how to run a Transformer on a handful of linked low-power microcontrollers."""


def main() -> None:
    """Run the command line; every error is one or two lines, exit code 2 where the user can mend it."""
    try:
        code: Any = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer makes this of Ctrl-C, and says nothing
            complain("interrupted")
    except (typer.Abort, KeyboardInterrupt):
        complain("interrupted")
        code = INTERRUPTED
    except CommandLineError as error:
        text = " ".join(error.format_message().split())
        if text:  # no arguments at all: the help was printed instead
            complain(text)
        code = 2
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        code = 0
    except OSError as error:
        complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        code = 2
    except Exception as error:
        from costmodel.errors import DseError, InterruptionError

        if isinstance(error, DseError):
            complain(error.message, error.hint)
            code = INTERRUPTED if isinstance(error, InterruptionError) else 2
        elif os.environ.get(DEBUG_VARIABLE):
            raise
        else:
            complain(
                f"{type(error).__name__}: {error}", f"a fault of this program; {DEBUG_VARIABLE}=1 shows where"
            )
            code = 3
    sys.exit(code or 0)
