from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from costmodel import Platform, Workload, evaluate, load_platform, load_workload
from costmodel.errors import RunError
from dse.export import vars_of
from dse.importance import has_decision, importance, main_effect
from dse.importance_report import basis_sentence
from dse.job import Job
from dse.objectives import OBJECTIVES
from dse.search import search
from dse.tables import trials_table
from search_spaces import SearchSpace, load_space

MakeJob = Callable[..., Job]
LATENCY, ENERGY, CHIPS = (OBJECTIVES[name] for name in ("latency", "energy", "n_chips"))
ALL = {"distance": "exact", "engine": "exhaustive"}
KINDS = np.array(list(product(range(10), repeat=3)))


def unrecorded(*_: object) -> None:
    """Take a batch and keep nothing of it."""


def table(chips: Any, groups: Any, latency: Any, **other: Any) -> pd.DataFrame:
    """Plans of two or more chips, head-wise unless another strategy is named."""
    columns = {"workload": "model", "strategy": "head_wise", "feasible": True} | other
    energy = {"energy_j": np.arange(len(np.asarray(latency)), dtype=float)}
    return pd.DataFrame({"n_chips": chips, "group_size": groups, "latency_s": latency} | energy | columns)


def shares(trials: pd.DataFrame, **front: Any) -> dict[str, float | None]:
    how = ALL | {"plans_in_space": len(trials)} | front
    return importance(trials, how, [LATENCY]).shares["latency"]


def test_of_an_additive_function_shares_are_those_of_its_terms() -> None:
    values, has = KINDS @ np.array([3.0, 1.0, 0.0]), np.full(1000, True)
    found = [main_effect(values, KINDS[:, i], has, exact=True) for i in range(3)]
    assert found == pytest.approx([0.9, 0.1, 0.0])


def test_what_decisions_do_together_is_no_share_of_one() -> None:
    sides = np.array(list(product((-1.0, 1.0), repeat=2)))
    values, has = sides[:, 0] * sides[:, 1], np.full(4, True)
    assert [main_effect(values, sides[:, i], has, exact=True) for i in (0, 1)] == [0.0, 0.0]
    assert main_effect(values + sides[:, 0], sides[:, 0], has, exact=True) == pytest.approx(0.5)


def test_a_sample_gives_what_all_plans_give_on_average() -> None:
    draw, values = np.random.default_rng(0), KINDS @ np.array([3.0, 1.0, 0.0])
    values = values + 5 * (KINDS[:, 0] * KINDS[:, 1] % 2)
    known = [main_effect(values, KINDS[:, i], np.full(1000, True), exact=True) for i in range(3)]
    found = []
    for _ in range(400):
        some = draw.permutation(1000)[:60]
        mine, has = values[some], np.full(60, True)
        found.append([main_effect(mine, KINDS[some, i], has, exact=False) for i in range(2)])
    estimated = np.array(found, dtype=float)
    error = estimated.std(axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(estimated.mean(axis=0) - np.array(known[:2], dtype=float)) < 4 * error + 0.005)


def test_chance_is_taken_off_a_sample() -> None:
    draw, has = np.random.default_rng(1), np.full(50, True)
    noise = [(draw.normal(size=50), draw.integers(20, size=50)) for _ in range(200)]
    naive = np.mean([main_effect(values, of, has, exact=True) or 0.0 for values, of in noise])
    taken_off = np.mean([main_effect(values, of, has, exact=False) or 0.0 for values, of in noise])
    assert naive > 0.3
    assert taken_off < 0.1


def test_of_plans_that_all_decide_otherwise_nothing_is_estimated() -> None:
    values, has = np.array([1.0, 2.0, 4.0]), np.full(3, True)
    assert main_effect(values, np.arange(3), has, exact=False) is None
    assert main_effect(values, np.arange(3), has, exact=True) == pytest.approx(1.0)


def test_a_decision_is_not_credited_with_what_plans_without_it_cost() -> None:
    plans = table([1, 4, 4, 8, 8], [2, 2, 4, 2, 4], [100.0, 20.0, 20.0, 10.0, 10.0])
    assert has_decision(plans, "group_size").tolist() == [False, True, True, True, True]
    found = shares(plans)
    assert found["group_size"] == 0.0
    assert found["n_chips"] == pytest.approx(1.0)
    assert list(found) == ["n_chips", "group_size"]


def test_a_decision_of_one_strategy_counts_among_its_own_plans() -> None:
    strategies = ["head_wise", "head_wise", "column_wise", "column_wise"]
    plans = table(8, [2, 4, 2, 2], [10.0, 20.0, 5.0, 7.0], strategy=strategies, prune_o=[0.0, 0.0, 0.5, 0.9])
    mean = 10.5
    all_of_it = sum((value - mean) ** 2 for value in (10, 20, 5, 7))
    assert shares(plans) == pytest.approx(
        {
            "strategy": 2 * ((15 - mean) ** 2 + (6 - mean) ** 2) / all_of_it,
            "group_size": 2 * 5**2 / all_of_it,
            "prune_o": 2 * 1**2 / all_of_it,
        }
    )


def test_what_does_not_fit_and_what_is_decided_itself_are_left_out() -> None:
    plans = table([2, 2, 4, 4], [2, 2, 2, 4], [3.0, 3.0, 1.0, 1e9], feasible=[True, True, True, False])
    found = importance(plans, ALL | {"plans_in_space": 4}, [LATENCY, CHIPS])
    assert found.n_plans == 3
    assert found.shares == {"latency": {"n_chips": pytest.approx(1.0)}}


def test_an_objective_that_no_plan_moves_has_no_shares() -> None:
    plans = table([2, 4], [2, 2], [0.1 + 0.2, 0.3])
    assert shares(plans) == {}
    assert shares(plans[:0]) == {}


def test_all_plans_of_a_space_are_exact(job: MakeJob, tinyllama: Workload, siracusa: Platform) -> None:
    found = search(job(budget=10_000), unrecorded)
    weighed = importance(trials_table(found), vars_of(found.certificate), found.job.objectives)
    assert (weighed.basis, weighed.n_plans, weighed.left_out) == ("all", len(found.plans), 0)
    chips, latency = found.plans["n_chips"], found.costs.latency_s
    means = np.array([latency[chips == n].mean() for n in chips])
    assert weighed.shares["latency"]["n_chips"] == pytest.approx(means.var() / latency.var())
    assert set(weighed.shares) == {"latency", "energy"}
    assert basis_sentence(weighed, vars_of(found.certificate)).startswith("Exact: ")


def test_plans_at_random_beside_a_front_estimate_the_space(job: MakeJob) -> None:
    block, radio = load_workload("cats-block"), load_platform("nrf52840-mixer")
    space = load_space("cats").with_choices("prune", (0.0, 0.5, 0.9))
    some = job(
        objectives=("latency", "energy"), workloads=(block,), platform=radio, space=space, budget=500, seed=3
    )
    found = search(some, unrecorded)
    certificate = vars_of(found.certificate)
    trials = trials_table(found)
    weighed = importance(trials, certificate, some.objectives)
    assert certificate["plans_recorded"] < certificate["plans_in_space"]
    assert (weighed.basis, weighed.left_out) == ("random", int(trials["on_front"].sum()))
    assert weighed.n_plans == int((trials["feasible"] & ~trials["on_front"]).sum())
    every = space.on(block, radio).all_plans
    costs = evaluate(block, radio, every)
    there = np.flatnonzero(costs.feasible)
    chips, latency = every["n_chips"][there], costs.latency_s[there]
    exact = {
        name: main_effect(latency, every[name][there], (chips > 1) | (name == "n_chips"), exact=True)
        for name in weighed.shares["latency"]
    }
    assert weighed.shares["latency"] == pytest.approx(exact, abs=0.08)
    assert "drawn at random" in basis_sentence(weighed, certificate)


def test_fronts_of_several_models_are_left_out_each(job: MakeJob) -> None:
    models = tuple(load_workload(name) for name in ("cats-vit", "cats-vit-768"))
    space = load_space("cats").with_choices("prune", (0.0, 0.5, 0.9))
    radio = load_platform("nrf52840-mixer")
    some = job(objectives=("latency", "energy"), workloads=models, platform=radio, space=space, budget=400)
    found = search(some, unrecorded)
    weighed = importance(trials_table(found), vars_of(found.certificate), some.objectives)
    own = 0
    for model in models:
        alone = search(
            job(
                objectives=("latency", "energy"),
                workloads=(model,),
                platform=radio,
                space=space,
                budget=200,
            ),
            unrecorded,
        )
        own += alone.certificate.front_size
    assert weighed.left_out == own
    assert "workload" in weighed.shares["latency"]


@pytest.mark.parametrize(("engine", "basis"), [("random", "random"), ("tpe", "chosen"), ("nsga2", "chosen")])
def test_what_a_sampler_chose_is_not_taken_for_a_sample(
    job: MakeJob, engine: str, basis: str, space: SearchSpace
) -> None:
    found = search(job(engine=engine, budget=40, space=space), unrecorded)
    weighed = importance(trials_table(found), vars_of(found.certificate), found.job.objectives)
    assert (weighed.basis, weighed.n_plans) == (basis, 40)
    said = basis_sentence(weighed, vars_of(found.certificate))
    assert ("not the space's" in said) == (basis == "chosen")


@pytest.mark.parametrize("front", [None, {}, {"distance": "exact"}, {**ALL, "plans_in_space": "many"}])
def test_a_run_that_does_not_say_how_its_front_was_found_is_refused(front: Any) -> None:
    with pytest.raises(RunError, match="how the front was found"):
        importance(table([2, 4], [2, 2], [1.0, 2.0]), front, [LATENCY])


def test_no_plans_have_no_shares() -> None:
    plans = table([2, 4], [2, 2], [1.0, 2.0], feasible=[False, False])
    found = importance(plans, ALL | {"plans_in_space": 2}, [LATENCY, ENERGY])
    assert (found.n_plans, found.shares) == (0, {"latency": {}, "energy": {}})
