import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload
from dse.deployment import deployment
from dse.ground import ground
from dse.objectives import OBJECTIVES
from dse.plan_report import ground_lines
from dse.plots import front_page
from dse.search import SearchResult
from dse.tables import front_table, trials_table


def test_ground_ends_at_the_heads_and_at_what_was_published() -> None:
    asked = [("head_wise", 8), ("head_wise", 9), ("head_wise", 64), ("column_wise", 16), ("column_wise", 17)]
    plans = Plans.of([Plan(strategy=name, n_chips=n) for name, n in asked])
    found = ground(plans, np.array([8, 8, 64, 16, 16]))
    assert found.more_chips_than_heads.tolist() == [False, True, False, False, True]
    assert found.more_chips_than_published.tolist() == [False, False, False, False, True]
    assert found.within.tolist() == [True, False, True, True, False]
    assert ground(plans, 64).within.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("n_chips", [1, 8, 9])
def test_plan_file_and_report_say_where_a_plan_stands(
    n_chips: int, tinyllama: Workload, siracusa: Platform
) -> None:
    plan = Plan(strategy="head_wise", n_chips=n_chips)
    document = deployment(tinyllama, siracusa, plan, Accounting())
    beyond = n_chips > 8
    assert document.published_ground.model_dump() == {
        "within": not beyond,
        "more_chips_than_heads": beyond,
        "more_chips_than_published": False,
    }
    said = "outside published ground: more chips than the model's 8 heads; no published system ran so"
    assert ground_lines(document) == ([f"The plan stands {said}."] if beyond else [])


def test_tables_and_page_mark_plans_outside(found: SearchResult) -> None:
    trials, front = trials_table(found), front_table(found)
    for table in (trials, front):
        assert table["published_ground"].tolist() == (table["n_chips"] <= 8).tolist()
    page = front_page(trials, front, OBJECTIVES["latency"], OBJECTIVES["energy"], "title")
    shown = [table[~table["published_ground"]] for table in (trials[trials["feasible"]], front)]
    knee = front[front["knee"] & ~front["published_ground"]]
    assert page.count("outside published ground") == sum(len(rows) for rows in (*shown, knee))
