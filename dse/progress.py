"""A search with its record and, in a terminal, a progress bar on standard error."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dse.search import Job, SearchResult, search
from dse.study import Record, quiet


def run(job: Job, journal: Path, name: str) -> SearchResult:
    """Search, record every trial in `journal` as study `name`, and show plans done, time left, the best."""
    quiet()
    record = Record(journal, name, job.objectives)
    first = job.objectives[0]
    progress = Progress(
        TextColumn("searching"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("best {task.fields[best]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with progress:
        task = progress.add_task("search", total=None, best="none yet")

        def report(done: int, goal: int, best: float) -> None:
            text = "none yet" if math.isnan(best) else f"{first.shown(best)} {first.shown_unit}"
            progress.update(task, completed=done, total=goal, best=text)

        return search(job, record.add, report)
