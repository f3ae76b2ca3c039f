"""Which parameter files are built in, with a line about each.

Apart from the catalogue, which checks files and so needs all of the model: a list of files is there at once.
"""

from __future__ import annotations

from costmodel.parameters import Kind, built_in_names, load

FILES: dict[str, Kind] = {
    "workloads": "model",
    "platforms": "platform",
    "kernels": "kernels",
    "mcus": "mcu",
    "links": "link",
    "importances": "importance",
    "calibrations": "calibration",
}


def file_entries(what: str) -> dict[str, str]:
    """Names and descriptions of the files of one listing."""
    kind = FILES[what]
    return {name: str(load(kind, name).data.get("description", "")) for name in built_in_names(kind)}
