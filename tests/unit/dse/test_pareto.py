from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dse.pareto import front_mask, knee

Points = np.ndarray
SHAPES = st.tuples(st.integers(0, 25), st.integers(1, 4))
# Few levels, so that equal points and equal coordinates are common.
POINTS = SHAPES.flatmap(lambda shape: hnp.arrays(float, shape, elements=st.integers(-2, 3).map(float)))
POSITIVE = st.tuples(st.integers(1, 12), st.integers(1, 4)).flatmap(
    lambda shape: hnp.arrays(float, shape, elements=st.integers(1, 40).map(float))
)


def by_definition(values: Points, feasible: Points) -> list[bool]:
    """Feasible, dominated by no feasible point, and the first of those that equal it."""

    def beaten(i: int) -> bool:
        return any(
            feasible[j] and all(values[j] <= values[i]) and (any(values[j] < values[i]) or j < i)
            for j in range(len(values))
            if j != i
        )

    return [bool(feasible[i]) and not beaten(i) for i in range(len(values))]


def distances(values: Points) -> list[float]:
    """Distance of each point from the ideal one, each objective scaled to its range, log where it may be."""
    total = np.zeros(len(values))
    for column in values.T:
        least = 0.05 * abs(max(column))
        if all(column > 0):
            column, least = np.array([np.log(v) for v in column]), np.log(1.05)
        elif all(column < 0):
            column, least = np.array([-np.log(-v) for v in column]), np.log(1.05)
        width = max(column) - min(column)
        if width > least:
            total += ((column - min(column)) / width) ** 2
    return list(np.sqrt(total))


@given(values=POINTS, data=st.data())
def test_front_is_what_the_definition_says(values: Points, data: st.DataObject) -> None:
    feasible = data.draw(hnp.arrays(bool, len(values)))
    assert front_mask(values, feasible).tolist() == by_definition(values, feasible)


@given(values=POINTS)
def test_order_of_the_objectives_does_not_matter(values: Points) -> None:
    every = np.ones(len(values), bool)
    masks = {
        tuple(front_mask(np.ascontiguousarray(values[:, list(order)]), every))
        for order in permutations(range(values.shape[1]))
    }
    assert len(masks) == 1


@pytest.mark.parametrize("n", [0, 1, 5])
def test_nothing_feasible_gives_no_front(n: int) -> None:
    assert front_mask(np.ones((n, 3)), np.zeros(n, bool)).tolist() == [False] * n


def test_an_infeasible_point_dominates_nothing() -> None:
    values = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
    assert front_mask(values, np.array([False, True, True])).tolist() == [False, True, True]


def test_values_are_not_changed() -> None:
    values = np.array([[1.0, 2.0], [2.0, 1.0]])
    front_mask(values, np.ones(2, bool))
    knee(values)
    assert values.tolist() == [[1.0, 2.0], [2.0, 1.0]]


@given(values=st.one_of(POSITIVE, POSITIVE.map(np.negative), POINTS.filter(len)))
def test_knee_is_the_first_point_nearest_to_the_ideal(values: Points) -> None:
    away = distances(values)
    assert away[knee(values)] == pytest.approx(min(away), abs=1e-12)
    assert all(d > min(away) - 1e-12 for d in away[: knee(values)])


@given(values=POSITIVE, power=st.integers(-6, 6))
def test_unit_of_a_positive_objective_does_not_move_the_knee(values: Points, power: int) -> None:
    scaled = values.copy()
    scaled[:, 0] *= 10.0**power
    away = distances(values)
    assert away[knee(scaled)] == pytest.approx(min(away), abs=1e-9)


@given(values=POSITIVE)
def test_knee_of_a_front_is_on_the_front(values: Points) -> None:
    assert front_mask(np.unique(values, axis=0), np.ones(len(np.unique(values, axis=0)), bool))[
        knee(np.unique(values, axis=0))
    ]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("width", "best"), [(1.049, 2), (1.051, 0)])
def test_objective_that_hardly_differs_over_the_front_does_not_decide(
    sign: int, width: float, best: int
) -> None:
    other = [1.0, width, width] if sign > 0 else [-width, -1.0, -1.0]
    assert knee(np.array([[3.0, 2.0, 1.0], other]).T) == best


def test_two_points_that_differ_by_little_in_everything_are_as_good() -> None:
    assert knee(np.array([[1.0, 1.04], [1.04, 1.0], [1.02, 1.02]])) == 0


def test_knee_of_equal_points_is_the_first() -> None:
    assert knee(np.array([[3.0, 1.0]] * 3)) == 0
    assert knee(np.array([[1.0, 4.0], [4.0, 1.0]])) == 0
