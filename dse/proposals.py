"""Which plans to retrain next, so that accuracy is known best for the fewest trainings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.accuracy import missing_weights
from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, Plan, Plans, plan_of
from costmodel.strategies import canonical
from costmodel.workload import Workload
from dse.measurements import NOTHING, PRUNED, missing_shares

EXAMPLES, EXAMPLE_CHIPS, EXAMPLE_RATIOS = 3, 8, (0.25, 0.5, 0.7, 0.9)
UNALTERED: dict[str, Any] = {
    name: DECISIONS[name].neutral
    for name in ("weight_bits", "message_bits", "message_dropout", "retransmission")
}
NEXT_SHARE = 0.75  # of the highest U: where a second plan tells most about the exponent


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A plan to retrain, what it misses, and why."""

    plan: Plan
    missing: float
    why: str


def missing_of(workload: Workload, platform: Platform, plans: list[Plan]) -> list[float]:
    """U of plans."""
    shares = missing_shares(workload, platform, plans)
    return [float(share) for share in np.broadcast_to(missing_weights(workload, shares), len(plans))]


def proposals(
    workload: Workload, platform: Platform, front: list[Plan], done: Collection[Plan], n: int
) -> list[Proposal]:
    """Propose plans of a front to retrain, at most n, none that is done.

    The first fixes how much there is to lose, the second how late the loss sets in, the third how
    important the gather before Q, K and V is, which families of models differ in. Further ones are
    those whose U is farthest from all that is chosen or done.

    Parameters
    ----------
    front : list of Plan
        Canonical plans. What they narrow and leave out is not retrained: their law is of missing weights.
    """
    plain = dict.fromkeys(replace(plan, **UNALTERED) for plan in front)
    front = list(canonical(workload, platform, Plans.of(plain))) if front else []
    u = dict(zip(front, missing_of(workload, platform, front), strict=True)) if front else {}
    lossy = {plan: share for plan, share in u.items() if share > NOTHING}
    if not lossy:
        return []
    most = max(lossy, key=lambda plan: lossy[plan])
    chosen: dict[Plan, str] = {most: "misses most of the front: how much there is to lose"}
    others = {plan: share for plan, share in lossy.items() if plan not in chosen}
    if others:
        near = min(others, key=lambda plan: abs(others[plan] - NEXT_SHARE * lossy[most]))
        chosen[near] = f"nearest to {NEXT_SHARE:g} of that: how late the loss sets in"
    spared, share = _spared(workload, platform, lossy, most)
    if share > NOTHING and spared not in chosen:
        lossy[spared] = share
        chosen[spared] = "all columns sent before Q, K and V alone: how important that gather is"
    kept = {plan: why for plan, why in chosen.items() if plan not in done}
    known = [*(lossy[plan] for plan in chosen), *missing_of(workload, platform, [*done])]
    while len(kept) < n:
        left = {plan: share for plan, share in lossy.items() if plan not in chosen and plan not in done}
        if not left:
            break
        far = max(left, key=lambda plan: min(abs(left[plan] - share) for share in known))
        chosen[far] = kept[far] = "farthest in U from all others"
        known.append(left[far])
    return [Proposal(plan=plan, missing=lossy[plan], why=why) for plan, why in list(kept.items())[:n]]


def _spared(
    workload: Workload, platform: Platform, lossy: dict[Plan, float], most: Plan
) -> tuple[Plan, float]:
    """Give the plan that spares the gather before Q, K and V and misses most elsewhere, and its U.

    It is on the front, or made of the plan that misses most.
    """
    sparing = {plan: share for plan, share in lossy.items() if plan.prune_qkv == 0}
    if sparing:
        plan = max(sparing, key=lambda plan: sparing[plan])
        return plan, sparing[plan]
    made = canonical(workload, platform, Plans.of([replace(most, prune_qkv=0.0)])).row(0)
    return made, missing_of(workload, platform, [made])[0]


def examples(workload: Workload, platform: Platform) -> list[Plan]:
    """Plans that are worth retraining of any model: column-wise ones, pruned alike, or everywhere but one."""
    n = min(EXAMPLE_CHIPS, workload.model.heads)
    ratios = [{"prune": ratio} for ratio in EXAMPLE_RATIOS]
    plans = [plan_of({"strategy": PRUNED, "n_chips": n, **ratio}) for ratio in ratios]
    return [
        one.plan
        for one in proposals(workload, platform, list(canonical(workload, platform, Plans.of(plans))), (), 3)
    ]
