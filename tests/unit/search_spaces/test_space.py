from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Plan, Plans
from costmodel.errors import ParameterError, UsageError
from costmodel.plan import DECISIONS, MAX_CHIPS, PARTIAL_SUM_BITS
from search_spaces import SearchSpace, built_in_spaces, load_space

CHOICES = st.fixed_dictionaries(
    {
        "n_chips": st.lists(st.integers(1, MAX_CHIPS), min_size=1, max_size=6, unique=True),
        "group_size": st.lists(st.integers(2, MAX_CHIPS), min_size=1, max_size=4, unique=True),
        "partial_sum_bits": st.lists(st.sampled_from(PARTIAL_SUM_BITS), min_size=1, unique=True),
    }
)
GOOD = """
description = "mine"
strategy = "head_wise"
choices = { partial_sum_bits = [16, 16], n_chips = { low = 2, high = 4 }, group_size = [3, 2] }
"""


def space_of(choices: dict[str, list[int]]) -> SearchSpace:
    values = {name: tuple(options) for name, options in choices.items()}
    return SearchSpace(name="x", description="x", strategy="head_wise", choices=values)


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", built_in_spaces())
def test_built_in_space_is_as_large_as_brute_force(name: str) -> None:
    space = load_space(name)
    plans = {
        Plan(**dict(zip(space.choices, row, strict=True))).canonical()
        for row in product(*space.choices.values())
    }
    assert set(space.all_plans) == plans
    assert space.size == len(plans)
    assert space.description


def test_head_wise_space_has_every_number_of_chips() -> None:
    space = load_space("head_wise")
    assert tuple(space.choices) == DECISIONS
    assert set(space.all_plans.n_chips) == set(range(1, 65))
    assert {p.group_size for p in space.all_plans if p.n_chips == 64} == {2, 3, 4, 6, 8, 16, 64}


@given(choices=CHOICES)
def test_enumeration_gives_every_canonical_plan_once_in_order(choices: dict[str, list[int]]) -> None:
    space = space_of(choices)
    keys = space.all_plans.keys()
    assert keys == sorted(set(keys))
    brute = Plans.of(
        Plan(**dict(zip(choices, row, strict=True))) for row in product(*choices.values())
    ).canonical()
    assert set(keys) == set(brute.keys())
    assert space.size == len(keys)


@given(choices=CHOICES, data=st.data())
def test_every_genotype_is_a_plan_of_the_space(choices: dict[str, list[int]], data: st.DataObject) -> None:
    space = space_of(choices)
    genotype = st.tuples(*(st.integers(0, len(v) - 1) for v in choices.values()))
    genotypes = data.draw(st.lists(genotype, min_size=1, max_size=5))
    plans = space.plans(np.array(genotypes))
    for plan, genes in zip(plans, genotypes, strict=True):
        asked = {name: options[i] for (name, options), i in zip(choices.items(), genes, strict=True)}
        assert plan == Plan(**asked).canonical() == plan.canonical()
    assert set(plans.keys()) <= set(space.all_plans.keys())


def test_other_choices_replace_those_of_one_decision() -> None:
    space = load_space("head_wise")
    fewer = space.with_choices("n_chips", [8, 4, 8])
    assert fewer.choices == {**space.choices, "n_chips": (8, 4)}
    assert set(fewer.all_plans.n_chips) == {4, 8}
    assert space.size == 409


def test_other_choices_must_be_of_the_space_and_valid() -> None:
    space = load_space("head_wise")
    with pytest.raises(UsageError, match="'n_chip'; did you mean 'n_chips'"):
        space.with_choices("n_chip", [8])
    with pytest.raises(ParameterError, match="n_chips 65 must be 1 to 64"):
        space.with_choices("n_chips", [8, 65])


def test_own_space_is_read_by_path(tmp_path: Path) -> None:
    space = load_space(written(tmp_path, GOOD))
    assert space.choices == {"n_chips": (2, 3, 4), "group_size": (3, 2), "partial_sum_bits": (16,)}
    assert list(space.choices) == list(DECISIONS)
    assert space.all_plans.keys() == [(2, 2, 16), (3, 2, 16), (3, 3, 16), (4, 2, 16), (4, 3, 16)]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("low = 2", "low = 5", "low 5 is above high 4"),
        ("low = 2", "lo = 2", "unknown key 'lo'; did you mean 'low'"),
        ("low = 2, ", "", "key 'low' is missing"),
        ("low = 2", 'low = "2"', "choices.n_chips: key 'low'"),
        ("low = 2", "low = true", "choices.n_chips: key 'low'"),
        ("high = 4", "high = 4.0", "choices.n_chips: key 'high'"),
        ("high = 4", "high = 10_001", "n_chips 65 must be 1 to 64"),
        ("high = 4", "high = 10_002", "2 to 10002 are more than 10000 choices"),
        ("high = 4", "high = 1" + "0" * 100, "are more than 10000 choices"),
        ("[3, 2]", "[" + "3, " * 10_001 + "]", "at most 10000"),
        ("[3, 2]", '["3", 2]', "choices.group_size"),
        ("[3, 2]", "[true, 2]", "choices.group_size"),
        ("[3, 2]", "3", "choices.group_size"),
        ("high = 4", "high = 65", "n_chips 65 must be 1 to 64"),
        ("group_size", "groupsize", "did you mean 'group_size'"),
        (", group_size = [3, 2]", "", "'choices.group_size' is missing"),
        ("[3, 2]", "[]", "choices.group_size"),
        ("[3, 2]", "[1]", "group_size 1 must be 2 to 64"),
        ("[3, 2]", "[2.5]", "choices.group_size"),
        ("[16, 16]", "[12]", "partial_sum_bits 12"),
        ("head_wise", "row_wise", "strategy"),
        ("description", "descripton", "did you mean 'description'"),
        ("choices = {", "choices = ", "broken TOML"),
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
