"""What the search relies on, asked of every engine in the table."""

import numpy as np
import pytest

from costmodel import Plans, load_platform, load_workload
from costmodel.strategies import canonical
from costmodel.strategies import keys as plan_keys
from dse.engines import ENGINES, Engine
from search_spaces import load_space

ON = (load_workload("tinyllama-42m"), load_platform("siracusa-mipi"))
HEAD_WISE = load_space("head_wise")
SPACE = HEAD_WISE.on(*ON)
SPACES = {
    "built in": SPACE,
    "gaps": HEAD_WISE.with_choices("n_chips", [1, 5, 6, 40])
    .with_choices("partial_sum_bits", [8, 32])
    .on(*ON),
    "one plan": HEAD_WISE.with_choices("n_chips", [8]).with_choices("group_size", [4]).on(*ON),
}
COUNTS = (1, 2, 9)
BATCHES = 4

pytestmark = pytest.mark.parametrize("name", ENGINES)


def verdict(plans: Plans, n_objectives: int) -> tuple[np.ndarray, np.ndarray]:
    """Make objectives up, and violations that only plans of 9 to 31 chips do not have."""
    n = plans["n_chips"].astype(float)
    values = np.stack([(n - 7 * i) ** 2 + plans["group_size"] for i in range(n_objectives)], axis=-1)
    return values, np.stack([n / 31 - 1, 9 / n - 1], axis=-1)


def proposals(engine: Engine, n_objectives: int = 2) -> list[Plans]:
    """Ask and tell for some batches."""
    batches = []
    for _ in range(BATCHES):
        plans = engine.propose(engine.batch)
        if not len(plans):
            break
        batches.append(plans)
        engine.tell(*verdict(plans, n_objectives))
    return batches


def keys(batches: list[Plans]) -> list[list[int]]:
    return [plan_keys(plans).tolist() for plans in batches]


@pytest.mark.parametrize("which", SPACES)
@pytest.mark.parametrize("n_objectives", COUNTS)
def test_proposes_canonical_plans_of_the_space(name: str, which: str, n_objectives: int) -> None:
    space = SPACES[which]
    engine = ENGINES[name].make(space, n_objectives, 3)
    batches = proposals(engine, n_objectives)
    assert batches
    allowed = set(plan_keys(space.all_plans).tolist())
    for plans in batches:
        assert 0 < len(plans) <= engine.batch
        assert set(plans.strategies) <= set(space.space.choices)
        assert plan_keys(plans).tolist() == plan_keys(canonical(*ON, plans)).tolist()
        assert set(plan_keys(plans).tolist()) <= allowed
        assert list(plans)  # each can be built as a plan


@pytest.mark.parametrize("k", [1, 7])
def test_proposes_no_more_than_asked_for(name: str, k: int) -> None:
    engine = ENGINES[name].make(SPACE, 2, 0)
    for _ in range(3):
        plans = engine.propose(k)
        assert 1 <= len(plans) <= k
        engine.tell(*verdict(plans, 2))


def test_same_seed_gives_the_same_proposals(name: str) -> None:
    first, again = (proposals(ENGINES[name].make(SPACE, 2, 11)) for _ in range(2))
    assert keys(first) == keys(again)


def test_two_engines_do_not_disturb_each_other(name: str) -> None:
    alone = keys(proposals(ENGINES[name].make(SPACE, 2, 11)))
    a, b = (ENGINES[name].make(SPACE, 2, seed) for seed in (11, 5))
    np.random.seed(0)  # noqa: NPY002
    together = []
    for _ in alone:
        for engine in (a, b):
            plans = engine.propose(engine.batch)
            together += [plan_keys(plans).tolist()] if engine is a else []
            if len(plans):
                engine.tell(*verdict(plans, 2))
    assert together == alone


def test_leaves_what_it_is_told_as_it_was(name: str) -> None:
    engine = ENGINES[name].make(SPACE, 2, 0)
    values, violations = verdict(engine.propose(10), 2)
    before = values.copy(), violations.copy()
    engine.tell(values, violations)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(violations, before[1])


def test_accepts_verdicts_in_which_nothing_is_feasible(name: str) -> None:
    engine = ENGINES[name].make(SPACE, 3, 0)
    for _ in range(BATCHES):
        plans = engine.propose(20)
        engine.tell(np.ones((len(plans), 3)), np.full((len(plans), 2), 5.0))
    assert len(engine.propose(20))


def test_has_a_description_and_a_batch(name: str) -> None:
    assert ENGINES[name].description
    assert ENGINES[name].make(SPACE, 1, 0).batch >= 1
