import numpy as np
import pytest

from costmodel import load_workload
from costmodel.shards import assignment, balanced, share
from costmodel.workload import Model

COLUMNS = ("heads", "kv_heads", "ffn_columns", "vocabulary_rows")


def chips(model: Model, n: int) -> list[tuple[int, ...]]:
    shards = balanced(model, np.array([n]))
    rows = zip(*(np.repeat(getattr(shards, c)[0], shards.n_chips[0]).tolist() for c in COLUMNS), strict=True)
    return list(rows)


def sized(**sizes: int) -> Model:
    return load_workload("stories260k").model.model_copy(update=sizes)


def test_share_is_division_with_remainder() -> None:
    each, extra = share(10, np.array([1, 3, 4, 11]))
    assert (each.tolist(), extra.tolist()) == ([10, 3, 2, 0], [0, 1, 2, 10])


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
def test_known_cuts(sizes: tuple[int, ...], n: int, held: list[tuple[int, ...]]) -> None:
    heads, kv_heads, ffn, vocabulary = sizes
    assert chips(sized(heads=heads, kv_heads=kv_heads, ffn=ffn, vocabulary=vocabulary), n) == held


def test_a_cut_does_not_depend_on_the_batch_it_is_in() -> None:
    model = sized(heads=12, kv_heads=3, ffn=50, vocabulary=77)
    n = np.arange(1, 65)
    shards = balanced(model, n)
    for row, size in enumerate(n.tolist()):
        held = [np.repeat(getattr(shards, c)[row], shards.n_chips[row]).tolist() for c in COLUMNS]
        assert list(zip(*held, strict=True)) == chips(model, size)


def test_kv_heads_are_repeated_only_on_chips_that_share_a_group() -> None:
    model = sized(heads=8, kv_heads=2)
    repeated = [sum(chip[1] for chip in chips(model, n)) - 2 for n in (1, 2, 3, 4, 8, 16)]
    assert repeated == [0, 0, 1, 2, 6, 6]


def test_heads_that_share_a_kv_head_stay_together() -> None:
    shares = assignment(sized(heads=8, kv_heads=4), 3)
    assert [s.heads for s in shares] == [(0, 1, 2, 3), (4, 5), (6, 7)]
    assert [s.kv_heads for s in shares] == [(0, 1), (2,), (3,)]


def test_ranges_of_columns_follow_each_other() -> None:
    shares = assignment(sized(ffn=7, vocabulary=2), 3)
    assert [s.ffn_columns for s in shares] == [(0, 2), (2, 2), (4, 3)]
    assert [s.vocabulary_rows for s in shares] == [(0, 0), (0, 1), (1, 1)]
