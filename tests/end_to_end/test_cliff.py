"""``dse cliff``: one plan on every number of chips, in the terminal and in files."""

from pathlib import Path

import pandas as pd
import pytest

from tests.commands import Command, assert_refused, said

FILES = ["cliff.csv", "cliff.png", "cliff.svg"]
PUBLISHED = ("cliff", "--set", "shares=0", "--set", "pinning=0")
RADIO = ("cliff", "--workload", "cats-vit", "--platform", "nrf52840-mixer")


def test_cliff_answers_whether_another_chip_helps(dse: Command, tmp_path: Path) -> None:
    text = said(dse(*PUBLISHED, "--set", "n_chips=8", "--out", "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    table = pd.read_csv(tmp_path / "out" / "cliff.csv", index_col="n_chips")
    lines = text.splitlines()
    assert lines[0] == "tinyllama-42m, one token, context 128, on siracusa-mipi"
    marked = [line for line in lines if "<- from here: " in line]
    assert [int(line.split()[0].rstrip("*")) for line in marked] == table.index[table["border"]].tolist()
    for line, words in zip(marked, table["where_weights_are"][table["border"]], strict=True):
        assert words in line
    assert f"{table['latency_s'][9] * 1e3:.4g} ms" in text
    (answer,) = (line for line in lines if line.startswith("Does another chip help"))
    assert answer.startswith("Does another chip help, from 8 chips on? Yes.")
    assert "all weights stay on chip" in text
    rows = [line.split()[0] for line in lines if line[:5].strip("* ").isdecimal() and line[0] == " "]
    assert [int(row.rstrip("*")) for row in rows] == list(range(1, 65))


def test_a_row_is_what_evaluate_says_of_the_same_plan(dse: Command) -> None:
    told = said(dse("cliff", "--set", "group_size=8", "--set", "n_chips=12"))
    (total,) = (
        line.split()
        for line in said(dse("evaluate", "--set", "group_size=8", "--set", "n_chips=12")).splitlines()
        if line.startswith("total ") and "as stated" not in line
    )
    (row,) = (line.split() for line in told.splitlines() if line.split()[:1] == ["12*"])
    assert total[1] == row[1]
    assert total[3] in row


def test_numbers_of_chips_that_do_not_fit_are_there(dse: Command, tmp_path: Path) -> None:
    outcome = dse(*RADIO, "--set", "prune=0.3", "--out", "out")
    text = said(outcome)
    assert text.count("does not fit  ") == 8
    assert "1 to 8" in text
    assert "not enough flash" in text
    table = pd.read_csv(tmp_path / "out" / "cliff.csv", index_col="n_chips")
    assert table["feasible"].sum() == 8
    assert "accuracy drop [points], 90 %" in text


def test_exit_code_is_one_when_no_number_of_chips_fits(dse: Command) -> None:
    outcome = dse(*RADIO, "--set", "strategy=head_wise")
    assert outcome.code == 1
    assert outcome.err == ""
    assert "the plan fits no number of chips" in outcome.out


def test_the_same_input_gives_the_same_bytes(dse: Command, tmp_path: Path) -> None:
    texts = [said(dse(*RADIO, "--out", name)).replace(name, "") for name in ("one", "two")]
    assert texts[0] == texts[1]
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_files_are_replaced_only_when_told(dse: Command, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "cliff.svg").write_text("mine")
    (folder / "other.txt").write_text("mine")
    assert_refused(dse(*RADIO, "--out", "out"), "cliff.svg exists already")
    assert (folder / "cliff.svg").read_text() == "mine"
    assert "written: " in said(dse(*RADIO, "--out", "out", "--overwrite"))
    assert (folder / "cliff.svg").read_text().startswith("<?xml")
    assert sorted(path.name for path in folder.iterdir()) == [*FILES, "other.txt"]
    assert (folder / "other.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--set n_chips=0", "n_chips 0 must be 1 to 64"),
        ("--set n_chips=1..4", "'1..4' must be a whole number"),
        ("--set n_chip=4", "did you mean 'n_chips'"),
        ("--set prune=0.5", "no decision of strategy head_wise"),
        ("--workload cats-vit --platform nrf52840-mixer --set n_chips=17", "column_wise can use 16"),
        ("--overwrite", "--overwrite without --out"),
        ("--out file", "file exists and is not a folder"),
    ],
)
def test_bad_input_is_refused(dse: Command, tmp_path: Path, options: str, named: str) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(dse("cliff", *options.split()), named)
