import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from dse.engines import ENGINES, TPE_BUDGET, pick
from dse.engines.exhaustive import exhaustive, unseen
from dse.engines.optuna_samplers import distributions
from search_spaces import SearchSpace

DRAWN = [name for name in ENGINES if name != "exhaustive"]
LEARNING = ("nsga2", "tpe")


@given(k=st.integers(1, 500))
def test_exhaustive_covers_the_space_once_in_order(space: SearchSpace, k: int) -> None:
    engine = exhaustive(space)
    seen: list[tuple[int, ...]] = []
    while len(plans := engine.propose(k)):
        assert len(plans) == min(k, space.size - len(seen))
        seen += plans.keys()
        engine.tell(np.zeros((len(plans), 1)), np.zeros((len(plans), 0)))
    assert seen == space.all_plans.keys()
    assert len(engine.propose(k)) == 0


@pytest.mark.parametrize("name", DRAWN)
def test_other_seeds_draw_other_plans(name: str, space: SearchSpace) -> None:
    draws = {tuple(ENGINES[name].make(space, 2, seed).propose(10).keys()) for seed in range(5)}
    assert len(draws) == 5


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("told", ["values", "violations"])
def test_engine_learns_from_what_it_is_told(name: str, told: str, space: SearchSpace) -> None:
    def late_chips(engine_name: str) -> float:
        engine = ENGINES[engine_name].make(space, 1, 4)
        late: list[int] = []
        while len(late) < 300:
            plans = engine.propose(engine.batch)
            few = plans.n_chips[:, None].astype(float)
            nothing = np.zeros_like(few)
            engine.tell(*((few, nothing) if told == "values" else (nothing, few - 10)))
            late += plans.n_chips.tolist()
        return float(np.mean(late[150:]))

    assert late_chips("random") > 28
    assert late_chips(name) < 24


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ((1, 2, 3), IntDistribution(1, 3)),
        ((8,), IntDistribution(8, 8)),
        ((2, 3, 6), CategoricalDistribution((2, 3, 6))),
        ((3, 2, 1), CategoricalDistribution((3, 2, 1))),
    ],
)
def test_consecutive_choices_are_a_range(choices: tuple[int, ...], expected: object) -> None:
    assert distributions({"x": choices}) == {"x": expected}


@given(size=st.integers(1, 10**6), budget=st.integers(1, 10**6))
def test_pick_enumerates_exactly_when_the_budget_allows(size: int, budget: int) -> None:
    name, why = pick(size, budget)
    assert (name == "exhaustive") == (size <= budget)
    assert name in ENGINES
    assert str(size) in why
    if size > budget:
        assert (name == "tpe") == (budget <= TPE_BUDGET)


@given(data=st.data(), k=st.integers(1, 60), seed=st.integers(0, 9))
def test_unseen_gives_each_plan_left_once(small: SearchSpace, data: st.DataObject, k: int, seed: int) -> None:
    every = small.all_plans.keys()
    seen = set(data.draw(st.lists(st.sampled_from(every))))
    engine, drawn = unseen(small, seen, seed), []
    while len(plans := engine.propose(k)):
        assert len(plans) <= k
        drawn += plans.keys()
        engine.tell(np.zeros((len(plans), 1)), np.zeros((len(plans), 0)))
    assert sorted(drawn) == [key for key in every if key not in seen]


def test_unseen_draws_by_its_seed(space: SearchSpace) -> None:
    first, again, other = (unseen(space, (), seed).propose(400).keys() for seed in (1, 1, 2))
    assert first == again != other
    assert first != sorted(first)
