"""The strategy of docs/example is costed, written out and searched like a built-in one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.evaluation import inspect
from costmodel.program import AROUND, HALVES
from costmodel.strategies import STRATEGIES, Strategy, canonical
from costmodel.transformer import hidden_matrices
from search_spaces import load_space
from tests.strategies import costed, per_plan

FILE = Path(__file__).parents[2] / "docs" / "example" / "mlp_wise.py"
NAME, CHIPS = "mlp_wise", (2, 3, 5, 8, 16)
CASES = [
    ("tinyllama-42m", "siracusa-mipi"),
    ("stories260k", "nrf52840-mixer"),
    ("cats-block", "nrf52840-mixer"),
]
SPACE = """description = "the example strategy beside head-wise plans"
[head_wise]
n_chips = [1, 2, 4]
group_size = [2]
partial_sum_bits = [8]
[mlp_wise]
n_chips = { low = 1, high = 4 }
group_size = [2, 4]
"""


@pytest.fixture(autouse=True)
def strategy(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    """The file's strategy, in the table as one more line would put it there."""
    spec = importlib.util.spec_from_file_location(NAME, FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Strategy = module.MLP_WISE
    monkeypatch.setitem(STRATEGIES, found.name, found)
    return found


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[Workload, Platform]:
    workload, platform = request.param
    return load_workload(workload), load_platform(platform)


def plans(name: str = NAME) -> Plans:
    """Plans whose sums travel at 8 bit, as those of the example do."""
    return Plans.of(
        Plan(strategy=name, n_chips=n, group_size=g, partial_sum_bits=8) for n in CHIPS for g in (2, 4)
    )


@pytest.mark.parametrize("scope", ["model", "block", "attention", "mlp"])
def test_costs_are_finite_and_a_batch_equals_its_rows(case: tuple[Workload, Platform], scope: str) -> None:
    counted = Accounting(scope=scope)
    together = per_plan(evaluate(*case, plans(), counted))
    assert together["latency compute"].min() > 0
    rows = [per_plan(evaluate(*case, Plans.of([plan]), counted)) for plan in plans()]
    for field, array in together.items():
        assert np.isfinite(array).all(), field
        np.testing.assert_array_equal(array, np.concatenate([row[field] for row in rows]), field)


def test_it_keeps_its_plans_but_that_of_one_chip(case: tuple[Workload, Platform]) -> None:
    asked = Plans.joined([plans(), Plans.of([Plan(strategy=NAME, n_chips=1)])])
    assert canonical(*case, asked).strategies == [NAME] * len(plans()) + ["head_wise"]


@pytest.mark.parametrize("n_chips", CHIPS)
def test_slices_have_the_weights_of_the_program(case: tuple[Workload, Platform], n_chips: int) -> None:
    found = inspect(*case, Plan(strategy=NAME, n_chips=n_chips), Accounting())
    program = found.costing.program
    assert len(found.slices) == n_chips
    for part in program.parts:
        for matrix, size in part.weights.items():
            by_chip = np.repeat((size + np.zeros(program.chips.shape))[:, 0], program.chips[:, 0])
            pieces = [
                sum(piece.size_bytes for piece in chip.matrices if piece.matrix == matrix)
                for chip in found.slices
            ]
            np.testing.assert_allclose(pieces, by_chip, rtol=1e-12, err_msg=matrix)


def test_chips_hold_the_mlp_once_and_attention_each(case: tuple[Workload, Platform]) -> None:
    workload, platform = case
    m = workload.model
    found = costed(workload, platform, plans())

    def held(names: tuple[str, ...]) -> np.ndarray:
        sizes = [size for name in names for size in found.program.part(name).weights.values()]
        return np.asarray(sum(np.sum(size * found.program.chips, axis=0) for size in sizes))

    attention = 2 * (m.heads + m.kv_heads) * m.head_size * m.embedding * m.weight_bytes
    hidden = (len(hidden_matrices(m)) + 1) * m.embedding * m.ffn * m.weight_bytes
    np.testing.assert_array_equal(held(HALVES), hidden + attention * found.plans["n_chips"])
    np.testing.assert_array_equal(held(AROUND), m.vocabulary_weights * m.weight_bytes)


@pytest.mark.parametrize("n_chips", CHIPS)
def test_a_block_synchronises_half_as_often_as_head_wise(
    case: tuple[Workload, Platform], n_chips: int
) -> None:
    block = Accounting(scope="block")
    times = {
        name: sum(
            one.times for one in inspect(*case, Plan(strategy=name, n_chips=n_chips), block).synchronisations
        )
        for name in ("head_wise", NAME)
    }
    assert times == {"head_wise": 4, NAME: 2}  # broadcasts and reductions
    head_wise, mine = (evaluate(*case, plans(name), block) for name in ("head_wise", NAME))
    all_attend = head_wise.n_chips <= case[0].model.heads
    np.testing.assert_array_equal((2 * mine.link_messages)[all_attend], head_wise.link_messages[all_attend])
    np.testing.assert_allclose(
        2 * mine.latency_by_cause_s["link"][all_attend],
        head_wise.latency_by_cause_s["link"][all_attend],
        rtol=1e-12,
    )
    assert (2 * mine.link_messages >= head_wise.link_messages).all()
    assert (mine.latency_by_cause_s["compute"] > head_wise.latency_by_cause_s["compute"]).all()


def test_a_space_may_have_it_beside_another(tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(SPACE, encoding="utf-8")
    candidates = load_space(str(file)).on(load_workload("stories260k"), load_platform("siracusa-mipi"))
    # One chip is head-wise; groups of 4 are flat on 3 and 4 chips, and pairs on 2.
    assert len(candidates.all_plans) == candidates.size == 3 + 5
    assert all(STRATEGIES[plan.strategy].words(plan) for plan in candidates.all_plans)
