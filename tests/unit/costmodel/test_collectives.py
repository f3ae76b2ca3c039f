import numpy as np
import pytest

from costmodel import Platform
from costmodel.collectives import collective
from costmodel.collectives.trees import hierarchy
from costmodel.errors import ParameterError
from costmodel.program import Exchange


@pytest.mark.parametrize(
    ("n_chips", "group_size", "hops", "depth"),
    [
        (1, 2, 0, 0),
        (1, 64, 0, 0),
        (2, 2, 1, 1),
        (4, 4, 3, 1),
        (5, 4, 4, 2),
        (8, 4, 4, 2),
        (8, 2, 3, 3),
        (8, 8, 7, 1),
        (64, 4, 9, 3),
        (64, 8, 14, 2),
        (64, 64, 63, 1),
        (17, 4, 7, 3),
    ],
)
def test_hops_and_depth_of_known_trees(n_chips: int, group_size: int, hops: int, depth: int) -> None:
    shape = hierarchy(np.array([n_chips]), np.array([group_size]))
    assert (shape.hops.tolist(), shape.depth.tolist()) == ([hops], [depth])


@pytest.mark.parametrize(
    ("n_chips", "relays", "relay_hops"),
    [(1, 0, 0), (4, 0, 0), (5, 0, 0), (6, 1, 1), (8, 1, 1), (16, 3, 1), (17, 3, 1), (18, 4, 2), (64, 15, 2)],
)
def test_leaders_that_have_added_send_on(n_chips: int, relays: int, relay_hops: int) -> None:
    shape = hierarchy(np.array([n_chips]), np.array([4]))
    assert (shape.relays.tolist(), shape.relay_hops.tolist()) == ([relays], [relay_hops])


def test_trees_of_a_batch_do_not_touch_its_arrays() -> None:
    n, group = np.array([1, 8, 64]), np.array([4, 4, 4])
    hierarchy(n, group)
    assert (n.tolist(), group.tolist()) == ([1, 8, 64], [4, 4, 4])


def test_time_follows_hops_and_bytes_follow_chips(siracusa: Platform) -> None:
    n = np.array([1, 8])
    message = 0.5e-6 + 518 / 0.5e9
    for kind in ("reduce", "broadcast"):
        exchange = Exchange(kind=kind, sent_bytes=512.0, group_size=np.array([4, 4]))  # type: ignore[arg-type]
        found = collective(exchange, siracusa.link).cost(siracusa.link, exchange, n[None])
        np.testing.assert_allclose(found.seconds, [0, 4 * message], rtol=1e-14)
        assert found.traffic.wire_bytes.tolist() == [0, 7 * 518]


def test_an_exchange_that_no_one_has_written_for_a_medium_is_refused(siracusa: Platform) -> None:
    smoke = siracusa.link.model_copy(update={"medium": "smoke"})
    with pytest.raises(ParameterError, match="no collective 'gather' is known on medium 'smoke'"):
        collective(Exchange(kind="gather", sent_bytes=1.0), smoke)
