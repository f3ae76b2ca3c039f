"""Parameter files (mcu, link, kernels, platform, model) and the loader that reads them."""

from costmodel.parameters.files import (
    KINDS,
    Kind,
    Record,
    built_in_names,
    hash_of,
    load,
    read_toml,
    validate,
)
from costmodel.parameters.quantity import (
    PlainNumber,
    Sourced,
    choice,
    count,
    fraction,
    is_number,
    quantity,
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
    "switch",
    "to_unit",
    "validate",
]
