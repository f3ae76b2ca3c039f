"""``dse cliff``: one plan on every number of chips. Heavy imports happen inside."""

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
    KernelsOption,
    MessageLossOption,
    PlatformOption,
    PrefetchOption,
    RequestOption,
    ScopeOption,
    TokensOption,
    WorkloadOption,
    accounting_of,
    plan_decided,
    settings_of,
)
from dse.terminal import show


def cliff(
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
            help="Decision (repeatable): group_size=8, prune=0.9, strategy=head_wise; with n_chips=8, what "
            "another chip does to eight. [default: strategy column_wise by radio, else head_wise]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for cliff.csv, cliff.svg and cliff.png."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files in --out.")] = False,
) -> None:
    """Cost one plan on every number of chips: does another chip help? Exit code 1 when none fits."""
    from costmodel.errors import UsageError
    from costmodel.hardware import load_platform
    from costmodel.workload import load_workload
    from dse.cliff import cliff as cost_all
    from dse.cliff_files import check_free, write_cliff
    from dse.cliff_report import cliff_report
    from search_spaces import default_space, load_space

    if out is None and overwrite:
        raise UsageError("--overwrite without --out: nothing is written")
    if out is not None:
        check_free(out, overwrite=overwrite)
    job = load_workload(
        DEFAULT_WORKLOAD if workload is None else workload, request, tokens, calibration, context
    )
    on = load_platform(DEFAULT_PLATFORM if platform is None else platform, kernels)
    strategy, *_ = load_space(default_space(on)).choices
    decided = settings_of(settings or [])
    plan = plan_decided({"n_chips": "1", **decided}, strategy)
    accounting = accounting_of(scope, prefetch, head, message_loss)
    found = cost_all(job, on, accounting, plan, plan.n_chips if "n_chips" in decided else None)
    show(cliff_report(found))
    if out is not None:
        show("\nwritten: " + ", ".join(str(path) for path in write_cliff(out, found)))
    if not len(found.fitting):
        raise typer.Exit(1)
