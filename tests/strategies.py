from dataclasses import fields, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from costmodel import Accounting, Costs, Plan, Plans, Platform, Workload, load_platform, load_workload
from costmodel.accounting import PREFETCHES, SCOPES
from costmodel.costing import Costing
from costmodel.dealing import costing
from costmodel.media import Switched
from costmodel.plan import DECISIONS, MAX_CHIPS, SHORTHANDS
from costmodel.strategies import canonical
from costmodel.workload import REQUEST_KINDS

KERNEL_SETS = {name: load_platform("siracusa-mipi", name) for name in ("date2025", "pulp-gvsoc")}
RADIO = load_platform("nrf52840-mixer")
STORIES = load_workload("stories15m")
GATHER_BITS = SHORTHANDS["message_bits"]
ROUNDING = 1e-12  # relative; where only the order of additions differs


def messages_of(bits: Any) -> dict[str, Any]:
    """Give the width of every gather."""
    return dict.fromkeys(GATHER_BITS, bits)


def changed(platform: Platform, **parts: dict[str, Any]) -> Platform:
    """Give the platform with other values in its parts: mcu, l2, l3, link, kernels."""
    mcu = platform.mcu
    levels = {
        name: getattr(mcu, name).model_copy(update=parts[name]) for name in ("l2", "l3") if name in parts
    }
    return replace(
        platform,
        mcu=mcu.model_copy(update=levels | parts.get("mcu", {})),
        link=platform.link.model_copy(update=parts.get("link", {})),
        kernels=platform.kernels.model_copy(update=parts.get("kernels", {})),
    )


@st.composite
def workloads(draw: DrawFn, *, max_group: int = 4) -> Workload:
    """Small Transformers of every make; `max_group` 1 gives each query head its own KV head."""
    kv_heads = draw(st.integers(1, 12))
    sizes = {
        "kv_heads": kv_heads,
        "heads": kv_heads * draw(st.integers(1, max_group)),
        "head_size": 2 * draw(st.integers(1, 16)),
        "embedding": draw(st.integers(8, 256)),
        "layers": draw(st.integers(1, 12)),
        "ffn": draw(st.integers(1, 500)),
        "ffn_matrices": draw(st.sampled_from((2, 3))),
        "vocabulary": draw(st.just(0) | st.integers(1, 4000)),
        "weight_bits": draw(st.sampled_from((4, 8, 16))),
        "activation_bits": draw(st.sampled_from((8, 16))),
        "activation": draw(st.sampled_from(("gelu", "silu", "relu"))),
        "norm": draw(st.sampled_from(("rmsnorm", "layernorm"))),
        "rotary": draw(st.booleans()),
        "tied_embedding": draw(st.booleans()),
    }
    return replace(
        STORIES,
        model=STORIES.model.model_copy(update=sizes),
        request=draw(st.sampled_from(REQUEST_KINDS)),
        n_tokens=draw(st.integers(1, 80)),
    )


ALWAYS_ON = st.none() | st.floats(0, 1e-1)  # watts


@st.composite
def platforms(draw: DrawFn) -> Platform:
    """Chips timed either way, with memories so small that every regime comes up."""
    platform = replace(draw(st.sampled_from(list(KERNEL_SETS.values()))), shares_l3=draw(st.booleans()))
    l2_bytes, l3_bytes = 2 ** draw(st.floats(14, 20)), 2 ** draw(st.floats(15, 26))
    energies = st.floats(0, 1e-6)
    n_cores, core_power_w = draw(st.integers(1, 16)), draw(st.floats(1e-4, 1))
    return changed(
        platform,
        mcu={
            "clock_hz": draw(st.floats(1e6, 1e9)),
            "n_cores": n_cores,
            "core_power_w": core_power_w,
            "idle_power_w": draw(st.floats(1e-4, 1)) * n_cores * core_power_w,
            "controller_power_w": draw(ALWAYS_ON),
        },
        l2={
            "size_bytes": l2_bytes,
            "reserve_bytes": draw(st.floats(0, 0.5)) * l2_bytes,
            "energy_j_per_byte": draw(energies),
        },
        l3={
            "size_bytes": l3_bytes,
            "energy_j_per_byte": draw(energies),
            "bandwidth_bytes_per_s": draw(st.floats(1e5, 1e9)),
            "standby_power_w": draw(ALWAYS_ON),
        },
        link={
            "bandwidth_bytes_per_s": draw(st.floats(1e4, 1e9)),
            "message_latency_s": draw(st.floats(0, 1e-3)),
            "header_bytes": float(draw(st.integers(0, 64))),
            "payload_bytes": float(draw(st.integers(16, 65535))),
            "energy_j_per_byte": draw(energies),
            "idle_power_w": draw(ALWAYS_ON),
            "ports": draw(st.none() | st.integers(1, 7)),
        },
    )


@st.composite
def any_platforms(draw: DrawFn) -> Platform:
    """Chips joined by links of any family; with Mixer, chips with flash as well."""
    platform = draw(platforms())
    family = draw(st.sampled_from(("point_to_point", "full duplex", "switched", "mixer")))
    if family == "full duplex":
        return changed(platform, link={"duplex": "full"})
    if family == "switched":
        wire = {name: value for name, value in vars(platform.link).items() if name in Switched.model_fields}
        return replace(platform, link=Switched.model_construct(**wire | {"medium": "switched"}))
    if family == "mixer":
        return replace(draw(st.sampled_from((platform, RADIO))), link=RADIO.link)
    return platform


def plan_of(strategy: str) -> SearchStrategy[Plan]:
    """Plans of one strategy, every decision of all at random."""
    decided: dict[str, SearchStrategy[Any]] = {}
    for name, decision in DECISIONS.items():
        if decision.only:
            decided[name] = st.sampled_from(decision.only)
        else:
            steps = st.integers(0, decision.codes - 1)
            decided[name] = steps.map(
                lambda i, d=decision: d.low + i if d.whole else round(d.low + i * d.step, 9)
            )
    decided["n_chips"] = st.integers(1, 6) | st.integers(1, MAX_CHIPS)
    return st.builds(Plan, strategy=st.just(strategy), **decided)


# Of plans as they were published: shares are even, and a chip keeps all of its blocks or none.
AS_PUBLISHED = {"shares": 0, "pinning": 0}


def drawn_plans(strategy: str, most: int = 6) -> SearchStrategy[Plans]:
    """Batches of one to `most` plans of a strategy."""
    return st.lists(plan_of(strategy), min_size=1, max_size=most).map(Plans.of)


def plans() -> SearchStrategy[Plans]:
    """Batches of one to six head-wise plans."""
    return drawn_plans("head_wise")


def costed(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting | None = None
) -> Costing:
    """Cost plans of one strategy, and keep program and placement, arrays of shape (c, n) or (r, c, n)."""
    return costing(workload, platform, canonical(workload, platform, batch), counted or Accounting())


def accountings() -> SearchStrategy[Accounting]:
    """Every way of counting."""
    return st.builds(
        Accounting,
        scope=st.sampled_from(SCOPES),
        prefetch=st.sampled_from(PREFETCHES),
        head=st.booleans(),
    )


CASE = {"workload": workloads(), "platform": platforms(), "batch": plans(), "counted": accountings()}


def per_plan(costs: Costs) -> dict[str, np.ndarray]:
    """Every array of shape (n,) by name."""
    arrays = {f.name: getattr(costs, f.name) for f in fields(Costs)}
    arrays |= {f"latency {cause}": array for cause, array in costs.latency_by_cause_s.items()}
    arrays |= {f"energy {cause}": array for cause, array in costs.energy_by_cause_j.items()}
    arrays |= {f"demand {name}": demand.asked for name, demand in costs.demands.items()}
    shape = costs.n_chips.shape
    return {name: array for name, array in arrays.items() if getattr(array, "shape", None) == shape}
