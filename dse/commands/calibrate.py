"""``dse calibrate``. Heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.options import DEFAULT_PLATFORM, DEFAULT_WORKLOAD, WorkloadOption, whole_number
from dse.terminal import show

MOST_PROPOSALS = 20


def calibrate(
    workload: WorkloadOption = None,
    measurements: Annotated[
        Path | None, typer.Option(help="Table of retrained plans, CSV; --template shows one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; an existing one is refused.")] = None,
    template: Annotated[bool, typer.Option("--template", help="Write a table to fill in.")] = False,
    propose: Annotated[
        int | None, typer.Option(help="Say so many plans of --run to retrain next.", parser=whole_number)
    ] = None,
    run_folder: Annotated[Path | None, typer.Option("--run", help="Folder of a finished run.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Turn missing weights into accuracy: fit a calibration to retrained plans, or say which to retrain.

    Columns of the table: n_chips and any other decision (prune stands for all four ratios; strategy
    is column_wise where it is not given), accuracy in per cent or loss, and seed. A row a training;
    one or more of the whole model, with n_chips 1; of accuracy, they suffice to compare models. Rows
    that were scored with messages left out, in column message_loss, say what lost messages cost,
    after message_dropout in training or without.
    """
    from costmodel.errors import RunError, UsageError

    chosen = [
        name
        for name, given in (
            ("--template", template),
            ("--propose", propose is not None),
            ("--measurements", measurements is not None and propose is None),
        )
        if given
    ]
    if len(chosen) != 1:
        raise UsageError(
            f"dse calibrate does one thing at a time, got {' and '.join(chosen) or 'none'}",
            "--template, --propose N --run FOLDER, or --measurements TABLE",
        )
    if run_folder is not None and propose is None:
        raise UsageError(f"--run makes no difference with {chosen[0]}")
    if out is not None and measurements is not None and out.resolve() == measurements.resolve():
        raise UsageError(f"--out {out} is the table of --measurements", "name another file")
    if out is not None and out.exists() and not overwrite:
        raise RunError(f"{out} exists already", "name another --out, or add --overwrite")
    if template:
        _template(workload, out)
    elif propose is not None:
        _propose(propose, run_folder, workload, measurements, out)
    elif measurements is not None:
        _fit(measurements, workload, out)


def _write(out: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    from dse.run_folder import write_text

    write_text(out, text)
    show(f"written: {out}")


def _template(workload: str | None, out: Path | None) -> None:
    """Write a table of a model's plans to fill in."""
    from costmodel.hardware import load_platform
    from costmodel.workload import load_workload
    from dse.calibration_report import measurement_rows
    from dse.proposals import examples

    table = measurement_rows(
        examples(load_workload(workload or DEFAULT_WORKLOAD), load_platform(DEFAULT_PLATFORM))
    )
    if out is None:
        show(table.rstrip())
    else:
        _write(out, table)


def _propose(
    n: int, run_folder: Path | None, name: str | None, measurements: Path | None, out: Path | None
) -> None:
    """Say which plans of a run to retrain."""
    from costmodel.errors import RunError, UsageError
    from dse.calibration_report import measurement_rows, proposal_table
    from dse.export import read_run
    from dse.measurements import read_measurements
    from dse.plan_file import read_deployment, workload_in
    from dse.proposals import proposals
    from dse.words import plan_of_row

    if run_folder is None:
        raise UsageError("--propose needs --run, the folder of a finished run")
    if not 1 <= n <= MOST_PROPOSALS:
        raise UsageError(f"--propose {n} must be 1 to {MOST_PROPOSALS}")
    summary, _, front = read_run(run_folder)
    if not len(front):
        raise RunError(f"{run_folder}: the front is empty, no plan was feasible")
    _, (workload, platform, _, _) = read_deployment(run_folder / "plan.json")
    names = [one["name"] for one in summary["workloads"]]
    if name is not None:
        workload = workload_in(summary, name)
    elif len(names) > 1:
        raise UsageError(f"{run_folder} has several workloads", f"--workload, one of {', '.join(names)}")
    done = () if measurements is None else read_measurements(measurements, workload, platform).plans
    plans = [plan_of_row(row) for _, row in front[front["workload"] == workload.name].iterrows()]
    found = proposals(workload, platform, plans, done, n)
    if not found:
        raise RunError(f"{run_folder}: nothing is left to retrain, no other plan of the front misses weights")
    show(proposal_table(found))
    if out is not None:
        _write(out, measurement_rows([one.plan for one in found], workload.calibration.metric))


def _fit(measurements: Path, workload: str | None, out: Path | None) -> None:
    """Fit a calibration to a table."""
    import tomli_w

    from costmodel.calibration import Tasks
    from costmodel.errors import UsageError
    from costmodel.hardware import load_platform
    from costmodel.workload import load_workload
    from dse.calibrate import calibrated
    from dse.calibration_file import base_file, calibration_file
    from dse.calibration_report import base_report, calibration_report
    from dse.measurements import read_measurements

    if workload is None:
        raise UsageError("--measurements needs --workload, the model that was retrained")
    model, platform = load_workload(workload), load_platform(DEFAULT_PLATFORM)
    if not isinstance(model.calibration, Tasks):
        raise UsageError(f"nothing is known of family {model.model.family_name}")
    measured = read_measurements(measurements, model, platform)
    if measured.plans:
        done = calibrated(model, measured, model.calibration)
        report, contents = calibration_report(done), calibration_file(model, done)
    else:
        report, contents = base_report(measured), base_file(model, measured)
    show(report)
    if out is None:
        show("\nAdd --out calibration.toml to keep it; dse search --calibration calibration.toml uses it.")
    else:
        _write(out, tomli_w.dumps(contents))
