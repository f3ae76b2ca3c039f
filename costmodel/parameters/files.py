"""Find and read parameter files: built-in ones by name, a user's own by path."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from costmodel.errors import ParameterError, cut, nearest
from costmodel.parameters.quantity import Sourced, sourced_values

Kind = Literal["mcu", "link", "platform", "model", "kernels", "importance", "calibration"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BUILT_IN = Path(__file__).parent
MAX_FILE_BYTES = 1_000_000

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A parameter file as read.

    Attributes
    ----------
    kind, name : str
        What it describes, and the name or path it was asked for by.
    path : str
        Where it was found; built-in files are given relative to the package.
    sha256 : str
        Hash of the contents, as canonical JSON.
    data : dict
        The tables of the file, unchanged, so that a plan can carry them along.
    """

    kind: Kind
    name: str
    path: str
    sha256: str
    data: dict[str, Any]

    def values(self) -> Iterator[tuple[str, Sourced]]:
        """Give each sourced value with its dotted key."""
        try:
            yield from sourced_values(self.data)
        except ValueError as error:
            raise ParameterError(f"{self.path}: {error}") from None

    def uncertain(self, without: Collection[str] = ()) -> list[str]:
        """List the assumed and fitted values but some: 'kind/name key = value unit (status)'."""
        return [
            f"{self.kind}/{self.name} {key} = {entry.value}"
            f"{' ' + entry.unit if entry.unit else ''} ({entry.status})"
            for key, entry in self.values()
            if entry.status in ("assumed", "fitted") and key not in without
        ]


def built_in_names(kind: Kind) -> list[str]:
    """List the built-in files of one kind, sorted."""
    return sorted(path.stem for path in (BUILT_IN / kind).glob("*.toml"))


def hash_of(data: dict[str, Any]) -> str:
    """Hash the tables of a parameter file, whatever their order and comments."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def read_toml(path: Path, shown: str) -> dict[str, Any]:
    """Read a TOML file of bounded size."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ParameterError(f"{shown}: larger than {MAX_FILE_BYTES} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise ParameterError(f"{shown}: cannot be read ({error.strerror})") from None
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, RecursionError):
        raise ParameterError(f"{shown}: is not readable TOML text") from None
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"{shown}: broken TOML: {error}") from None
    except ValueError:
        raise ParameterError(f"{shown}: broken TOML: a number has too many digits") from None
    return data


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def load(kind: Kind, name: str, beside: Path | None = None) -> Record:
    """Read the parameter file of `kind` that `name` means.

    Parameters
    ----------
    name : str
        A built-in name, or a path ending in ``.toml``.
    beside : Path, optional
        Folder that a relative path is looked up in first: that of the file which names it.

    Raises
    ------
    ParameterError
        No such file, or not TOML.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if beside is not None and _is_file(beside / path):
            path = beside / path
        if not _is_file(path):
            raise ParameterError(f"{kind} file {cut(name)} does not exist")
        data = read_toml(path, str(path))
        return Record(kind=kind, name=name, path=str(path), sha256=hash_of(data), data=data)
    names = built_in_names(kind)
    if name not in names:
        raise ParameterError(
            f"unknown {kind} {cut(name)}; {nearest(name, names)}",
            "a file of your own is named by its path, ending in .toml",
        )
    path = BUILT_IN / kind / f"{name}.toml"
    shown = f"{kind}/{name}.toml"
    data = read_toml(path, shown)
    return Record(kind=kind, name=name, path=shown, sha256=hash_of(data), data=data)


def validate(schema: type[M], data: object, shown: str) -> M:
    """Build `schema` from `data`; the first fault becomes one line that names file, key and remedy."""
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise ParameterError(f"{shown}: {first_fault(error, schema)}") from None


def validate_form(forms: Mapping[str, type[M]], record: Record) -> M:
    """Build the schema that a record's key `form` names.

    Raises
    ------
    ParameterError
        It names none, or the record is no such thing.
    """
    form = record.data.get("form")
    if not isinstance(form, str) or form not in forms:
        raise ParameterError(f"{record.path}: key 'form' is {cut(form)}; {nearest(str(form), forms)}")
    return validate(forms[form], record.data, record.path)


def first_fault(error: ValidationError, schema: type[BaseModel]) -> str:
    """Say the most telling fault of a validation: unknown keys first, they explain missing ones."""
    faults = error.errors()
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    place, _ = _at(schema, [str(part) for part in fault["loc"]])
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        _, inside = _at(schema, [str(part) for part in fault["loc"][:-1]])
        known = {} if inside is None else inside.model_fields
        return f"unknown key {key!r}; {nearest(place[-1], [f.alias or name for name, f in known.items()])}"
    if fault["type"] == "missing":
        return f"key {key!r} is missing"
    text = fault["msg"].removeprefix("Value error, ")
    if fault["type"] != "value_error":
        text = f"{text}, got {cut(fault['input'])}"
    return f"key {key!r}: {text}" if key else text


def _at(schema: type[BaseModel], place: list[str]) -> tuple[list[str], type[BaseModel] | None]:
    """Give a place as a file writes it, without the names of forms, and the schema that is there."""
    path: list[str] = []
    current: type[BaseModel] | None = schema
    parts = iter(place)
    for part in parts:
        path.append(part)
        if current is None or part.isdigit():  # a position in a list, whose entries' schema is known
            continue
        field = next((f for n, f in current.model_fields.items() if (f.alias or n) == part), None)
        annotation: Any = None if field is None else field.annotation
        options = (annotation, *getattr(annotation, "__args__", ()))
        models = [a for a in options if isinstance(a, type) and issubclass(a, BaseModel)]
        if field is not None and field.discriminator is not None and (form := next(parts, None)) is not None:
            models = [m for m in models if form in getattr(m.model_fields["form"].annotation, "__args__", ())]
        if get_origin(annotation) is dict and (key := next(parts, None)) is not None:
            path.append(key)
        current = next(iter(models), None)
    return path, current
