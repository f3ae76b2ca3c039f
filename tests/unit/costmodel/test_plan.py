from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from costmodel import Plan, Plans
from costmodel.errors import PlanError
from costmodel.plan import DECISIONS, MAX_CHIPS, PARTIAL_SUM_BITS, plan_of

EVERY = [
    Plan(n_chips=n, group_size=g, partial_sum_bits=bits)
    for n in (1, 2, 3, 8, 64)
    for g in (2, 3, 8, 64)
    for bits in PARTIAL_SUM_BITS
]


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ({"n_chips": 0}, "n_chips 0 must be 1 to 64"),
        ({"n_chips": 65}, "n_chips 65 must be 1 to 64"),
        ({"n_chips": 8, "group_size": 1}, "group_size 1 must be 2 to 64"),
        ({"n_chips": 8, "group_size": 65}, "group_size 65 must be 2 to 64"),
        ({"n_chips": 8, "partial_sum_bits": 12}, "partial_sum_bits 12 must be one of (8, 16, 32)"),
        ({"n_chips": 8, "strategy": "head-wise"}, "unknown strategy 'head-wise'; did you mean 'head_wise'?"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(decisions: dict[str, int], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan(**decisions)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(("n_chips", "group_size"), [(1, 2), (MAX_CHIPS, MAX_CHIPS)])
def test_the_ends_of_the_ranges_are_plans(n_chips: int, group_size: int) -> None:
    Plan(n_chips=n_chips, group_size=group_size)


def test_packing_and_unpacking_is_the_identity() -> None:
    batch = Plans.of(EVERY)
    assert list(batch) == EVERY
    assert len(batch) == len(EVERY)
    assert batch.row(-1) == EVERY[-1]
    assert list(batch.take([3, 1])) == [EVERY[3], EVERY[1]]
    assert list(batch.take(batch.n_chips == 1)) == [p for p in EVERY if p.n_chips == 1]


def test_decisions_are_whole_number_arrays_of_one_length() -> None:
    batch = Plans.of(EVERY)
    for name in DECISIONS:
        assert getattr(batch, name).dtype == np.int64
        assert getattr(batch, name).shape == (len(EVERY),)


def test_keys_tell_plans_apart() -> None:
    assert len(set(Plans.of(EVERY).keys())) == len(EVERY)
    assert Plans.of(EVERY[:1]).keys() == [(1, 2, 8)]


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
    plan: tuple[int, ...], canonical: tuple[int, ...]
) -> None:
    n_chips, group_size, bits = plan
    found = Plan(n_chips=n_chips, group_size=group_size, partial_sum_bits=bits).canonical()
    assert (found.n_chips, found.group_size, found.partial_sum_bits) == canonical


def test_canonical_form_is_final() -> None:
    once = Plans.of(EVERY).canonical()
    assert once.canonical().keys() == once.keys()


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
        ({"n_chips": 8, "strategy": 3}, "unknown strategy '3'"),
    ],
)
def test_decisions_that_are_none_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(values)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "decisions",
    [
        {"n_chips": 2.5},
        {"n_chips": True},
        {"n_chips": "8"},
        {"n_chips": 8, "group_size": 2.5},
        {"n_chips": 8, "strategy": 3},
    ],
)
def test_a_decision_that_is_no_whole_number_is_refused(decisions: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Plan(**decisions)
