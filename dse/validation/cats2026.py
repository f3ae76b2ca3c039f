"""The model's side of the CATS rows: resources, Mixer rounds, speed-ups, what 16 devices hold."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from costmodel.accounting import Accounting
from costmodel.costs import Costs
from costmodel.evaluation import Inspection, evaluate, inspect
from costmodel.hardware import Platform, load_platform
from costmodel.media import Mixer
from costmodel.plan import Plan, plan_of
from costmodel.plans import Plans
from costmodel.pruning import kept
from costmodel.workload import Workload, load_workload
from dse.validation.cats_forms import SCHEMES, cats, printed
from dse.validation.source import FOLDER

PLATFORM, BLOCK = "nrf52840-mixer", "cats-block"
TOKENS = 64
ROUND_TOLERANCE = 0.01
GRID, WIDEST = 16, 2048
DEPTHS = (1, 6, 12)
# Log of 24 nodes with one message of 16 bytes each: slots until the slowest node of a round has all.
LOG_NODES, LOG_SLOWEST_SLOTS = 24, 98.5


def column_plan(n_chips: int, prune: float) -> Plan:
    """Column-wise plan that is pruned alike everywhere."""
    return plan_of({"strategy": "column_wise", "n_chips": n_chips, "prune": prune})


def sized(workload: Workload, features: int, layers: int) -> Workload:
    """Give a workload another width, heads and FFN with it, and another number of layers."""
    m = workload.model
    sizes = {"embedding": features, "head_size": features // m.heads, "ffn": features, "layers": layers}
    return replace(workload, model=m.model_copy(update=sizes))


def mixer() -> Mixer:
    """Look up the radio of the testbed."""
    link = load_platform(PLATFORM).link
    if not isinstance(link, Mixer):
        raise TypeError(f"{PLATFORM} has no Mixer")
    return link


@cache
def resources() -> list[tuple[dict[str, Any], str]]:
    """Each entry of the resource table as printed, with what the closed forms print."""
    with (FOLDER / "cats_resources.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [
        (
            {
                "id": f"cats-resources-{scheme}-{row['devices']}".replace(" ", "-"),
                "source": "cats_code",
                "where": "calculate_resources, F 128, N 64, H 16",
                "quantity": f"RAM/attention flash/communication, {scheme}, {row['devices']} devices",
                "unit": "B",
                "published": row[scheme],
                "tolerance": 0.0,
                "fitted": False,
                "detail": True,
            },
            printed(form(int(row["devices"]))),
        )
        for row in table
        for scheme, form in SCHEMES.items()
    ]


def bound_s(features: int, devices: int, prune: float) -> float:
    """Time that a Mixer round is given when every device sends its kept columns of all tokens."""
    sent = kept(np.array(features // devices), np.array(prune))
    sizes = mixer().message_header_bytes + TOKENS * float(sent)
    return float(mixer().design(np.array([[sizes]]), np.array([[devices]])).bound_s[0])


@cache
def round_times() -> list[tuple[dict[str, Any], float]]:
    """Each round time of the generator, with the model's."""
    with (FOLDER / "cats_rounds.csv").open(encoding="utf-8", newline="") as file:
        table = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return [
        (
            {
                "id": f"cats-round-{row['features']:.0f}-{row['devices']:.0f}-{row['prune']:g}",
                "source": "cats_code",
                "where": "generator of the firmware's round configuration",
                "quantity": (
                    f"Mixer round, F {row['features']:.0f}, {row['devices']:.0f} devices, p {row['prune']:g}"
                ),
                "unit": "s",
                "published": row["seconds"],
                "tolerance": ROUND_TOLERANCE,
                "fitted": False,
                "detail": True,
            },
            bound_s(int(row["features"]), int(row["devices"]), row["prune"]),
        )
        for row in table
    ]


def round_words(message_bytes: float) -> str:
    """Design of a round of four messages in words."""
    found = mixer().design(np.array([[message_bytes]]), np.array([[4]]))
    return (
        f"{found.payload_bytes[0]} B, n {found.packets[0]}, {found.slots[0]} slots, "
        f"{found.slot_s[0] * 1e6:.0f} us"
    )


def halves(platform: Platform) -> dict[str, Costs]:
    """Cost both halves of the benchmark's block: one device, 16, and 16 pruned by 0.9."""
    plans = Plans.of([column_plan(1, 0.0), column_plan(16, 0.0), column_plan(16, 0.9)])
    workload = load_workload(BLOCK)
    return {
        name: evaluate(workload, platform, plans, Accounting(scope=name)) for name in ("attention", "mlp")
    }


def speedups(platform: Platform) -> dict[str, float]:
    """Speed-ups of half blocks on 16 devices over one, F 512."""
    found: dict[str, float] = {}
    for name, half in halves(platform).items():
        seconds = half.latency_s
        found |= {
            f"cats-{name}-speedup": float(seconds[0] / seconds[1]),
            f"cats-{name}-speedup-pruned": float(seconds[0] / seconds[2]),
        }
    return found


def radio_shares() -> dict[str, float]:
    """Share of the radio in the time of half blocks on 16 devices without pruning, F 512."""
    return {
        f"cats-{name}-radio-share": float(half.latency_by_cause_s["link"][1] / half.latency_s[1])
        for name, half in halves(load_platform(PLATFORM)).items()
    }


def shipped() -> Inspection:
    """Write out the plan that the firmware ships with: 4 devices, F 512, p 0.9."""
    return inspect(load_workload(BLOCK), load_platform(PLATFORM), column_plan(4, 0.9), Accounting())


def shipped_words() -> str:
    """What a device of the shipped plan sends, sees and holds."""
    chip = shipped().slices[0]
    held = {piece.matrix: piece for piece in chip.matrices}
    sent = chip.kept_columns["qkv"]
    inputs = held["q"].rows.count + sum(held["q"].received_rows.values())
    attention = sum(held[name].size_bytes for name in ("q", "k", "v", "o"))
    weights = sum(piece.size_bytes for piece in chip.matrices if piece.matrix in held)
    message = mixer().message_header_bytes + TOKENS * sent
    return f"{sent} kept, {message:.0f} B, {inputs} inputs, {attention:.0f} B, {weights:.0f} B"


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The widest model of some depth, 64 tokens, that a number of devices holds at p 0.

    Attributes
    ----------
    features, weights : int
        Width on a grid of 16, and weights stored on all devices together.
    also_limited_by : str
        What else the same width exceeds, on RAM or in rounds; empty when nothing.
    runs_to : int
        Width on the grid to which nothing at all is exceeded.
    """

    features: int
    weights: int
    also_limited_by: str
    runs_to: int


@cache
def largest(layers: int, n_chips: int) -> Largest:
    """Find the widest model by flash alone, and what binds before it does."""
    platform, base = load_platform(PLATFORM), load_workload("cats-timeseries", n_tokens=TOKENS)
    features = runs_to = 0
    limits: list[str] = []
    for width in range(GRID, WIDEST + 1, GRID):
        plan = Plans.of([column_plan(n_chips, 0.0)])
        found = evaluate(sized(base, width, layers), platform, plan)
        broken = [violation.resource for violation in found.violations(0)]
        if "flash" in broken:
            break
        features, limits = width, broken
        runs_to = runs_to if broken else width
    weights = layers * sized(base, features, layers).model.block_weights
    return Largest(features=features, weights=weights, also_limited_by=" and ".join(limits), runs_to=runs_to)


def models() -> dict[str, float | str]:
    """Model values by row."""
    wrong = sum(entry["published"] != now for entry, now in resources())
    worst = max(abs(seconds / entry["published"] - 1) for entry, seconds in round_times())
    vit = evaluate(load_workload("cats-vit-768"), load_platform(PLATFORM), Plans.of([column_plan(16, 0.0)]))
    radio = mixer()
    slowest = radio.used_slots_per_packet * LOG_NODES + radio.used_slots
    gained = speedups(load_platform(PLATFORM))
    shares = radio_shares()
    found: dict[str, float | str] = {
        "cats-resources": float(wrong),
        "cats-ram-saving": 1 - cats(16, 0.9)[0] / cats(16, 0.0)[0],
        "cats-shipped-plan": shipped_words(),
        "cats-round-836": round_words(836),
        "cats-round-8196": round_words(8196),
        "cats-rounds": worst,
        "cats-log-slowest": slowest,
        "cats-log-node": slowest * radio.node_share,
        **gained,
        **{
            f"cats-{name}-pruning-gain": gained[f"cats-{name}-speedup-pruned"]
            / gained[f"cats-{name}-speedup"]
            for name in ("attention", "mlp")
        },
        "cats-radio-share": "yes" if all(0.68 <= share <= 0.92 for share in shares.values()) else "no",
        "cats-vit-fits": "yes" if vit.feasible[0] else "no",
        "cats-vit-weights": float(vit.flash_footprint_bytes[0]),
    }
    for layers in DEPTHS:
        found[f"cats-largest-{layers}"] = largest(layers, 16).weights / largest(layers, 1).weights
    return found


def notes() -> list[str]:
    """What a reader of the rows should know beside them."""
    seconds = {
        name: " / ".join(f"{s:.2f}" for s in half.latency_s)
        for name, half in halves(load_platform(PLATFORM)).items()
    }
    lines = [
        (
            f"CATS, F 512, 1 / 16 / 16 devices pruned by 0.9: attention {seconds['attention']} s, MLP "
            f"{seconds['mlp']} s, each +-40 %, since only ratios are published."
        )
    ]
    for layers in DEPTHS:
        one, many = largest(layers, 1), largest(layers, 16)
        depth = "1 block" if layers == 1 else f"{layers} blocks"
        also = (
            f", which exceeds {many.also_limited_by} (runs to F {many.runs_to})"
            if many.also_limited_by
            else ""
        )
        lines.append(
            f"Largest model, {depth}: F {one.features} ({one.weights / 1e6:.2f} M weights) on one device, "
            f"F {many.features} ({many.weights / 1e6:.1f} M) on 16{also}."
        )
    return lines
