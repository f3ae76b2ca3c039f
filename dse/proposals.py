"""Which plans to retrain next, so that accuracy is known best for the fewest trainings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.accuracy import missing_weights
from costmodel.hardware import Platform
from costmodel.plan import DECISIONS, SHORTHANDS, Plan, plan_of
from costmodel.plans import Plans
from costmodel.strategies import canonical
from costmodel.workload import Workload
from dse.measurements import NOTHING, PRUNED, missing_shares

EXAMPLES, EXAMPLE_CHIPS, EXAMPLE_RATIOS = 3, 8, (0.25, 0.5, 0.7, 0.9)
UNALTERED: dict[str, Any] = {
    name: DECISIONS[name].neutral
    for name in ("weight_bits", *SHORTHANDS["message_bits"], "message_dropout", "retransmission")
}
ALIKE = 0.1  # of the highest U, within which a plan that is done tells the same
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
    """Propose plans of a front to retrain, at most n, none that is done or tells what is known.

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
    of_done = dict(zip(done, missing_of(workload, platform, [*done]), strict=True))
    most = max(lossy, key=lambda plan: lossy[plan])
    alike = ALIKE * lossy[most]
    chosen = {most: "misses most of the front: how much there is to lose"}
    answered = [any(share >= lossy[most] - alike for share in of_done.values())]
    others = {plan: share for plan, share in lossy.items() if plan not in chosen}
    if others:
        near = min(others, key=lambda plan: abs(others[plan] - NEXT_SHARE * lossy[most]))
        chosen[near] = f"nearest to {NEXT_SHARE:g} of that: how late the loss sets in"
        answered.append(any(abs(share - lossy[near]) <= alike for share in of_done.values()))
    spared, share = _spared(workload, platform, lossy, most)
    if share > NOTHING and spared not in chosen:
        lossy[spared] = share
        chosen[spared] = "prunes every gather but that before Q, K and V: how important that one is"
        answered.append(any(plan.prune_qkv == 0 and u >= share / 2 for plan, u in of_done.items()))
    roles = zip(chosen.items(), answered, strict=True)
    kept = {plan: why for (plan, why), told in roles if not told and plan not in done}
    chosen = dict(kept)
    known = [*(lossy[plan] for plan in chosen), *of_done.values()]
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

    It is on the front, unless one that is made of the plan that misses most tells twice as much.
    """
    made = canonical(workload, platform, Plans.of([replace(most, prune_qkv=0.0)])).row(0)
    share = missing_of(workload, platform, [made])[0]
    sparing = {plan: u for plan, u in lossy.items() if plan.prune_qkv == 0 and u >= share / 2}
    if not sparing:
        return made, share
    plan = max(sparing, key=lambda plan: sparing[plan])
    return plan, sparing[plan]


def examples(workload: Workload, platform: Platform) -> list[Plan]:
    """Plans that are worth retraining of any model: column-wise ones, pruned alike, or everywhere but one."""
    n = min(EXAMPLE_CHIPS, workload.model.heads)
    ratios = [{"prune": ratio} for ratio in EXAMPLE_RATIOS]
    plans = [plan_of({"strategy": PRUNED, "n_chips": n, **ratio}) for ratio in ratios]
    return [
        one.plan
        for one in proposals(workload, platform, list(canonical(workload, platform, Plans.of(plans))), (), 3)
    ]
