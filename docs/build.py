"""Write the generated parts of the documentation: validation, parameters, the front of the demo.

Run: ``make docs``. A test compares what lies here with what this would write.
"""

from __future__ import annotations

from pathlib import Path

from costmodel.parameters import KINDS, built_in_names, load
from dse.console import shown_value
from dse.validation import validate

HERE = Path(__file__).parent
VALIDATION_TEXT = """\
What `dse validate` prints. Rows of the paper are costed for one block with prefetches hidden, as the paper
counts, and kernel set `date2025`; simulated shards with `pulp-gvsoc`, compute and on-chip DMA alone.
Errors are model over published, less one.

{fitted} of {rows} rows took part in a fit: agreement there is calibration. The constants of `date2025` were
fitted on the paper's rows (`make fit`). The laws of `pulp-gvsoc` come with the simulation; two of their
constants, the overheads of a tile and of a step, were fitted there on the shards below.
"""
NOTE = "<!-- written by docs/build.py: make docs -->\n\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


def validation_page() -> str:
    """Write every row of ``dse validate``."""
    rows = validate()
    calibration = sum(row.fitted for row in rows)
    text = f"# Validation\n\n{NOTE}{VALIDATION_TEXT.format(fitted=calibration, rows=len(rows))}\n"
    return text + table(
        ["case", "published", "model", "error", "within", "status", "fitted", "source"],
        [
            [
                row.quantity,
                shown_value(row.published, row.unit),
                shown_value(row.model, row.unit),
                f"{row.error:+.1%}",
                f"{row.tolerance:.0%}" if row.tolerance else "exact",
                row.status,
                "yes" if row.fitted else "no",
                row.source,
            ]
            for row in rows
        ],
    )


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


PAGES = {"validation.md": validation_page, "parameters.md": parameters_page}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        print(f"written: docs/{name}")


if __name__ == "__main__":
    main()
