"""Commands on a platform with radio: what is taken for granted there, and what reports say of rounds."""

import json

import pytest

from tests.commands import Command, assert_refused, said

ON = ("--workload", "cats-block", "--platform", "nrf52840-mixer")


def test_a_plan_by_radio_is_column_wise_unless_another_strategy_is_named(dse: Command) -> None:
    asked = ("--set", "n_chips=4", "--set", "prune=0.9", "--json")
    costs = [
        json.loads(said(dse("evaluate", *ON, *more, *asked)))["costs"]
        for more in ((), ("--set", "strategy=column_wise"))
    ]
    assert costs[0] == costs[1]
    assert costs[0]["missing_weights"] > 0
    wired = json.loads(said(dse("evaluate", "--set", "n_chips=8", "--json")))
    assert wired["decisions"]["strategy"] == "head_wise"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (("n_chips=4", "group_size=2"), "group_size: no decision of strategy column_wise"),
        (("n_chips=4", "strategy=head_wise", "prune=0.9"), "prune: no decision of strategy head_wise"),
        (("n_chips=40",), "n_chips 40: column_wise can use 16 on cats-block at most"),
    ],
)
def test_what_would_make_no_difference_is_refused(
    dse: Command, settings: tuple[str, ...], named: str
) -> None:
    given = (word for setting in settings for word in ("--set", setting))
    assert_refused(dse("evaluate", *ON, *given), named)


def test_a_ratio_that_is_named_goes_before_the_shorthand_in_any_order(dse: Command) -> None:
    settings = (("--set", "prune_o=0.1"), ("--set", "prune=0.5"))
    found = [
        said(dse("search", *ON, "--set", "n_chips=4", *one, *other, "--out", f"run{i}"))
        for i, (one, other) in enumerate((settings, settings[::-1]))
    ]
    assert all("pruned by qkv 0.5, o 0.1, ffn_in 0.5, ffn_out 0.5" in text for text in found)


def test_a_bound_of_no_missing_weights_keeps_what_is_not_pruned(dse: Command) -> None:
    asked = ("--set", "n_chips=4,8", "--set", "prune=0,0.5", "--constraint", "missing_weights<=0")
    text = said(dse("search", *ON, *asked, "--out", "run"))
    assert "32 plans evaluated, 2 feasible, 2 on the front" in text


def test_numbers_of_chips_that_nothing_can_use_are_refused(dse: Command) -> None:
    assert_refused(dse("search", *ON, "--set", "n_chips=40", "--out", "run"), "over 40 chips")


def test_a_report_gives_each_round_and_how_sure_its_times_are(dse: Command) -> None:
    asked = (*ON, "--set", "n_chips=16", "--set", "prune=0.9")
    text = said(dse("evaluate", *asked))
    plan = json.loads(said(dse("evaluate", *asked, "--json")))
    rounds = [sync["round"] for sync in plan["synchronisations"]]
    costs = plan["costs"]
    assert len(rounds) == 4
    assert sum(r["expected_s"] for r in rounds) == pytest.approx(costs["latency_by_cause_s"]["link"])
    assert sum(r["bound_s"] for r in rounds) == pytest.approx(costs["link_bound_s"])
    for r in rounds:
        assert f"{r['expected_slots']:.0f} of {r['slots']}" in text
        assert r["expected_slots"] < r["slots"]
    assert costs["intervals"]["time_uncertainty"] == 0.4
    low, high = 0.6 * costs["latency_s"], 1.4 * costs["latency_s"]
    assert f"Times carry about 40% besides, {low * 1e3:.4g} ms to {high * 1e3:.4g} ms" in text
    chip = max(plan["chips"], key=lambda chip: chip["footprint_bytes"]["RAM"])
    room = plan["platform"]["usable_bytes"]
    assert f"{chip['footprint_bytes']['RAM'] / 1e3:.1f} kB of {room['RAM'] / 1e3:.1f} kB RAM" in text
    assert "L3" not in text


def test_times_carry_nothing_besides_where_nobody_has_said_so(dse: Command) -> None:
    text = said(dse("evaluate", "--set", "n_chips=8"))
    assert "carry about" not in text
    assert "radio round" not in text


def test_help_names_defaults(dse: Command) -> None:
    text = " ".join(said(dse("search", "--help")).split())
    for default in ("tinyllama-42m", "siracusa-mipi", "cats by radio, else head_wise"):
        assert f"[default: {default}]" in text
    assert "[default: model]" in " ".join(said(dse("evaluate", "--help")).split())
