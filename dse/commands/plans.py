"""Commands on one plan, or on a run: ``dse evaluate``, ``dse export``, ``dse plot``, ``dse importance``.

Heavy imports happen inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.options import (
    DEFAULT_PLATFORM,
    DEFAULT_WORKLOAD,
    CalibrationOption,
    ContextOption,
    HeadOption,
    JsonOption,
    KernelsOption,
    MessageLossOption,
    PlatformOption,
    PrefetchOption,
    RequestOption,
    RunArgument,
    ScopeOption,
    TokensOption,
    WorkloadOption,
    accounting_of,
    plan_decided,
    settings_of,
)
from dse.terminal import show, show_json


def evaluate(
    workload: WorkloadOption = None,
    platform: PlatformOption = None,
    request: RequestOption = None,
    tokens: TokensOption = None,
    context: ContextOption = None,
    kernels: KernelsOption = None,
    scope: ScopeOption = None,
    prefetch: PrefetchOption = None,
    head: HeadOption = None,
    message_loss: MessageLossOption = None,
    calibration: CalibrationOption = None,
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
    from dse.deployment import deployment, latency_by
    from dse.plan_file import check_unchanged, read_deployment
    from dse.plan_report import evaluation_report
    from search_spaces import default_space, load_space

    if plan is not None:
        names = (workload, platform, kernels, calibration)
        others = (*names, request, tokens, context, scope, prefetch, head, message_loss, settings or None)
        if any(other is not None for other in others):
            raise UsageError("--plan carries workload, platform, accounting and decisions; give no other")
        stored, (job, on, decided, accounting) = read_deployment(plan)
    else:
        stored = None
        job = load_workload(
            DEFAULT_WORKLOAD if workload is None else workload, request, tokens, calibration, context
        )
        on = load_platform(DEFAULT_PLATFORM if platform is None else platform, kernels)
        strategy, *_ = load_space(default_space(on)).choices
        decided = plan_decided(settings_of(settings or []), strategy)
        accounting = accounting_of(scope, prefetch, head, message_loss)
    document = deployment(job, on, decided, accounting)
    if plan is not None and stored is not None:
        check_unchanged(plan, stored, document)
    if as_json:
        show_json(document.model_dump(mode="json", exclude={"inputs"}))
    else:
        swapped = replace(accounting, prefetch="hidden" if accounting.prefetch == "steady" else "steady")
        show(evaluation_report(document, latency_by(job, on, decided, accounting, swapped)))
        if stored is not None:
            show(f"\nThe costs are exactly those in {plan}.")
    if not document.costs.feasible:
        raise typer.Exit(1)


def export(
    run_folder: RunArgument,
    pick: Annotated[
        str,
        typer.Option(
            help="knee, min-latency, min-energy, min-edp, min-n_chips or min- any other objective, "
            "of all feasible plans evaluated; or a front index."
        ),
    ] = "knee",
    out: Annotated[Path, typer.Option(help="File to write; an existing one is refused.")] = Path("plan.json"),
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a plan of a run as JSON."""
    from costmodel.errors import RunError
    from dse.deployment import deployment
    from dse.digits import joules, seconds
    from dse.export import picked, read_run, write_plan
    from dse.plan_file import read_deployment, workload_in
    from dse.words import plan_of_row, whole_words

    summary, trials, front = read_run(run_folder)
    index = picked(trials, front, pick)
    _, (_, on, _, accounting) = read_deployment(run_folder / "plan.json")
    job = workload_in(summary, str(trials["workload"].iloc[index]))
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists already", "name another --out, or add --overwrite")
    chosen = plan_of_row(trials.iloc[index])
    document = deployment(job, on, chosen, accounting)
    write_plan(out, document)
    c = document.costs
    show(
        f"trial {index}: {whole_words(chosen)}: "
        f"{seconds(c.latency_s)}, {joules(c.energy_j)}, weights {c.regime}; written to {out}"
    )


def plot(
    run_folder: RunArgument,
    x: Annotated[str, typer.Option(help="Objective on the x axis.")] = "latency",
    y: Annotated[str, typer.Option(help="Objective on the y axis.")] = "energy",
    out: Annotated[Path | None, typer.Option(help="Where the files go. [default: the run folder]")] = None,
) -> None:
    """Draw a run's front over any two objectives: SVG, PNG and an interactive page."""
    from costmodel.calibration import UNITS, Metric
    from costmodel.errors import RunError
    from dse.export import figure_title, read_run
    from dse.objectives import objective_named
    from dse.plots import save_front

    summary, trials, front = read_run(run_folder)
    if not len(front):
        raise RunError(f"{run_folder}: the front is empty, no plan was feasible")
    metric: Metric = "loss" if set(front.get("accuracy_unit", ())) == {UNITS["loss"]} else "accuracy"
    across, up = (objective_named(name, metric) for name in (x, y))
    for objective in (across, up):
        if objective.column not in front:
            raise RunError(f"{run_folder}: nobody measured {objective.name!r} of its model")
    folder = out if out is not None else run_folder
    stem = f"pareto-{across.name}-{up.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = save_front(folder, stem, trials, front, across, up, figure_title(summary))
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror})") from None
    show("written: " + ", ".join(str(path) for path in paths))


def importance(run_folder: RunArgument, as_json: JsonOption = False) -> None:
    """Say which decision moves which objective of a run: shares of variance, over its feasible plans."""
    from costmodel.errors import RunError
    from dse.export import read_run, vars_of
    from dse.importance import importance as weighed
    from dse.importance_report import importance_report
    from dse.objectives import KNOWN

    summary, trials, _ = read_run(run_folder)
    if not trials["feasible"].any():
        raise RunError(f"{run_folder}: no plan was feasible")
    objectives = [KNOWN[name] for name in summary["objectives"]]
    found = weighed(trials, summary.get("front"), objectives)
    if as_json:
        show_json(vars_of(found))
    else:
        show(importance_report(found, summary))
