from collections.abc import Callable
from typing import Any

import pytest

from costmodel import Accounting, Platform, Workload
from dse.constraints import constraints
from dse.job import Job
from dse.objectives import objectives_named
from dse.search import SearchResult, search
from search_spaces import Candidates, SearchSpace, load_space

MakeJob = Callable[..., Job]


def unrecorded(*_: object) -> None:
    """Take a batch and keep nothing of it."""


@pytest.fixture(scope="session")
def space() -> SearchSpace:
    """The built-in space."""
    return load_space("head_wise")


@pytest.fixture(scope="session")
def small(space: SearchSpace) -> SearchSpace:
    """A space with few enough plans for brute force."""
    return (
        space.with_choices("n_chips", [1, 2, 3, 8, 21, 40])
        .with_choices("group_size", [2, 4, 64])
        .with_choices("partial_sum_bits", [8, 32])
    )


@pytest.fixture(scope="session")
def candidates(space: SearchSpace, tinyllama: Workload, siracusa: Platform) -> Candidates:
    """Plans of the built-in space."""
    return space.on(tinyllama, siracusa)


@pytest.fixture(scope="session")
def few(small: SearchSpace, tinyllama: Workload, siracusa: Platform) -> Candidates:
    """Plans of the small space."""
    return small.on(tinyllama, siracusa)


@pytest.fixture(scope="session")
def job(tinyllama: Workload, siracusa: Platform, small: SearchSpace) -> MakeJob:
    """Make a job; constraints as text, objectives by name."""

    def make(*bounds: str, objectives: tuple[str, ...] = (), **other: Any) -> Job:
        fields = {
            "workloads": (tinyllama,),
            "platform": siracusa,
            "accounting": Accounting(),
            "space": small,
            "objectives": objectives_named(objectives),
            "constraints": constraints(bounds),
        }
        return Job(**fields | other)

    return make


@pytest.fixture(scope="session")
def found(job: MakeJob, space: SearchSpace) -> SearchResult:
    """All plans of the built-in space, under a bound that some of them miss."""
    return search(job("latency<=100ms", space=space), unrecorded)


@pytest.fixture(scope="session")
def nothing_found(job: MakeJob) -> SearchResult:
    """A search in which no plan meets the bounds."""
    return search(job("latency<=1us", "energy<=1mJ"), unrecorded)
