from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from costmodel import Plan, Plans, Platform, Workload
from costmodel.errors import PlanError
from costmodel.plan import DECISIONS, MAX_CHIPS, plan_of
from costmodel.strategies import STRATEGIES, canonical, canonical_plan, in_order, keys, strategy_named

EVERY = [
    Plan(strategy="head_wise", n_chips=n, group_size=g, partial_sum_bits=bits)
    for n in (1, 2, 3, 8, 64)
    for g in (2, 3, 8, 64)
    for bits in DECISIONS["partial_sum_bits"].only
]


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ({"n_chips": 0}, "n_chips 0 must be 1 to 64"),
        ({"n_chips": 65}, "n_chips 65 must be 1 to 64"),
        ({"n_chips": 8, "group_size": 1}, "group_size 1 must be 2 to 64"),
        ({"n_chips": 8, "group_size": 65}, "group_size 65 must be 2 to 64"),
        ({"n_chips": 8, "partial_sum_bits": 12}, "partial_sum_bits 12 must be one of 8, 16, 32"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(decisions: dict[str, int], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan(strategy="head_wise", **decisions)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(("n_chips", "group_size"), [(1, 2), (MAX_CHIPS, MAX_CHIPS)])
def test_the_ends_of_the_ranges_are_plans(n_chips: int, group_size: int) -> None:
    Plan(strategy="head_wise", n_chips=n_chips, group_size=group_size)


def test_packing_and_unpacking_is_the_identity() -> None:
    batch = Plans.of(EVERY)
    assert list(batch) == EVERY
    assert len(batch) == len(EVERY)
    assert batch.row(-1) == EVERY[-1]
    assert list(batch.take([3, 1])) == [EVERY[3], EVERY[1]]
    assert list(batch.take(batch["n_chips"] == 1)) == [p for p in EVERY if p.n_chips == 1]


def test_decisions_are_arrays_of_one_length_and_their_own_type() -> None:
    batch = Plans.of(EVERY)
    for name, decision in DECISIONS.items():
        assert batch[name].dtype == decision.dtype
        assert batch[name].shape == (len(EVERY),)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_counts_its_values_without_gap(name: str) -> None:
    decision = DECISIONS[name]
    values = decision.only or np.arange(decision.codes) * decision.step + decision.low
    assert decision.code(np.array(values)).tolist() == list(range(decision.codes))
    for value in values:
        decision.check(value.item() if isinstance(value, np.generic) else value)


def test_a_strategy_that_there_is_not_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        strategy_named("head-wise")
    assert str(caught.value).startswith("unknown strategy 'head-wise'; did you mean 'head_wise'?")


def test_joining_batches_keeps_their_order() -> None:
    parts = [Plans.of(EVERY[:3]), Plans.of(EVERY[3:])]
    assert list(Plans.joined(parts)) == EVERY


def test_decisions_that_are_not_kept_are_neutral() -> None:
    batch = Plans.of(EVERY).neutralised(("n_chips",))
    assert batch["n_chips"].tolist() == [plan.n_chips for plan in EVERY]
    assert set(batch["group_size"].tolist()) == {DECISIONS["group_size"].neutral}


def test_keys_tell_plans_apart() -> None:
    assert len(set(keys(Plans.of(EVERY)).tolist())) == len(EVERY)


def test_keys_rise_with_strategy_and_then_with_decisions_in_their_order() -> None:
    ordered = sorted(EVERY, key=lambda p: (p.n_chips, p.group_size, p.partial_sum_bits))
    found = keys(Plans.of(ordered)).tolist()
    assert found == sorted(set(found))
    assert in_order(Plans.of(ordered[::-1])).tolist() == list(range(len(ordered)))[::-1]
    ends = [
        Plan(strategy=name, **{key: getattr(d, end) for key, d in DECISIONS.items()})
        for name in STRATEGIES
        for end in ("low", "high")
    ]
    found = keys(Plans.of(ends)).tolist()
    assert found == sorted(set(found))
    assert min(min(key) for key in found) == 0


@pytest.mark.parametrize(
    ("plan", "canonical"),
    [
        ((1, 8, 32), (1, 2, 8)),
        ((2, 8, 32), (2, 2, 32)),
        ((3, 8, 16), (3, 3, 16)),
        ((8, 8, 16), (8, 8, 16)),
        ((8, 4, 8), (8, 4, 8)),
    ],
)
def test_canonical_plans_have_no_group_larger_than_the_chips(
    tinyllama: Workload, siracusa: Platform, plan: tuple[int, ...], canonical: tuple[int, ...]
) -> None:
    n_chips, group_size, bits = plan
    asked = Plan(strategy="head_wise", n_chips=n_chips, group_size=group_size, partial_sum_bits=bits)
    found = canonical_plan(tinyllama, siracusa, asked)
    assert (found.n_chips, found.group_size, found.partial_sum_bits) == canonical


def test_canonical_form_is_final(tinyllama: Workload, siracusa: Platform) -> None:
    once = canonical(tinyllama, siracusa, Plans.of(EVERY))
    assert keys(canonical(tinyllama, siracusa, once)).tolist() == keys(once).tolist()


def test_a_plan_by_name_is_the_plan() -> None:
    for plan in EVERY:
        assert plan_of(asdict(plan)) == plan
        assert plan_of({name: str(value) for name, value in asdict(plan).items()}) == plan


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n_chip": 8}, "unknown decision 'n_chip'; did you mean 'n_chips'?"),
        ({"n_chips": "eight"}, "decision n_chips = 'eight' must be a whole number"),
        ({"n_chips": 2.5}, "decision n_chips = '2.5' must be a whole number"),
        ({"n_chips": True}, "decision n_chips = 'True' must be a whole number"),
        ({"n_chips": ""}, "decision n_chips = '' must be a whole number"),
        ({"n_chips": "9" * 5000}, "decision n_chips = '9999"),
        ({"n_chips": 10**30}, f"n_chips {10**30} must be 1 to 64"),
        ({"group_size": 4}, "decision 'n_chips' is missing"),
        ({"n_chips": float("nan")}, "decision n_chips = 'nan' must be a whole number"),
    ],
)
def test_decisions_that_are_none_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of({"strategy": "head_wise", **values})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "decisions",
    [
        {"n_chips": 2.5},
        {"n_chips": True},
        {"n_chips": "8"},
        {"n_chips": 8, "group_size": 2.5},
        {"n_chips": None},
    ],
)
def test_a_decision_that_is_no_whole_number_is_refused(decisions: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Plan(strategy="head_wise", **decisions)
