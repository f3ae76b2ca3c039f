import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from costmodel import Accounting, Plan, Platform, Workload, load_workload
from costmodel.accounting import Scope
from dse.console import recommendation, search_report
from dse.deployment import deployment
from dse.job import Job
from dse.plan_report import evaluation_report
from dse.reference import shown_choices, validation_report
from dse.search import SearchResult, search
from dse.tables import front_table
from dse.validation import validate
from dse.words import context_lines, plan_of_row, plan_words, request_words

MakeJob = Callable[..., Job]


def unrecorded(*_: object) -> None:
    """Take a batch and keep nothing of it."""


def printed(renderable: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=400, highlight=False, markup=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def report(result: SearchResult) -> str:
    paths = [Path("x/plan.json"), Path("x/run.json")]
    return printed(search_report(result, front_table(result), Path("x"), paths, 1.25, "dse"))


def test_search_says_what_was_asked(found: SearchResult, job: MakeJob) -> None:
    lines = report(found).splitlines()
    assert lines[0] == "tinyllama-42m, autoregressive, on siracusa-mipi"
    assert lines[1].startswith("whole model, one token, context 128, prefetch accounting steady, kernel set")
    assert "objectives: latency (least), energy (least), number of chips (least); latency<=100ms" in lines
    other = job(objectives=("throughput",), accounting=Accounting(head=False))
    assert "objectives: throughput (most)" in report(search(other, unrecorded)).splitlines()
    assert "whole model without embedding and LM head" in report(search(other, unrecorded))


@pytest.mark.parametrize(
    ("request_kind", "words"),
    [
        ("autoregressive", "one token, context 9"),
        ("prompt", "prompt of 9 tokens"),
        ("encoder", "9 tokens at once"),
    ],
)
def test_request_is_told_in_words(request_kind: str, words: str, siracusa: Platform, job: MakeJob) -> None:
    assert request_words(request_kind, 9, 9) == words
    model = "mobilebert" if request_kind == "encoder" else "tinyllama-42m"
    workload = load_workload(model, request_kind, 9)
    assert f", {words}, prefetch" in report(search(job(workloads=(workload,)), unrecorded))
    document = deployment(workload, siracusa, Plan(strategy="head_wise", n_chips=2), Accounting())
    assert printed(evaluation_report(document, document.costs.latency_s)).startswith(
        f"{model}, {words}, on siracusa"
    )


def test_rows_say_where_the_head_is_loaded_from(found: SearchResult) -> None:
    text, front = report(found), front_table(found)
    rows = [line.removeprefix("knee").split(maxsplit=2) for line in text.splitlines()]
    rows = [row for row in rows if len(row) == 3 and row[0].isdigit() and row[1].rstrip("*").isdigit()]
    shown = {int(row[0]): row[2] for row in rows}
    assert {int(i) for i, r in front.iterrows() if r["knee"]} <= shown.keys()
    assert {bool(front["head_from_l3"][i]) for i in shown} == {True, False}
    for i, row in shown.items():
        assert ("head from L3" in row) == front["head_from_l3"][i], i


def test_rows_say_chips_and_plan(found: SearchResult) -> None:
    text, front = report(found), front_table(found)
    lines = text.splitlines()
    header = next(line for line in lines if line.split()[:2] == ["front", "chips"])
    assert "strategy" not in header
    column = header.index("plan")
    shown = [line for line in lines[lines.index(header) + 1 :] if line[column:] and line[:12].split()[-1:]]
    shown = [line for line in shown if line.removeprefix("knee").split()[0].isdigit()]
    assert len(shown) >= 9
    for line in shown:
        front_index, chips = (int(word.rstrip("*")) for word in line.removeprefix("knee").split()[:2])
        plan = plan_of_row(front.loc[front_index])
        assert plan.n_chips == chips
        assert line[column:].startswith(f"{plan_words(plan)}  ")


@pytest.mark.parametrize(
    ("n_chips", "group_size", "bits", "said"),
    [
        (1, 4, 32, "1 chip, head_wise, alone"),
        (2, 64, 16, "2 chips, head_wise, groups of 2"),
        (24, 2, 16, "24 chips, head_wise, groups of 2"),
        (24, 24, 16, "24 chips, head_wise, flat"),
        (24, 4, 8, "24 chips, head_wise, groups of 4, 8 bit sums"),
    ],
)
def test_plan_is_told_in_words(
    n_chips: int, group_size: int, bits: int, said: str, tinyllama: Workload, siracusa: Platform
) -> None:
    plan = Plan(strategy="head_wise", n_chips=n_chips, group_size=group_size, partial_sum_bits=bits)
    document = deployment(tinyllama, siracusa, plan, Accounting())
    text = printed(evaluation_report(document, document.costs.latency_s))
    assert text.splitlines()[1].startswith(f"{said}; whole model, ")


@pytest.mark.parametrize(
    ("scope", "head", "said"),
    [
        ("model", True, "whole model"),
        ("model", False, "whole model without embedding and LM head"),
        ("block", True, "one block"),
        ("attention", True, "attention half of a block"),
        ("mlp", True, "MLP half of a block"),
    ],
)
def test_scope_is_told_in_words(
    scope: Scope, head: bool, said: str, job: MakeJob, tinyllama: Workload, siracusa: Platform
) -> None:
    accounting = Accounting(scope=scope, head=head)
    assert report(search(job(accounting=accounting), unrecorded)).splitlines()[1].startswith(f"{said}, one ")
    document = deployment(tinyllama, siracusa, Plan(strategy="head_wise", n_chips=8), accounting)
    assert f"; {said}, prefetch" in printed(evaluation_report(document, document.costs.latency_s))


@pytest.mark.parametrize("scope", ["model", "block", "attention", "mlp"])
def test_rate_is_left_out_for_a_block(scope: Scope, job: MakeJob, tinyllama: Workload) -> None:
    accounting = Accounting(scope=scope)
    result = search(job(accounting=accounting), unrecorded)
    document = deployment(tinyllama, result.job.platform, Plan(strategy="head_wise", n_chips=8), accounting)
    texts = (
        report(result),
        recommendation(result),
        printed(evaluation_report(document, document.costs.latency_s)),
    )
    for text in texts:
        assert ("token/s" in text) == (scope == "model")
    assert recommendation(result).endswith("a block") == (scope != "model")


def test_search_in_vain_names_the_nearest_plan_and_no_next_step(nothing_found: SearchResult) -> None:
    text = report(nothing_found)
    assert "No plan is feasible." in text
    plan = nothing_found.plans.row(nothing_found.nearest)
    assert f"Nearest: {plan.n_chips} chips" in text
    assert "latency<=1us is missed by" in text
    assert "Next:" not in text
    assert recommendation(nothing_found) == "No plan to recommend."


def test_rows_that_others_sum_up_are_shown_when_asked_or_off() -> None:
    rows = validate()
    shards = [row for row in rows if row.detail]
    assert shards
    few, every = (printed(validation_report(rows, [], every=e)) for e in (False, True))
    assert all(row.quantity in every for row in rows)
    assert {row.status for row in shards if row.quantity in few} == {"miss"}
    assert all(row.quantity in few for row in rows if not row.detail)
    assert ("dse validate --all" in few, "dse validate --all" in every) == (True, False)
    off = [type(row)(**{**row.as_dict(), "status": "off"}) for row in shards[:1]]
    assert off[0].quantity in printed(validation_report(off, [], every=False))


@pytest.mark.parametrize(
    ("values", "shown"),
    [((1, 2, 3, 4), "1 to 4"), ((1, 2), "1, 2"), ((8,), "8"), ((2, 4, 8), "2, 4, 8"), ((3, 2, 1), "3, 2, 1")],
)
def test_choices_are_shown_as_their_ends_where_they_are_a_run(values: tuple[int, ...], shown: str) -> None:
    assert shown_choices(values) == shown


def test_room_for_the_context_is_told_and_a_cliff_that_is_near() -> None:
    assert request_words("autoregressive", 9, 20) == "one token, context 9 (room for 20)"
    (far,) = context_lines(1000, 1e-3, 1050, 2e-3)
    assert far == "What is on chip stays there up to a context of 1,050 tokens, 50 more than asked for."
    assert context_lines(1000, 1e-3, 1050, None)[0].endswith("asked for; beyond, it does not fit.")
    (near,) = context_lines(1000, 1e-3, 1049, 2e-3)
    assert near.startswith("Close to a cliff")
    assert near.endswith("takes 2 ms instead of 1 ms.")
    assert context_lines(1000, 1e-3, 1000, None)[0].endswith("takes more than there is.")
    assert context_lines(1000, 1e-3, 0, None) == []
