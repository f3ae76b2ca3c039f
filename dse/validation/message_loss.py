"""What lost messages cost the models of the CATS paper, beyond the rates that laws were fitted on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from costmodel.calibration import drop_of, score_after
from costmodel.drops import Drop
from costmodel.message_loss import LossFitted, LossOfTasks
from costmodel.workload import load_workload
from dse.loss_fitting import Lossy, fit_losses, loss_half_width
from dse.validation.accuracy import rows_of

Array = NDArray[np.floating[Any]]
DATASETS = {"ett": "ETT", "icd": "ICD", "london": "London"}
SERIES = "cats-timeseries"
TASKS_DROPOUT = 0.2  # of models trained with it
MOST_FITTED, ROUNDING = 0.06, 1e-9
BEYOND = "no rate above that message dropout was fitted, and the law does not bend there as the loss does"


@cache
def evaluations(dataset: str) -> tuple[float, Lossy]:
    """Loss of a model without message loss and dropout, and what messages cost it and its trained ones."""
    rows = [row for row in rows_of("cats_message_loss.csv") if row["dataset"] == dataset]
    loss, dropout, score = (
        np.array([float(row[name]) for row in rows]) for name in ("message_loss", "dropout", "loss")
    )
    base = float(score[(loss == 0) & (dropout == 0)][0])
    return base, Lossy(loss=loss, dropout=dropout, drop=drop_of("loss", base, score), of_loss=True)


@cache
def _accuracies() -> dict[str, dict[tuple[float, float, float], float]]:
    """Mean accuracy of each task, per cent, by pruning ratio, message dropout and message loss."""
    scores: dict[str, dict[tuple[float, float, float], list[float]]] = {}
    for row in rows_of("message_loss_accuracy.csv"):
        dropout = TASKS_DROPOUT * int(row["trained_with_message_dropout"])
        key = float(row["pruning_ratio"]), dropout, float(row["message_loss"])
        scores.setdefault(row["dataset"], {}).setdefault(key, []).append(100 * float(row["accuracy"]))
    return {name: {key: float(np.mean(score)) for key, score in of.items()} for name, of in scores.items()}


def ratios_of(name: str) -> Array:
    """Pruning ratio of each of a task's evaluations."""
    return np.array([ratio for ratio, _, _ in _accuracies()[name]])


@cache
def of_tasks() -> dict[str, Lossy]:
    """Give what messages cost four small encoders, pruned or not, each against itself without loss."""
    found = {}
    for name, mean in _accuracies().items():
        drop = [mean[ratio, 0.0, 0.0] - score for (ratio, _, _), score in mean.items()]
        _, dropout, loss = np.array([*mean]).T
        found[name] = Lossy(loss=loss, dropout=dropout, drop=np.array(drop), of_loss=False)
    return found


def known_losses() -> LossOfTasks:
    """Give what the model's family makes one expect."""
    found = load_workload(SERIES).calibration.message_loss
    if not isinstance(found, LossOfTasks):
        raise TypeError(f"{SERIES} is calibrated")
    return found


@cache
def law_of_low_rates(dataset: str) -> LossFitted:
    """Fit the rates up to 6 %."""
    _, rows = evaluations(dataset)
    fitted = rows.take(rows.loss <= MOST_FITTED + ROUNDING)
    found = fit_losses(fitted)
    return LossFitted.model_construct(
        **vars(found.law),
        form="fitted",
        half_width=loss_half_width(found, known_losses().half_width_loss),
        least_loss=0.01,
        most_loss=MOST_FITTED,
        most_dropout=float(np.max(fitted.dropout)),
    )


@cache
def predicted(dataset: str) -> tuple[Lossy, Drop]:
    """Predict the rates above 6 % out of those below: what was measured there, and the law's interval."""
    _, rows = evaluations(dataset)
    others = rows.take(rows.loss > MOST_FITTED + ROUNDING)
    return others, law_of_low_rates(dataset).interval(others.loss, others.dropout, of_loss=True)


def losses_left_out(name: str) -> LossOfTasks:
    """Give what three of four small encoders make one expect of the other."""
    found = {other: fit_losses(rows) for other, rows in of_tasks().items() if other != name}
    deviations = np.concatenate([one.deviation for one in found.values()])
    return known_losses().model_copy(
        update={
            "tasks": {other: one.law for other, one in found.items()},
            "residual": float(np.sqrt(np.mean(deviations**2))),
            "quantile": float(stats.t.ppf(0.95, len(found) - 1)),
        }
    )


def models() -> dict[str, float | str]:
    """Model's side of the rows of message loss."""
    found: dict[str, float | str] = {}
    inside = []
    for dataset in DATASETS:
        rows, band = predicted(dataset)
        found[f"message-loss-{dataset}"] = float(np.median(np.abs(rows.deviation(band.estimate))))
        found[f"message-loss-width-{dataset}"] = float(
            np.median((band.high - band.low) / (1 + band.estimate)) / 2
        )
        inside.append((band.low <= rows.drop) & (rows.drop <= band.high))
    found["message-loss-inside"] = float(np.mean(np.concatenate(inside)))
    return found


def rates() -> list[tuple[dict[str, Any], float | str]]:
    """Each rate from 7 to 10 %: the loss, the law's, and how far its interval reaches as a tolerance."""
    entries: list[tuple[dict[str, Any], float | str]] = []
    for dataset, name in DATASETS.items():
        base, _ = evaluations(dataset)
        rows, band = predicted(dataset)
        for i in range(len(rows.loss)):
            loss, dropout = float(rows.loss[i]), float(rows.dropout[i])
            score, model = (score_after("loss", base, float(x[i])) for x in (rows.drop, band.estimate))
            end = band.low[i] if model > score else band.high[i]
            half = base * abs(float(end) - float(band.estimate[i])) / score
            trained = f"trained with message dropout {dropout:.0%}" if dropout else "no message dropout"
            entry = {
                "id": f"message-loss-{dataset}-{100 * dropout:.0f}-{100 * loss:.0f}",
                "source": "cats2026",
                "where": "loss against message loss, evaluation notebook",
                "quantity": f"{name}, {trained}, {loss:.0%} lost, from 0 to 6 %: loss, ±{half:.1%}",
                "unit": "",
                "published": score,
                "tolerance": half,
                "fitted": False,
                "detail": True,
            }
            missed = abs(model / score - 1) > half
            entries.append((entry | ({"reason": BEYOND} if missed else {}), model))
    return entries
