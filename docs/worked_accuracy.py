"""What the templates compute with of accuracy: drops, widths, lost messages, predictions of measured rows."""

from __future__ import annotations

from functools import cache

from worked_columns import columns
from worked_numbers import BLOCK, CATS, PROMPT, RADIO, SIRACUSA, most, table

from costmodel import Accounting, Workload, load_workload
from costmodel.calibration import LEAST_EXPONENT as LEAST_EXPONENT
from costmodel.calibration import MOST_EXPONENT as MOST_EXPONENT
from costmodel.calibration import Fitted, Tasks
from costmodel.drops import Drop
from costmodel.message_loss import WIDER as WIDER
from costmodel.message_loss import LossFitted
from dse.fitting import DRAWS as DRAWS
from dse.validation.accuracy import ENCODER as ENCODER_MODEL
from dse.validation.accuracy import TWO_PLANS as TWO_PLANS
from dse.validation.accuracy import after_retraining, known_tasks, law_of_two
from dse.validation.message_loss import SERIES, known_losses

VIT = load_workload(ENCODER_MODEL)
TASKS: Tasks = known_tasks()
LOSSES = known_losses()
HALF = TASKS.half_width
PERCENT_OF_LOSS = 100.0


@cache
def published(dataset: str) -> Workload:
    """Give the model of the published curves with the calibration of one."""
    return load_workload(SERIES, calibration=f"cats-{dataset}")


def fitted(dataset: str) -> Fitted:
    """Give the calibration of a published curve."""
    found = published(dataset).calibration
    if not isinstance(found, Fitted):
        raise TypeError(f"{dataset} is not calibrated")
    return found


def lossy(dataset: str) -> LossFitted:
    """Give the law of lost messages of a published model."""
    found = fitted(dataset).message_loss
    if not isinstance(found, LossFitted):
        raise TypeError(f"{dataset} says nothing of lost messages")
    return found


def in_words(band: Drop, unit: str = "points", times: float = 1.0) -> str:
    """Write a drop with its interval."""
    low, value, high = (times * float(end) for end in (band.low, band.estimate, band.high))
    return f"{value:.1f} ({low:.1f} to {high:.1f}) {unit}"


def dropped(n_chips: int, prune: float = 0.0, message_loss: float = 0.0, **decisions: float) -> str:
    """Write the drop of a plan of ``cats-vit`` on radio, pruned alike at all gathers."""
    accounting = Accounting(message_loss=message_loss)
    costs = columns(n_chips, prune, accounting, VIT, RADIO, **decisions).costs
    ends = {"estimate": "accuracy_drop", "low": "accuracy_drop_low", "high": "accuracy_drop_high"}
    return in_words(Drop(**{end: most(getattr(costs, name)) for end, name in ends.items()}))


def resent(n_chips: int, loss: float, prune: float = 0.0) -> tuple[float, float]:
    """Give seconds of a radio block's messages, and how many times that is with lost ones sent again."""
    seconds = [
        most(columns(n_chips, prune, accounting, retransmission=1).costs.latency_by_cause_s["link"])
        for accounting in (BLOCK, Accounting(scope="block", message_loss=loss))
    ]
    return seconds[0], seconds[1] / seconds[0]


def narrowed(platform: str, **widths: int) -> tuple[float, float]:
    """Give bytes on links and seconds of a block with narrower elements, over those at 8 bit; not pruned."""
    workload, where, n = (CATS, RADIO, 16) if platform == "radio" else (PROMPT, SIRACUSA, 8)
    before, after = (columns(n, 0.0, BLOCK, workload, where, **some).costs for some in ({}, widths))
    return most(after.link_bytes) / most(before.link_bytes), most(after.latency_s) / most(before.latency_s)


def two_plans_table() -> str:
    """Predict the other plans of each task out of two that were retrained."""
    rows = []
    for name in TASKS.tasks:
        found, errors = after_retraining(name, TWO_PLANS)
        law = law_of_two(name)
        rows.append(
            [
                name,
                f"{found.scale:.3g} U^{found.exponent:.2f}",
                str(len(errors)),
                f"{abs(errors).mean():.2f}",
                f"{abs(errors).max():.2f}",
                f"±{law.half_width:.1f}",
            ]
        )
    header = ["task", "law of two plans, points", "other plans", "mean error", "worst", "interval"]
    return table(header, rows)
