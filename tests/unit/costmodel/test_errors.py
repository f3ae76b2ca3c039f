import pytest

from costmodel import errors
from costmodel.errors import MAX_SHOWN_CHARS, DseError, ParameterError, cut, nearest


def test_every_error_is_drawn_in_the_tree() -> None:
    for kind in DseError.__subclasses__():
        assert f"── {kind.__name__} " in (errors.__doc__ or "")


def test_an_error_carries_message_and_hint() -> None:
    error = ParameterError("what is wrong", "what to do")
    assert (str(error), error.message, error.hint) == ("what is wrong", "what is wrong", "what to do")
    assert DseError("alone").hint == ""


@pytest.mark.parametrize(
    ("name", "allowed", "said"),
    [
        ("soft_max", ["softmax", "gelu"], "did you mean 'softmax'? there are: softmax, gelu"),
        ("zzz", ["softmax", "gelu"], "there are: softmax, gelu"),
        ("softmax", [], "there are none"),
        ("", ["a"], "there are: a"),
    ],
)
def test_nearest_names_the_likely_one_and_lists_all(name: str, allowed: list[str], said: str) -> None:
    assert nearest(name, allowed) == said


def test_nearest_reads_any_iterable_once() -> None:
    assert (
        nearest("aple", (word for word in ("apple", "pear")))
        == "did you mean 'apple'? there are: apple, pear"
    )


@pytest.mark.parametrize("value", [5, "a\nb", [1, 2], "x" * MAX_SHOWN_CHARS])
def test_a_short_value_is_shown_whole(value: object) -> None:
    assert cut(value) == repr(value)


@pytest.mark.parametrize("value", ["x\n" * 1000, list(range(1000)), 10**100])
def test_a_long_value_is_shown_cut_and_on_one_line(value: object) -> None:
    assert len(cut(value)) < 2 * MAX_SHOWN_CHARS
    assert "..." in cut(value)
    assert "\n" not in cut(value)
