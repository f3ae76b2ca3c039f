"""A search with its record and, in a terminal, a progress bar on standard error."""

from __future__ import annotations

import math
import sys

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from costmodel.errors import RunError
from costmodel.evaluation import evaluate
from dse.job import Job
from dse.search import SearchResult, search
from dse.study import Record
from dse.workers import Workers

SAME = 1e-9  # relative difference that another machine may make


def run(job: Job, record: Record, workers: Workers | None = None) -> SearchResult:
    """Search, go on from what is recorded, record every trial; show plans done, time left, the best."""
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

        return search(job, record.add, report, lambda workload: record.recorded(workload)[0], workers)


def check_recorded(job: Job, record: Record) -> None:
    """Refuse a record whose trials cost something else by now.

    Raises
    ------
    RunError
        They do, and plans of both cannot be compared.
    """
    for workload in job.workloads:
        plans, values = record.recorded(workload.name)
        if not len(plans):
            continue
        costs = evaluate(workload, job.platform, plans, job.accounting)
        again = np.stack([o.of(costs) for o in job.objectives], axis=-1)
        if values.shape != again.shape or not np.allclose(values, again, rtol=SAME, atol=0.0):
            raise RunError(
                "the trials that are recorded cost something else by this version",
                "begin anew; plans of both cannot be compared",
            )
