"""What people read of a calibration in the terminal, and the tables of plans to retrain."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.calibration import Metric
from costmodel.plan import Plan
from costmodel.strategies import strategy_named
from dse.calibrate import Calibrated
from dse.proposals import Proposal
from dse.terminal import plain_table
from dse.words import whole_words

SEEDS = 3  # trainings of a plan that a table asks for


def calibration_report(done: Calibrated) -> RenderableType:
    """Plans beside the law, the law's constants, and how sure they are."""
    measured, found, plans = done.measured, done.fit, done.measured.retrained
    accuracy = measured.metric == "accuracy"
    unit, scale = ("points", 1.0) if accuracy else ("% of the loss", 100.0)
    table = plain_table(
        "retrained plan", "trainings", "U", f"drop [{unit}]", "law", "off by", right=range(1, 6)
    )
    for plan, seeds, u, drop, off in zip(
        measured.plans, plans.seeds, found.missing, plans.drop, found.residual, strict=True
    ):
        table.add_row(
            whole_words(plan), str(seeds), f"{u:.3f}", f"{drop:.2f}", f"{drop + off:.2f}", f"{off:+.2f}"
        )
    base = f"{measured.base:.4g} %" if accuracy else f"{measured.base:.4g}"
    low, high = done.ends["scale"]
    least, most = done.ends["exponent"]
    lines: list[RenderableType] = [
        table,
        "",
        f"whole model: {measured.metric} {base}",
        (
            f"drop = a U^b: a = {found.scale:.3g} {unit} ({low:.3g} to {high:.3g}), "
            f"b = {found.exponent:.2f} ({least:.2f} to {most:.2f})"
        ),
        (
            f"90 % interval of a drop: +-{done.half_width * scale:.2g} {unit}, "
            f"up to U {found.missing.max():.2f}; half as much again beyond"
        ),
    ]
    if found.fitted_points:
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in found.weights.items())
        lines.append(f"importance of the gathers, fitted along: {shown}")
    if len(plans.drop) == 1:
        lines.append(f"One plan says nothing of b, here {found.exponent:.1f} as is usual; a second would.")
    if not plans.seed_std:
        lines.append("Every plan was trained once, so that the noise of training is not known.")
    if done.insensitive and plans.seed_std:
        lines.append(
            Text(
                "The law is within the noise of training at every plan: nothing to lose was found.",
                style="yellow",
            )
        )
    return Group(*lines)


def proposal_table(proposals: Sequence[Proposal]) -> RenderableType:
    """Plans to retrain, and why."""
    table = plain_table("retrain", "U", "why", right=[1])
    for one in proposals:
        table.add_row(whole_words(one.plan), f"{one.missing:.3f}", one.why)
    return table


def measurement_rows(plans: Sequence[Plan], metric: Metric = "accuracy") -> str:
    """Give the table of some plans and of the whole model as CSV, with accuracy or loss to be filled in."""
    decisions = list(
        dict.fromkeys(name for plan in plans for name in strategy_named(plan.strategy).decisions)
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["strategy", *decisions, "seed", metric])
    strategy = plans[0].strategy
    whole = Plan(strategy=strategy, n_chips=1)
    for plan in (whole, *plans):
        for seed in range(SEEDS):
            writer.writerow([plan.strategy, *(getattr(plan, name) for name in decisions), seed, ""])
    return text.getvalue()
