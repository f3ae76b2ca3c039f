from collections.abc import Sequence

import numpy as np
import pytest

from costmodel import Costs, Plan, Plans, Platform, Workload, evaluate, load_workload
from costmodel.errors import UsageError
from costmodel.parameters import to_unit
from dse.objectives import DEFAULT_OBJECTIVES, OBJECTIVES, default_objectives, minimised, objectives_named

ENDINGS = {
    "second": "_s",
    "joule": "_j",
    "joule*second": "_js",
    "token/second": "_tokens_per_s",
    "byte": "_bytes",
    "": "",
}


@pytest.fixture(scope="module")
def costs(tinyllama: Workload, siracusa: Platform) -> Costs:
    return evaluate(
        tinyllama, siracusa, Plans.of(Plan(strategy="head_wise", n_chips=n) for n in (1, 2, 8, 24, 64))
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_gives_a_column_of_its_unit(name: str, costs: Costs) -> None:
    o = OBJECTIVES[name]
    assert o.name == name
    assert o.column.endswith(ENDINGS[o.unit])
    assert o.of(costs).shape == (5,)
    np.testing.assert_array_equal(o.of(costs), getattr(costs, o.column))


@pytest.mark.parametrize("name", [name for name, o in OBJECTIVES.items() if o.unit])
def test_shown_unit_is_as_many_units_as_stated(name: str) -> None:
    o = OBJECTIVES[name]
    assert to_unit(1.0, o.shown_unit, o.unit) == pytest.approx(o.per_shown, rel=1e-12)
    assert o.shown_unit in o.label
    assert o.shown(1.5 * o.per_shown) == "1.5"


def test_count_is_shown_whole() -> None:
    assert OBJECTIVES["n_chips"].shown(24.0) == "24"


def test_defaults_order_and_repeats() -> None:
    assert tuple(o.name for o in objectives_named([])) == DEFAULT_OBJECTIVES
    assert DEFAULT_OBJECTIVES == ("latency", "energy", "n_chips")
    assert [o.name for o in objectives_named(["edp", "latency", "edp"])] == ["edp", "latency"]


@pytest.mark.parametrize(
    ("name", "meant"), [("latencyy", "latency"), ("Energy", "energy"), ("nchips", "n_chips")]
)
def test_unknown_objective_names_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}'; did you mean '{meant}'") as error:
        objectives_named(["edp", name])
    assert "link_traffic" in error.value.message


def test_minimised_turns_only_throughput_over(costs: Costs) -> None:
    columns = minimised(list(OBJECTIVES.values()), costs)
    assert columns.shape == (5, len(OBJECTIVES))
    for column, o in zip(columns.T, OBJECTIVES.values(), strict=True):
        np.testing.assert_array_equal(column, -o.of(costs) if o.name == "throughput" else o.of(costs))


def named(names: Sequence[str], decided: Sequence[str], *models: tuple[str, str | None]) -> list[str]:
    """Give the default objectives of models, each with its calibration."""
    workloads = [load_workload(model, calibration=calibration) for model, calibration in models]
    return default_objectives(names, workloads, decided)


OF_SPACE = ["latency", "missing_weights"]


@pytest.mark.parametrize(
    ("names", "calibration", "decided", "found"),
    [
        ([], None, ["n_chips"], [*DEFAULT_OBJECTIVES]),
        ([], "cats-icd", ["n_chips"], [*DEFAULT_OBJECTIVES]),  # nothing is left out
        (OF_SPACE, None, ["n_chips", "prune_qkv"], OF_SPACE),
        (OF_SPACE, "cats-icd", ["n_chips"], ["latency", "accuracy_drop"]),
        ([], None, ["weight_bits"], [*DEFAULT_OBJECTIVES, "accuracy_drop"]),
        (OF_SPACE, None, ["bits_o"], ["latency", "accuracy_drop"]),
        (OF_SPACE, None, ["retransmission"], ["latency", "accuracy_drop"]),
        (OF_SPACE, None, ["message_dropout"], ["latency", "accuracy_drop"]),
    ],
)
def test_a_search_minimises_the_drop_where_missing_weights_do_not_stand_for_it(
    names: list[str], calibration: str | None, decided: list[str], found: list[str]
) -> None:
    assert named(names, decided, ("cats-timeseries", calibration)) == found


def test_models_compare_by_what_they_score() -> None:
    two = (("cats-timeseries", "cats-icd"), ("cats-timeseries", "cats-icd"))
    assert named([*OF_SPACE, "accuracy_drop"], ["prune_qkv"], *two) == ["latency", "loss"]
