"""The exact front of all plans of a space, costed in blocks, whatever the budget."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from costmodel import Accounting, evaluate, load_platform, load_workload
from costmodel.strategies import keys
from dse import exact
from dse.constraints import constraints
from dse.exact import exact_front
from dse.job import Job
from dse.objectives import minimised, objectives_named
from dse.pareto import front_mask, preferred
from dse.search import search
from search_spaces import load_space

WIRED, RADIO = load_platform("siracusa-mipi"), load_platform("nrf52840-mixer")
FEW = load_space("all").with_choices("n_chips", [1, 2, 5, 8]).with_choices("prune", [0.0, 0.4, 0.9])
JOBS = {
    name: Job(
        workloads=(load_workload(workload),),
        platform=platform,
        accounting=Accounting(),
        space=FEW.with_choices("weight_bits", [8, 32]),
        objectives=objectives_named(objectives),
        constraints=constraints(bounds),
    )
    for name, workload, platform, objectives, bounds in (
        ("wires", "tinyllama-42m", WIRED, ("latency", "energy", "n_chips", "missing_weights"), ()),
        ("bounds", "tinyllama-42m", WIRED, ("latency", "missing_weights"), ("energy<=30mJ", "n_chips<=5")),
        ("radio", "cats-vit", RADIO, ("latency", "energy", "accuracy_drop"), ("latency<=20s",)),
        ("ties", "cats-vit", RADIO, ("n_chips",), ()),
        ("most", "cats-timeseries", RADIO, ("throughput", "flash_footprint"), ()),
        ("resident", "stories260k", WIRED, ("latency", "energy", "link_traffic"), ("accuracy_drop<=20",)),
        ("none", "cats-vit", RADIO, ("latency", "energy"), ("latency<=1ms",)),
    )
}


# Over wires chips load weights, but for those of a small model; of the footprint in flash nobody says so.
ADD_UP = ("radio", "ties", "resident", "none")


def nothing(*_: object) -> None:
    """Hear of progress, or take a batch, and do nothing."""


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize(("at_once", "composed"), [(7, False), (1000, False), (1000, True)])
def test_the_front_of_blocks_or_of_parts_is_that_of_all_plans(
    name: str, at_once: int, composed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "COMPOSED_FROM", 0 if composed else np.inf)
    monkeypatch.setattr(exact, "AT_ONCE", at_once)
    monkeypatch.setattr(exact, "LISTED_AT_ONCE", at_once)
    job = JOBS[name]
    (workload,) = job.workloads
    candidates = job.space.on(workload, job.platform)
    found = exact_front(job, workload, candidates, nothing)
    plans = candidates.all_plans
    costs = evaluate(workload, job.platform, plans, job.accounting)
    misses = np.max(list(job.slack(costs).values()), axis=0)
    assert found.evaluated + found.unseen == len(plans)
    assert composed or (found.unseen, found.feasible) == (0, np.sum(misses <= 0))
    assert (found.unseen > 0) == (composed and name in ADD_UP)
    order = preferred(plans, costs.latency_s, costs.energy_j, np.zeros(len(plans), dtype=np.int64))
    values = minimised(job.objectives, costs)
    expected = order[front_mask(values[order], misses[order] <= 0)]
    assert keys(found.front.plans).tolist() == keys(plans.take(expected)).tolist()
    np.testing.assert_array_equal(found.front.values, values[expected])
    if not len(expected) and not composed:
        nearest = keys(plans).tolist().index(keys(found.plans).tolist()[0])
        assert misses[nearest] == np.min(misses)


@pytest.mark.parametrize("name", JOBS)
def test_whatever_is_kept_beside_it_the_front_is_the_same(name: str) -> None:
    whole = search(replace(JOBS[name], budget=10_000), nothing)
    few = search(replace(JOBS[name], budget=3), nothing)
    assert few.certificate.distance == whole.certificate.distance == "exact"
    assert few.certificate.plans_feasible == whole.certificate.plans_feasible
    assert list(few.plans.take(few.front)) == list(whole.plans.take(whole.front))
    assert few.certificate.plans_recorded == max(3, len(few.front)) < whole.certificate.plans_recorded


def test_plans_beside_the_front_are_drawn_by_the_seed() -> None:
    first, again, other = (
        search(replace(JOBS["wires"], budget=200, seed=seed), nothing) for seed in (1, 1, 2)
    )
    assert first.certificate.plans_recorded == 200
    assert list(first.plans) == list(again.plans) != list(other.plans)
    assert not first.certificate.plans_at_random


def test_all_plans_are_told_as_they_are_done(job: Callable[..., Job]) -> None:
    heard: list[tuple[int, int, float]] = []
    search(job(budget=20), nothing, lambda *news: heard.append(news))
    assert heard[0][:2] == (41, 41)
    assert heard[-1][0] == heard[-1][1] >= 20
