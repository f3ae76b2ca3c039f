import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Accounting
from costmodel.errors import UsageError
from dse.options import MAX_CHOICES, accounting_of, choices_of, settings_of, share, whole_number


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("8", [8]),
        ("2,4,8", [2, 4, 8]),
        ("1..4", [1, 2, 3, 4]),
        ("4..4", [4]),
        ("1..3,8,5..6", [1, 2, 3, 8, 5, 6]),
        (" 1 .. 3 , 8 ", [1, 2, 3, 8]),
        ("-2..1", [-2, -1, 0, 1]),
        ("0,0.5,1", [0, 0.5, 1]),
    ],
)
def test_choices_are_numbers_and_ranges(text: str, choices: list[int]) -> None:
    assert choices_of(text) == choices


@pytest.mark.parametrize(
    "text", ["", ",", "1,,2", "two", "1..", "..4", "1...4", "1..2..3", "1-4", "1..2.5", "4..1"]
)
def test_choices_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|no choice|could not convert"):
        choices_of(text)


def test_a_range_has_at_most_so_many_choices() -> None:
    assert len(choices_of(f"1..{MAX_CHOICES}")) == MAX_CHOICES == 10_000
    for last in (MAX_CHOICES + 1, 10**30):
        with pytest.raises(ValueError, match="too many choices"):
            choices_of(f"1..{last}")


@given(
    numbers=st.lists(st.integers(-50, 50), min_size=1), span=st.tuples(st.integers(0, 9), st.integers(0, 9))
)
def test_choices_come_back_as_written(numbers: list[int], span: tuple[int, int]) -> None:
    low, high = sorted(span)
    assert choices_of(",".join(map(str, numbers))) == numbers
    assert choices_of(f"{low}..{high}") == list(range(low, high + 1))


def test_settings_are_split_at_the_first_equals_sign() -> None:
    assert settings_of([" n_chips = 8 ", "a=b=c"]) == {"n_chips": "8", "a": "b=c"}
    assert settings_of([]) == {}
    for texts in (["n_chips"], ["=8"], ["n_chips="], [" = "], [""]):
        with pytest.raises(UsageError, match="cannot be read"):
            settings_of(texts)
    with pytest.raises(UsageError, match="a is given twice"):
        settings_of(["a=1", " a =2"])


def test_whole_numbers_are_whole() -> None:
    assert (whole_number("12"), whole_number(" -3 "), whole_number(7)) == (12, -3, 7)
    for text in ("", "many", "1e3"):
        with pytest.raises(typer.BadParameter, match="is no whole number"):
            whole_number(text)


def test_accounting_options_replace_defaults_alone() -> None:
    assert accounting_of(None, None, None, None) == Accounting()
    assert accounting_of("block", "hidden", False, None) == Accounting(
        scope="block", prefetch="hidden", head=False
    )
    assert accounting_of("model", "steady", True, 0.0) == Accounting()
    for scope, prefetch, named in (("", None, "scope ''"), (None, "", "prefetch ''")):
        with pytest.raises(UsageError, match=named):
            accounting_of(scope, prefetch, None, None)
    with pytest.raises(UsageError, match="did you mean 'block'"):
        accounting_of("blok", None, None, None)


def test_shares_are_read_in_per_cent_too() -> None:
    assert (share("0.05"), share("5%"), share(0.1), share("12.5%")) == (0.05, 0.05, 0.1, 0.125)
    for text in ("", "%", "five", "5 percent"):
        with pytest.raises(typer.BadParameter, match="is no share"):
            share(text)


def test_a_message_loss_that_cannot_be_is_refused_by_its_option() -> None:
    assert accounting_of(None, None, None, 0.25).message_loss == 0.25
    for loss in (-0.1, 0.95, float("nan")):
        with pytest.raises(UsageError, match=r"--message-loss .* must be 0 to 0\.9"):
            accounting_of(None, None, None, loss)
