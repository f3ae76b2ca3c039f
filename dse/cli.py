"""The command line. Heavy imports happen inside the commands."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dse.options import (
    DEFAULT_PLATFORM,
    DEFAULT_WORKLOAD,
    HeadOption,
    JsonOption,
    KernelsOption,
    PlatformOption,
    PrefetchOption,
    RequestOption,
    RunArgument,
    ScopeOption,
    TokensOption,
    WorkloadOption,
    accounting_of,
    choices_of,
    plan_decided,
    settings_of,
    whole_number,
)
from dse.terminal import complain, show, show_json

DEBUG_VARIABLE = "DSE_DEBUG"
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


@app.command()
def search(
    workload: WorkloadOption = None,
    platform: PlatformOption = None,
    request: RequestOption = None,
    tokens: TokensOption = None,
    kernels: KernelsOption = None,
    scope: ScopeOption = None,
    prefetch: PrefetchOption = None,
    head: HeadOption = None,
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
        typer.Option(help="Objective (repeatable). [default: the space's, or latency, energy, n_chips]"),
    ] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(help='Bound such as "latency<=1ms" (repeatable).')
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, exhaustive, random, nsga2 or tpe.")] = "auto",
    budget: Annotated[int, typer.Option(help="Plans to evaluate at most.", parser=whole_number)] = 500,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.", parser=whole_number)] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. [default: results/<workload>-<platform>[-2, ...]]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier run in --out.")] = False,
) -> None:
    """Search for Pareto-optimal plans, and recommend one; exit code 1 when none is feasible."""
    import time

    from costmodel.errors import UsageError, nearest
    from costmodel.hardware import load_platform
    from costmodel.plan import SHORTHANDS
    from costmodel.workload import load_workload
    from dse.engines import ENGINES
    from dse.export import JOURNAL, free_run_folder, new_run_folder, write_run, writing
    from dse.objectives import constraints, objectives_named
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
    job = Job(
        workload=load_workload(DEFAULT_WORKLOAD if workload is None else workload, request, tokens),
        platform=on,
        accounting=accounting_of(scope, prefetch, head),
        space=searched,
        objectives=objectives_named(objective or searched.objectives),
        constraints=constraints(constraint or []),
        engine=engine,
        budget=budget,
        seed=seed,
    )
    default = Path("results") / f"{Path(job.workload.name).stem}-{Path(job.platform.name).stem}"
    if engine == "exhaustive" and budget < (size := searched.on(job.workload, job.platform).size):
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


@app.command()
def evaluate(
    workload: WorkloadOption = None,
    platform: PlatformOption = None,
    request: RequestOption = None,
    tokens: TokensOption = None,
    kernels: KernelsOption = None,
    scope: ScopeOption = None,
    prefetch: PrefetchOption = None,
    head: HeadOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Decision (repeatable): n_chips=8, prune=0.9, strategy=head_wise. "
            "[default: strategy column_wise by radio, else head_wise]",
        ),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Cost the plan of this file, with the parameters it carries.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Cost one plan; exit code 1 when it does not fit."""
    from dataclasses import replace

    from costmodel.errors import UsageError
    from costmodel.hardware import load_platform
    from costmodel.workload import load_workload
    from dse.console import evaluation_report
    from dse.deployment import check_unchanged, deployment, read_deployment
    from search_spaces import default_space, load_space

    if plan is not None:
        others = (workload, platform, request, tokens, kernels, scope, prefetch, head, settings or None)
        if any(other is not None for other in others):
            raise UsageError("--plan carries workload, platform, accounting and decisions; give no other")
        stored, (job, on, decided, accounting) = read_deployment(plan)
    else:
        stored = None
        job = load_workload(DEFAULT_WORKLOAD if workload is None else workload, request, tokens)
        on = load_platform(DEFAULT_PLATFORM if platform is None else platform, kernels)
        strategy, *_ = load_space(default_space(on)).choices
        decided = plan_decided(settings_of(settings or []), strategy)
        accounting = accounting_of(scope, prefetch, head)
    document = deployment(job, on, decided, accounting)
    if plan is not None and stored is not None:
        check_unchanged(plan, stored, document)
    if as_json:
        show_json(document.model_dump(mode="json", exclude={"inputs"}))
    else:
        swapped = replace(accounting, prefetch="hidden" if accounting.prefetch == "steady" else "steady")
        show(evaluation_report(document, deployment(job, on, decided, swapped).costs))
        if stored is not None:
            show(f"\nThe costs are exactly those in {plan}.")
    if not document.costs.feasible:
        raise typer.Exit(1)


@app.command()
def export(
    run_folder: RunArgument,
    pick: Annotated[
        str,
        typer.Option(
            help="knee, min-latency, min-energy, min-n_chips or min- any other objective, or a front index."
        ),
    ] = "knee",
    out: Annotated[Path, typer.Option(help="File to write; an existing one is refused.")] = Path("plan.json"),
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a plan of a run's front as JSON."""
    from costmodel.errors import RunError
    from dse.deployment import deployment, read_deployment
    from dse.export import picked, read_run, write_plan
    from dse.words import plan_of_row, whole_words

    _, _, front = read_run(run_folder)
    index = picked(front, pick)
    _, (job, on, _, accounting) = read_deployment(run_folder / "plan.json")
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists already", "name another --out, or add --overwrite")
    chosen = plan_of_row(front.iloc[index])
    document = deployment(job, on, chosen, accounting)
    write_plan(out, document)
    c = document.costs
    show(
        f"front index {index}: {whole_words(chosen)}: "
        f"{c.latency_s * 1e3:.4g} ms, {c.energy_j * 1e3:.4g} mJ, weights {c.regime}; written to {out}"
    )


@app.command()
def plot(
    run_folder: RunArgument,
    x: Annotated[str, typer.Option(help="Objective on the x axis.")] = "latency",
    y: Annotated[str, typer.Option(help="Objective on the y axis.")] = "energy",
    out: Annotated[Path | None, typer.Option(help="Where the files go. [default: the run folder]")] = None,
) -> None:
    """Draw a run's front over any two objectives: SVG, PNG and an interactive page."""
    from costmodel.errors import RunError
    from dse.export import figure_title, read_run
    from dse.objectives import objectives_named
    from dse.plots import save_front

    across, up = (objectives_named([name])[0] for name in (x, y))
    summary, trials, front = read_run(run_folder)
    if not len(front):
        raise RunError(f"{run_folder}: the front is empty, no plan was feasible")
    folder = out if out is not None else run_folder
    stem = f"pareto-{across.name}-{up.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = save_front(folder, stem, trials, front, across, up, figure_title(summary))
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror})") from None
    show("written: " + ", ".join(str(path) for path in paths))


@app.command()
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
    if any(row.status != "ok" for row in rows):
        raise typer.Exit(1)


@app.command(name="list")
def list_names(
    what: Annotated[
        str,
        typer.Argument(
            help="workloads, platforms, spaces, strategies, decisions, objectives, engines, kernels, mcus, "
            "links or importances."
        ),
    ],
) -> None:
    """List what is built in."""
    from dse.catalogue import entries
    from dse.reference import listing

    show(listing(entries(what)))


@app.command(name="show")
def show_entry(
    name: Annotated[str, typer.Argument(help="A name out of dse list, or a parameter file's path.")],
) -> None:
    """Show a parameter file with the source of every value, a space, an objective or an engine."""
    from dse.catalogue import describe

    for renderable in describe(name):
        show(renderable)


@app.command()
def schema(
    what: Annotated[str, typer.Argument(help="plan: JSON Schema of plan.json.")],
) -> None:
    """Print a JSON Schema."""
    from costmodel.errors import UsageError, nearest
    from dse.document import Deployment

    if what != "plan":
        raise UsageError(f"unknown schema {what!r}; {nearest(what, ['plan'])}")
    show_json(Deployment.model_json_schema())


@app.command()
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
    except typer.Abort:
        code = 130
    except CommandLineError as error:
        text = " ".join(error.format_message().split())
        if text:  # no arguments at all: the help was printed instead
            complain(text)
        code = 2
    except KeyboardInterrupt:
        complain("interrupted")
        code = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        code = 0
    except OSError as error:
        complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        code = 2
    except Exception as error:
        from costmodel.errors import DseError

        if isinstance(error, DseError):
            complain(error.message, error.hint)
            code = 2
        elif os.environ.get(DEBUG_VARIABLE):
            raise
        else:
            complain(
                f"{type(error).__name__}: {error}", f"a fault of this program; {DEBUG_VARIABLE}=1 shows where"
            )
            code = 3
    sys.exit(code or 0)
