"""A search space: which plans may be asked for, its size, its enumeration and its encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from costmodel.errors import ParameterError, PlanError, UsageError, cut, nearest
from costmodel.hardware import Platform
from costmodel.parameters import PlainNumber, is_number, read_toml, validate
from costmodel.plan import DECISIONS, SHORTHANDS, Number
from costmodel.plans import Plans
from costmodel.strategies import STRATEGIES, canonical, strategy_named
from costmodel.workload import Workload
from search_spaces.candidates import Candidates

BUILT_IN = Path(__file__).parent
MAX_COMBINATIONS = 10**15  # none of them is listed; positions are whole numbers of 64 bit
MAX_CHOICES = 10_000
DIGITS, ROUNDING = 9, 1e-9  # of the numbers of a range, which is added up

Choices = dict[str, tuple[Number, ...]]


class Range(BaseModel):
    """Numbers from `low` up to `high`, both included, `step` apart."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: PlainNumber
    high: PlainNumber
    step: PlainNumber = 1

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.step <= 0:
            raise ValueError(f"step {self.step} must be above 0")
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        if self.high - self.low >= MAX_CHOICES * self.step:
            raise ValueError(f"{cut(self.low)} to {cut(self.high)} are more than {MAX_CHOICES} choices")
        if abs(self.last - self.high) > ROUNDING:
            raise ValueError(f"high {self.high} is no step of {self.step} above low {self.low}")
        return self

    @property
    def steps(self) -> int:
        """Steps from `low` to the last number."""
        return round((self.high - self.low) / self.step)

    @property
    def last(self) -> float:
        """The number after so many steps."""
        return self.low + self.steps * self.step

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All of them; whole where low and step are."""
        found = (self.low + i * self.step for i in range(self.steps + 1))
        return tuple(x if isinstance(x, int) else round(x, DIGITS) for x in found)


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """The plans that may be asked for.

    Attributes
    ----------
    choices : dict of dict of tuple
        Strategy to decision to the values that it may have; one that is not named is neutral.
    objectives : tuple of str
        Names of the objectives that a search of it has unless others are asked for; may be empty.
    """

    name: str
    description: str
    choices: dict[str, Choices]
    objectives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.choices:
            raise ParameterError(f"space {self.name!r} has no strategy")
        for strategy, choices in self.choices.items():
            for name in strategy_named(strategy).decisions:
                if name not in choices and DECISIONS[name].default != DECISIONS[name].neutral:
                    raise ParameterError(f"space {self.name!r}: choices of {strategy}.{name} are missing")
            for name, values in choices.items():
                for value in values:
                    try:
                        DECISIONS[name].check(value)
                    except PlanError as error:
                        raise ParameterError(f"space {self.name!r}: {strategy}: {error.message}") from None
        if self.combinations > MAX_COMBINATIONS:
            raise ParameterError(
                f"space {self.name!r} has {self.combinations:.3g} combinations, "
                f"at most {MAX_COMBINATIONS:.3g} are allowed"
            )

    @property
    def combinations(self) -> float:
        """Number of combinations of choices; equivalent ones are counted apart."""
        sizes = [np.prod([len(v) for v in c.values()], dtype=float) for c in self.choices.values()]
        return float(sum(sizes))

    def union(self, decision: str) -> tuple[Number, ...]:
        """Values that a decision may have with any strategy, ascending."""
        return tuple(sorted({v for choices in self.choices.values() for v in choices.get(decision, ())}))

    @property
    def decisions(self) -> tuple[str, ...]:
        """Decisions that any strategy of the space has."""
        known = [strategy_named(strategy).decisions for strategy in self.choices]
        return tuple(name for name in DECISIONS if any(name in decisions for decisions in known))

    @property
    def named(self) -> tuple[str, ...]:
        """Decisions that any strategy of the space has choices for; the others are neutral."""
        return tuple(name for name in DECISIONS if any(name in c for c in self.choices.values()))

    def with_choices(self, name: str, values: Sequence[Number]) -> SearchSpace:
        """Give the space with other choices for one decision (or those that a shorthand stands for)."""
        meant = [one for one in SHORTHANDS.get(name, (name,)) if one in self.decisions]
        if not meant:
            shorthands = (one for one in SHORTHANDS if set(SHORTHANDS[one]) & set(self.decisions))
            names = (*self.decisions, *shorthands)
            raise UsageError(f"unknown decision {cut(name)}; {nearest(name, names)}")
        chosen = dict.fromkeys(meant, tuple(dict.fromkeys(values)))
        changed = {
            strategy: {
                **choices,
                **{one: chosen[one] for one in chosen if one in strategy_named(strategy).decisions},
            }
            for strategy, choices in self.choices.items()
        }
        return replace(self, choices=changed)

    def with_strategies(self, names: Sequence[str]) -> SearchSpace:
        """Give the space with some of its strategies only."""
        for name in names:
            if name not in self.choices:
                raise UsageError(f"strategy {cut(name)} is not in the space; {nearest(name, self.choices)}")
        return replace(self, choices={name: self.choices[name] for name in dict.fromkeys(names)})

    def on(self, workload: Workload, platform: Platform) -> Candidates:
        """Give the plans of the space for a workload and a platform, which decide what is equivalent.

        Raises
        ------
        UsageError
            No strategy of the space cuts the workload over any of the numbers of chips asked for.
        """
        usable = {}
        for strategy, choices in self.choices.items():
            asked = {name: np.repeat(values[0], len(choices["n_chips"])) for name, values in choices.items()}
            asked["n_chips"] = np.array(choices["n_chips"])
            plans = Plans.filled(strategy, len(asked["n_chips"]), asked)
            kept = asked["n_chips"][canonical(workload, platform, plans)["n_chips"] == asked["n_chips"]]
            if len(kept):
                usable[strategy] = {**choices, "n_chips": tuple(kept.tolist())}
        if not usable:
            least = min(self.union("n_chips"))
            raise UsageError(
                f"{', '.join(self.choices)} cannot cut {workload.name} over {least} chips or more"
            )
        return Candidates(space=replace(self, choices=usable), workload=workload, platform=platform)


def default_space(platform: Platform) -> str:
    """Name the space that is searched unless another is asked for: cats where all chips hear each other."""
    return "cats" if platform.link.shared else "head_wise"


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
    data = read_toml(path, shown)
    known = ("description", "objectives", *STRATEGIES)
    for key, value in data.items():
        if key not in known:
            kind = "strategy" if isinstance(value, dict) else "key"
            raise ParameterError(f"{shown}: unknown {kind} {cut(key)}; {nearest(key, known)}")
    if "description" not in data:
        raise ParameterError(f"{shown}: key 'description' is missing")
    description = data.pop("description")
    if not isinstance(description, str):
        raise ParameterError(f"{shown}: key 'description': must be text, got {cut(description)}")
    objectives = data.pop("objectives", [])
    if not isinstance(objectives, list) or not all(isinstance(one, str) for one in objectives):
        raise ParameterError(f"{shown}: key 'objectives': must be a list of names, got {cut(objectives)}")
    choices = {strategy: _choices(strategy, table, shown) for strategy, table in data.items()}
    return SearchSpace(name=name, description=description, choices=choices, objectives=tuple(objectives))


def _choices(strategy: str, table: object, shown: str) -> Choices:
    """Read the table of one strategy: choices of each of its decisions."""
    decisions = STRATEGIES[strategy].decisions
    if not isinstance(table, dict):
        raise ParameterError(f"{shown}: key {strategy!r} must be a table of decisions")
    shorthands = {name: meant for name, meant in SHORTHANDS.items() if set(meant) & set(decisions)}
    for decision in table:
        if decision not in (*decisions, *shorthands):
            names = (*decisions, *shorthands)
            raise ParameterError(
                f"{shown}: unknown decision {cut(decision)} of {strategy}; {nearest(decision, names)}"
            )
    found = {}
    for decision in decisions:
        short = (name for name in shorthands if decision in shorthands[name] and name in table)
        given = decision if decision in table else next(short, None)
        if given is None:
            if DECISIONS[decision].default == DECISIONS[decision].neutral:
                continue
            raise ParameterError(f"{shown}: key '{strategy}.{decision}' is missing")
        found[decision] = _values(table[given], f"{shown}: {strategy}.{given}")
    return found


def _values(raw: object, shown: str) -> tuple[Number, ...]:
    """Read the choices of a decision: a table {low, high, step}, or a list of numbers."""
    if isinstance(raw, dict):
        return validate(Range, raw, shown).numbers
    if not isinstance(raw, list):
        raise ParameterError(f"{shown}: must be a list of numbers or {{low, high, step}}, got {cut(raw)}")
    if not 1 <= len(raw) <= MAX_CHOICES:
        raise ParameterError(f"{shown}: a list of {len(raw)} choices; 1 to {MAX_CHOICES} are allowed")
    for number in raw:
        if not is_number(number):
            raise ParameterError(f"{shown}: must be numbers, got {cut(number)}")
    return tuple(dict.fromkeys(raw))
