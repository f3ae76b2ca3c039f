"""Files and folders in the way, or damaged, are refused and left as they are."""

import json
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, assert_refused

OUTPUTS = [
    ("search --out file", "file"),
    ("search --out file/below", "file"),
    ("search --out foreign", "foreign"),
    ("search --out foreign --overwrite", "foreign"),
    ("search --out run", "run"),
    ("search --out /proc/nowhere", "/proc/nowhere"),
    (f"search --out {'a' * 300}", "aaa"),
    ("export foreign", "foreign"),
    ("export file", "file"),
    ("export run --out file", "file"),
    ("export run --out file/plan.json", "file"),
    ("export run --out nowhere/plan.json", "nowhere"),
    ("export run --out foreign --overwrite", "foreign"),
    ("export run --pick min-latncy", "did you mean 'min-latency'"),
    ("export run --pick 999", "999"),
    ("export run --pick -1", "-1"),
    ("export run --pick ''", "''"),
    ("plot foreign", "foreign"),
    ("plot run --x latncy", "did you mean 'latency'"),
    ("plot run --y ''", "''"),
    ("plot run --out file", "file"),
    ("plot broken", "broken"),
    ("export broken", "broken"),
    ("evaluate --plan run", "run"),
    ("evaluate --plan run/run.json", "run.json"),
    ("evaluate --plan run/pareto.png", "pareto.png"),
    ("evaluate --plan run/trials.csv", "trials.csv"),
    ("evaluate --plan run/plan.json --set n_chips=8", "--plan"),
    ("evaluate --plan run/plan.json --workload mobilebert", "--plan"),
    ("reproduce date2025 --out file", "file"),
    ("show run/plan.json", "plan.json"),
    ("show folder.toml", "folder.toml"),
    ("evaluate --set n_chips=8 --workload folder.toml", "folder.toml"),
]


@pytest.mark.parametrize(("command", "named"), OUTPUTS, ids=[command[:60] for command, _ in OUTPUTS])
def test_file_or_folder_in_the_way_is_refused(
    dse: Command, run: Path, tmp_path: Path, command: str, named: str
) -> None:
    shutil.copytree(run, tmp_path / "run")
    shutil.copytree(run, tmp_path / "broken")
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    (tmp_path / "folder.toml").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert_refused(dse(*shlex.split(command)), named)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["plot", "export"])
@pytest.mark.parametrize(
    ("name", "column", "value", "told"),
    [
        ("pareto.csv", "energy_j", None, "column 'energy_j' is missing"),
        ("pareto.csv", "knee", "maybe", "column 'knee' must hold True and False"),
        ("pareto.csv", "n_chips", "many", "column 'n_chips' holds something that is no number"),
        ("trials.csv", "latency_s", "fast", "column 'latency_s' holds something that is no number"),
        ("trials.csv", "feasible", None, "column 'feasible' is missing"),
    ],
)
def test_damaged_table_is_refused(
    dse: Command, run: Path, tmp_path: Path, command: str, name: str, column: str, value: object, told: str
) -> None:
    shutil.copytree(run, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / name)
    table = table.drop(columns=column) if value is None else table.assign(**{column: value})
    table.to_csv(tmp_path / "run" / name, index=False)
    assert_refused(dse(command, "run"), f"run/{name}: {told}")


def test_damaged_run_file_is_refused(dse: Command, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    unknown = {"finished": True, "workload": {}, "platform": 1, "objectives": ["speed"]}
    for content in ("", "[]", '{"finished": true}', json.dumps(unknown)):
        (tmp_path / "run" / "run.json").write_text(content)
        for command in ("plot", "export"):
            assert_refused(dse(command, "run"), "run/run.json is not as a search writes it")
