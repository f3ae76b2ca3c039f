from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from costmodel.hardware import Mcu
from costmodel.loads import Pace
from costmodel.memory import Placement, Regime, place
from costmodel.residency import Share
from tests.strategies import KERNEL_SETS, changed

ROOM = 1000.0
SIZES = [f.name for f in fields(Share) if f.name not in ("n_blocks", "passes")]
BASE = KERNEL_SETS["date2025"]


@pytest.fixture(scope="module")
def mcu() -> Mcu:
    """A chip with 1000 usable bytes of L2."""
    return changed(BASE, l2={"size_bytes": 1100.0, "reserve_bytes": 100.0}).mcu


def pace_of(n: int) -> Pace:
    """Pace of so many chips, of which L3 brings a byte while a block runs."""
    one = np.ones(n)
    return Pace(block_s=one, head_s=one, hiding_s=0 * one, bandwidth_bytes_per_s=one, steady=True)


def put(mcu: Mcu, *, pinning: bool = False, **sizes: Any) -> Placement:
    """Place four blocks of 100 B of weights, unless told otherwise; L3 brings a byte while a block runs."""
    sizes.setdefault("room_to_read", sizes.get("cache_read", 0))
    given = {name: np.array([float(sizes.pop(name, 100 if name == "weights" else 0))]) for name in SIZES}
    share = Share(**given, **({"n_blocks": 4, "passes": 1} | sizes))
    return place(mcu, share, pace_of(1), np.array([pinning]))


def values(placement: Placement) -> dict[str, float]:
    found = {name: float(np.ravel(array)[0]) for name, array in vars(placement).items()}
    regime, exposed = int(placement.regime[0]), float(placement.block_exposed[0])
    return {**found, "regime": regime, "block_exposed": exposed}


@pytest.mark.parametrize(
    ("sizes", "regime"),
    [
        ({"weights": 250}, Regime.RESIDENT),
        ({"weights": 251}, Regime.PREFETCHED),
        ({"weights": 200, "cache": 50}, Regime.RESIDENT),
        ({"weights": 200, "cache": 51}, Regime.PREFETCHED),
        ({"weights": 200, "activations": 200}, Regime.RESIDENT),
        ({"weights": 200, "activations": 201}, Regime.PREFETCHED),
        ({"weights": 1000}, Regime.PREFETCHED),
        ({"weights": 1001}, Regime.STREAMED),
        ({"weights": 900, "cache": 200}, Regime.PREFETCHED),
        ({"weights": 900, "cache": 200, "cache_read": 200}, Regime.STREAMED),
        ({"weights": 900, "activations": 101}, Regime.STREAMED),
        ({"weights": 100, "head": 10**6}, Regime.RESIDENT),
    ],
)
def test_the_regime_is_the_best_that_fits(mcu: Mcu, sizes: dict[str, int], regime: Regime) -> None:
    assert values(put(mcu, **sizes))["regime"] == regime


def test_resident_blocks_load_nothing(mcu: Mcu) -> None:
    found = values(put(mcu, cache=20, cache_read=20, stored=5, activations=50))
    assert found["block_exposed"] == found["block_prefetched"] == found["block_stored"] == 0
    assert (found["l2"], found["l3"]) == (4 * 120 + 50, 0)


def test_the_next_block_is_prefetched_into_what_is_left(mcu: Mcu) -> None:
    whole = values(put(mcu, weights=350, cache=50, cache_read=50, stored=5, activations=200))
    assert (whole["block_exposed"], whole["block_prefetched"], whole["block_stored"]) == (0, 400, 5)
    assert (whole["l2"], whole["l3"]) == (1000, 4 * 400)
    part = values(put(mcu, weights=650, cache=50, cache_read=50, activations=200))
    assert (part["block_exposed"], part["block_prefetched"]) == (600, 100)
    assert part["l2"] == 1000
    none = values(put(mcu, weights=800, activations=200))
    assert (none["block_exposed"], none["block_prefetched"]) == (800, 0)


def test_a_cache_that_is_not_read_is_held_but_not_loaded(mcu: Mcu) -> None:
    found = values(put(mcu, weights=300, cache=100, activations=100))
    assert (found["block_prefetched"], found["l3"]) == (300, 4 * 400)


def test_streamed_weights_are_read_once_a_row_tile_and_the_cache_once(mcu: Mcu) -> None:
    found = values(put(mcu, weights=2000, cache=30, cache_read=30, stored=5, activations=100, passes=3))
    assert (found["block_exposed"], found["block_prefetched"], found["block_stored"]) == (6030, 0, 5)
    assert (found["l2"], found["l3"]) == (ROOM, 4 * 2030)


def test_activations_beyond_the_room_are_spilled_and_fetched(mcu: Mcu) -> None:
    found = values(put(mcu, activations=1300, stored=5))
    assert found["regime"] == Regime.STREAMED
    assert (found["block_exposed"], found["block_stored"]) == (100 + 2 * 300, 5)
    assert found["l3"] == 4 * 100 + 300


def test_the_head_stays_when_it_fits_beside_resident_blocks(mcu: Mcu) -> None:
    stays = values(put(mcu, activations=100, head=300, embedding=200))
    assert (stays["head_exposed"], stays["head_prefetched"], stays["l3"]) == (0, 0, 0)
    assert stays["l2"] == 400 + 100 + 500


@pytest.mark.parametrize(
    ("sizes", "prefetched", "exposed"),
    [
        ({"activations": 100, "head": 300, "embedding": 201}, 300, 0),  # resident, 500 B left
        ({"activations": 100, "head": 700}, 500, 200),  # resident, 500 B left
        ({"weights": 300, "activations": 100, "head": 200}, 200, 0),  # prefetched, 600 B left
        ({"weights": 300, "activations": 100, "head": 700}, 600, 100),
        ({"weights": 1001, "head": 700}, 0, 700),  # streamed
    ],
)
def test_the_head_is_loaded_ahead_as_far_as_it_fits(
    mcu: Mcu, sizes: dict[str, int], prefetched: int, exposed: int
) -> None:
    found = put(mcu, **sizes)
    assert (found.head_prefetched, found.head_exposed) == (prefetched, exposed)
    assert found.head_traffic == sizes["head"]
    assert (found.l2 <= ROOM).all()
    blocks = 0 if values(found)["regime"] == Regime.RESIDENT else 4 * sizes["weights"]
    assert found.l3 == blocks + sizes["head"] + sizes.get("embedding", 0)


def test_without_l3_all_is_held_in_l2_whether_it_fits_or_not(mcu: Mcu) -> None:
    found = values(
        put(mcu.model_copy(update={"l3": None}), weights=900, activations=50, head=70, embedding=7)
    )
    assert found.pop("l2") == 4 * 900 + 50 + 77
    assert (found.pop("pinned"), found.pop("head_kept"), found.pop("l2_needed")) == (4, 70, 4 * 900 + 50 + 77)
    assert found.pop("passes") == 1
    assert not any(found.values())


def test_classes_are_placed_each_by_itself(mcu: Mcu) -> None:
    sizes = np.array([250.0, 251.0, 1000.0, 1001.0])
    zero = np.zeros_like(sizes)
    share = Share(**dict.fromkeys(SIZES, zero) | {"weights": sizes}, n_blocks=4, passes=1)
    found = place(mcu, share, pace_of(4), np.zeros(4, dtype=bool))
    assert [Regime(code).name for code in found.regime] == [
        "RESIDENT",
        "PREFETCHED",
        "PREFETCHED",
        "STREAMED",
    ]
    np.testing.assert_array_equal(found.block_traffic, [0, 4 * 251, 4 * 1000, 4 * 1001])


def test_room_for_a_longer_cache_is_kept_though_less_is_read(mcu: Mcu) -> None:
    # A block of 300 B runs; beside it, 100 B of a cache of 300 B is read, and room is kept for all of it.
    blocks = {"weights": 300.0, "cache": 300.0, "cache_read": 100.0}
    now = values(put(mcu, **blocks))
    assert (now["block_prefetched"], now["block_exposed"]) == (400, 0)
    later = values(put(mcu, **blocks, room_to_read=300.0))
    assert (later["block_prefetched"], later["block_exposed"]) == (400, 0)
    assert (now["l2"], later["l2"]) == (800, 1000)
    longest = values(put(mcu, **blocks, room_to_read=500.0))
    assert (longest["block_prefetched"], longest["block_exposed"]) == (200, 200)


def test_a_chip_that_pins_blocks_counts_what_it_looks_up(mcu: Mcu) -> None:
    """Four blocks of 230 B leave no room for 200 B of embedding: one gives way if looking up takes longer."""
    sizes = {"pinning": True, "weights": 230.0, "embedding": 200.0}
    looks_up, keeps = (put(mcu, looked_up=size, **sizes) for size in (229.0, 231.0))
    assert (looks_up.pinned[0], bool(looks_up.table_off_chip[0])) == (4, True)
    assert (keeps.pinned[0], bool(keeps.table_off_chip[0])) == (3, False)
