"""Parameter files, of mcu, link, kernels, platform, model, importance, calibration, and their loader."""

from costmodel.parameters.files import (
    KINDS,
    Kind,
    Record,
    built_in_names,
    hash_of,
    load,
    read_toml,
    validate,
    validate_form,
)
from costmodel.parameters.quantity import (
    PlainNumber,
    Sourced,
    choice,
    count,
    fraction,
    is_number,
    quantity,
    real,
    switch,
    to_unit,
)

__all__ = [
    "KINDS",
    "Kind",
    "PlainNumber",
    "Record",
    "Sourced",
    "built_in_names",
    "choice",
    "count",
    "fraction",
    "hash_of",
    "is_number",
    "load",
    "quantity",
    "read_toml",
    "real",
    "switch",
    "to_unit",
    "validate",
    "validate_form",
]
