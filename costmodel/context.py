"""How long a context plans have room for: up to where chips can keep what they keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from costmodel.accounting import Accounting
from costmodel.costing import Costing, costed
from costmodel.hardware import Platform
from costmodel.residency import still_fits
from costmodel.workload import MAX_TOKENS, Workload


def keeps(found: Costing, reserved: Costing, platform: Platform) -> bool:
    """Say whether chips can keep what a placement has them keep, with the demands of another context.

    Parameters
    ----------
    found : Costing
        Of the other context, by the same deal.
    """
    if not found.costs.feasible[0]:
        return False
    if platform.mcu.l3 is None:
        return True
    where = reserved.program.roles > 0
    share, kept = found.share.of(where), reserved.placement.at(where)
    # Rows of the head give way one by one where chips pin; else they leave at once, embedding and all.
    pinning = np.broadcast_to(reserved.plans["pinning"] == 1, reserved.program.roles.shape)
    whole = ~pinning[reserved.program.roles > 0] & (kept.head_kept > 0)
    head = np.where(whole, share.head + share.embedding, 0.0)
    room = platform.mcu.l2.usable_bytes
    return bool(np.all(still_fits(share, room, pinned=kept.pinned, tiled=kept.tiled, beside=head)))


def context_room(workload: Workload, platform: Platform, accounting: Accounting, reserved: Costing) -> int:
    """Find the longest context with which every chip keeps the blocks that it keeps, and all fits.

    It is 0 where that is not so even now.

    Parameters
    ----------
    workload : Workload
        One that has a cache.
    reserved : Costing
        A plan as it is dealt out and placed for the workload; a batch of one.
    """
    fills = replace(reserved.fills, cached_tokens=workload.cached_tokens)

    def at(context: int) -> Costing:
        return costed(workload.with_room(context), platform, reserved.plans, accounting, fills)

    low = workload.context_max
    if not keeps(at(low), reserved, platform):
        return 0
    high = low + 1
    while high <= MAX_TOKENS and keeps(at(high), reserved, platform):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if keeps(at(middle), reserved, platform):
            low = middle
        else:
            high = middle
    return min(low, MAX_TOKENS)
