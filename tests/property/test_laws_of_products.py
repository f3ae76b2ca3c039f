"""Plans that are a product cost, to the last bit, what the same plans cost one after the other in a list."""

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plans, Platform, Workload
from costmodel.costing import costed
from costmodel.costs import Costs, Demand
from costmodel.plan import DECISIONS
from costmodel.shards import EVEN
from costmodel.strategies import canonical, strategy_named
from tests.strategies import GATHER_BITS, accountings, any_platforms, workloads

RATIOS = st.lists(st.integers(0, 1000).map(lambda p: p / 1000), min_size=1, max_size=3, unique=True)
WIDTHS = st.lists(st.sampled_from((4, 6, 8)), min_size=1, max_size=2, unique=True)
PRUNING = [name for name in DECISIONS if name.startswith("prune_")]
OWN = ([32],) * 4


def columns(costs: Costs) -> dict[str, Any]:
    """Give all columns of costs by name."""
    found: dict[str, Any] = {"drop": costs.accuracy_drop, "score": costs.score}
    for field in fields(costs):
        value = getattr(costs, field.name)
        if isinstance(value, dict):
            found |= {
                f"{field.name} {name}": one.asked if isinstance(one, Demand) else one
                for name, one in value.items()
            }
        elif field.name != "lost":
            found[field.name] = value
    return found


@settings(max_examples=40)
@given(
    workload=workloads(),
    platform=any_platforms(),
    chips=st.lists(st.integers(2, 16), min_size=1, max_size=2),
    ratios=st.tuples(RATIOS, RATIOS, RATIOS, RATIOS),
    widths=st.tuples(WIDTHS, WIDTHS, WIDTHS, WIDTHS),
    pinning=st.integers(0, 1),
    counted=accountings(),
)
def test_a_product_costs_what_its_list_does(
    workload: Workload,
    platform: Platform,
    chips: list[int],
    ratios: tuple[list[float], ...],
    widths: tuple[list[int], ...],
    pinning: int,
    counted: Accounting,
) -> None:
    asked = {"n_chips": np.array(chips), "pinning": np.full(len(chips), pinning)}
    contexts = canonical(workload, platform, Plans.filled("column_wise", len(chips), asked))
    packs = platform.kernels.packing is not None
    if contexts.names != ("column_wise",):
        return
    axes = dict(zip(PRUNING, map(np.array, ratios), strict=True))
    axes |= dict(zip(GATHER_BITS, map(np.array, widths if packs else OWN), strict=True))
    axes = {name: axes[name] for name in strategy_named("column_wise").along_axes}
    product = contexts.product(axes)
    listed = product.listed()
    assert product.shape == (len(chips), *map(len, axes.values()))
    assert len(product) == len(listed)
    together = columns(costed(workload, platform, product, counted, EVEN).costs)
    apart = columns(costed(workload, platform, listed, counted, EVEN).costs)
    for name, column in apart.items():
        if column is not None:
            whole = np.broadcast_to(together[name], product.shape)
            np.testing.assert_array_equal(whole.ravel(), column, err_msg=name)
