from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from costmodel import Plan, Plans, Platform, Workload, load_platform, load_workload
from costmodel.errors import ParameterError, UsageError
from costmodel.plan import DECISIONS, MAX_CHIPS
from costmodel.strategies import STRATEGIES, canonical, canonical_plan, keys
from costmodel.strategies.head_wise import HEAD_WISE
from search_spaces import SearchSpace, built_in_spaces, load_space

ON = (load_workload("tinyllama-42m"), load_platform("siracusa-mipi"))
CHOICES = st.fixed_dictionaries(
    {
        "n_chips": st.lists(st.integers(1, MAX_CHIPS), min_size=1, max_size=6, unique=True),
        "group_size": st.lists(st.integers(2, MAX_CHIPS), min_size=1, max_size=4, unique=True),
        "partial_sum_bits": st.lists(
            st.sampled_from(DECISIONS["partial_sum_bits"].only), min_size=1, unique=True
        ),
    }
)
GOOD = """
description = "mine"
head_wise = { partial_sum_bits = [16, 16], n_chips = { low = 2, high = 4 }, group_size = [3, 2] }
"""


def space_of(choices: dict[str, list[int]]) -> SearchSpace:
    values = {name: tuple(options) for name, options in choices.items()}
    return SearchSpace(name="x", description="x", choices={"head_wise": values})


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", built_in_spaces())
def test_built_in_space_is_as_large_as_brute_force(name: str) -> None:
    space = load_space(name)
    asked = [
        Plan(strategy=strategy, **dict(zip(choices, row, strict=True)))
        for strategy, choices in space.choices.items()
        for row in product(*choices.values())
    ]
    plans = set(canonical(*ON, Plans.of(asked)))
    assert set(space.on(*ON).all_plans) == plans
    assert space.on(*ON).size == len(plans)
    assert space.description


def test_head_wise_space_has_every_number_of_chips() -> None:
    space = load_space("head_wise")
    named = ("n_chips", "group_size", "partial_sum_bits", "shares", "kv_replication")
    assert tuple(space.choices["head_wise"]) == named
    plans = space.on(*ON).all_plans
    assert set(plans["n_chips"].tolist()) == set(range(1, 65))
    assert {p.group_size for p in plans if p.n_chips == 64} == {2, 3, 4, 6, 8, 16, 64}
    assert (space.combinations, len(plans)) == (1792, 808)


@given(choices=CHOICES)
def test_enumeration_gives_every_canonical_plan_once_in_order(choices: dict[str, list[int]]) -> None:
    space = space_of(choices)
    found = keys(space.on(*ON).all_plans).tolist()
    assert found == sorted(set(found))
    brute = Plans.of(
        Plan(strategy="head_wise", **dict(zip(choices, row, strict=True)))
        for row in product(*choices.values())
    )
    assert set(found) == set(keys(canonical(*ON, brute)).tolist())
    assert space.on(*ON).size == len(found)


@given(choices=CHOICES, data=st.data())
def test_whatever_values_are_asked_for_a_plan_of_the_space_comes_out(
    choices: dict[str, list[int]], data: st.DataObject
) -> None:
    candidates = space_of(choices).on(*ON)
    asked = st.fixed_dictionaries({name: st.sampled_from(options) for name, options in choices.items()})
    rows = data.draw(st.lists(asked, min_size=1, max_size=5))
    columns = {name: np.array([row[name] for row in rows]) for name in choices}
    plans = candidates.plans(np.zeros(len(rows), dtype=np.int64), columns)
    for plan, row in zip(plans, rows, strict=True):
        assert plan == canonical_plan(*ON, Plan(strategy="head_wise", **row)) == canonical_plan(*ON, plan)
    assert set(keys(plans).tolist()) <= set(keys(candidates.all_plans).tolist())


def test_a_value_that_a_strategy_may_not_have_becomes_the_nearest_that_it_may() -> None:
    candidates = space_of({"n_chips": [2, 8, 32], "group_size": [2, 4], "partial_sum_bits": [8]}).on(*ON)
    asked = {"n_chips": [1, 4, 6, 19, 60], "group_size": [64] * 5, "partial_sum_bits": [8] * 5}
    columns = {name: np.array(values) for name, values in asked.items()}
    plans = candidates.plans(np.zeros(5, dtype=np.int64), columns)
    assert plans["n_chips"].tolist() == [2, 2, 8, 8, 32]
    assert plans["group_size"].tolist() == [2, 2, 4, 4, 4]


def test_strategies_of_a_space_have_their_own_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "pairs", replace(HEAD_WISE, name="pairs", decisions=("n_chips",)))
    head_wise = {"n_chips": (1, 3), "group_size": (2, 4), "partial_sum_bits": (8,)}
    space = SearchSpace(
        name="x", description="x", choices={"pairs": {"n_chips": (4, 2)}, "head_wise": head_wise}
    )
    assert (space.combinations, space.union("n_chips")) == (6, (1, 2, 3, 4))
    assert space.named == ("n_chips", "group_size", "partial_sum_bits")
    assert space.decisions == (*space.named, "shares", "kv_replication", "pinning", "weight_bits")
    candidates = space.on(*ON)
    plans = [(p.strategy, p.n_chips, p.group_size) for p in candidates.all_plans]
    head_wise_plans = [("head_wise", 1, 2), ("head_wise", 3, 2), ("head_wise", 3, 3)]
    assert plans == [*head_wise_plans, ("pairs", 2, 2), ("pairs", 4, 2)]
    values = {"n_chips": np.array([3, 3, 4]), "group_size": np.full(3, 4), "partial_sum_bits": np.full(3, 8)}
    asked = [(p.strategy, p.n_chips, p.group_size) for p in candidates.plans(np.array([1, 0, 1]), values)]
    assert asked == [("head_wise", 3, 3), ("pairs", 4, 2), ("head_wise", 3, 3)]
    assert list(space.with_strategies(["pairs"]).on(*ON).all_plans["n_chips"]) == [2, 4]
    assert space.with_choices("group_size", [2]).choices["pairs"] == {"n_chips": (4, 2)}


def test_space_without_strategies_or_decisions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="has no strategy"):
        load_space(written(tmp_path, 'description = "mine"'))
    with pytest.raises(ParameterError, match=r"choices of head_wise\.group_size are missing"):
        space_of({"n_chips": [8]})
    with pytest.raises(ParameterError, match="key 'head_wise' must be a table of decisions"):
        load_space(written(tmp_path, 'description = "mine"\nhead_wise = 3'))


def test_other_choices_replace_those_of_one_decision() -> None:
    space = load_space("head_wise")
    fewer = space.with_choices("n_chips", [8, 4, 8])
    assert fewer.choices == {"head_wise": {**space.choices["head_wise"], "n_chips": (8, 4)}}
    assert set(fewer.on(*ON).all_plans["n_chips"].tolist()) == {4, 8}
    assert space.on(*ON).size == 808


def test_some_strategies_of_a_space_can_be_picked() -> None:
    space = load_space("head_wise")
    assert space.with_strategies(["head_wise", "head_wise"]) == space
    with pytest.raises(UsageError, match="'head-wise' is not in the space; did you mean 'head_wise'"):
        space.with_strategies(["head-wise"])


def test_other_choices_must_be_of_the_space_and_valid() -> None:
    space = load_space("head_wise")
    with pytest.raises(UsageError, match="'n_chip'; did you mean 'n_chips'"):
        space.with_choices("n_chip", [8])
    with pytest.raises(ParameterError, match="n_chips 65 must be 1 to 64"):
        space.with_choices("n_chips", [8, 65])


def test_own_space_is_read_by_path(tmp_path: Path) -> None:
    space = load_space(written(tmp_path, GOOD))
    assert space.choices["head_wise"] == {
        "n_chips": (2, 3, 4),
        "group_size": (3, 2),
        "partial_sum_bits": (16,),
    }
    plans = [(p.n_chips, p.group_size, p.partial_sum_bits) for p in space.on(*ON).all_plans]
    assert plans == [(2, 2, 16), (3, 2, 16), (3, 3, 16), (4, 2, 16), (4, 3, 16)]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("low = 2", "low = 5", "low 5 is above high 4"),
        ("low = 2", "lo = 2", "unknown key 'lo'; did you mean 'low'"),
        ("low = 2, ", "", "key 'low' is missing"),
        ("low = 2", 'low = "2"', "head_wise.n_chips: key 'low'"),
        ("low = 2", "low = true", "head_wise.n_chips: key 'low'"),
        ("low = 2", "low = 2.0", "n_chips 2.0 must be a whole number"),
        ("high = 4", "high = 4.5", "high 4.5 is no step of 1 above low 2"),
        ("high = 4", "high = 4, step = 0", "step 0 must be above 0"),
        ("high = 4", "high = 5, step = 2", "high 5 is no step of 2 above low 2"),
        ("high = 4", "high = inf", "key 'high': must be a number, got inf"),
        ("high = 4", "high = 10_001", "n_chips 65 must be 1 to 64"),
        ("high = 4", "high = 10_002", "2 to 10002 are more than 10000 choices"),
        ("high = 4", "high = 1" + "0" * 100, "are more than 10000 choices"),
        ("[3, 2]", "[" + "3, " * 10_001 + "]", "1 to 10000 are allowed"),
        ("[3, 2]", '["3", 2]', "head_wise.group_size"),
        ("[3, 2]", "[true, 2]", "head_wise.group_size"),
        ("[3, 2]", "3", "head_wise.group_size"),
        ("high = 4", "high = 65", "n_chips 65 must be 1 to 64"),
        ("group_size", "groupsize", "did you mean 'group_size'"),
        (", group_size = [3, 2]", "", "'head_wise.group_size' is missing"),
        ("[3, 2]", "[]", "head_wise.group_size"),
        ("[3, 2]", "[1" + "0" * 400 + "]", "head_wise: group_size"),
        ("[3, 2]", "[1]", "group_size 1 must be 2 to 64"),
        ("[3, 2]", "[2.5]", "group_size 2.5 must be a whole number"),
        ("[3, 2]", "[nan]", "must be numbers, got nan"),
        ("[16, 16]", "[12]", "partial_sum_bits 12"),
        ("head_wise", "head_wize", "unknown strategy 'head_wize'; did you mean 'head_wise'"),
        ("description", "descripton", "unknown key 'descripton'; did you mean 'description'"),
        ("description =", "# x =", "key 'description' is missing"),
        ('"mine"', "3", "key 'description': must be text, got 3"),
        ("description", "strategy = 3\ndescription", "unknown key 'strategy'"),
        ("head_wise = {", "head_wise = ", "broken TOML"),
    ],
)
def test_fault_in_an_own_space_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(ParameterError) as error:
        load_space(written(tmp_path, GOOD.replace(old, new, 1)))
    assert named in error.value.message
    assert "\n" not in error.value.message
    assert len(error.value.message) < 400


def test_unknown_space_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'head_wise'"):
        load_space("headwise")
    with pytest.raises(ParameterError, match=r"'nowhere\.toml' does not exist"):
        load_space("nowhere.toml")
    with pytest.raises(ParameterError, match="unknown space ''"):
        load_space("")


def every_key(space: SearchSpace, on: tuple[Workload, Platform]) -> NDArray[np.int64]:
    """Give the keys of all plans that any choices ask for, each once."""
    listed = []
    for strategy, choices in space.on(*on).space.choices.items():  # with as many chips as it can use
        grid = np.meshgrid(*choices.values(), indexing="ij")
        columns = {name: axis.ravel() for name, axis in zip(choices, grid, strict=True)}
        listed.append(Plans.filled(strategy, grid[0].size, columns))
    return np.unique(keys(canonical(*on, Plans.joined(listed))))


RADIO = (load_workload("cats-timeseries"), load_platform("nrf52840-mixer"))


@pytest.mark.parametrize("on", [ON, RADIO], ids=["wires", "radio"])
@pytest.mark.parametrize("name", built_in_spaces())
def test_size_is_counted_without_listing(name: str, on: tuple[Workload, Platform]) -> None:
    space = load_space(name).with_choices("prune", [0, 0.3, 0.9]) if name != "head_wise" else load_space(name)
    found = every_key(space, on)
    assert space.on(*on).size == len(found)
    np.testing.assert_array_equal(keys(space.on(*on).all_plans), found)


@given(
    chips=st.lists(st.integers(1, MAX_CHIPS), min_size=1, max_size=5, unique=True),
    ratios=st.lists(st.integers(0, 1000), min_size=1, max_size=4, unique=True),
    groups=st.lists(st.integers(2, MAX_CHIPS), min_size=1, max_size=4, unique=True),
)
def test_size_of_any_mixed_space_is_the_number_of_its_plans(
    chips: list[int], ratios: list[int], groups: list[int]
) -> None:
    shares = [ratio / 1000 for ratio in ratios]
    space = load_space("all").with_choices("n_chips", chips).with_choices("group_size", groups)
    for on in (ON, RADIO):
        pruned = space.with_choices("prune", shares)
        np.testing.assert_array_equal(keys(pruned.on(*on).all_plans), every_key(pruned, on))


@given(index=st.lists(st.integers(0, 1374), max_size=20))
def test_plans_by_position_are_those_of_the_list(index: list[int]) -> None:
    candidates = load_space("all").on(*ON)
    assert candidates.size == 1375
    every = [plan for product in candidates.products for plan in product.listed()]
    assert list(candidates.at(np.array(index, dtype=np.int64))) == [every[i] for i in index]


def test_a_shorthand_sets_all_decisions_that_it_stands_for() -> None:
    choices = load_space("cats").with_choices("prune", [0.5]).choices["column_wise"]
    assert {choices[name] for name in choices if name != "n_chips"} == {(0.5,)}


def test_a_space_names_the_objectives_that_it_is_about() -> None:
    assert load_space("head_wise").objectives == ()
    for name in ("cats", "all"):
        assert load_space(name).objectives == ("latency", "energy", "n_chips", "missing_weights")


def test_ratios_are_read_as_a_range_and_a_shorthand_fills_what_is_not_given(tmp_path: Path) -> None:
    text = (
        'description = "mine"\n[column_wise]\nn_chips = { low = 2, high = 4 }\n'
        "prune = { low = 0.0, high = 0.9, step = 0.3 }\nprune_o = [0.5]\n"
    )
    space = load_space(written(tmp_path, text))
    ratios = (0.0, 0.3, 0.6, 0.9)
    assert space.choices["column_wise"] == {
        "n_chips": (2, 3, 4),
        "prune_qkv": ratios,
        "prune_o": (0.5,),
        "prune_ffn_in": ratios,
        "prune_ffn_out": ratios,
    }


def test_numbers_of_chips_that_a_strategy_cannot_use_are_left_out() -> None:
    few = load_space("all").with_choices("n_chips", [4, 8, 9, 40]).on(*ON)
    assert {n: tuple(c["n_chips"]) for n, c in few.space.choices.items()} == {
        "head_wise": (4, 8, 9, 40),
        "column_wise": (4, 8),
    }
    assert set(load_space("all").with_choices("n_chips", [40]).on(*ON).space.choices) == {"head_wise"}
    with pytest.raises(UsageError, match="column_wise cannot cut tinyllama-42m over 40 chips or more"):
        load_space("cats").with_choices("n_chips", [40]).on(*ON)
