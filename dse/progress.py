"""A search with its record and, in a terminal, a progress bar on standard error."""

from __future__ import annotations

import math
import sys

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from costmodel.errors import RunError
from costmodel.evaluate import evaluate
from costmodel.plan import Plans
from dse.job import Job
from dse.search import SearchResult, search
from dse.study import Record

SAME = 1e-9  # relative difference that another machine may make


def run(job: Job, record: Record) -> SearchResult:
    """Search, go on from what is recorded and record every trial, and show plans done, time left, the best.

    Raises
    ------
    RunError
        What is recorded costs something else by now.
    """
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

        return search(job, record.add, report, lambda workload: known(job, record, workload))


def known(job: Job, record: Record, name: str) -> Plans:
    """Give the plans of a workload that are recorded, once they cost what is recorded of them."""
    plans, values = record.recorded(name)
    if len(plans):
        workload = next(one for one in job.workloads if one.name == name)
        costs = evaluate(workload, job.platform, plans, job.accounting)
        again = np.stack([o.of(costs) for o in job.objectives], axis=-1)
        if values.shape != again.shape or not np.allclose(values, again, rtol=SAME, atol=0.0):
            raise RunError(
                "the trials that are recorded cost something else by this version",
                "begin anew; plans of both cannot be compared",
            )
    return plans
