"""What is built in: names of everything that can be asked for, and how to show each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel
from rich.console import RenderableType

from costmodel.calibration import FORMS as CALIBRATIONS
from costmodel.calibration import calibration_of
from costmodel.errors import UsageError, cut, nearest
from costmodel.hardware import Mcu, PlatformFile, load_platform
from costmodel.importance import FORMS as IMPORTANCES
from costmodel.importance import importance_of
from costmodel.kernel_sets import FORMS, kernel_set
from costmodel.media import MEDIA, medium_of
from costmodel.parameters import KINDS, Kind, Record, built_in_names, load, read_toml, validate
from costmodel.plan import DECISIONS, SHORTHANDS, Decision
from costmodel.strategies import STRATEGIES
from costmodel.workload import Model
from dse.engines import ENGINES
from dse.listings import file_entries
from dse.reference import objective_entries, record_report, shown_choices
from dse.terminal import listing
from search_spaces import built_in_spaces, load_space


def _allowed(decision: Decision) -> str:
    """Say which values a decision may have."""
    if decision.only:
        return ", ".join(str(value) for value in decision.only)
    step = "" if decision.whole else f" in steps of {decision.step:g}"
    return f"{decision.low:g} to {decision.high:g}{step}"


LISTINGS: dict[str, Callable[[], dict[str, str]]] = {
    "workloads": lambda: file_entries("workloads"),
    "platforms": lambda: file_entries("platforms"),
    "spaces": lambda: {name: load_space(name).description for name in built_in_spaces()},
    "strategies": lambda: {name: strategy.description for name, strategy in STRATEGIES.items()},
    "decisions": lambda: (
        {name: f"{one.description}, {_allowed(one)}" for name, one in DECISIONS.items()}
        | {name: "all of " + ", ".join(meant) for name, meant in SHORTHANDS.items()}
    ),
    "objectives": objective_entries,
    "engines": lambda: {name: entry.description for name, entry in ENGINES.items()},
    "kernels": lambda: file_entries("kernels"),
    "mcus": lambda: file_entries("mcus"),
    "links": lambda: file_entries("links"),
    "importances": lambda: file_entries("importances"),
    "calibrations": lambda: file_entries("calibrations"),
}


def entries(what: str) -> dict[str, str]:
    """Names and descriptions of one listing."""
    if what not in LISTINGS:
        raise UsageError(f"unknown listing {what!r}; {nearest(what, LISTINGS)}")
    return LISTINGS[what]()


def describe(name: str) -> Iterator[RenderableType]:
    """Everything that goes by `name`; a parameter file is checked as a search would check it."""
    found = False
    kinds = [kind for kind in KINDS if name in built_in_names(kind)]
    is_space = name in built_in_spaces()
    if name.endswith(".toml"):
        kind = _kind_of(name)
        is_space, kinds = kind is None, [kind] if kind else []
    for kind in kinds:
        found = True
        record = load(kind, name)
        CHECKS[kind](record)
        yield record_report(record)
    if is_space:
        found = True
        space = load_space(name)
        size = f"{space.combinations:.0f} combinations, equivalent ones counted apart"
        yield f"space {name}: {space.description}; {size}"
        for strategy, choices in space.choices.items():
            yield f"strategy {strategy}"
            yield listing({k: shown_choices(v) for k, v in choices.items()})
    for what, table in (
        ("objective", objective_entries()),
        ("engine", LISTINGS["engines"]()),
        ("strategy", LISTINGS["strategies"]()),
        ("decision", LISTINGS["decisions"]()),
    ):
        if name in table:
            found = True
            yield f"{what} {name}: {table[name]}"
    if not found:
        names = [entry for listed in LISTINGS.values() for entry in listed()]
        raise UsageError(f"nothing is called {cut(name)}; {nearest(name, names)}")


CHECKS: dict[Kind, Callable[[Record], object]] = {
    "mcu": lambda record: validate(Mcu, record.data, record.path),
    "link": medium_of,
    "kernels": kernel_set,
    "platform": lambda record: load_platform(record.name),
    "importance": importance_of,
    "calibration": calibration_of,
    "model": lambda record: validate(Model, record.data, record.path),
}
SCHEMAS: tuple[tuple[Kind, type[BaseModel]], ...] = (
    ("mcu", Mcu),
    *(("link", schema) for schema in MEDIA.values()),
    *(("kernels", schema) for schema in FORMS.values()),
    *(("importance", schema) for schema in IMPORTANCES.values()),
    *(("calibration", schema) for schema in CALIBRATIONS.values()),
    ("platform", PlatformFile),
    ("model", Model),
)


def _kind_of(path: str) -> Kind | None:
    """Tell the kind of a user's file by the schema it shares most keys with; None for a search space."""
    if not Path(path).is_file():
        raise UsageError(f"file {cut(path)} does not exist")
    data = read_toml(Path(path), path)
    keys = data.keys()
    tables = [value for value in data.values() if isinstance(value, dict)]
    if keys & STRATEGIES.keys() or any(table.keys() & DECISIONS.keys() for table in tables):
        return None
    shared = [
        (len(keys & {f.alias or n for n, f in schema.model_fields.items()} - {"description"}), kind)
        for kind, schema in SCHEMAS
    ]
    most, kind = max(shared, key=lambda entry: entry[0])
    if not most:
        raise UsageError(f"{path} is no parameter file: it has no key of any kind of them")
    return kind
