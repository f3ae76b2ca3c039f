"""A search space: which plans may be asked for, its size, its enumeration and its encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.errors import ParameterError, PlanError, UsageError, cut, nearest
from costmodel.parameters import read_toml, validate
from costmodel.plan import DECISIONS, Plan, Plans, Strategy

BUILT_IN = Path(__file__).parent
MAX_PLANS = 5_000_000
MAX_CHOICES = 10_000


class Range(BaseModel):
    """All whole numbers from `low` to `high`, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        if self.high - self.low >= MAX_CHOICES:
            raise ValueError(f"{cut(self.low)} to {cut(self.high)} are more than {MAX_CHOICES} choices")
        return self


class Choices(BaseModel):
    """The values of one decision, one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    choices: list[int] = Field(min_length=1, max_length=MAX_CHOICES)


class SpaceFile(BaseModel):
    """A search space as a file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    strategy: Strategy
    choices: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """The plans that may be asked for: one value out of the choices of each decision.

    A genotype is one position per decision; `plans` turns genotypes into canonical plans, so that
    every genotype is a valid plan and equivalent plans are one.
    """

    name: str
    description: str
    strategy: Strategy
    choices: dict[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        for name, values in self.choices.items():
            for value in values:
                try:
                    Plan(**{"strategy": self.strategy, "n_chips": 1, name: value})  # type: ignore[arg-type]
                except PlanError as error:
                    raise ParameterError(f"space {self.name!r}: {error.message}") from None
        combinations = np.prod([len(values) for values in self.choices.values()], dtype=float)
        if combinations > MAX_PLANS:
            raise ParameterError(
                f"space {self.name!r} has {combinations:.3g} combinations, at most {MAX_PLANS} are allowed"
            )

    def plans(self, genotypes: NDArray[np.int64]) -> Plans:
        """Decode genotypes of shape (n, number of decisions) into canonical plans."""
        columns = {
            name: np.array(values, dtype=np.int64)[genotypes[:, i]]
            for i, (name, values) in enumerate(self.choices.items())
        }
        return Plans(strategy=self.strategy, **columns).canonical()

    @cached_property
    def all_plans(self) -> Plans:
        """Every distinct plan, in ascending order of its decisions."""
        genotypes = np.array(list(product(*(range(len(v)) for v in self.choices.values()))))
        plans = self.plans(genotypes)
        return plans.take(
            np.array([i for _, i in sorted({k: i for i, k in enumerate(plans.keys())}.items())])
        )

    @property
    def size(self) -> int:
        """Number of distinct plans."""
        return len(self.all_plans)

    def with_choices(self, name: str, values: Sequence[int]) -> SearchSpace:
        """Give the space with other choices for one decision."""
        if name not in self.choices:
            raise UsageError(f"unknown decision {cut(name)}; {nearest(name, self.choices)}")
        return replace(self, choices={**self.choices, name: tuple(dict.fromkeys(values))})


def built_in_spaces() -> list[str]:
    """List the built-in spaces, sorted."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load_space(name: str) -> SearchSpace:
    """Read a search space, built in or by path to a TOML file."""
    if name.endswith(".toml"):
        path, shown = Path(name), name
        if not path.is_file():
            raise ParameterError(f"space file {cut(name)} does not exist")
    else:
        if name not in built_in_spaces():
            raise ParameterError(f"unknown space {cut(name)}; {nearest(name, built_in_spaces())}")
        path, shown = BUILT_IN / f"{name}.toml", f"space/{name}.toml"
    file = validate(SpaceFile, read_toml(path, shown), shown)
    for decision in file.choices:
        if decision not in DECISIONS:
            raise ParameterError(f"{shown}: unknown decision {cut(decision)}; {nearest(decision, DECISIONS)}")
    for decision in DECISIONS:
        if decision not in file.choices:
            raise ParameterError(f"{shown}: key 'choices.{decision}' is missing")
    return SearchSpace(
        name=name,
        description=file.description,
        strategy=file.strategy,
        choices={d: _values(file.choices[d], f"{shown}: choices.{d}") for d in DECISIONS},
    )


def _values(raw: object, shown: str) -> tuple[int, ...]:
    """Read the choices of a decision: a table {low, high}, or a list of whole numbers."""
    if isinstance(raw, dict):
        span = validate(Range, raw, shown)
        return tuple(range(span.low, span.high + 1))
    return tuple(dict.fromkeys(validate(Choices, {"choices": raw}, shown).choices))
