"""Steady decoding, event by event, of plans as they are written out, against what the cost model says."""

from itertools import pairwise

import numpy as np
import pytest

from costmodel import Accounting, Plan, Workload, load_platform, load_workload
from dse.deployment import deployment
from tests.simulation import loads_of, seconds_a_token

PLATFORM = load_platform("siracusa-mipi", "date2025")
TINY = load_workload("tinyllama-42m")


def found(workload: Workload, **decided: int) -> tuple[float, float]:
    """Latency of a plan by the model, and by simulation."""
    plan = Plan(**{"strategy": "head_wise", "group_size": 2, "partial_sum_bits": 8, **decided})
    document = deployment(workload, PLATFORM, plan, Accounting())
    return document.costs.latency_s, seconds_a_token(document)


@pytest.mark.parametrize(("shares", "pinning", "most"), [(0, 0, 0.15), (0, 1, 0.06), (1, 1, 0.10)])
@pytest.mark.parametrize("model", ["tinyllama-42m", "stories15m", "stories110m"])
def test_simulated_tokens_take_no_longer_than_the_model_says_and_hardly_less(
    model: str, shares: int, pinning: int, most: float
) -> None:
    # Loads hide behind whole blocks. Where chips pin none, they wait for the latest one stage by stage, as if
    # those that are early loaded nothing in the meantime: too long where different chips are late.
    late = []
    for n in (2, 3, 4, 5, 7, 8, 12, 13, 16, 20, 23, 24, 29, 32, 48, 64):
        costed, simulated = found(load_workload(model), n_chips=n, shares=shares, pinning=pinning)
        late.append(costed / simulated - 1)
    assert min(late) > -1e-4, late
    assert max(late) < most, late
    assert np.median(late) < 0.025, late


def test_blocks_that_are_loaded_lie_apart() -> None:
    plan = Plan(strategy="head_wise", n_chips=16, group_size=2, partial_sum_bits=8, shares=0)
    loads = loads_of(deployment(TINY, PLATFORM, plan, Accounting()))
    assert all(b - a > 1 for blocks in loads.values() for a, b in pairwise(blocks))
    assert any(loads.values())


@pytest.mark.parametrize(("n_chips", "most_ms"), [(16, 5.8), (23, 4.5)])
def test_shares_by_room_and_pinned_blocks_are_as_fast_as_simulated(n_chips: int, most_ms: float) -> None:
    costed, simulated = found(TINY, n_chips=n_chips, shares=1, pinning=1)
    assert 0.95 * costed <= simulated <= costed * (1 + 1e-4) <= most_ms / 1e3
