from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from costmodel import Plan, Plans, evaluate
from costmodel.strategies import keys
from dse.engines import ENGINES, EngineEntry
from dse.job import Job
from dse.objectives import OBJECTIVES
from dse.pareto import knee
from dse.search import SearchResult, search
from search_spaces import Candidates, SearchSpace

MakeJob = Callable[..., Job]


def keys_of(plans: Plans) -> list[int]:
    return keys(plans).tolist()


def unrecorded(*_: object) -> None:
    """Take a batch and keep nothing of it."""


class Commits:
    """A record that keeps every batch."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.chips: list[int] = []
        self.batches: list[int] = []
        self.values: list[Any] = []
        self.slack: list[dict[str, Any]] = []

    def __call__(self, _workload: str, plans: Plans, values: Any, slack: dict[str, Any]) -> None:
        self.keys += keys_of(plans)
        self.chips += plans["n_chips"].tolist()
        self.batches.append(len(plans))
        self.values += values.tolist()
        self.slack += [{name: float(v[i]) for name, v in slack.items()} for i in range(len(plans))]


class Stubborn:
    """Propose the same three plans for ever, one of them twice, and keep what is told."""

    batch = 4

    def __init__(self) -> None:
        self.told: list[list[float]] = []

    def propose(self, k: int) -> Plans:
        return Plans.of(Plan(strategy="head_wise", n_chips=n, group_size=2) for n in (8, 2, 8, 3))

    def tell(self, values: Any, violations: Any) -> None:
        self.told += values.tolist()


def by_brute_force(job: Job) -> set[int]:
    """Front plans, each plan costed alone and set against every other."""
    points: dict[int, list[float]] = {}
    for plan in job.space.on(job.workloads[0], job.platform).all_plans:
        costs = evaluate(job.workloads[0], job.platform, Plans.of([plan]), job.accounting)
        bounds_met = all(c.slack(costs)[0] <= 0 for c in job.constraints)
        if costs.feasible[0] and bounds_met:
            key = keys_of(Plans.of([plan]))[0]
            points[key] = [o.sign * float(o.of(costs)[0]) for o in job.objectives]
    return {
        key
        for key, mine in points.items()
        if not any(
            all(x <= y for x, y in zip(other, mine, strict=True)) and other != mine
            for other in points.values()
        )
    }


def front_values(result: SearchResult) -> list[list[float]]:
    return sorted(result.values[result.front].tolist())


BOUNDS = {
    "none": (),
    "latency": ("latency<=30ms",),
    "two": ("n_chips>=3", "energy<=8mJ"),
    "throughput": ("throughput>=50token/s", "link_traffic<=1MB"),
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("objectives", [(), ("throughput", "l2_footprint"), tuple(OBJECTIVES), ("edp",)])
def test_exhaustive_search_equals_brute_force(
    job: MakeJob, bounds: tuple[str, ...], objectives: tuple[str, ...]
) -> None:
    asked = job(*bounds, objectives=objectives)
    result = search(asked, unrecorded)
    keys = by_brute_force(asked)
    assert {keys_of(result.plans)[i] for i in result.front} <= keys
    all_keys = keys_of(result.plans)
    expected = {tuple(result.values[all_keys.index(key)]) for key in keys}
    assert {tuple(row) for row in front_values(result)} == expected
    assert len(result.front) == len(expected)


@pytest.mark.parametrize("budget", [1, 7, 20, 1000])
@pytest.mark.parametrize("engine", ENGINES)
def test_budget_is_kept_and_no_plan_evaluated_twice(
    job: MakeJob, few: Candidates, engine: str, budget: int
) -> None:
    commits = Commits()
    result = search(job("energy<=8mJ", engine=engine, budget=budget), commits)
    assert commits.keys == keys_of(result.plans)
    c = result.certificate
    all_costed = engine == "exhaustive"
    most = max(budget, c.front_size) if all_costed else budget
    assert len(set(commits.keys)) == len(commits.keys) == min(most, few.size)
    assert set(commits.keys) <= set(keys_of(few.all_plans))
    assert (c.engine, c.plans_recorded, c.plans_in_space) == (engine, len(commits.keys), few.size)
    assert c.plans_evaluated == (few.size if all_costed else len(commits.keys))
    assert (c.distance == "exact") == (c.plans_evaluated == few.size)
    told = f"exact front: all {few.size}" if c.distance == "exact" else f"{len(commits.keys)} of {few.size}"
    assert c.sentence().startswith(told)
    assert ("are kept" in c.sentence()) == (all_costed and len(commits.keys) < few.size)
    assert c.plans_feasible >= result.feasible.sum()
    assert all_costed or c.plans_feasible == result.feasible.sum()
    assert c.front_size == len(result.front)


@pytest.mark.parametrize("engine", ENGINES)
def test_budget_is_spent_where_there_are_plans_left(job: MakeJob, space: SearchSpace, engine: str) -> None:
    budget = 300 if engine == "exhaustive" else 60  # more than the front has
    found = search(job(space=space, engine=engine, budget=budget), unrecorded)
    assert len(found.front) < len(found.plans) == budget


def test_random_search_over_all_plans_is_exact_too(job: MakeJob) -> None:
    drawn = search(job(engine="random", budget=500), unrecorded)
    assert drawn.certificate.distance == "exact"
    assert front_values(drawn) == front_values(search(job(), unrecorded))


def test_record_gets_natural_values_and_every_slack(job: MakeJob) -> None:
    commits = Commits()
    asked = job("latency<=30ms", objectives=("throughput", "latency"))
    result = search(asked, commits)
    costs = result.costs
    np.testing.assert_array_equal(
        commits.values, np.stack([costs.throughput_tokens_per_s, costs.latency_s], axis=-1)
    )
    assert set(commits.slack[0]) == {"fits L2", "fits L3", "latency<=30ms"}
    for i, slack in enumerate(commits.slack):
        assert slack["latency<=30ms"] == pytest.approx(costs.latency_s[i] / 30e-3 - 1)
        assert slack["fits L3"] == costs.slack["L3"][i]


def test_front_keeps_the_bounds_and_is_in_order(found: SearchResult) -> None:
    latency = found.costs.latency_s[found.front]
    assert (latency <= 0.1).all()
    assert (found.costs.latency_s > 0.1).any()
    assert (np.diff(latency) >= 0).all()
    assert found.recommended == found.front[knee(found.values[found.front])]


def test_nothing_feasible_gives_the_nearest_plan(nothing_found: SearchResult) -> None:
    assert len(nothing_found.front) == 0
    assert nothing_found.recommended is None
    assert not nothing_found.feasible.any()
    costs = nothing_found.costs
    worst = [max(t / 1e-6 - 1, e / 1e-3 - 1) for t, e in zip(costs.latency_s, costs.energy_j, strict=True)]
    assert nothing_found.nearest == int(np.argmin(worst))


def test_nearest_is_by_the_worst_bound_and_not_by_all_together(nothing_found: SearchResult) -> None:
    slack = np.full(len(nothing_found.plans), 9.0)
    few, even = slack.copy(), slack.copy()
    few[3], even[3] = 5.0, -3.0
    few[7], even[7] = 4.0, 4.0
    assert replace(nothing_found, slack={"few": few, "even": even}).nearest == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_same_seed_gives_the_same_search(job: MakeJob, space: SearchSpace, engine: str) -> None:
    first, again = (search(job(space=space, engine=engine, budget=70, seed=5), unrecorded) for _ in range(2))
    assert keys_of(first.plans) == keys_of(again.plans)
    assert first.front.tolist() == again.front.tolist()


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "exhaustive"])
def test_other_seed_gives_another_search(job: MakeJob, space: SearchSpace, engine: str) -> None:
    first, other = (search(job(space=space, engine=engine, budget=60, seed=s), unrecorded) for s in (5, 6))
    assert keys_of(first.plans) != keys_of(other.plans)


@pytest.mark.parametrize(("budget", "engine"), [(808, "exhaustive"), (301, "evolutionary")])
def test_auto_says_what_it_picked_and_why(job: MakeJob, space: SearchSpace, budget: int, engine: str) -> None:
    certificate = search(job(space=space, budget=budget, exact_seconds=0.0), unrecorded).certificate
    assert certificate.engine == engine
    assert "808 plans" in certificate.why


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Stubborn:
    engine = Stubborn()
    entry = EngineEntry(description="stubborn", make=lambda *_: engine)
    monkeypatch.setitem(ENGINES, "stubborn", entry)
    return engine


@pytest.mark.parametrize(("budget", "distance"), [(10, "unknown"), (24, "unknown"), (500, "exact")])
def test_engine_run_dry_leaves_the_budget_to_unseen_plans(
    job: MakeJob, few: Candidates, stubborn: Stubborn, budget: int, distance: str
) -> None:
    commits = Commits()
    certificate = search(job(engine="stubborn", budget=budget), commits).certificate
    assert commits.chips[:3] == [8, 2, 3]
    assert len(commits.keys) == len(set(commits.keys)) == min(budget, few.size)
    assert certificate.distance == distance
    assert certificate.engine == "stubborn"
    assert certificate.why.endswith(f"so {min(budget, few.size) - 3} plans were drawn at random")
    chips = [row[2] for row in stubborn.told]
    assert len(chips) <= 4 * 2 * budget
    assert chips == [8, 2, 8, 3] * (len(chips) // 4)


def test_unseen_plans_are_drawn_by_the_seed(job: MakeJob, stubborn: Stubborn) -> None:
    first, again, other = (
        keys_of(search(job(engine="stubborn", budget=15, seed=seed), unrecorded).plans) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert stubborn.told


@pytest.mark.parametrize("engine", ENGINES)
def test_certificate_says_when_plans_were_drawn(job: MakeJob, few: Candidates, engine: str) -> None:
    for budget, drawn in ((3, False), (few.size, engine not in ("exhaustive", "evolutionary"))):
        why = search(job(engine=engine, budget=budget), unrecorded).certificate.why
        assert ("drawn at random" in why) == drawn, budget


def test_progress_is_told(job: MakeJob, space: SearchSpace) -> None:
    heard: list[tuple[int, int, float]] = []
    asked = job("latency<=30ms", objectives=("throughput",), space=space, engine="tpe", budget=45)
    result = search(asked, unrecorded, lambda *news: heard.append(news))
    done, goals, best = zip(*heard, strict=True)
    assert done[-1] == 45
    assert set(goals) == {45}
    assert list(done) == sorted(done)
    known = [b for b in best if b == b]
    assert known == sorted(known)
    assert known[-1] == result.costs.throughput_tokens_per_s[result.feasible].max()


def test_the_order_of_evaluation_decides_nothing(job: MakeJob, small: SearchSpace) -> None:
    def recommended(engine: str, seed: int) -> Plan:
        several = job(objectives=("n_chips",), engine=engine, seed=seed, budget=36, space=small)
        found = search(several, unrecorded)
        assert found.recommended is not None
        return found.plans.row(found.recommended)

    assert len({recommended(engine, seed) for engine in ("exhaustive", "random") for seed in range(4)}) == 1
