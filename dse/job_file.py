"""What a search was asked for, as run.json carries it: written, and read back with its parameter files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from costmodel.accounting import Accounting
from costmodel.hardware import platform_of
from costmodel.parameters import validate
from costmodel.plan import Number
from dse.constraints import constraints
from dse.deployment import inputs_of, workload_choice
from dse.document import AccountingChoice, Input, RunWorkload
from dse.job import Job
from dse.objectives import objectives_named
from dse.plan_file import PLATFORM_KINDS, WORKLOAD_KINDS, records_of, workload_with
from search_spaces import SearchSpace
from search_spaces.space import Range

FROZEN = ConfigDict(extra="ignore", frozen=True)


class SpaceChoice(BaseModel):
    """The space by name, and its choices by strategy and decision."""

    model_config = FROZEN

    name: str
    choices: dict[str, dict[str, Range | list[int | float]]]


class Asked(BaseModel):
    """What decides the result of a search; of run.json, the keys that are there from its beginning."""

    model_config = FROZEN

    study: str
    workloads: list[RunWorkload]
    platform: str
    platform_inputs: list[Input]
    kernels: str
    accounting: AccountingChoice
    space: SpaceChoice
    objectives: list[str]
    constraints: list[str]
    engine: str
    budget: int
    exact_seconds: float
    seed: int


def asked(job: Job, study: str) -> dict[str, Any]:
    """Write down a job, and the name of the study that records it."""
    space = SpaceChoice(
        name=job.space.name,
        choices={
            strategy: {name: extent(values) for name, values in choices.items()}
            for strategy, choices in job.space.choices.items()
        },
    )
    return Asked(
        study=study,
        workloads=[
            RunWorkload(**workload_choice(one).model_dump(), inputs=inputs_of(one.records))
            for one in job.workloads
        ],
        platform=job.platform.name,
        platform_inputs=inputs_of(job.platform.records),
        kernels=job.platform.kernels_name,
        accounting=AccountingChoice(**vars(job.accounting)),
        space=space,
        objectives=[o.name for o in job.objectives],
        constraints=[c.text for c in job.constraints],
        engine=job.engine,
        budget=job.budget,
        exact_seconds=job.exact_seconds,
        seed=job.seed,
    ).model_dump(mode="json", exclude_defaults=True)  # ranges have steps of 1


def job_of(summary: Mapping[str, Any], shown: str) -> tuple[Job, str]:
    """Read a job back, and the name of its study; `shown` is where from.

    Raises
    ------
    DseError
        A key is missing, or makes no sense.
    """
    found = validate(Asked, summary, shown)
    workloads = tuple(workload_with(one, records_of(one.inputs, WORKLOAD_KINDS)) for one in found.workloads)
    records = records_of(found.platform_inputs, PLATFORM_KINDS)
    metric = workloads[0].calibration.metric
    job = Job(
        workloads=workloads,
        platform=platform_of(tuple(records[kind] for kind in PLATFORM_KINDS)),
        accounting=Accounting(**found.accounting.model_dump()),
        space=SearchSpace(
            name=found.space.name,
            description="",
            choices={
                strategy: {name: numbers(values) for name, values in choices.items()}
                for strategy, choices in found.space.choices.items()
            },
        ),
        objectives=objectives_named(found.objectives, metric),
        constraints=constraints(found.constraints, metric),
        engine=found.engine,
        budget=found.budget,
        exact_seconds=found.exact_seconds,
        seed=found.seed,
    )
    return job, found.study


def extent(values: tuple[Number, ...]) -> Range | list[Number]:
    """Choices as a range where they are one, else as they are."""
    low, high = values[0], values[-1]
    whole = isinstance(low, int) and isinstance(high, int)
    if whole and values == tuple(range(int(low), int(high) + 1)):
        return Range(low=int(low), high=int(high))
    return list(values)


def numbers(values: Range | list[Number]) -> tuple[Number, ...]:
    """Give back choices."""
    return values.numbers if isinstance(values, Range) else tuple(values)
