"""The platform: MCUs with their memory levels, the link that joins them, and the kernel set they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.errors import ParameterError
from costmodel.kernel_sets import KernelSet, OperatorLaws, RowKernel, kernel_set
from costmodel.media import Medium, medium_of
from costmodel.parameters import (
    IfAbsent,
    Record,
    Sourced,
    choice,
    count,
    load,
    not_stated,
    quantity,
    to_unit,
    validate,
)

FILE = ConfigDict(frozen=True, extra="forbid")
L3_SHARINGS = ("own", "shared")


class MemoryLevel(BaseModel):
    """A memory of one MCU.

    Attributes
    ----------
    size_bytes, reserve_bytes : float
        Physical size, and what firmware, stack and link buffers take of it.
    energy_j_per_byte : float
        Energy of moving one byte between this level and the next inner one.
    """

    model_config = FILE

    size_bytes: Annotated[float, quantity("byte")] = Field(alias="size")
    reserve_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="reserve")
    energy_j_per_byte: Annotated[float, quantity("joule/byte", allow_zero=True)] = Field(alias="energy")

    @property
    def usable_bytes(self) -> float:
        """Physical size less the reserve: what a plan must fit."""
        return self.size_bytes - self.reserve_bytes

    @model_validator(mode="after")
    def _reserve_fits(self) -> MemoryLevel:
        if self.reserve_bytes >= self.size_bytes:
            raise ValueError("the reserve leaves nothing usable")
        return self


class OffChipMemory(MemoryLevel):
    """The off-chip level L3; its own DMA brings bytes to L2 at `bandwidth_bytes_per_s`.

    It draws `standby_power_w` all the time where anything is in it.
    """

    bandwidth_bytes_per_s: Annotated[float, quantity("byte/second")] = Field(alias="bandwidth")
    standby_power_w: Annotated[
        float | None,
        quantity("watt", allow_zero=True),
        IfAbsent("0: off-chip memory that waits draws nothing"),
    ] = Field(alias="standby_power", default=None)


class FlashMemory(BaseModel):
    """On-chip flash that weights are read from in place; what reading costs is in the kernel set."""

    model_config = FILE

    size_bytes: Annotated[float, quantity("byte")] = Field(alias="size")
    reserve_bytes: Annotated[float, quantity("byte", allow_zero=True)] = Field(alias="reserve")

    @property
    def usable_bytes(self) -> float:
        """Physical size less the firmware: what a plan must fit."""
        return self.size_bytes - self.reserve_bytes

    @model_validator(mode="after")
    def _reserve_fits(self) -> FlashMemory:
        if self.reserve_bytes >= self.size_bytes:
            raise ValueError("the reserve leaves nothing usable")
        return self


class Mcu(BaseModel):
    """One microcontroller: equal cores with on-chip memory L2, perhaps with L1, and L3 or flash.

    A busy core draws `core_power_w`; a chip that waits draws `idle_power_w`; a controller core beside
    those that compute draws `controller_power_w` all the time. Without L1, the cores work
    on L2 itself. Weights that are not in L2 come from L3, or are read in place from flash.
    """

    model_config = FILE

    description: str
    clock_hz: Annotated[float, quantity("hertz")] = Field(alias="clock")
    n_cores: Annotated[int, count()]
    core_power_w: Annotated[float, quantity("watt")] = Field(alias="core_power")
    idle_power_w: Annotated[float, quantity("watt", allow_zero=True)] = Field(alias="idle_power")
    controller_power_w: Annotated[
        float | None, quantity("watt", allow_zero=True), IfAbsent("0: no core beside those that compute")
    ] = Field(alias="controller_power", default=None)
    l1_bytes: Annotated[float | None, quantity("byte")] = Field(alias="l1_size", default=None)
    l2: MemoryLevel
    l3: OffChipMemory | None = None
    flash: FlashMemory | None = None

    @property
    def l2_name(self) -> str:
        """What the on-chip memory is called: RAM where there is no other."""
        return "L2" if self.l1_bytes is not None else "RAM"

    @property
    def levels(self) -> dict[str, MemoryLevel | FlashMemory]:
        """The memories beside L1 that there are, by name."""
        levels = {self.l2_name: self.l2, "L3": self.l3, "flash": self.flash}
        return {name: level for name, level in levels.items() if level is not None}

    @model_validator(mode="after")
    def _one_home_of_weights(self) -> Mcu:
        if self.l3 is not None and self.flash is not None:
            raise ValueError("an MCU has either l3 or flash")
        return self

    @model_validator(mode="after")
    def _waiting_draws_least(self) -> Mcu:
        busy_w = self.n_cores * self.core_power_w
        if self.idle_power_w > busy_w:
            raise ValueError(
                f"idle_power {self.idle_power_w:g} W is more than all {self.n_cores} cores draw "
                f"when busy, {busy_w:g} W"
            )
        return self


class PlatformFile(BaseModel):
    """A platform names its parts, and says whether each chip has an L3 or all have one."""

    model_config = FILE

    description: str
    mcu: str
    link: str
    kernels: str
    l3: Annotated[
        str | None, choice(*L3_SHARINGS), IfAbsent("own: each chip has an L3 and its whole bandwidth")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Equal MCUs joined by equal links, with the kernel set in force.

    Chips that share an L3 have equal parts of its time. `not_stated` are optional keys that the files
    leave out, each with what is taken to be so. `records` are the parameter files it was read from, in
    the order platform, mcu, link, kernels.
    """

    name: str
    mcu: Mcu
    link: Medium
    kernels: KernelSet
    kernels_name: str
    shares_l3: bool
    not_stated: tuple[str, ...]
    records: tuple[Record, ...]


def load_platform(name: str, kernels: str | None = None) -> Platform:
    """Read a platform and its parts by name or path.

    Raises
    ------
    ParameterError
        A file is missing, broken or made for another MCU.
    """
    record = load("platform", name)
    names = validate(PlatformFile, record.data, record.path)
    beside = Path(record.path).parent if name.endswith(".toml") else None
    return platform_of(
        (
            record,
            load("mcu", names.mcu, beside),
            load("link", names.link, beside),
            load("kernels", names.kernels, beside) if kernels is None else load("kernels", kernels),
        )
    )


def platform_of(records: tuple[Record, ...]) -> Platform:
    """Build a platform out of its four records: platform, mcu, link, kernels."""
    platform, mcu, link, kernels = records
    names = validate(PlatformFile, platform.data, platform.path)
    rules = kernel_set(kernels)
    if Path(rules.mcu).stem != Path(names.mcu).stem:
        raise ParameterError(
            f"{kernels.path}: kernel set {kernels.name!r} is for MCU {rules.mcu!r}, "
            f"platform {platform.name!r} has {names.mcu!r}"
        )
    chip, medium = validate(Mcu, mcu.data, mcu.path), medium_of(link)
    if names.l3 is not None and chip.l3 is None:
        raise ParameterError(f"{platform.path}: key 'l3': MCU {names.mcu!r} has no L3")
    parts = (names if chip.l3 else None, chip, medium, rules)
    if isinstance(rules, OperatorLaws):
        _splits_take_time(kernels, chip.n_cores)
    result = Platform(
        name=platform.name,
        mcu=chip,
        link=medium,
        kernels=rules,
        kernels_name=kernels.name,
        shares_l3=names.l3 == "shared",
        not_stated=tuple(
            f"{record.kind}/{record.name} {key}: {taken}"
            for record, part in zip(records, parts, strict=True)
            if part is not None
            for key, taken in not_stated(part)
        ),
        records=records,
    )
    l1_bytes = result.mcu.l1_bytes or 0.0
    if isinstance(rules, OperatorLaws) and 2 * rules.tile_bytes > l1_bytes:
        raise ParameterError(f"{kernels.path}: two tiles of {rules.tile_bytes} B exceed L1 of {l1_bytes:g} B")
    return result


def _splits_take_time(kernels: Record, n_cores: int) -> None:
    """Refuse laws of shared rows whose negative part leaves nothing, at the low ends of what they state."""
    stated = dict(kernels.values())

    def least_of(entry: Sourced) -> float:
        least = float(entry.value) if entry.low is None else entry.low
        return to_unit(least, entry.unit or "", "clock_cycle")

    for name, form in OperatorLaws.model_fields.items():
        if form.annotation is RowKernel:
            fixed, per_core = (least_of(stated[f"{name}.split.{key}"]) for key in ("fixed", "per_core"))
            if fixed + per_core * n_cores < 0:
                raise ParameterError(
                    f"{kernels.path}: key '{name}.split.per_core': {per_core:g} a core, on {n_cores} cores, "
                    f"is more than 'fixed' has, {fixed:g}; a row would take less than no time"
                )
