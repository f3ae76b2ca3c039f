"""What every built-in parameter file keeps to."""

import re
from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import costmodel
from costmodel import (
    Platform,
    effective_rates,
    load_platform,
    load_workload,
    operator_laws,
    operator_rates,
)
from costmodel.calibration import calibration_of
from costmodel.compute import FORM_MODULES
from costmodel.hardware import Mcu, PlatformFile
from costmodel.importance import importance_of
from costmodel.kernel_sets import FORMS, OperatorLaws, kernel_set
from costmodel.media import Medium, Mixer, medium_of
from costmodel.operators import PACKING, Kind, Operator
from costmodel.parameters import KINDS, Record, built_in_names, load, validate
from costmodel.parameters.files import BUILT_IN
from costmodel.parameters.quantity import Sourced
from costmodel.plan import DECISIONS, Plan
from costmodel.plans import Plans
from costmodel.workload import REQUEST_KINDS, Model
from dse.validation import validate as validate_rows

FILES = [(kind, name) for kind in KINDS for name in built_in_names(kind)]
VALUES: list[tuple[str, Sourced]] = [
    (f"{kind}/{name} {key}", value) for kind, name in FILES for key, value in load(kind, name).values()
]
BIBLIOGRAPHY = (BUILT_IN / "references.bib").read_text()
MODELS = built_in_names("model")
SHARES = ("time_uncertainty", "transmit_share", "node_share", "loss", "clock_drift")
WORDS = {"description", "default_request", "form", "mcu", "link", "kernels"}


def built(record: Record) -> BaseModel:
    """Build what the record describes."""
    makers = {
        "kernels": kernel_set,
        "link": medium_of,
        "importance": importance_of,
        "calibration": calibration_of,
    }
    if record.kind in makers:
        return makers[record.kind](record)
    schemas = {"mcu": Mcu, "platform": PlatformFile, "model": Model}
    return validate(schemas[record.kind], record.data, record.path)


def leaves(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Give the dotted keys that hold anything but a table."""
    for key, entry in data.items():
        if isinstance(entry, dict) and "value" not in entry:
            yield from leaves(entry, f"{prefix}{key}.")
        elif not isinstance(entry, dict):
            yield prefix + key


def test_there_are_files_of_every_kind() -> None:
    assert {kind for kind, _ in FILES} == set(KINDS)
    assert {path.parent.name for path in BUILT_IN.rglob("*.toml")} == {*KINDS, "draws"}


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_every_file_is_read_and_described(kind: Any, name: str) -> None:
    assert len(built(load(kind, name)).description) > 20


@pytest.mark.parametrize("name", built_in_names("platform"))
def test_every_platform_is_read_with_its_parts(name: str) -> None:
    assert load_platform(name).name == name


@pytest.mark.parametrize("name", MODELS)
def test_every_request_of_a_model_is_read(name: str) -> None:
    model = load_workload(name).model
    assert set(model.requests) <= set(REQUEST_KINDS)
    for request, tokens in model.requests.items():
        assert load_workload(name, request).n_tokens == tokens


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_every_number_has_a_source(kind: Any, name: str) -> None:
    assert {key.rpartition(".")[2] for key in leaves(load(kind, name).data)} <= WORDS


@pytest.mark.parametrize(("key", "value"), VALUES, ids=[key for key, _ in VALUES])
def test_every_value_says_where_it_comes_from(key: str, value: Sourced) -> None:
    assert re.search(rf"^@\w+{{{re.escape(value.source)},$", BIBLIOGRAPHY, re.M), value.source
    assert value.where.strip()
    if value.status == "assumed":
        assert (value.reason or "").strip()
    if value.source == "none":
        assert value.status == "assumed"
    share = key.startswith(("importance/", "calibration/")) or key.endswith(SHARES)
    if isinstance(value.value, float) and not share:
        assert value.unit


def test_every_reference_is_used_and_given_once() -> None:
    given = re.findall(r"^@\w+{(\w+),$", BIBLIOGRAPHY, re.M)
    assert len(given) == BIBLIOGRAPHY.count("\n@") + 1
    used = {value.source for _, value in VALUES} | {row.source for row in validate_rows()}
    assert sorted(given) == sorted(used)


@pytest.mark.parametrize(
    ("files", "most"),
    [
        (("mcu/siracusa", "link/mipi", "kernels/date2025", "kernels/pulp-gvsoc"), 6),
        (("mcu/nrf52840", "link/mixer-ble2m", "kernels/nrf52840-cmsis"), 3),
        (("importance/encoder",), 4),
        (("calibration/encoder tasks.plaid",), 2),
        (("calibration/encoder residual", "calibration/encoder half_width"), 5),
        (
            (
                "calibration/cats-icd scale",
                "calibration/cats-icd exponent",
                "calibration/cats-icd half_width",
            ),
            3,
        ),
        (("calibration/cats-icd message_loss",), 6),
        (("calibration/encoder message_loss.tasks.watch",), 4),
    ],
)
def test_few_values_are_fitted_on_each_set_of_cases(files: tuple[str, ...], most: int) -> None:
    fitted = {(key, value.value) for key, value in VALUES if value.status == "fitted"}
    named = {(key, value) for key, value in fitted if key.startswith(files)}
    # A rate that is the same for one row and for many was fitted once.
    assert 0 < len({value for _, value in named}) <= most


def test_no_value_is_fitted_elsewhere() -> None:
    files = {key.split()[0] for key, value in VALUES if value.status == "fitted"}
    assert files <= {
        *("mcu/siracusa", "kernels/date2025", "importance/encoder"),
        *("link/mixer-ble2m", "kernels/nrf52840-cmsis"),
        *("calibration/encoder", "calibration/cats-ett", "calibration/cats-icd", "calibration/cats-london"),
    }


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, value in VALUES if value.status == "fitted"]
)
def test_a_fitted_value_lies_inside_its_bounds_and_names_its_cases(key: str, value: Sourced) -> None:
    assert value.fitted_on
    assert all(case.strip() for case in value.fitted_on)
    assert value.low is not None
    assert value.high is not None
    assert value.low <= value.value <= value.high
    assert value.low < value.high


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("stories42m", 41_680_896),
        ("stories15m", 15_187_968),
        ("stories110m", 109_510_656),
        ("stories260k", 259_328),
        ("tinyllama-42m", 41_549_824),
        ("tinyllama-42m-64h", 41_549_824),
        ("mobilebert", 37_748_736),
    ],
)
def test_models_have_as_many_weights_as_counted_by_hand(name: str, weights: int) -> None:
    model = load_workload(name).model
    assert model.vocabulary_weights + model.layers * model.block_weights == weights


@pytest.mark.parametrize("name", [name for name in MODELS if re.search(r"\d[km]", name)])
def test_models_have_as_many_weights_as_their_names_say(name: str) -> None:
    (number, scale), *_ = re.findall(r"(\d+)([km])", name)
    model = load_workload(name).model
    weights = model.vocabulary_weights + model.layers * model.block_weights
    assert weights == pytest.approx(int(number) * {"k": 1e3, "m": 1e6}[scale], rel=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_heads_together_are_as_wide_as_the_model(name: str) -> None:
    model = load_workload(name).model
    assert model.heads * model.head_size == model.embedding


def test_the_scaled_up_model_differs_in_its_heads_alone() -> None:
    base, scaled = (load("model", name).data for name in ("tinyllama-42m", "tinyllama-42m-64h"))
    differing = {key for key in base if key != "description" and base[key] != scaled[key]}
    assert differing == {"heads", "kv_heads", "head_size"}
    assert load_workload("tinyllama-42m-64h").model.block_weights == 3_145_728


def platform_with(kernels: str) -> Platform:
    """Load a platform that runs a kernel set."""
    mcu = kernel_set(load("kernels", kernels)).mcu
    on = next(n for n in built_in_names("platform") if load("platform", n).data["mcu"] == mcu)
    return load_platform(on, kernels)


SIZES = {"bits": 4, "rows": 2, "columns": 64, "depth": 64, "weight_bytes": 4096.0, "data_bytes": 128.0}
NAMES = {Kind.NORM: "rmsnorm", Kind.ACTIVATION: "gelu"}


# What takes no time of its own, as whole-graph rates contain it.
INSIDE_THE_RATES = {
    effective_rates: set(Kind) - {Kind.MATMUL, Kind.SCORES, Kind.VALUES, Kind.NORM, *PACKING},
    operator_rates: {Kind.REQUANTISE, Kind.NARROW, Kind.CACHE_APPEND, Kind.TRANSFER},
    operator_laws: set(),
}


@pytest.mark.parametrize("name", built_in_names("kernels"))
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_every_kernel_set_times_every_kind_of_operator(name: str, kind: Kind, rows: int) -> None:
    platform = platform_with(name)
    form = FORM_MODULES[type(platform.kernels)]
    operator = Operator(kind=kind, name=NAMES.get(kind, "x"), **(SIZES | {"rows": rows}))
    cycles = np.asarray(form.shard_cycles(platform.kernels, platform.mcu, [operator]))
    assert np.isfinite(cycles).all()
    assert (cycles == 0).all() if kind in INSIDE_THE_RATES[form] else (cycles > 0).all()


@pytest.mark.parametrize("name", built_in_names("kernels"))
def test_every_kernel_set_times_the_root(name: str) -> None:
    platform = platform_with(name)
    form = FORM_MODULES[type(platform.kernels)]
    for norm in ("rmsnorm", "layernorm"):
        work = [Operator(kind=Kind.NORM, name=norm, rows=1, columns=64)]
        assert form.alone_cycles(platform.kernels, platform.mcu, work) > 0


def test_every_form_has_its_module_with_the_same_functions() -> None:
    assert set(FORM_MODULES) == set(FORMS.values())
    assert set(FORM_MODULES.values()) == {effective_rates, operator_rates, operator_laws}
    for function in ("shard_cycles", "alone_cycles", "root_cores"):
        assert all(callable(getattr(module, function)) for module in FORM_MODULES.values())


@pytest.mark.parametrize("activation", ["gelu", "silu", "relu"])
@pytest.mark.parametrize("name", [n for n in built_in_names("kernels") if n != "date2025"])
def test_kernel_sets_by_operator_time_every_activation(name: str, activation: str) -> None:
    platform = platform_with(name)
    operator = Operator(kind=Kind.ACTIVATION, name=activation, rows=1, columns=64)
    form = FORM_MODULES[type(platform.kernels)]
    assert form.alone_cycles(platform.kernels, platform.mcu, [operator]) > 0


def test_what_the_package_offers_is_complete_and_sorted() -> None:
    public = {
        name
        for name in dir(costmodel)
        if not name.startswith("_") and not isinstance(getattr(costmodel, name), ModuleType)
    }
    assert costmodel.__all__ == sorted(public - {"MODULES", "TYPE_CHECKING"})
    homes = {name: getattr(costmodel, name).__module__ for name in costmodel.__all__}
    assert homes == {name: f"costmodel.{module}" for name, module in costmodel.MODULES.items()}


def test_decisions_of_a_plan_and_of_a_batch_are_the_same() -> None:
    batch = Plans.of([Plan(strategy="x", n_chips=1)])
    assert {f.name for f in fields(Plan)} == {"strategy", *batch.values} == {"strategy", *DECISIONS}


def link_ranges(link: Medium) -> dict[str, tuple[float, float, float]]:
    """Give value, least and most of every constant of a link, in SI."""
    pj, uj = 0.1e-12, 1e-6
    if isinstance(link, Mixer):
        return {
            "time of a byte": (link.byte_time_s, 0.1e-6, 1e-3),
            "message header": (link.message_header_bytes, 0, 64),
            "packet": (link.physical_payload, 16, 2048),
            "slots": (link.used_slots_per_packet, 1, link.slots_per_packet),
            "more slots": (link.used_slots, 0, link.more_slots),
            "transmit power": (link.transmit_power_w, 1e-3, 1),
            "receive power": (link.receive_power_w, 1e-3, 1),
            "loss": (link.loss, 0, 0.1),
        }
    return {
        "link bandwidth": (link.bandwidth_bytes_per_s, 1e3, 10e9),
        "link latency": (link.message_latency_s, 10e-9, 1),
        "link energy": (link.energy_j_per_byte or pj, pj, uj),  # 0 where a link always draws as much
        "link power": (link.idle_w(1), 0, 1),
        "header": (link.header_bytes, 0, 256),
        "payload": (link.payload_bytes, 8, 1e6),
    }


@pytest.mark.parametrize("name", built_in_names("link"))
def test_links_have_the_order_of_magnitude_of_a_link(name: str) -> None:
    for constant, (value, least, most) in link_ranges(medium_of(load("link", name))).items():
        assert least <= value <= most, constant


def ranges(platform: Platform) -> dict[str, tuple[float, float, float]]:
    """Give value, least and most of every constant of a platform, in SI."""
    mcu, link = platform.mcu, platform.link
    pj, uj = 0.1e-12, 1e-6
    on_chip = pj if mcu.l1_bytes else 0.0
    found = {
        "clock": (mcu.clock_hz, 1e6, 2e9),
        "cores": (mcu.n_cores, 1, 64),
        "core power": (mcu.core_power_w, 0.1e-3, 1),
        "idle power": (mcu.idle_power_w, 1e-6, mcu.n_cores * mcu.core_power_w),
        "L2": (mcu.l2.usable_bytes, 16e3, 32e6),
        "L2 energy": (mcu.l2.energy_j_per_byte, on_chip, 1e-9),
        **link_ranges(link),
    }
    if mcu.l1_bytes is not None:
        found["L1"] = (mcu.l1_bytes, 1e3, mcu.l2.size_bytes)
    if mcu.flash is not None:
        found["flash"] = (mcu.flash.usable_bytes, 64e3, 64e6)
    if mcu.l3 is not None:
        found |= {
            "L3": (mcu.l3.usable_bytes, mcu.l2.usable_bytes, 4e9),
            "L3 energy": (mcu.l3.energy_j_per_byte, mcu.l2.energy_j_per_byte, uj),
            "L3 bandwidth": (mcu.l3.bandwidth_bytes_per_s, 1e6, 10e9),
        }
    return found


@pytest.mark.parametrize("name", built_in_names("platform"))
def test_constants_have_the_order_of_magnitude_of_a_microcontroller(name: str) -> None:
    for constant, (value, least, most) in ranges(load_platform(name)).items():
        assert least <= value <= most, constant


@pytest.mark.parametrize("name", built_in_names("kernels"))
def test_no_product_is_faster_than_32_macs_a_cycle_and_core(name: str) -> None:
    rules, cores = kernel_set(load("kernels", name)), platform_with(name).mcu.n_cores
    if isinstance(rules, OperatorLaws):
        laws = (rules.gemv, rules.gemm, rules.gemm_transposed)
        rates = [law.rows_per_group * law.columns_per_group / law.per_depth for law in laws]
    else:
        rates = [rules.gemv_mac_per_cycle / cores, rules.gemm_mac_per_cycle / cores]
    assert all(0.01 < rate < 32 for rate in rates), rates
