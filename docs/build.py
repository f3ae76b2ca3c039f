"""Write the generated parts of the documentation: numbers in templates, tables, the front of the demo.

Run: ``make docs``. A test compares what lies here with what this would write. In a template,
``{{expression ; format}}`` stands for the value of an expression over the names of
the modules named in `NAMES`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uncertain_accuracy
import uncertain_values
import worked_accuracy
import worked_columns
import worked_numbers
from rich.console import Console
from worked_numbers import table

from costmodel import Accounting, load_platform, load_workload
from costmodel.parameters import KINDS, built_in_names, load
from dse.console import summary_lines
from dse.export import title
from dse.job import Job
from dse.objectives import objectives_named
from dse.reference import error_words, shown_value, within_words
from dse.search import search
from dse.tables import front_table
from dse.validation import validate
from search_spaces import load_space

HERE = Path(__file__).parent
VALIDATION_TEXT = """\
What `dse validate` prints. Rows of the paper are costed for one block with prefetches hidden, as the paper
counts, and kernel set `date2025`; simulated shards with `pulp-gvsoc`, compute and on-chip DMA alone.
Errors are model over published, less one. A row that must lie between two ends has no error inside them;
a miss is off for a reason that stands beside it, and fails nothing.

Agreement with a row that took part in a fit is calibration. The constants of `date2025` were fitted on the
paper's rows (`make fit`). The laws of `pulp-gvsoc` come with the simulation; two of their constants, the
overheads of a tile and of a step, were fitted there on these shards. Of CATS, four speed-ups and the slots of
a round were fitted.

Rows of accuracy hold predictions beside measurements that they do not know: plans of small encoders out of
two that were retrained, or out of other tasks; losses of the CATS paper's models with more lost messages than
the fit knows. There `within` is the interval of the prediction ([model.md](model.md#p-accuracy)).
"""
DEMO_BEGINS, DEMO_ENDS = "<!-- demo: written by make docs -->", "<!-- end of demo -->"
NAMES: dict[str, Any] = {}
for module in (worked_numbers, worked_columns, worked_accuracy, uncertain_values, uncertain_accuracy):
    NAMES |= vars(module)
NOTE = "<!-- written by docs/build.py: make docs -->\n\n"


def filled(template: str) -> str:
    """Put the value of each expression in its place."""

    def value(place: re.Match[str]) -> str:
        expression, _, form = place[1].partition(" ; ")
        try:
            return format(eval(expression, NAMES), form)
        except Exception as error:
            raise ValueError(f"{{{{{place[1]}}}}}: {error!r}") from error

    return re.sub(r"\{\{(.+?)\}\}", value, template, flags=re.DOTALL)


def page_of(template: str) -> str:
    """Write the page of a template."""
    return NOTE + filled((HERE / "templates" / template).read_text(encoding="utf-8"))


def validation_page() -> str:
    """Write every row of ``dse validate``, calibration apart from validation."""
    rows = validate()
    text = f"# Validation\n\n{NOTE}{VALIDATION_TEXT}"
    for heading, fitted in (("Rows that took part in no fit", False), ("Rows that took part in a fit", True)):
        cells = [
            [
                row.quantity,
                shown_value(row.published, row.unit),
                shown_value(row.model, row.unit),
                error_words(row) or "0",
                within_words(row),
                row.status,
                row.source,
                f"{row.where}; miss: {row.reason}" if row.status == "miss" else row.where,
            ]
            for row in rows
            if row.fitted is fitted
        ]
        header = ["case", "published", "model", "error", "within", "status", "source", "where"]
        text += f"\n## {heading}\n\n{table(header, cells)}"
    return text


def parameters_page() -> str:
    """Write every value of every built-in parameter file with its source."""
    text = "# Parameters\n\n" + NOTE
    text += "Every built-in value. Sources are keys of `costmodel/parameters/references.bib`.\n"
    for kind in KINDS:
        for name in built_in_names(kind):
            record = load(kind, name)
            rows = []
            for key, entry in record.values():
                unit = f" {entry.unit}" if entry.unit else ""
                span = "" if entry.low is None or entry.high is None else f"{entry.low:g} to {entry.high:g}"
                why = entry.reason or ""
                rows.append([key, f"{entry.value}{unit}", span, entry.status, entry.source, entry.where, why])
            if rows:
                text += f"\n## {kind} {name}\n\n{record.data.get('description', '')}\n\n"
                text += table(["key", "value", "range", "status", "source", "where", "reason"], rows)
    return text


def demo_text() -> str:
    """Show what ``make demo`` prints of its result, as an indented block."""
    job = Job(
        workloads=(load_workload("tinyllama-42m"),),
        platform=load_platform("siracusa-mipi"),
        accounting=Accounting(),
        space=load_space("head_wise"),
        objectives=objectives_named([]),
    )
    result = search(job, lambda *_: None)
    console = Console(width=110, markup=False, highlight=False, record=True, file=io.StringIO())
    console.print(f"{title(job)}\n{result.certificate.sentence()}\n")
    for line in summary_lines(result, front_table(result)):
        console.print(line)
    lines = [f"    {line}".rstrip() for line in console.export_text().splitlines()]
    return "\n".join(lines) + "\n"


def readme() -> str:
    """Give the README with the demo's result as it is now."""
    head, rest = (HERE.parent / "README.md").read_text(encoding="utf-8").split(DEMO_BEGINS)
    _, tail = rest.split(DEMO_ENDS)
    return f"{head}{DEMO_BEGINS}\n\n{demo_text()}\n{DEMO_ENDS}{tail}"


PAGES: dict[Path, Callable[[], str]] = {
    HERE / "model.md": partial(page_of, "model.md"),
    HERE / "assumptions.md": partial(page_of, "assumptions.md"),
    HERE / "validation.md": validation_page,
    HERE / "parameters.md": parameters_page,
    HERE.parent / "README.md": readme,
}


def main() -> None:
    """Write the pages."""
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
        print(f"written: {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
