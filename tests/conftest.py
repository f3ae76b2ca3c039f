from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from costmodel import Platform, Workload, load_platform, load_workload
from costmodel.parameters.files import BUILT_IN

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=80)
settings.load_profile("repeatable")

Copy = Callable[..., str]


@pytest.fixture(scope="session")
def tinyllama() -> Workload:
    return load_workload("tinyllama-42m")


@pytest.fixture(scope="session")
def siracusa() -> Platform:
    """Siracusa chips timed by whole-graph rates."""
    return load_platform("siracusa-mipi", "date2025")


@pytest.fixture(scope="session")
def simulated() -> Platform:
    """Siracusa chips timed by laws per operator."""
    return load_platform("siracusa-mipi", "pulp-gvsoc")


@pytest.fixture
def copy_of(tmp_path: Path) -> Copy:
    """Copy a built-in file, "kind/name", with one passage replaced; give the path of the copy."""

    def copy(built_in: str, old: str = "", new: str = "") -> str:
        text = (BUILT_IN / f"{built_in}.toml").read_text()
        assert old in text
        path = tmp_path / f"{Path(built_in).name}.toml"
        path.write_text(text.replace(old, new, 1))
        return str(path)

    return copy
