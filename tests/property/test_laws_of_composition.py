"""The front that is composed of parts is the front of all plans, to the last bit, whatever is equal."""

from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Platform, Workload, evaluate
from costmodel.errors import UsageError
from costmodel.plan import DECISIONS
from dse import exact
from dse.choices import Choices, above_none, front_of
from dse.composition import FOLLOWS
from dse.constraints import Constraint
from dse.job import Job
from dse.objectives import OBJECTIVES
from search_spaces import SearchSpace
from tests.strategies import GATHER_BITS, accountings, any_platforms, workloads

RATIOS = st.lists(st.integers(0, 1000).map(lambda p: p / 1000), min_size=1, max_size=4, unique=True)
WIDTHS = st.lists(st.sampled_from((4, 6, 8)), min_size=1, max_size=2, unique=True)


@settings(max_examples=60)
@given(
    workload=workloads(),
    platform=any_platforms(),
    chips=st.lists(st.integers(1, 16), min_size=1, max_size=3, unique=True),
    ratios=st.lists(RATIOS, min_size=4, max_size=4),
    counted=accountings(),
    names=st.lists(st.sampled_from(sorted(OBJECTIVES)), min_size=1, max_size=4, unique=True),
    bounded=st.lists(st.tuples(st.sampled_from(sorted(OBJECTIVES)), st.booleans()), max_size=2),
    widths=st.lists(WIDTHS, min_size=4, max_size=4),
    data=st.data(),
)
def test_parts_give_the_front_of_all_plans(
    workload: Workload,
    platform: Platform,
    chips: list[int],
    ratios: list[list[float]],
    counted: Accounting,
    names: list[str],
    bounded: list[tuple[str, bool]],
    widths: list[list[int]],
    data: st.DataObject,
) -> None:
    pruning = [name for name in DECISIONS if name.startswith("prune_")]
    choices: dict[str, Any] = {"n_chips": tuple(chips), "pinning": (0, 1)}
    choices |= {name: tuple(some) for name, some in zip(pruning, ratios, strict=True)}
    if platform.kernels.packing is not None:
        choices |= {name: tuple(some) for name, some in zip(GATHER_BITS, widths, strict=True)}
    space = SearchSpace(name="drawn", description="", choices={"column_wise": choices})
    try:
        candidates = space.on(workload, platform)
    except UsageError:  # no number of chips that the model can be cut over
        return
    plans = candidates.all_plans
    costs = evaluate(workload, platform, plans, counted)
    bounds = []
    for name, at_most in bounded:
        values = OBJECTIVES[name].of(costs)
        bound = float(values[data.draw(st.integers(0, len(values) - 1))])
        bounds.append(
            Constraint(objective=OBJECTIVES[name], at_most=at_most, bound=bound, text=f"{name}{at_most}")
        )
    job = Job(
        workloads=(workload,),
        platform=platform,
        accounting=counted,
        space=space,
        objectives=[OBJECTIVES[name] for name in names],
        constraints=bounds,
    )
    fronts = []
    for threshold in (0, np.inf):
        with patch.object(exact, "COMPOSED_FROM", threshold):
            fronts.append(exact.exact_front(job, workload, candidates, lambda *_: None))
    composed, whole = fronts
    assert composed.evaluated + composed.unseen == whole.evaluated == len(plans)
    assert list(composed.front.plans) == list(whole.front.plans)
    np.testing.assert_array_equal(composed.front.values, whole.front.values)


@given(
    rows=st.lists(st.tuples(*[st.integers(0, 4)] * 4), min_size=1, max_size=40),
    near=st.lists(st.tuples(*[st.sampled_from((-1e-13, 0.0, 1e-13))] * 2), min_size=40, max_size=40),
)
def test_what_is_left_out_is_undercut_by_more_than_rounding(
    rows: list[tuple[int, ...]], near: list[tuple[float, ...]]
) -> None:
    table = np.array(rows, dtype=float)
    sums, sizes = table[:, :2] + np.array(near)[: len(rows)], table[:, 2:]
    rounding = np.full(2, 1e-12)
    below = np.all(sums[:, None] + rounding <= sums[None] - rounding, axis=-1) & np.all(
        sizes[:, None] <= sizes[None], axis=-1
    )
    at = np.arange(len(rows))[:, None]
    choices = Choices(sums=sums, added=sizes[:, :1], largest=sizes[:, 1:], at=at)
    assert choices.thinned(rounding).at[:, 0].tolist() == np.flatnonzero(~below.any(axis=0)).tolist()


def test_what_adds_up_is_known_of_objectives_that_there_are() -> None:
    assert set(FOLLOWS) <= {*OBJECTIVES, "accuracy", "loss"}


@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(1, 5), levels=st.sampled_from((3, 40, 10**6)))
def test_rows_above_a_front_are_found_however_many_there_are(seed: int, columns: int, levels: int) -> None:
    draw = np.random.default_rng(seed)
    points, rows = (draw.integers(levels, size=(n, columns)).astype(float) for n in (30, 300))
    front = front_of(points)
    above = np.all(points[:, None] <= rows[None], axis=-1).any(axis=0)
    assert above_none(front, rows).tolist() == (~above).tolist()
