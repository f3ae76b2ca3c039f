from pathlib import Path

import numpy as np
import pytest

from costmodel import Platform, Workload, load_platform, load_workload
from costmodel.accuracy import POINTS
from costmodel.errors import UsageError
from costmodel.plan import Plan
from dse.measurements import MAX_BYTES, Measurements, missing_shares, read_measurements
from tests.strategies import messages_of

VIT, CHIPS = load_workload("cats-vit"), load_platform("siracusa-mipi")
HEAD = "n_chips,prune,seed,accuracy"
GOOD = f"{HEAD}\n1,0,0,95\n1,0,1,96\n8,0.9,0,85\n8,0.9,1,87\n8,0.5,0,94\n"


def pruned(n: int, *ratios: float) -> Plan:
    each = ratios if len(ratios) == 4 else ratios * 4
    return Plan(
        strategy="column_wise",
        n_chips=n,
        group_size=2,
        partial_sum_bits=8,
        weight_bits=8,
        **messages_of(8),
        **{f"prune_{point}": p for point, p in zip(POINTS, each, strict=True)},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def read(path: Path, text: str, workload: Workload = VIT, platform: Platform = CHIPS) -> Measurements:
    path.write_text(text)
    return read_measurements(path, workload, platform)


def test_seeds_of_a_plan_are_pooled_and_drops_are_points_below_the_whole_model(path: Path) -> None:
    m = read(path, GOOD)
    assert (m.metric, m.base, m.trainings) == ("accuracy", 95.5, 5)
    assert m.plans == (pruned(8, 0.9), pruned(8, 0.5))
    assert m.retrained.drop.tolist() == [95.5 - 86, 1.5]
    assert m.retrained.seeds.tolist() == [2, 1]
    # squares 2 x 0.5^2 of the whole model and 2 x 1^2, of one free value each
    assert m.retrained.seed_std == pytest.approx((2.5 / 2) ** 0.5)
    for share in m.retrained.missing.values():
        assert share == pytest.approx([0.9 * 7 / 8, 0.5 * 7 / 8], rel=0.01)


def test_of_losses_drops_are_per_cent_of_that_of_the_whole_model(path: Path) -> None:
    m = read(path, "n_chips,prune,loss\n1,0,0.19\n1,0,0.21\n8,0.9,0.25\n8,0.5,0.19\n")
    assert (m.metric, m.base) == ("loss", pytest.approx(0.2))
    assert m.retrained.drop == pytest.approx([25, -5])
    assert m.retrained.seed_std == pytest.approx(100 * 0.02 / 2**0.5 / 0.2)


def test_nothing_is_known_of_seeds_where_every_plan_was_trained_once(path: Path) -> None:
    m = read(path, "n_chips,prune,accuracy\n1,0,95\n8,0.9,85\n8,0.5,94\n")
    assert m.retrained.seed_std == 0
    assert m.retrained.seeds.tolist() == [1, 1]


def test_rows_without_a_seed_are_trainings_of_their_own(path: Path) -> None:
    m = read(path, "n_chips,prune,accuracy\n1,0,95\n8,0.9,85\n8,0.9,85\n")
    assert m.retrained.seeds.tolist() == [2]


def test_the_shorthand_fills_what_is_blank_or_not_named(path: Path) -> None:
    head = "n_chips,prune,prune_qkv,strategy,accuracy"
    m = read(path, f"{head}\n1,,,,95\n8,0.9,0,,90\n8,0.9,,column_wise,85\n8,,0.5,,92\n")
    assert m.plans == (pruned(8, 0, 0.9, 0.9, 0.9), pruned(8, 0.9), pruned(8, 0.5, 0, 0, 0))


def test_spaces_blank_lines_and_a_byte_order_mark_do_no_harm(path: Path) -> None:
    spaced = GOOD.replace(",", " ,  ").replace(" ,  ", ",  ", 3).replace("\n8", "\n\n8")
    path.write_text("\ufeff" + spaced, encoding="utf-8")
    m, plain = read_measurements(path, VIT, CHIPS), read(path.with_name("plain.csv"), GOOD)
    assert m.plans == plain.plans
    assert m.retrained.drop.tolist() == plain.retrained.drop.tolist()
    assert m.sha256 != plain.sha256


def test_plans_that_miss_nothing_are_the_whole_model(path: Path) -> None:
    text = "strategy,n_chips,prune,accuracy\ncolumn_wise,1,0.9,94\nhead_wise,8,,95\n,8,0,96\n,8,0.9,90\n"
    m = read(path, text)
    assert m.base == 95
    assert m.plans == (pruned(8, 0.9),)


def test_ratios_that_leave_out_the_same_columns_are_one_plan(path: Path) -> None:
    m = read(path, "n_chips,prune,accuracy\n1,0,95\n8,0.9,85\n8,0.901,87\n")
    assert m.plans == (pruned(8, 0.9),)
    assert m.retrained.drop.tolist() == [9]


def test_the_order_of_rows_changes_none_of_the_values(path: Path) -> None:
    head, *rows = GOOD.splitlines()
    one, other = read(path, GOOD), read(path, "\n".join([head, *rows[::-1]]))
    assert (other.base, other.plans) == (one.base, one.plans[::-1])
    assert other.retrained.drop[::-1].tolist() == one.retrained.drop.tolist()
    assert other.retrained.seed_std == pytest.approx(one.retrained.seed_std)


def test_missing_shares_are_those_of_each_gather() -> None:
    plans = [pruned(8, 0.5, 0, 0.25, 1), Plan(strategy="head_wise", n_chips=8), pruned(1, 0.9)]
    shares = missing_shares(VIT, CHIPS, plans)
    # 48 columns a chip; the last that would go is sent
    expected = [0.5 * 7 / 8, 0, 0.25 * 7 / 8, 47 / 48 * 7 / 8]
    assert [shares[point][0] for point in POINTS] == pytest.approx(expected)
    assert all(share[1:].tolist() == [0, 0] for share in shares.values())


FAULTS = [
    ("n_chips,prun,accuracy\n1,0,95\n", "", "unknown column 'prun'; did you mean 'prune'"),
    ("n_chips;prune;accuracy\n1;0;95\n", "", "columns are not separated by commas"),
    ("prune,accuracy\n0,95\n", "", "column 'n_chips' is missing"),
    ("n_chips,n_chips,accuracy\n1,1,95\n", "", "a column is there twice"),
    ("n_chips,accuracy,loss\n1,95,0.1\n", "", "needs column 'accuracy', in per cent, or 'loss', one of them"),
    ("n_chips,prune\n1,0\n", "", "needs column 'accuracy', in per cent, or 'loss', one of them"),
    (GOOD.replace("0,85", "0,good"), "line 4", "accuracy 'good' must be a number, 0 to 100 per cent"),
    (GOOD.replace("0,85", "0,"), "line 4", "accuracy '' must be a number"),
    (GOOD.replace("0,85", "0,nan"), "line 4", "accuracy 'nan' must be a number"),
    (GOOD.replace("0,85", "0,100.1"), "line 4", "accuracy '100.1' must be a number, 0 to 100"),
    (GOOD.replace("0,85", "0,-1"), "line 4", "accuracy '-1' must be a number, 0 to 100"),
    ("n_chips,loss\n1,-0.1\n", "line 2", "loss '-0.1' must be a number, at least 1e-12"),
    ("n_chips,loss\n1,inf\n", "line 2", "loss 'inf' must be a number, at least 1e-12"),
    ("n_chips,loss\n1,1e10\n", "line 2", "loss '1e10' must be a number, at least 1e-12 and below 1e+09"),
    ("n_chips,prune,accuracy\n1,0,0.95\n8,0.9,0.85\n", "", "no accuracy is above 1"),
    ("n_chips,prune,accuracy\n1,0,95\n8,0.9,0.85\n", "line 3", "accuracy 0.85 among others above 1"),
    ('n_chips,prune,accuracy\n1,0,"95\n8,0.9,90\n', "line 2", "unexpected end of data"),
    ("n_chips,seed,accuracy\n1,1,95\n1,01,94\n", "line 3", "the same plan and seed as in line 2"),
    (
        "strategy,n_chips,partial_sum_bits,accuracy\nhead_wise,8,8,95\n",
        "line 2",
        "partial_sum_bits 8: calibrations are of wider sums",
    ),
    (GOOD.replace("8,0.5", "17,0.5"), "line 6", "n_chips 17: column_wise can use 16 on cats-vit at most"),
    (GOOD.replace("8,0.5", "0,0.5"), "line 6", "n_chips 0 must be 1 to 64"),
    (GOOD.replace("8,0.5", "8.5,0.5"), "line 6", "n_chips = '8.5' must be a whole number"),
    (GOOD.replace("8,0.5", ",0.5"), "line 6", "decision 'n_chips' is missing"),
    (GOOD.replace("8,0.5", "8,1.5"), "line 6", "prune_qkv 1.5 must be 0 to 1"),
    (GOOD.replace("8,0.5", "8,half"), "line 6", "prune = 'half' must be a number"),
    ("strategy,n_chips,accuracy\nrow_wise,8,95\n", "line 2", "'row_wise'"),
    (GOOD.replace("8,0.9,1", "8,0.9,0"), "line 5", "the same plan and seed as in line 4"),
    (GOOD.replace("8,0.9,1", "8,0.901,0"), "line 5", "the same plan and seed as in line 4"),
    (GOOD.replace("\n8,0.9,0", "\n\n8,0.9,1"), "line 6", "the same plan and seed as in line 5"),
    (GOOD.replace("\n1,0", "\n4,0.3"), "", "no row is of the whole model"),
    ("n_chips,prune,loss\n1,0,95\n8,0,95\n", "", "no row misses any weights"),
    (GOOD.replace("0,85", "0,85,1"), "line 4", "not as many cells as there are columns"),
    (GOOD.replace(",0,85", ",85"), "line 4", "not as many cells as there are columns"),
    ("n_chips,prune,loss\n1,0,0\n8,0.9,0.1\n", "line 2", "loss '0' must be a number, at least 1e-12"),
    ("", "", "column 'n_chips' is missing"),
    (f"{HEAD}\n", "", "no row is of the whole model"),
    (f'{HEAD}\n1,0,0,95\n8,0.9,0,"{"8" * 200_000}"\n', "line 3", "field larger than field limit"),
]


@pytest.mark.parametrize(("text", "line", "named"), FAULTS)
def test_a_fault_is_named_with_its_file_and_line(path: Path, text: str, line: str, named: str) -> None:
    with pytest.raises(UsageError) as error:
        read(path, text)
    place = f"{path}, {line}" if line else f"{path}: "
    assert error.value.message.startswith(place)
    assert named in error.value.message
    assert len((error.value.message + error.value.hint).splitlines()) == 1
    assert len(error.value.message) < len(str(path)) + 300


def test_the_table_that_faults_are_put_into_is_good(path: Path) -> None:
    assert read(path, GOOD).trainings == 5


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (GOOD.replace("\n1,0", "\n4,0.3"), "n_chips 1"),
        ("prune,accuracy\n0,95\n", "--template"),
        ("n_chips,prune,loss\n1,0,95\n", "--propose"),
        ("n_chips,prune,accuracy\n1,0,0.95\n8,0.9,0.85\n", "95.2"),
    ],
)
def test_a_fault_of_the_whole_table_says_what_to_do(path: Path, fault: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        read(path, fault)
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is not readable text"),
        (b"n" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_no_table_is_refused(path: Path, content: bytes | None, named: str) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_measurements(path, VIT, CHIPS)
    assert error.value.message.startswith(f"measurements {path}")
    assert error.value.message.endswith(named)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_measurements(tmp_path, VIT, CHIPS)


def test_other_chips_make_no_difference_to_what_is_missing(path: Path) -> None:
    one, other = read(path, GOOD), read(path, GOOD, platform=load_platform("nrf52840-mixer"))
    assert other.plans == one.plans
    for point in POINTS:
        np.testing.assert_array_equal(one.retrained.missing[point], other.retrained.missing[point])


LOSSY = "n_chips,prune,message_dropout,message_loss,accuracy"
CLEAN = f"{LOSSY}\n1,0,,,95\n8,0.9,,,85\n"


def test_left_out_messages_are_compared_to_the_same_plan_without(path: Path) -> None:
    m = read(path, f"{CLEAN}8,0,0,0.1,92\n8,0,0,10%,93\n8,0.9,0,5%,84\n8,0,0.1,0,94\n8,0,0.1,0.2,90\n")
    assert m.trainings == 7
    assert m.plans == (pruned(8, 0.9),)
    assert m.lost is not None
    assert m.lost.rows.loss.tolist() == [0.1, 0.05, 0.0, 0.2]
    assert m.lost.rows.dropout.tolist() == [0, 0, 0.1, 0.1]
    assert m.lost.rows.drop.tolist() == [2.5, 1.0, 1.0, 5.0]
    assert not m.lost.rows.of_loss
    assert m.lost.seeds.tolist() == [2, 1, 1, 1]
    assert m.lost.noise == pytest.approx(0.5**0.5)  # of the plan that was trained once
    assert [plan.message_dropout for plan in m.lost.plans] == [0, 0, 0.1, 0.1]


def test_left_out_messages_raise_a_loss_by_a_ratio(path: Path) -> None:
    m = read(path, "n_chips,prune,message_loss,loss\n1,0,,0.2\n8,0.9,,0.25\n8,0,.1,0.3\n8,0.9,.1,0.5\n")
    assert m.lost is not None
    assert m.lost.rows.of_loss
    assert m.lost.rows.drop == pytest.approx([0.5, 1.0])
    assert m.lost.noise == 0


def test_a_table_without_left_out_messages_says_nothing_of_them(path: Path) -> None:
    assert read(path, GOOD).lost is None
    assert read(path, f"{CLEAN}8,0.5,0,0,90\n").lost is None


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("8,0.5,0,0.1,80", "line 4: no row is of the same plan with no message left out"),
        ("8,0.9,0.1,0,80\n8,0.9,0.1,0.2,70", "no row has message_loss and no message_dropout"),
        ("8,0.9,0,0.1,80\n8,0.9,0.1,0.1,82", "message_dropout needs rows with less message_loss"),
        ("8,0.9,0,0.1,80\n8,0.9,0.1,0.05,82", "rows with as much or more"),
        ("8,0.9,0,91%,80", "line 4: message_loss '91%' must be 0 to 0.9, as 0.05 or 5%"),
        ("8,0.9,0,some,80", "line 4: message_loss 'some' must be"),
        ("8,0.9,0,nan,80", "line 4: message_loss 'nan' must be"),
        ("1,0,0,0.1,80", "line 4: no message can be left out, one chip sends none"),
        ("1,0,0.1,0,80", "line 4: no message can be left out, one chip sends none"),
        ("8,0.9,0,0.1,80\n8,0.9,0,10%,81", ""),
    ],
)
def test_rows_that_say_nothing_of_lost_messages_are_refused(path: Path, rows: str, named: str) -> None:
    if not named:
        assert read(path, f"{CLEAN}{rows}\n").lost is not None
        return
    with pytest.raises(UsageError) as caught:
        read(path, f"{CLEAN}{rows}\n")
    assert named in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("column", ["retransmission", "strategy"])
def test_messages_that_are_sent_again_cannot_be_left_out(path: Path, column: str) -> None:
    again, not_again = {"retransmission": ("1", "0"), "strategy": ("head_wise", "column_wise")}[column]
    text = f"n_chips,prune,message_loss,accuracy,{column}\n1,0,,95,{not_again}\n8,0.9,,85,{not_again}\n"
    with pytest.raises(UsageError, match="line 4: no message can be left out, lost ones are sent again"):
        read(path, f"{text}8,0,0.1,90,{again}\n")


def test_a_seed_may_stand_once_for_each_message_loss(path: Path) -> None:
    text = "n_chips,prune,message_loss,seed,accuracy\n1,0,0,1,95\n8,0.9,0,1,85\n8,0.9,0.1,1,84\n"
    assert read(path, f"{text}8,0.9,0.2,1,83\n").trainings == 4
    with pytest.raises(UsageError, match="line 5: the same plan and seed as in line 4"):
        read(path, f"{text}8,0.9,10%,1,83\n")


def test_accuracy_of_the_whole_model_suffices_and_a_loss_of_it_does_not(path: Path) -> None:
    m = read(path, "n_chips,accuracy\n1,91\n1,92\n")
    assert (m.plans, m.base, m.lost) == ((), 91.5, None)
    for text in ("n_chips,loss\n1,0.2\n", "n_chips,message_loss,accuracy\n1,0,91\n8,0.1,90\n"):
        with pytest.raises(UsageError, match="no row misses any weights"):
            read(path, text)


def test_seeds_are_told_apart_to_their_last_digit(path: Path) -> None:
    measured = read(path, "n_chips,seed,accuracy\n1,1732622401,95\n1,1732622402,94\n")
    assert measured.trainings == 2
