"""``dse search``. Heavy imports happen inside."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

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
    choices_of,
    settings_of,
    whole_number,
)
from dse.terminal import show


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
    engine: Annotated[str, typer.Option(help="auto, exhaustive, random, nsga2 or tpe.")] = "auto",
    budget: Annotated[int, typer.Option(help="Plans to evaluate at most.", parser=whole_number)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.", parser=whole_number)] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. [default: results/<workload>-<platform>[-2, ...]]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier run in --out.")] = False,
) -> None:
    """Search for Pareto-optimal plans, and recommend one; exit code 1 when none is feasible."""
    import time
    from itertools import zip_longest

    from costmodel.errors import UsageError, nearest
    from costmodel.hardware import load_platform
    from costmodel.plan import DECISIONS, SHORTHANDS
    from costmodel.workload import load_workload
    from dse.constraints import constraints
    from dse.engines import ENGINES
    from dse.export import JOURNAL, free_run_folder, new_run_folder, write_run, writing
    from dse.objectives import default_objectives, objectives_named
    from dse.progress import run
    from dse.search import Job
    from search_spaces import default_space, load_space

    started = time.perf_counter()
    if engine != "auto" and engine not in ENGINES:
        raise UsageError(f"unknown engine {engine[:60]!r}; {nearest(engine, ['auto', *ENGINES])}")
    if budget < 1:
        raise UsageError(f"--budget {budget} must be at least 1")
    if not 0 <= seed < 2**32:
        raise UsageError(f"--seed {seed} must be 0 to {2**32 - 1}")
    on = load_platform(DEFAULT_PLATFORM if platform is None else platform, kernels)
    searched = load_space(space if space is not None else default_space(on))
    given = settings_of(settings or [])
    for name in sorted(given, key=lambda name: name not in SHORTHANDS):  # what is named itself goes last
        value = given[name]
        if name == "strategy":
            searched = searched.with_strategies(value.split(","))
            continue
        try:
            choices = choices_of(value)
        except ValueError:
            raise UsageError(f"--set {name}={value[:60]}: write choices like 2,4,8 or 1..16") from None
        searched = searched.with_choices(name, choices)
    models, measured = workload or [DEFAULT_WORKLOAD], calibration or []
    if len(measured) not in (0, len(models)):
        raise UsageError(
            f"{len(measured)} --calibration for {len(models)} --workload", "give one for each, in their order"
        )
    pairs = zip_longest(models, measured)
    workloads = tuple(load_workload(model, request, tokens, known, context) for model, known in pairs)
    metric = workloads[0].calibration.metric
    decided = [name for name in DECISIONS if len(searched.union(name)) > 1]
    job = Job(
        workloads=workloads,
        platform=on,
        accounting=accounting_of(scope, prefetch, head, message_loss),
        space=searched,
        objectives=objectives_named(
            objective or default_objectives(searched.objectives, workloads, decided), metric
        ),
        constraints=constraints(constraint or [], metric),
        engine=engine,
        budget=budget,
        seed=seed,
    )
    job.check()
    named = "-".join(Path(name).stem for name in (*(one.name for one in workloads), on.name))
    default = Path("results") / named
    if engine == "exhaustive" and budget < (size := sum(job.sizes)):
        raise UsageError(f"--engine exhaustive needs --budget {size}, all plans of the space")
    folder = new_run_folder(out if out is not None else free_run_folder(default), overwrite=overwrite)
    with writing(folder) as work:
        result = run(job, work / JOURNAL, folder.name)
        wall_s = time.perf_counter() - started
        paths = write_run(work, result, wall_s)

    from dse.console import search_report
    from dse.tables import front_table

    program = "dse" if shutil.which("dse") else sys.argv[0]
    show(search_report(result, front_table(result), folder, paths, wall_s, program))
    if result.recommended is None:
        raise typer.Exit(1)
