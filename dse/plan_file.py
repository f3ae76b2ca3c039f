"""Plans read back from their files: what they were made of, and whether they still say so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from costmodel.accounting import Accounting
from costmodel.errors import DseError, ParameterError, cut, nearest
from costmodel.hardware import Platform, platform_of
from costmodel.parameters import KINDS, Record, hash_of, validate
from costmodel.plan import Plan, plan_of
from costmodel.strategies import strategy_named
from costmodel.workload import Workload, workload_of
from dse.document import Deployment, Input, RunWorkload, WorkloadChoice

WORKLOAD_KINDS = ("model", "importance", "calibration")
PLATFORM_KINDS = ("platform", "mcu", "link", "kernels")
Parts = tuple[Workload, Platform, Plan, Accounting]


def parts(document: Deployment) -> Parts:
    """Give back what a document was made of, from the parameters that it carries.

    Raises
    ------
    DseError
        The document's contents make no sense.
    """
    records = records_of(document.inputs, KINDS)
    strategy_named(document.decisions.strategy)
    return (
        workload_with(document.workload, records),
        platform_of(tuple(records[k] for k in PLATFORM_KINDS)),
        plan_of({"strategy": document.decisions.strategy, **document.decisions.values}),
        Accounting(**document.accounting.model_dump()),
    )


def records_of(inputs: Sequence[Input], kinds: Iterable[str]) -> dict[str, Record]:
    """Give back the parameter files that a document carries, one of each kind."""
    records: dict[str, Record] = {}
    for entry in inputs:
        if entry.kind in records:
            raise ParameterError(f"key 'inputs' holds two of kind {entry.kind!r}")
        if hash_of(entry.data) != entry.sha256:
            raise ParameterError(
                f"key 'inputs': the contents of {entry.kind} {entry.name!r} are not those hashed"
            )
        records[entry.kind] = Record(**entry.model_dump())
    for kind in kinds:
        if kind not in records:
            raise ParameterError(f"key 'inputs' holds no {kind}")
    return records


def workload_with(choice: WorkloadChoice, records: dict[str, Record]) -> Workload:
    """Give back a workload as a document names it, from its parameter files."""
    return workload_of(
        records["model"],
        records["importance"],
        records["calibration"],
        choice.request,
        choice.n_tokens,
        choice.context_max if choice.context_max > choice.n_tokens else None,
    )


def workload_in(summary: dict[str, Any], name: str) -> Workload:
    """Give back a workload of a run by its name.

    Parameters
    ----------
    summary : dict
        Contents of run.json.

    Raises
    ------
    ParameterError
        The run has none of that name, or what it carries of it makes no sense.
    """
    known = [validate(RunWorkload, entry, "run.json: key 'workloads'") for entry in summary["workloads"]]
    for one in known:
        if one.name == name:
            return workload_with(one, records_of(one.inputs, WORKLOAD_KINDS))
    raise ParameterError(f"the run has no workload {name!r}; {nearest(name, [one.name for one in known])}")


MAX_PLAN_BYTES = 20_000_000


def read_deployment(path: Path) -> tuple[Deployment, Parts]:
    """Read a plan's file, and what it was made of.

    Raises
    ------
    ParameterError
        It cannot be read, is no JSON, is no plan of this schema, or makes no sense.
    """
    try:
        if path.exists() and not path.is_file():
            raise ParameterError(f"plan {path} is not a file")
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise ParameterError(f"plan {path}: larger than {MAX_PLAN_BYTES} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"plan {path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, RecursionError):
        raise ParameterError(f"plan {path} is not readable text") from None
    except ValueError as error:
        raise ParameterError(f"plan {path}: broken JSON: {error}") from None
    document = validate(Deployment, data, f"plan {path}")
    try:
        return document, parts(document)
    except DseError as error:
        raise ParameterError(f"plan {path}: {error.message}", error.hint) from None


def check_unchanged(path: Path, stored: Deployment, again: Deployment) -> None:
    """Refuse a plan's file that says anything else than its own parameters and decisions give.

    Raises
    ------
    ParameterError
        The first key that differs, with both values.
    """
    difference = first_difference(stored.model_dump(mode="json"), again.model_dump(mode="json"), "")
    if difference:
        raise ParameterError(
            f"plan {path}: {difference}",
            f"the file was edited, or made by another version: {stored.generator}",
        )


def first_difference(stored: Any, again: Any, key: str) -> str:
    """Name the first key at which two documents differ; empty when they are equal."""
    if isinstance(stored, dict) and isinstance(again, dict) and stored.keys() == again.keys():
        pairs = [(stored[k], again[k], f"{key}.{k}" if key else k) for k in stored]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        pairs = [(a, b, f"{key}[{i}]") for i, (a, b) in enumerate(zip(stored, again, strict=True))]
    else:
        return "" if stored == again else f"key {key!r} is {cut(stored)}, its parameters give {cut(again)}"
    return next((found for a, b, k in pairs if (found := first_difference(a, b, k))), "")
