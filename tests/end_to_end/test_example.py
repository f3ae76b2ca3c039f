"""The files of docs/example are a user's own, complete: they can be shown and searched with."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, plan_of, said

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
FILES = sorted(path.name for path in EXAMPLE.glob("*.toml"))
SEARCH = ("search", "--workload", "example/model.toml", "--platform", "example/platform.toml")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLE, tmp_path / "example")


def test_example_has_a_file_of_each_kind() -> None:
    assert [f"{kind}.toml" for kind in ("kernels", "link", "mcu", "model", "platform", "space")] == FILES


@pytest.mark.parametrize("name", FILES)
def test_example_file_is_shown(dse: Command, example: Path, name: str) -> None:
    lines = said(dse("show", f"example/{name}")).splitlines()
    assert lines[0].startswith(f"{Path(name).stem} example/{name}")
    assert (example / name).read_text().split('description = "')[1].split('"')[0] in "\n".join(lines[:2])


def test_search_with_the_example_recommends_a_plan(dse: Command, example: Path, tmp_path: Path) -> None:
    text = said(dse(*SEARCH, "--space", "example/space.toml", "--out", "run"))
    trials, plan = pd.read_csv(tmp_path / "run" / "trials.csv"), plan_of(tmp_path / "run" / "plan.json")
    assert f"exact front: all {len(trials)} plans" in text
    assert set(trials["n_chips"]) == set(range(1, 17))
    assert set(trials["partial_sum_bits"]) == {8, 16}
    assert "head from L3" not in text
    assert trials["chips_with_l3"].max() == 0
    paths = {entry["kind"]: entry["path"] for entry in plan["inputs"]}
    assert paths.pop("importance") == "importance/decoder.toml"
    assert paths.pop("calibration") == "calibration/decoder.toml"
    assert paths == {kind: f"example/{kind}.toml" for kind in paths}
    shutil.rmtree(example)
    assert "exactly" in said(dse("evaluate", "--plan", "run/plan.json"))


def test_files_of_the_example_go_with_built_in_ones(dse: Command, example: Path) -> None:
    assert example.is_dir()
    assert "Recommended" in said(dse("search", "--workload", "example/model.toml", "--budget", "20"))
    assert "on example/platform.toml" in said(
        dse(
            "evaluate",
            "--workload",
            "stories260k",
            "--platform",
            "example/platform.toml",
            "--set",
            "n_chips=2",
        )
    )
    assert "59 plans" in said(dse("search", "--space", "example/space.toml"))
