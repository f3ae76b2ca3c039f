"""What the templates compute with of column-wise plans: shares, gathers, and rounds on radio.

Unless an argument says otherwise, a plan is of one block of the CATS encoder on nrf52840-mixer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from worked_numbers import BLOCK, CATS, MIXER, MOBILEBERT, RADIO, SIRACUSA, TINY, most

from costmodel import Accounting, Plans, Platform, Workload, load_workload, shards
from costmodel.accuracy import weights_of
from costmodel.collectives import gather
from costmodel.evaluate import Costing, costing
from costmodel.media import RoundDesign
from costmodel.plan import plan_of
from costmodel.program import HALVES
from costmodel.strategies import canonical, column_wise


def columns(
    n_chips: int,
    prune: float = 0.0,
    accounting: Accounting = BLOCK,
    workload: Workload = CATS,
    platform: Platform = RADIO,
) -> Costing:
    """Cost one column-wise plan that is pruned alike at all gathers, and keep what costs are made of."""
    plans = Plans.of([plan_of({"strategy": "column_wise", "n_chips": n_chips, "prune": prune})])
    return costing(workload, platform, canonical(workload, platform, plans), accounting)


def points(n_chips: int, prune: float = 0.0) -> dict[str, column_wise.GatherPoint]:
    """Give the four gathers of a block of a column-wise plan."""
    model = CATS.model
    shares = shards.balanced(model, np.array([n_chips]), column_wise.totals(model))
    return column_wise.gather_points(model, shares, columns(n_chips, prune).plans)


def message(n_chips: int, prune: float = 0.0, workload: Workload = CATS, platform: Platform = RADIO) -> Any:
    """Payload of each chip in the gather before Q, K and V, by class of chips."""
    program = columns(n_chips, prune, BLOCK, workload, platform).program
    return program.part("attention").steps[0].exchange.sent_bytes


def held(
    n_chips: int, prune: float = 0.0, accounting: Accounting = BLOCK, workload: Workload = CATS
) -> float:
    """Weight bytes of the fullest chip of a column-wise plan."""
    program = columns(n_chips, prune, accounting, workload).program
    return most(sum(size for half in accounting.halves for size in program.part(half).weights.values()))


def column_peak(n_chips: int, prune: float = 0.0, workload: Workload = CATS) -> float:
    """Activation bytes alive at once in a block of a column-wise plan."""
    return most(columns(n_chips, prune, BLOCK, workload).counted.activation_peak_bytes)


def canonical_ratio(n_chips: int, prune: float) -> float:
    """Pruning ratio that stands for all that leave the same columns before Q, K and V."""
    return float(columns(n_chips, prune).plans["prune_qkv"][0])


def importances(name: str) -> str:
    """List how much the weights behind each gather matter: of the encoder family, or of a model."""
    workload = MOBILEBERT if name == "encoder" else load_workload(name)
    return ", ".join(f"{weight:.2g}" for weight in weights_of(workload.importance, workload.model).values())


def missing(n_chips: int, prune: float) -> str:
    """List the share of the weights behind each gather that no chip stores."""
    program = columns(n_chips, prune).program
    shares = (share for half in HALVES for share in program.part(half).missing.values())
    return ", ".join(f"{most(share):.3f}" for share in shares)


def ring_s(n_chips: int, platform: Platform = SIRACUSA) -> float:
    """Seconds of a gather of the input's columns round a ring."""
    slots = gather.ring_slots(n_chips, full_duplex=platform.link.duplex == "full")
    return float(slots * platform.link.message_s(most(message(n_chips, 0.0, TINY, platform))))


def tree_s(n_chips: int, platform: Platform = SIRACUSA) -> float:
    """Seconds of the same gather over a binary tree."""
    sizes = np.full((1, 1), most(message(n_chips, 0.0, TINY, platform)))
    up_s, _, levels = gather.tree_up(platform.link, sizes, np.array([[n_chips]]))
    return most(up_s + levels * platform.link.message_s(n_chips * sizes[0]))


def faster(n_chips: int) -> str:
    """Name the way that the gather takes."""
    return "ring" if ring_s(n_chips) <= tree_s(n_chips) else "tree"


def design(n_chips: int, prune: float = 0.0) -> RoundDesign:
    """Give the round that carries the gather before Q, K and V."""
    size = MIXER.message_header_bytes + most(message(n_chips, prune))
    return MIXER.design(np.array([[size]]), np.array([[n_chips]]))


def mixer_round(message_bytes: float) -> RoundDesign:
    """Give the round of four equal messages, header included."""
    return MIXER.design(np.array([[float(message_bytes)]]), np.array([[4]]))


def expected_s(n_chips: int, prune: float = 0.0) -> float:
    """Seconds after which that round is expected to stop."""
    found = design(n_chips, prune)
    return most(found.rounds * MIXER.slots_used(found) * found.slot_s)
