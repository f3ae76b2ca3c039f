import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from costmodel import load_workload
from costmodel.shards import Dimension, Shards, Share, assignment, balanced, level
from costmodel.strategies.head_wise import dimensions
from costmodel.workload import Model


def chips(model: Model, n: int, replicate: int = 1) -> list[tuple[int, ...]]:
    return rows_of(balanced(model, np.array([n]), dimensions(model), replicate=replicate), 0)


def rows_of(shards: Shards, row: int) -> list[tuple[int, ...]]:
    """Give what each chip of a plan has, in the order of COLUMNS."""
    entries = (shards.heads, shards.kv_heads, shards.units["ffn_columns"], shards.units["vocabulary_rows"])
    held = (np.repeat(entry[:, row], shards.n_chips[:, row]).tolist() for entry in entries)
    return list(zip(*held, strict=True))


def sized(**sizes: int) -> Model:
    return load_workload("stories260k").model.model_copy(update=sizes)


def assigned(model: Model, n: int, replicate: int = 1, **totals: int) -> list[Share]:
    dealt = {name: Dimension(total=total) for name, total in totals.items()}
    return assignment(model, balanced(model, np.array([n]), dealt, replicate=replicate))


@pytest.mark.parametrize(
    ("sizes", "n", "held"),
    [
        ((4, 4, 6, 8), 1, [(4, 4, 6, 8)]),
        ((4, 4, 6, 8), 4, [(1, 1, 1, 2), (1, 1, 1, 2), (1, 1, 2, 2), (1, 1, 2, 2)]),
        ((5, 5, 4, 0), 3, [(2, 2, 1, 0), (2, 2, 1, 0), (1, 1, 2, 0)]),
        ((2, 2, 4, 1), 3, [(1, 1, 1, 0), (1, 1, 1, 0), (0, 0, 2, 1)]),
        ((8, 2, 3, 3), 1, [(8, 2, 3, 3)]),
        ((8, 2, 4, 4), 2, [(4, 1, 2, 2), (4, 1, 2, 2)]),
        ((8, 2, 3, 3), 3, [(4, 1, 1, 1), (2, 1, 1, 1), (2, 1, 1, 1)]),
        ((6, 2, 4, 4), 4, [(2, 1, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)]),
        ((1, 1, 2, 2), 2, [(1, 1, 1, 1), (0, 0, 1, 1)]),
    ],
)
def test_known_cuts_into_whole_groups(sizes: tuple[int, ...], n: int, held: list[tuple[int, ...]]) -> None:
    heads, kv_heads, ffn, vocabulary = sizes
    assert chips(sized(heads=heads, kv_heads=kv_heads, ffn=ffn, vocabulary=vocabulary), n, 0) == held


@pytest.mark.parametrize(
    ("heads", "kv_heads", "n", "held"),
    [
        (32, 4, 3, [(11, 2), (11, 2), (10, 2)]),
        (32, 4, 5, [(7, 2), (7, 1), (6, 2), (6, 2), (6, 1)]),
        (32, 4, 7, [(5, 2), (5, 2), (5, 1), (5, 1), (4, 1), (4, 1), (4, 1)]),
        (9, 3, 2, [(5, 2), (4, 2)]),
        (6, 3, 2, [(3, 2), (3, 2)]),
        (8, 1, 3, [(3, 1), (3, 1), (2, 1)]),
        (4, 2, 6, [(1, 1), (1, 1), (1, 1), (1, 1), (0, 0), (0, 0)]),
    ],
)
def test_known_cuts_with_kv_heads_replicated(
    heads: int, kv_heads: int, n: int, held: list[tuple[int, int]]
) -> None:
    assert [chip[:2] for chip in chips(sized(heads=heads, kv_heads=kv_heads), n)] == held


@given(
    classes=st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), min_size=1, max_size=4),
    total=st.integers(0, 1000),
)
def test_the_level_is_where_all_units_have_a_place(classes: list[tuple[float, int]], total: int) -> None:
    taken, count = (np.array(one) for one in zip(*classes, strict=True))
    assume(count.sum() > 0)
    low, high = 0.0, 100.0 + total  # by bisection
    for _ in range(100):
        middle = (low + high) / 2
        filled = np.sum(count * np.maximum(middle - taken, 0.0))
        low, high = (middle, high) if filled < total else (low, middle)
    found = float(level(total, taken, count))
    assert np.sum(count * np.maximum(found - taken, 0.0)) == pytest.approx(total, abs=1e-9)
    assert total == 0 or found == pytest.approx(high)


def test_a_chip_without_heads_takes_what_the_others_have_no_room_for() -> None:
    # 2 chips hold a head of 30 bytes each, the third none; units are of 10 bytes.
    model = sized(heads=2, kv_heads=2)

    def dealt(fill: float, total: int) -> list[int]:
        units = {"columns": Dimension(total=total, unit_bytes=10.0, fill=fill)}
        shards = balanced(model, np.array([3]), units, head_bytes=20.0, kv_head_bytes=10.0)
        return [share.units["columns"].count for share in assignment(model, shards)]

    assert dealt(0.0, 9) == [3, 3, 3]
    assert dealt(1.0, 9) == [2, 2, 5]
    assert (dealt(0.0, 8), dealt(0.5, 8)) == ([2, 3, 3], [2, 2, 4])
    assert dealt(1.0, 2) == [0, 0, 2]


def test_a_cut_does_not_depend_on_the_batch_it_is_in() -> None:
    model = sized(heads=12, kv_heads=3, ffn=50, vocabulary=77)
    n = np.arange(1, 65)
    shards = balanced(model, n, dimensions(model))
    for row, size in enumerate(n.tolist()):
        assert rows_of(shards, row) == chips(model, size)


def test_plans_may_lie_along_axes_of_their_own() -> None:
    model = sized(heads=12, kv_heads=3, ffn=50, vocabulary=77)
    n = np.arange(1, 65)
    flat, square = (balanced(model, shape, dimensions(model)) for shape in (n, n.reshape(8, 1, 8)))
    assert square.n_chips.shape[1:] == (8, 1, 8)
    assert square.heads.reshape(len(square.heads), -1).tolist() == flat.heads.tolist()


def test_a_class_begins_where_the_one_before_it_ends() -> None:
    model = sized(heads=12, kv_heads=3, ffn=50, vocabulary=77)
    shards = balanced(model, np.arange(1, 65), dimensions(model))
    ends = np.cumsum(shards.n_chips, axis=0)
    there = shards.n_chips > 0
    assert (shards.first == ends - shards.n_chips)[there].all()


def test_kv_heads_are_repeated_only_on_chips_that_share_a_group() -> None:
    model = sized(heads=8, kv_heads=2)
    repeated = {
        way: [sum(chip[1] for chip in chips(model, n, way)) - 2 for n in (1, 2, 3, 4, 8, 16)]
        for way in (0, 1)
    }
    assert repeated == {0: [0, 0, 1, 2, 6, 6], 1: [0, 0, 2, 2, 6, 6]}


def test_heads_that_share_a_kv_head_stay_together_unless_it_is_replicated() -> None:
    shares = assigned(sized(heads=8, kv_heads=4), 3, replicate=0)
    assert [(s.heads.first, s.heads.count) for s in shares] == [(0, 4), (4, 2), (6, 2)]
    assert [(s.kv_heads.first, s.kv_heads.count) for s in shares] == [(0, 2), (2, 1), (3, 1)]
    shares = assigned(sized(heads=8, kv_heads=4), 3)
    assert [(s.heads.first, s.heads.count) for s in shares] == [(0, 3), (3, 3), (6, 2)]
    assert [(s.kv_heads.first, s.kv_heads.count) for s in shares] == [(0, 2), (1, 2), (3, 1)]


def test_ranges_of_columns_follow_each_other() -> None:
    shares = assigned(sized(), 3, columns=7, rows=2)
    found = {
        name: [(s.units[name].first, s.units[name].count) for s in shares] for name in ("columns", "rows")
    }
    assert found == {"columns": [(0, 2), (2, 2), (4, 3)], "rows": [(0, 0), (0, 1), (1, 1)]}
