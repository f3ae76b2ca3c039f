"""``dse search``. Heavy imports happen inside."""

from __future__ import annotations

import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dse.options import (
    DEFAULT_PLATFORM,
    DEFAULT_WORKLOAD,
    CalibrationsOption,
    ContextOption,
    HeadOption,
    KernelsOption,
    MessageLossOption,
    PlatformOption,
    PrefetchOption,
    RequestOption,
    ScopeOption,
    TokensOption,
    WorkloadsOption,
    accounting_of,
    budget_of,
    choices_of,
    number,
    settings_of,
    whole_number,
)
from dse.terminal import show

if TYPE_CHECKING:
    from costmodel.accounting import Accounting
    from dse.job import Job
    from dse.study import Record
    from dse.workers import Workers
    from search_spaces import SearchSpace


def search(
    workload: WorkloadsOption = None,
    platform: PlatformOption = None,
    request: RequestOption = None,
    tokens: TokensOption = None,
    context: ContextOption = None,
    kernels: KernelsOption = None,
    scope: ScopeOption = None,
    prefetch: PrefetchOption = None,
    head: HeadOption = None,
    message_loss: MessageLossOption = None,
    calibration: CalibrationsOption = None,
    space: Annotated[
        str | None,
        typer.Option(help="Search space, by name or TOML path. [default: cats by radio, else head_wise]"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Other choices for a decision: n_chips=2,4,8 or 1..16, prune=0,0.5 (repeatable)."
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="Objective (repeatable). [default: the space's, or latency, energy, n_chips; "
            "accuracy_drop for missing_weights once calibrated, or where plans choose widths or what to do "
            "about lost messages]"
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(help='Bound such as "latency<=1ms" (repeatable).')
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="auto, exhaustive, evolutionary, random, qmc, nsga2, nsga3 or tpe. [default: auto]"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Plans to evaluate at most; to keep, where all of them are; with --resume +1000 for so "
            "many more. [default: 2000]"
        ),
    ] = None,
    exact_seconds: Annotated[
        float | None,
        typer.Option(
            help="Seconds that engine auto may take, as estimated, to cost all plans of the space whatever "
            "the budget. [default: 20]",
            parser=number,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything drawn. [default: 0]", parser=whole_number)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. [default: results/<workload>-<platform>[-2, ...]]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier run in --out.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(help="Run folder to go on with: one interrupted, or with a larger --budget."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Processes that cost all plans of a space, or of those that may be on its front.",
            parser=whole_number,
        ),
    ] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers do so: tcp://host:8786.")
    ] = None,
) -> None:
    """Search for Pareto-optimal plans, and recommend one; exit code 1 when none is feasible."""
    from costmodel.errors import UsageError
    from dse.workers import MAX_WORKERS, workers_of

    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers {workers} must be 1 to {MAX_WORKERS}")
    if scheduler is not None and workers > 1:
        raise UsageError("--workers are of this machine, those of --scheduler are its own; give one")
    who = workers_of(workers, scheduler)
    if resume is not None:
        names = (workload, platform, request, tokens, context, kernels, scope, prefetch, head, message_loss)
        asked = (calibration, space, settings, objective, constraint, engine, exact_seconds, seed, out)
        if overwrite or any(other is not None for other in (*names, *asked)):
            raise UsageError(
                "--resume carries all that was asked for; give no option but --budget",
                "--workers and --scheduler say who does it, and may be given too",
            )
        feasible = _go_on(resume, budget, who)
    else:
        job = _job(
            workloads=workload or [DEFAULT_WORKLOAD],
            calibrations=calibration or [],
            request=request,
            tokens=tokens,
            context=context,
            platform=DEFAULT_PLATFORM if platform is None else platform,
            kernels=kernels,
            accounting=accounting_of(scope, prefetch, head, message_loss),
            space=space,
            settings=settings_of(settings or []),
            objectives=objective,
            constraints=constraint or [],
            how={
                "engine": engine,
                "budget": None if budget is None else budget_of(budget),
                "exact_seconds": exact_seconds,
                "seed": seed,
            },
        )
        feasible = _begin(job, out, who, overwrite=overwrite)
    if not feasible:
        raise typer.Exit(1)


def _job(
    *,
    workloads: list[str],
    calibrations: list[str],
    request: str | None,
    tokens: int | None,
    context: int | None,
    platform: str,
    kernels: str | None,
    accounting: Accounting,
    space: str | None,
    settings: dict[str, str],
    objectives: list[str] | None,
    constraints: list[str],
    how: dict[str, Any],
) -> Job:
    """Read what is asked for, and refuse what cannot be searched; `how` has None for a job's own defaults."""
    from itertools import zip_longest

    from costmodel.errors import UsageError, nearest
    from costmodel.hardware import load_platform
    from costmodel.plan import DECISIONS
    from costmodel.workload import load_workload
    from dse import constraints as bounds
    from dse.engines import ENGINES
    from dse.job import Job
    from dse.objectives import default_objectives, objectives_named
    from search_spaces import default_space, load_space

    given = {name: value for name, value in how.items() if value is not None}
    if (engine := given.get("engine", "auto")) not in ("auto", *ENGINES):
        raise UsageError(f"unknown engine {engine[:60]!r}; {nearest(engine, ['auto', *ENGINES])}")
    if not 0 <= given.get("seed", 0) < 2**32:
        raise UsageError(f"--seed {given['seed']} must be 0 to {2**32 - 1}")
    if not 0 <= given.get("exact_seconds", 0) < float("inf"):
        raise UsageError(f"--exact-seconds {given['exact_seconds']:g} must be a number of at least 0")
    on = load_platform(platform, kernels)
    searched = _with_settings(load_space(space if space is not None else default_space(on)), settings)
    if len(calibrations) not in (0, len(workloads)):
        raise UsageError(
            f"{len(calibrations)} --calibration for {len(workloads)} --workload",
            "give one for each, in their order",
        )
    pairs = zip_longest(workloads, calibrations)
    models = tuple(load_workload(model, request, tokens, known, context) for model, known in pairs)
    metric = models[0].calibration.metric
    decided = [name for name in DECISIONS if len(searched.union(name)) > 1]
    job = Job(
        workloads=models,
        platform=on,
        accounting=accounting,
        space=searched,
        objectives=objectives_named(
            objectives or default_objectives(searched.objectives, models, decided), metric
        ),
        constraints=bounds.constraints(constraints, metric),
        **given,
    )
    job.check()
    return job


def _with_settings(space: SearchSpace, settings: dict[str, str]) -> SearchSpace:
    """Give the space with other choices; what is named itself goes before what a shorthand names."""
    from costmodel.errors import UsageError
    from costmodel.plan import SHORTHANDS

    for name in sorted(settings, key=lambda name: name not in SHORTHANDS):
        value = settings[name]
        if name == "strategy":
            space = space.with_strategies(value.split(","))
            continue
        try:
            choices = choices_of(value)
        except ValueError:
            raise UsageError(f"--set {name}={value[:60]}: write choices like 2,4,8 or 1..16") from None
        space = space.with_choices(name, choices)
    return space


def _begin(job: Job, out: Path | None, who: AbstractContextManager[Workers], *, overwrite: bool) -> bool:
    """Search in a new run folder, and say what came out; whether any plan is feasible."""
    from dse.job_file import asked
    from dse.run_folder import JOURNAL, begin, free_run_folder, new_run, owned
    from dse.study import Record, quiet

    quiet()
    names = "-".join(Path(name).stem for name in (*(one.name for one in job.workloads), job.platform.name))
    folder = out if out is not None else free_run_folder(Path("results") / names)
    with who as workers, owned(folder):
        work, study = new_run(folder, overwrite=overwrite), folder.resolve().name
        begin(work, asked(job, study))
        record = Record(work / JOURNAL, study, job.objectives)
        return _search(job, folder, work, study, record, workers)


def _go_on(folder: Path, budget: str | None, who: AbstractContextManager[Workers]) -> bool:
    """Go on with a search, and say what came out; whether any plan is feasible."""
    from dataclasses import replace

    from costmodel.errors import RunError
    from dse.job_file import asked, job_of
    from dse.progress import check_recorded
    from dse.run_folder import JOURNAL, RUN_FILE, begin, begun_run, owned, read_summary
    from dse.study import Record, quiet

    if not folder.is_dir():
        raise RunError(f"{folder} holds no run to go on with")
    with who as workers, owned(folder):
        work = begun_run(folder)
        job, study = job_of(read_summary(work), str(work / RUN_FILE))
        more = 0 if budget is None else budget_of(budget.removeprefix("+"))
        plus = budget is not None and budget.startswith("+")
        job = replace(job, budget=job.budget + more if plus else more or job.budget)
        job.check_budget()
        quiet()
        record = Record(work / JOURNAL, study, job.objectives)
        check_recorded(job, record)
        begin(work, asked(job, study))  # once nothing speaks against it: a finished run is none from here on
        return _search(job, folder, work, study, record, workers)


def _search(job: Job, folder: Path, work: Path, study: str, record: Record, workers: Workers) -> bool:
    """Search, write the files and print the report; whether any plan is feasible."""
    import time

    from dse.console import search_report
    from dse.export import write_run
    from dse.progress import run
    from dse.run_folder import kept
    from dse.tables import front_table

    started = time.perf_counter()
    with kept(folder, work, record.__len__):
        result = run(job, record, workers)
        wall_s, front = time.perf_counter() - started, front_table(result)
        paths = write_run(folder, work, result, front, wall_s, study)
    program = "dse" if shutil.which("dse") else sys.argv[0]
    show(search_report(result, front, folder, paths, wall_s, program))
    return result.recommended is not None
