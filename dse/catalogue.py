"""What is built in: names of everything that can be asked for, and how to show each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import RenderableType

from costmodel.errors import UsageError, nearest
from costmodel.parameters import KINDS, Kind, built_in_names, load
from dse.console import listing, objective_entries, record_report
from dse.engines import ENGINES
from search_spaces import built_in_spaces, load_space


def _files(kind: Kind) -> dict[str, str]:
    return {name: str(load(kind, name).data.get("description", "")) for name in built_in_names(kind)}


LISTINGS: dict[str, Callable[[], dict[str, str]]] = {
    "workloads": lambda: _files("model"),
    "platforms": lambda: _files("platform"),
    "spaces": lambda: {name: load_space(name).description for name in built_in_spaces()},
    "objectives": objective_entries,
    "engines": lambda: {name: entry.description for name, entry in ENGINES.items()},
    "kernels": lambda: _files("kernels"),
    "mcus": lambda: _files("mcu"),
    "links": lambda: _files("link"),
}


def entries(what: str) -> dict[str, str]:
    """Names and descriptions of one listing."""
    if what not in LISTINGS:
        raise UsageError(f"unknown listing {what!r}; {nearest(what, LISTINGS)}")
    return LISTINGS[what]()


def describe(name: str) -> Iterator[RenderableType]:
    """Everything that goes by `name`."""
    found = False
    kinds = [kind for kind in KINDS if name in built_in_names(kind)]
    if name.endswith(".toml"):
        kinds = [_kind_of(name)]
    for kind in kinds:
        found = True
        yield record_report(load(kind, name))
    if name in built_in_spaces():
        found = True
        space = load_space(name)
        yield f"space {name}: {space.description}; {space.size} plans"
        yield listing({k: ", ".join(map(str, v)) for k, v in space.choices.items()})
    for what, table in (("objective", objective_entries()), ("engine", LISTINGS["engines"]())):
        if name in table:
            found = True
            yield f"{what} {name}: {table[name]}"
    if not found:
        names = [entry for listed in LISTINGS.values() for entry in listed()]
        raise UsageError(f"nothing is called {name!r}; {nearest(name, names)}")


def _kind_of(path: str) -> Kind:
    """Tell the kind of a user's file by its keys."""
    data = load("model", path).data
    marks: tuple[tuple[Kind, str], ...] = (
        ("kernels", "form"),
        ("mcu", "clock"),
        ("link", "medium"),
        ("platform", "kernels"),
        ("model", "heads"),
    )
    for kind, key in marks:
        if key in data:
            return kind
    raise UsageError(f"{path} is no parameter file: it has none of {', '.join(k for _, k in marks)}")
