"""The evolutionary engine: no plan twice, all of a small space, and the front of a large one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plans, load_platform, load_workload
from costmodel.evaluation import evaluate
from costmodel.strategies import canonical, keys
from dse.engines.evolutionary import evolutionary, ranked
from dse.engines.genes import Genes
from dse.exact import exact_front
from dse.job import Job
from dse.objectives import minimised, objectives_named
from search_spaces import Candidates, load_space

RADIO, VIT = load_platform("nrf52840-mixer"), load_workload("cats-vit")
RATIOS = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9]
FEW = load_space("cats").with_choices("n_chips", [1, 4, 6, 11, 16]).with_choices("prune", RATIOS)
OBJECTIVES = ("latency", "energy", "n_chips", "missing_weights")


def told(plans: Plans) -> tuple[np.ndarray, np.ndarray]:
    """Cost plans on the radio."""
    costs = evaluate(VIT, RADIO, plans, Accounting())
    return minimised(objectives_named(OBJECTIVES), costs), np.stack(list(costs.slack.values()), axis=-1)


def found(candidates: Candidates, budget: int, seed: int = 0) -> Plans:
    """Give the plans that the engine proposes within a budget."""
    engine = evolutionary(candidates, len(OBJECTIVES), seed)
    batches, left = [Plans.of([])], budget
    while left:
        plans = engine.propose(min(engine.batch, left))
        if not len(plans):
            break
        batches.append(plans)
        left -= len(plans)
        engine.tell(*told(plans))
    return Plans.joined(batches)


@st.composite
def spaces(draw: st.DrawFn) -> Candidates:
    """Mixed spaces with few choices."""
    space = load_space("all").with_choices("n_chips", draw(st.sets(st.integers(1, 16), min_size=1)))
    space = space.with_choices("group_size", draw(st.sets(st.integers(2, 16), min_size=1, max_size=3)))
    for name in ("prune_qkv", "prune_o", "prune_ffn_in", "prune_ffn_out"):
        space = space.with_choices(name, draw(st.sets(st.sampled_from(RATIOS), min_size=1, max_size=3)))
    return space.on(VIT, RADIO)


@settings(max_examples=25)
@given(candidates=spaces(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_all_plans_of_a_space_are_proposed_once_whatever_is_told(
    candidates: Candidates, seed: int, data: st.DataObject
) -> None:
    engine = evolutionary(candidates, 2, seed)
    verdicts = np.random.default_rng(data.draw(st.integers(0, 99)))
    seen: list[int] = []
    while len(plans := engine.propose(engine.batch)):
        assert keys(plans).tolist() == keys(canonical(VIT, RADIO, plans)).tolist()
        seen += keys(plans).tolist()
        engine.tell(verdicts.integers(-2, 3, (len(plans), 2)) * 1.0, verdicts.normal(size=(len(plans), 2)))
    assert sorted(seen) == keys(candidates.all_plans).tolist()


def test_a_budget_of_the_whole_space_finds_the_whole_front() -> None:
    candidates = FEW.on(VIT, RADIO)
    plans = found(candidates, candidates.size)
    assert len(plans) == candidates.size
    assert set(keys(plans).tolist()) == set(keys(candidates.all_plans).tolist())


def test_a_fraction_of_a_space_finds_nearly_all_of_its_front() -> None:
    candidates = FEW.on(VIT, RADIO)
    job = Job(
        workloads=(VIT,),
        platform=RADIO,
        accounting=Accounting(),
        space=FEW,
        objectives=objectives_named(OBJECTIVES),
    )
    front = set(keys(exact_front(job, VIT, candidates, lambda *_: None).front.plans).tolist())
    budget = candidates.size // 4
    drawn = candidates.at(np.random.default_rng(0).choice(candidates.size, budget, replace=False))
    own, random = (
        len(front & set(keys(plans).tolist())) / len(front) for plans in (found(candidates, budget), drawn)
    )
    assert own > 0.8 > 2 * random


def test_the_same_seed_proposes_the_same_and_another_does_not() -> None:
    candidates = load_space("cats").on(VIT, RADIO)
    first, again, other = (keys(found(candidates, 400, seed)).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 400


@pytest.mark.parametrize("n", [1, 30])
def test_constrained_domination(n: int) -> None:
    draw = np.random.default_rng(n)
    values = draw.integers(0, 4, (n, 3)).astype(float)
    missed = draw.choice([0.0, 0.0, 0.5, 1.0], n)
    rank = ranked(values, missed)
    for i in range(n):
        for j in range(n):
            better = np.all(values[i] <= values[j]) and np.any(values[i] < values[j])
            if missed[i] < missed[j] or (missed[i] == missed[j] == 0 and better):
                assert rank[i] < rank[j]
    assert np.all((rank == 0) | np.isin(rank - 1, rank))


def test_genes_are_plans_and_back() -> None:
    candidates = load_space("all").on(VIT, RADIO)
    genes = Genes(candidates)
    rows = genes.drawn(np.random.default_rng(0), 500)
    assert np.array_equal(genes.within(rows), rows)
    assert set(rows[:, 0]) == {0, 1}
    assert set(keys(genes.plans(rows)).tolist()) <= set(keys(candidates.all_plans).tolist())
    assert np.all(genes.within(rows + 1000) == genes.sizes[1] - 1)
