"""What stands behind the costs: how each cause of energy is known, weakest constant first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from costmodel.hardware import Platform
from costmodel.parameters import Status

NotKnown = Literal["not stated"]
Evidence = Status | NotKnown
STATUSES: tuple[Status, ...] = get_args(Status)  # best first
# Joules of a cause are times or bytes times these constants of the MCU's file.
OF_MCU: Mapping[str, tuple[str, ...]] = {
    "compute": ("core_power",),
    "root": ("core_power",),
    "idle": ("idle_power",),
    "l2": ("l2.energy",),
    "l3": ("l3.energy",),
    "controller": ("controller_power",),
    "l3_standby": ("l3.standby_power",),
}


def energy_evidence(platform: Platform) -> dict[str, Evidence]:
    """Say how the constants of each cause of energy are known that the platform can have.

    The weakest of several counts; a key that the file leaves out is not stated.

    >>> from costmodel.hardware import load_platform
    >>> energy_evidence(load_platform("nrf52840-mixer"))["link"]
    'derived'
    """
    _, mcu, link, _ = (dict(record.values()) for record in platform.records)
    of_l3 = () if platform.mcu.l3 else ("l3", "l3_standby")
    causes = {cause: (mcu, keys) for cause, keys in OF_MCU.items() if cause not in of_l3}
    causes |= {cause: (link, keys) for cause, keys in platform.link.energy_keys.items()}
    found: dict[str, Evidence] = {}
    for cause, (values, keys) in causes.items():
        statuses = [values[key].status for key in keys if key in values]
        found[cause] = max(statuses, key=STATUSES.index) if statuses else "not stated"
    return found
