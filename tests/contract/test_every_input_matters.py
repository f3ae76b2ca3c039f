"""Change any parameter of a workload or a platform, and some cost of some plan changes."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.errors import ParameterError
from costmodel.hardware import platform_of
from costmodel.parameters import Record, built_in_names, load
from costmodel.strategies import STRATEGIES
from costmodel.workload import workload_of
from tests.strategies import messages_of, per_plan

# Parameters that no cost depends on: they are told, and wait for whoever computes with them.
INFORMATIONAL = {
    "mcu/siracusa l1_size": "a kernel set whose two tiles do not fit is refused",
    "kernels/pulp-gvsoc gemv.rows_per_group": "the law is that of a single row",
    "link/mipi loss": "stated, and counted where it is asked for (message_loss)",
    "link/mixer-ble2m loss": "stated, and counted where it is asked for (message_loss)",
    "kernels/nrf52840-cmsis time_uncertainty": "the interval around a latency, which itself stays",
    "kernels/nrf52840-cmsis narrow": "on wires alone does a leader send a sum on",
    "kernels/nrf52840-cmsis load_overlap": "weights are read in place: nothing is loaded",
    "link/mixer-ble2m node_share": "when a node is done; chips wait for the slowest one",
}
PLATFORMS = [
    ("siracusa-mipi", "date2025"),
    ("siracusa-mipi", "pulp-gvsoc"),
    ("nrf52840-mixer", None),
]
WORDS = {
    "activation": ("gelu", "silu", "relu"),
    "norm": ("rmsnorm", "layernorm"),
    "family": ("encoder", "decoder"),
    "duplex": ("half", "full"),
    "l3": ("own", "shared"),
}
# One chip and many, of every strategy, pruned or not, with every width of sums and widths that are packed.
PLANS = Plans.of(
    Plan(
        strategy=strategy,
        n_chips=n,
        group_size=group,
        partial_sum_bits=bits,
        weight_bits=width,
        **messages_of(width),
        **dict.fromkeys(ratios, p),
    )
    for strategy in STRATEGIES
    for n in (1, 2, 5, 16)
    for group, bits in ((2, 8), (4, 32))
    for p, width in ((0.0, 32), (0.6, 32), (0.6, 6), (0.6, 4))
    for ratios in (("prune_qkv", "prune_ffn_in"), ("prune_o", "prune_ffn_out"))
)
ACCOUNTINGS = (Accounting(), Accounting(scope="block", prefetch="hidden"))
REQUESTS = [
    ("stories260k", "prompt", 40),
    ("stories260k", "autoregressive", 60),
    ("tinyllama-42m", "autoregressive", 128),
    ("mobilebert", "encoder", 1),
    ("cats-block", "encoder", 64),
]


def keys(record: Record) -> Iterator[str]:
    """Give the dotted key of every sourced value."""
    return (key for key, _ in record.values())


def other_values(key: str, value: Any) -> list[Any]:
    """Values that a parameter might have instead."""
    name = key.rsplit(".", 1)[-1]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [word for word in WORDS.get(name, ()) if word != value]
    if isinstance(value, int):
        return [value + 1, max(1, value - 1), 2 * value, max(1, value * 3 // 4), max(1, value // 2)]
    return [value * 1.3, value * 0.6, value + 0.1, value + 7.0]


def changed(record: Record, key: str, value: Any) -> Record:
    """Give the record with another value."""
    data = copy.deepcopy(record.data)
    *path, last = key.split(".")
    at = data
    for part in path:
        at = at[part]
    bounds = ("low", "high")
    at[last] = {k: v for k, v in at[last].items() if k not in bounds} | {"value": value}
    if at[last]["status"] == "fitted":
        at[last]["status"] = "measured"
    return replace(record, data=data)


def costs(workload: Workload, platform: Platform) -> dict[str, np.ndarray]:
    """Every cost of every plan, by each way of counting."""
    found = {}
    for number, accounting in enumerate(ACCOUNTINGS):
        evaluated = evaluate(workload, platform, PLANS, accounting)
        found |= {f"{number} {name}": array for name, array in per_plan(evaluated).items()}
        found |= {f"{number} {name} slack": slack for name, slack in evaluated.slack.items()}
    return found


def differ(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() != other.keys() or any(not np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def base() -> dict[Any, dict[str, np.ndarray]]:
    return {
        (on, request): costs(load_workload(*request), load_platform(*on))
        for on in PLATFORMS
        for request in REQUESTS
    }


def platform_keys() -> Iterator[tuple[tuple[str, str | None], int, str]]:
    for on in PLATFORMS:
        for position, record in enumerate(load_platform(*on).records):
            yield from ((on, position, key) for key in keys(record) if key != "medium")


@pytest.mark.parametrize(("on", "position", "key"), list(platform_keys()))
def test_every_parameter_of_a_platform_matters(
    base: dict[Any, dict[str, np.ndarray]], on: tuple[str, str | None], position: int, key: str
) -> None:
    records = load_platform(*on).records
    record = records[position]
    value = dict(record.values())[key].value
    tried = False
    for other in other_values(key, value):
        other_records = (*records[:position], changed(record, key, other), *records[position + 1 :])
        try:
            platform = platform_of(other_records)
        except ParameterError:
            continue
        tried = True
        for request in REQUESTS:
            if differ(base[on, request], costs(load_workload(*request), platform)):
                assert f"{record.kind}/{record.name} {key}" not in INFORMATIONAL
                return
    assert tried, "no other value can be read"
    assert f"{record.kind}/{record.name} {key}" in INFORMATIONAL


def workload_keys() -> Iterator[tuple[str, str]]:
    for model in ("stories260k", "cats-block"):
        for key in keys(load("model", model)):
            if not key.startswith("requests."):
                yield model, key


@pytest.mark.parametrize(("model", "key"), list(workload_keys()))
def test_every_parameter_of_a_model_matters(
    base: dict[Any, dict[str, np.ndarray]], model: str, key: str
) -> None:
    record = load("model", model)
    value = dict(record.values())[key].value
    for other in other_values(key, value):
        for request in (r for r in REQUESTS if r[0] == model):
            try:
                workload = workload_of(changed(record, key, other), None, None, *request[1:])
            except ParameterError:
                continue
            if any(differ(base[on, request], costs(workload, load_platform(*on))) for on in PLATFORMS):
                return
    # Whether a table that is not there is tied makes no difference.
    assert (model, key) == ("cats-block", "tied_embedding")


@pytest.mark.parametrize("family", built_in_names("importance"))
def test_every_importance_matters(base: dict[Any, dict[str, np.ndarray]], family: str) -> None:
    on, request = PLATFORMS[0], REQUESTS[0]
    model, record = load("model", request[0]), load("importance", family)
    before = costs(workload_of(model, record, None, *request[1:]), load_platform(*on))
    for key in keys(record):
        value = dict(record.values())[key].value
        workload = workload_of(model, changed(record, key, value * 1.3), None, *request[1:])
        assert differ(before, costs(workload, load_platform(*on))), key
