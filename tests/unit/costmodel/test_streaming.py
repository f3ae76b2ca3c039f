import numpy as np
import pytest

from costmodel.streaming import WARM, Timeline


def run(start: float, *phases: tuple[int, ...]) -> float:
    """Cycle at which steps (cycles,) and streams (tiles, DMA, compute) end."""
    timeline = Timeline(start=start)
    for phase in phases:
        if len(phase) == 1:
            timeline.step(*phase)
        else:
            timeline.stream(*phase)
    return float(timeline.now)


@pytest.mark.parametrize(
    ("start", "tiles", "dma", "compute", "end"),
    [
        (0.0, 1, 10, 3, 13),
        (0.0, 5, 10, 3, 5 * 10 + 3),
        (0.0, 5, 3, 10, 3 + 5 * 10),
        (WARM, 1, 10, 3, 3),
        (WARM, 2, 10, 3, 6),
        (WARM, 3, 10, 3, 3 + 10 + 3),
        (WARM, 5, 10, 3, 3 + 3 * 10 + 3),
        (WARM, 5, 3, 10, 50),
        (0.0, 4, 7, 7, 7 + 4 * 7),
    ],
)
def test_one_phase_is_bound_by_its_dma_or_its_kernel(
    start: float, tiles: int, dma: int, compute: int, end: float
) -> None:
    assert run(start, (tiles, dma, compute)) == end


def test_the_dma_runs_ahead_during_a_step() -> None:
    assert run(0.0, (100,), (2, 40, 5)) == 110
    assert run(0.0, (100,), (3, 40, 5)) == 105 + 40 + 5
    assert run(0.0, (20,), (2, 40, 5)) == 85


def test_only_two_tiles_are_brought_ahead() -> None:
    assert run(WARM, (1, 10, 5), (1000,), (4, 10, 1)) == 1006 + 10 + 10 + 1


def test_a_step_takes_its_cycles() -> None:
    assert run(0.0, (7,), (5,)) == 12


def test_phases_broadcast_over_plans() -> None:
    timeline = Timeline(start=0.0)
    timeline.stream(np.array([1, 5]), np.array([10, 3]), np.array([3, 10]))
    assert timeline.now.tolist() == [13, 53]
