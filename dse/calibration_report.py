"""What people read of a calibration in the terminal, and the tables of plans to retrain."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.calibration import Metric
from costmodel.plan import SHORTHANDS, Plan
from costmodel.strategies import strategy_named
from dse.calibrate import Calibrated, LossCalibrated
from dse.measurements import Evaluations, Measurements
from dse.proposals import Proposal
from dse.terminal import plain_table
from dse.words import whole_words

WIDTHS = ("weight_bits", *SHORTHANDS["message_bits"])  # calibrations are of the model's own
DIGITS = 6  # that are no rounding
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
            f"up to U {found.missing.max():.2f}; wider the farther beyond"
        ),
    ]
    if found.fitted_points:
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in found.weights.items())
        lines.append(f"importance of the gathers, fitted along: {shown}")
    if done.lost is not None and measured.lost is not None:
        lines += ["", *_lost_messages(measured.lost, done.lost, f"drop [{unit}]", scale), ""]
    if len(plans.drop) == 1:
        lines.append(f"One plan says nothing of b, here {found.exponent:.1f} as is usual; a second would.")
    if np.max(plans.seeds) == 1 and plans.whole_seeds == 1:
        lines.append("Every plan was trained once, so that the noise of training is not known.")
    if done.insensitive and plans.seed_std:
        lines.append(
            Text(
                "The law is within the noise of training at every plan: nothing to lose was found.",
                style="yellow",
            )
        )
    return Group(*lines)


def _lost_messages(
    measured: Evaluations, done: LossCalibrated, title: str, scale: float
) -> list[RenderableType]:
    """Evaluations with messages left out beside their law."""
    table = plain_table(
        "messages left out of", "lost", "trainings", title, "law", "off by", right=range(1, 6)
    )
    rows = measured.rows
    law = done.fit.law.drop(rows.loss, rows.dropout)
    for plan, loss, seeds, drop, ruled in zip(
        measured.plans,
        rows.loss.tolist(),
        measured.seeds.tolist(),
        (scale * rows.drop).tolist(),
        (scale * law).tolist(),
        strict=True,
    ):
        cells = (f"{drop:.2f}", f"{ruled:.2f}", f"{ruled - drop:+.2f}")
        table.add_row(whole_words(plan), f"{100 * loss:.3g} %", str(seeds), *cells)
    ends = ", ".join(
        f"{name} {getattr(done.fit.law, name):.3g} ({round(low, DIGITS):.3g} to {high:.3g})"
        for name, (low, high) in done.ends.items()
    )
    half, of = (done.half_width * scale, "% of the loss then" if rows.of_loss else "points")
    return [
        table,
        "",
        f"law of lost messages: {ends}",
        f"90 % interval of it: +-{half:.2g} {of}, up to {100 * np.max(rows.loss):.3g} % lost",
    ]


def base_report(measured: Measurements) -> RenderableType:
    """Say that the whole model alone was measured."""
    return (
        f"whole model: accuracy {measured.base:.4g} %, {measured.trainings} trainings\n"
        "No row misses weights: what plans lose is what other tasks make one expect."
    )


def proposal_table(proposals: Sequence[Proposal]) -> RenderableType:
    """Plans to retrain, and why."""
    table = plain_table("retrain", "U", "why", right=[1])
    for one in proposals:
        table.add_row(whole_words(one.plan), f"{one.missing:.3f}", one.why)
    return table


def measurement_rows(plans: Sequence[Plan], metric: Metric = "accuracy") -> str:
    """Give the table of some plans and of the whole model as CSV, with accuracy or loss to be filled in."""
    decisions = list(
        dict.fromkeys(
            name for plan in plans for name in strategy_named(plan.strategy).decisions if name not in WIDTHS
        )
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["strategy", *decisions, "message_loss", "seed", metric])
    strategy = plans[0].strategy
    whole = Plan(strategy=strategy, n_chips=1)
    for plan in (whole, *plans):
        for seed in range(SEEDS):
            writer.writerow([plan.strategy, *(getattr(plan, name) for name in decisions), 0, seed, ""])
    return text.getvalue()
