from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from costmodel import load_platform, load_workload
from costmodel.strategies import STRATEGIES, keys
from costmodel.strategies.head_wise import HEAD_WISE
from dse.engines import ENGINES, pick
from dse.engines.corners import corners
from dse.engines.exhaustive import exhaustive, unseen
from dse.engines.optuna_samplers import distributions
from search_spaces import Candidates, SearchSpace, load_space

DRAWN = [name for name in ENGINES if name != "exhaustive"]
LEARNING = ("evolutionary", "nsga2", "nsga3", "tpe")


@given(k=st.integers(1, 500))
def test_exhaustive_covers_the_space_once_in_order(candidates: Candidates, k: int) -> None:
    engine = exhaustive(candidates)
    seen: list[int] = []
    while len(plans := engine.propose(k)):
        assert len(plans) == min(k, candidates.size - len(seen))
        seen += keys(plans).tolist()
        engine.tell(np.zeros((len(plans), 1)), np.zeros((len(plans), 0)))
    assert seen == keys(candidates.all_plans).tolist()
    assert len(engine.propose(k)) == 0


@pytest.mark.parametrize("name", DRAWN)
def test_other_seeds_draw_other_plans(name: str, candidates: Candidates) -> None:
    draws = {tuple(keys(ENGINES[name].make(candidates, 2, seed).propose(60)).tolist()) for seed in range(5)}
    assert len(draws) == 5


@pytest.mark.parametrize("name", LEARNING)
def test_ends_of_the_space_are_proposed_first(name: str) -> None:
    candidates = load_space("cats").on(load_workload("cats-block"), load_platform("nrf52840-mixer"))
    first = list(corners(candidates.space))
    assert {(c["n_chips"], c["prune_qkv"], c["prune_ffn_out"]) for c in first} == {
        (n, p, p) for n in range(1, 17) for p in (0.0, 0.9)
    }
    plans = ENGINES[name].make(candidates, 2, 0).propose(len(first) - 1)
    asked = candidates.plans(
        np.zeros(len(first), dtype=np.int64),
        {decision: np.array([c[decision] for c in first]) for decision in candidates.space.named},
    )
    assert list(dict.fromkeys(keys(plans).tolist())) == list(dict.fromkeys(keys(asked).tolist()))


def test_ends_of_a_mixed_space_are_those_of_each_strategy(candidates: Candidates) -> None:
    space = load_space("all").on(candidates.workload, candidates.platform).space
    first = list(corners(space))
    assert {c["strategy"] for c in first} == {"head_wise", "column_wise"}
    assert {c["n_chips"] for c in first if c["strategy"] == "column_wise"} == set(range(1, 9))
    assert max(c["n_chips"] for c in first if c["strategy"] == "head_wise") == 64


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("told", ["values", "violations"])
def test_engine_learns_from_what_it_is_told(name: str, told: str, candidates: Candidates) -> None:
    def late_chips(engine_name: str) -> float:
        engine = ENGINES[engine_name].make(candidates, 1, 4)
        late: list[int] = []
        while len(late) < 300:
            plans = engine.propose(engine.batch)
            count = plans["n_chips"][:, None].astype(float)
            nothing = np.zeros_like(count)
            engine.tell(*((count, nothing) if told == "values" else (nothing, count - 10)))
            late += plans["n_chips"].tolist()
        # One that proposes no plan twice has soon been through the good ones.
        return float(np.mean(late[60:150] if name == "evolutionary" else late[150:]))

    assert late_chips("random") > 28
    assert late_chips(name) < 24


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ((1, 2, 3), IntDistribution(1, 3)),
        ((8,), IntDistribution(8, 8)),
        ((2, 3, 6), CategoricalDistribution((2, 3, 6))),
        ((3, 2, 1), IntDistribution(1, 3)),
        ((6, 3, 2), CategoricalDistribution((2, 3, 6))),
    ],
)
def test_consecutive_choices_are_a_range(
    space: SearchSpace, choices: tuple[int, ...], expected: object
) -> None:
    assert distributions(space.with_choices("n_chips", choices)) == {
        "n_chips": expected,
        "group_size": CategoricalDistribution((2, 3, 4, 6, 8, 16, 64)),
        "partial_sum_bits": IntDistribution(16, 16),
        "shares": IntDistribution(1, 2),
        "kv_replication": IntDistribution(0, 1),
    }


def test_the_strategy_is_drawn_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "flat", replace(HEAD_WISE, name="flat", decisions=("n_chips",)))
    head_wise = {"n_chips": (1, 2), "group_size": (2, 4), "partial_sum_bits": (8,)}
    two = SearchSpace(name="x", description="x", choices={"flat": {"n_chips": (3,)}, "head_wise": head_wise})
    assert distributions(two) == {
        "strategy": CategoricalDistribution(("flat", "head_wise")),
        "n_chips": IntDistribution(1, 3),
        "group_size": CategoricalDistribution((2, 4)),
        "partial_sum_bits": IntDistribution(8, 8),
    }


@given(
    size=st.integers(1, 10**9),
    budget=st.integers(1, 10**6),
    takes_s=st.floats(0, 1e6),
    exact_seconds=st.floats(0, 1e4),
)
def test_pick_enumerates_exactly_when_the_budget_or_the_time_allows(
    size: int, budget: int, takes_s: float, exact_seconds: float
) -> None:
    name, why = pick(size, budget, takes_s, exact_seconds)
    exact = size <= budget or takes_s <= exact_seconds
    assert (name == "exhaustive") == exact
    assert exact or name == "evolutionary"
    assert str(size) in why


@given(data=st.data(), k=st.integers(1, 60), seed=st.integers(0, 9))
def test_unseen_gives_each_plan_left_once(few: Candidates, data: st.DataObject, k: int, seed: int) -> None:
    every = keys(few.all_plans).tolist()
    seen = set(data.draw(st.lists(st.sampled_from(every))))
    engine, drawn = unseen(few, seen, seed), []
    while len(plans := engine.propose(k)):
        assert len(plans) <= k
        drawn += keys(plans).tolist()
        engine.tell(np.zeros((len(plans), 1)), np.zeros((len(plans), 0)))
    assert sorted(drawn) == [key for key in every if key not in seen]


def test_unseen_draws_by_its_seed(candidates: Candidates) -> None:
    first, again, other = (keys(unseen(candidates, (), seed).propose(400)).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first != sorted(first)
