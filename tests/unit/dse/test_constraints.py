import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Costs, Plan, Plans, Platform, Workload, evaluate
from costmodel.errors import UsageError
from dse.constraints import constraint, constraints
from dse.objectives import OBJECTIVES


@pytest.fixture(scope="module")
def costs(tinyllama: Workload, siracusa: Platform) -> Costs:
    return evaluate(
        tinyllama, siracusa, Plans.of(Plan(strategy="head_wise", n_chips=n) for n in (1, 2, 8, 24, 64))
    )


@pytest.mark.parametrize(
    ("text", "at_most", "bound"),
    [
        ("latency<=1ms", True, 1e-3),
        (" latency <= 2 s ", True, 2.0),
        ("latency>=1.5e3us", False, 1.5e-3),
        ("latency<=5µs", True, 5e-6),
        ("latency<=1min", True, 60.0),
        ("energy<=.5mJ", True, 5e-4),
        ("energy<=+2.J", True, 2.0),
        ("edp<=3uJ*s", True, 3e-6),
        ("edp<=2 mJ ms", True, 2e-6),
        ("throughput>=100token/s", False, 100.0),
        ("throughput>=6000token/minute", False, 100.0),
        ("link_traffic<=1MiB", True, 2.0**20),
        ("l3_footprint<=.5GB", True, 5e8),
        ("missing_weights<=0.3", True, 0.3),
        ("missing_weights<=0", True, 0.0),
        ("missing weights <= 30%", True, 0.3),
        ("n_chips<=8", True, 8.0),
        ("n_chips>=2.5", False, 2.5),
        ("n_chips<=1e30", True, 1e30),
        ("latency<=1e32ms", True, 1e29),
        ("latency>=1e-26ms", False, 1e-29),
    ],
)
def test_bound_is_read_to_si(text: str, at_most: bool, bound: float) -> None:
    read = constraint(text)
    assert read.at_most is at_most
    assert read.bound == pytest.approx(bound, rel=1e-12)
    assert read.text == text.strip()
    assert read.objective is OBJECTIVES[read.text.split("<")[0].split(">")[0].strip().replace(" ", "_")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("latency<=1", "unit is missing"),
        ("latency<=1mJ", "'mJ' cannot be read as second"),
        ("latency<=1parsnip", "'parsnip'"),
        ("throughput>=5", "token/s"),
        ("throughput>=5Hz", "'Hz'"),
        ("link_traffic<=8bit/s", "bit/s"),
        ("n_chips<=8%", "has no unit, got '%'"),
        ("latency<=8%", "unit '%'"),
        ("n_chips<=8ms", "has no unit, got 'ms'"),
        ("latncy<=1ms", "did you mean 'latency'"),
        ("latency<1ms", "operator '<'"),
        ("latency==1ms", "operator '=='"),
        ("latency<=0ms", "above 0"),
        ("latency<=-1ms", "above 0"),
        ("missing_weights<=-1", "at least 0"),
        ("latency<=1e999ms", "beyond 1e-30 to 1e+30"),
        ("latency<=1e34ms", "beyond 1e-30 to 1e+30"),
        ("latency<=1e-28ms", "beyond 1e-30 to 1e+30"),
        ("n_chips<=1e31", "beyond 1e-30 to 1e+30"),
        ("n_chips>=1e-31", "beyond 1e-30 to 1e+30"),
        ("latency<=nanms", "cannot be read"),
        ("latency<=1ms<=2ms", "cannot be read"),
        ("latency<=1ms;energy<=1mJ", "cannot be read"),
        ("1ms>=latency", "cannot be read"),
        ("latency", "cannot be read"),
        ("", "cannot be read"),
        ("latency<=1s**s**s", "'s**s**s'"),
        ("latency<=1" + "m" * 50, "is not a unit"),
        ("latency<=1" + "m" * 500, "cannot be read"),
    ],
)
def test_bound_that_makes_no_sense_is_refused(text: str, named: str) -> None:
    with pytest.raises(UsageError) as error:
        constraint(text)
    assert named in error.value.message
    assert text[:40] in error.value.message
    assert "\n" not in error.value.message + error.value.hint


WORDS = [*OBJECTIVES, "<=", ">=", "=", "<", " ", "1", "2.5e3", "-", ".", "1e-99", "ms", "mJ", "token/s", "kB"]
HOSTILE = [
    "s*s",
    "**",
    "^",
    "/",
    "µ",
    "\n",
    "\x00",
    "\u202e",
    "__import__('os')",
    "nan",
    "inf",
    "%",
    "{}",
    "d",
    "#",
]
PIECES = st.sampled_from(WORDS + HOSTILE)


@given(text=st.one_of(st.text(max_size=90), st.lists(PIECES, max_size=8).map("".join)))
def test_any_text_is_a_positive_bound_or_refused_in_one_line(text: str) -> None:
    try:
        bound, message = constraint(text).bound, ""
    except UsageError as error:
        bound, message = 1.0, error.message
    assert 0 < bound < math.inf
    assert len(message.splitlines()) <= 1
    assert len(message) < 500


@given(
    name=st.sampled_from(list(OBJECTIVES)),
    row=st.integers(0, 4),
    factor=st.floats(0.01, 100),
    low=st.booleans(),
)
def test_slack_is_at_most_zero_where_the_bound_is_met(
    costs: Costs, name: str, row: int, factor: float, low: bool
) -> None:
    o = OBJECTIVES[name]
    values = o.of(costs)
    bound = float(values[row]) * factor or 1.0
    text = f"{name}{'>=' if low else '<='}{bound!r}{o.unit.replace('**', '^')}"
    slack = constraint(text).slack(costs)
    np.testing.assert_array_equal(slack <= 0, values >= bound if low else values <= bound)


def test_slack_is_relative_to_the_bound(costs: Costs) -> None:
    t = float(costs.latency_s[2])
    assert constraint(f"latency<={t / 4!r}s").slack(costs)[2] == pytest.approx(3.0)
    assert constraint(f"latency>={t * 4!r}s").slack(costs)[2] == pytest.approx(0.75)
    assert constraint(f"latency<={t!r}s").slack(costs)[2] == 0


@given(low=st.integers(1, 3000), high=st.integers(1, 3000))
def test_bounds_contradict_when_the_lower_is_above_the_upper(low: int, high: int) -> None:
    texts = [f"latency<={high}us", "energy<=1J", f"latency>={low}us"]
    if low > high:
        with pytest.raises(UsageError, match="contradict") as error:
            constraints(texts)
        assert texts[0] in error.value.message
        assert texts[2] in error.value.message
    else:
        assert [bound.text for bound in constraints(texts)] == texts


def test_bounds_contradict_across_units() -> None:
    with pytest.raises(UsageError, match="contradict"):
        constraints(["latency>=1s", "latency<=2ms"])
    assert constraints(["latency>=2ms", "latency<=1s"])


def test_bounds_on_different_objectives_do_not_contradict() -> None:
    assert len(constraints(["latency>=2s", "energy<=1mJ", "latency<=3s", "latency<=4s"])) == 4


def test_bounds_contradict_whatever_the_unit_of_an_objective() -> None:
    with pytest.raises(UsageError, match="contradict each other"):
        constraints(["accuracy_drop>=10%", "accuracy_drop<=5%"], "loss")


@pytest.mark.parametrize("text", ["accuracy>=0.9", "accuracy>=150%"])
def test_accuracy_is_a_per_cent(text: str) -> None:
    with pytest.raises(UsageError, match="accuracy is 0 to 100 %"):
        constraint(text)
    assert constraint("accuracy>=90%").bound == 90.0
