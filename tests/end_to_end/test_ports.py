"""A link whose file says how many such links a chip can have."""

from collections import defaultdict
from pathlib import Path

import pytest

from costmodel.parameters.files import BUILT_IN
from tests.commands import Command, assert_refused, plan_of, said

STATED = '{ value = %s, source = "board", where = "connectors", status = "measured" }'


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Siracusa with three links a chip."""
    return with_ports(tmp_path, "3")


def with_ports(folder: Path, number: str) -> Path:
    link = (BUILT_IN / "link" / "mipi.toml").read_text(encoding="utf-8")
    (folder / "link.toml").write_text(f"{link}ports = {STATED % number}\n", encoding="utf-8")
    board = folder / "board.toml"
    parts = 'description = "three links a chip"\nmcu = "siracusa"\nlink = "link.toml"\nkernels = "date2025"\n'
    board.write_text(parts, encoding="utf-8")
    return board


def links(plan: dict) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for sync in plan["synchronisations"]:
        for message in sync["messages"]:
            for receiver in message["receivers"]:
                found[message["sender"]].add(receiver)
                found[receiver].add(message["sender"])
    return found


def test_groups_of_two_follow_the_ports_and_others_that_need_more_do_not_fit(
    dse: Command, board: Path
) -> None:
    on = ("--workload", "tinyllama-42m", "--platform", str(board), "--set", "n_chips=64")
    fours = dse("evaluate", *on, "--set", "group_size=4")
    assert fours.code == 1
    assert "The plan does not fit: a chip has links to 9 others, 3 ports are there" in fours.out
    pairs = said(dse("evaluate", *on, "--set", "group_size=2"))
    assert "a chip has links to at most 3" in pairs
    assert "The plan fits." in pairs


@pytest.mark.parametrize("strategy", ["head_wise", "column_wise"])
def test_no_chip_of_a_plan_that_fits_has_more_links_than_ports(
    dse: Command, tmp_path: Path, board: Path, strategy: str
) -> None:
    on = ("--workload", "stories15m", "--platform", str(board), "--space", "all")
    few = ("--set", f"strategy={strategy}", "--set", "n_chips=5,12,24", "--budget", "200")
    said(dse("search", *on, *few, "--out", "run"))
    trials = (tmp_path / "run" / "trials.csv").read_text(encoding="utf-8")
    assert ("3 ports are there" in trials) == (strategy == "head_wise"), "gathers go round a ring"
    plan = plan_of(tmp_path / "run" / "plan.json")
    busiest = max(map(len, links(plan).values()))
    assert busiest <= plan["costs"]["link_partners"] <= 3


@pytest.mark.parametrize("number", ["0", "2.5", "-1"])
def test_a_number_of_ports_that_cannot_be_is_refused(dse: Command, tmp_path: Path, number: str) -> None:
    board = with_ports(tmp_path, number)
    outcome = dse("evaluate", "--workload", "tinyllama-42m", "--platform", str(board))
    assert_refused(outcome, "ports")
