import numpy as np
import pandas as pd
import pytest

from dse.reproduce_accuracy import (
    CURVE,
    LOW_RATES,
    OTHER_TASKS,
    TWO_PLANS,
    message_loss_table,
    plot_message_loss,
    plot_pruning,
    pruning_table,
)
from dse.validation.accuracy import rows_of, tasks
from dse.validation.message_loss import DATASETS, evaluations, known_losses, of_tasks


@pytest.fixture(scope="module")
def pruning() -> pd.DataFrame:
    return pruning_table()


@pytest.fixture(scope="module")
def lossy() -> pd.DataFrame:
    return message_loss_table()


def test_every_measured_plan_is_there_with_each_prediction_of_it(pruning: pd.DataFrame) -> None:
    measured = pruning[pruning["measured"].notna()].groupby(["task", "predicted_by"]).size()
    for name, (plans, _) in tasks().items():
        assert measured[name, TWO_PLANS] == measured[name, OTHER_TASKS] == len(plans)
    published = [row for row in rows_of("cats_pruning.csv") if row["pruning"] == "somegather"]
    assert sum(measured[name, CURVE] for name in DATASETS.values()) == len(published)


def test_what_took_part_in_a_fit_is_marked(pruning: pd.DataFrame, lossy: pd.DataFrame) -> None:
    fits = pruning[pruning["in_fit"].fillna(value=False).astype(bool)]
    assert set(fits.loc[fits["predicted_by"] == TWO_PLANS, "prune"]) == {0.75, 1.0}
    assert fits.loc[fits["predicted_by"] == CURVE, "prune"].between(0.1, 0.9).all()
    assert OTHER_TASKS not in set(fits["predicted_by"])
    of_rates = lossy[lossy["measured"].notna()]
    assert set(of_rates.loc[of_rates["in_fit"].astype(bool), "predicted_by"]) == {LOW_RATES}
    assert of_rates.loc[of_rates["in_fit"].astype(bool), "message_loss"].max() == pytest.approx(0.06)


def test_every_evaluation_with_lost_messages_is_there(lossy: pd.DataFrame) -> None:
    measured = lossy[lossy["measured"].notna()].groupby("task").size()
    for dataset, name in DATASETS.items():
        assert measured[name] == len(evaluations(dataset)[1].loss)
    for name, rows in of_tasks().items():
        assert measured[name] == len(rows.loss)


def test_estimates_lie_in_their_intervals(pruning: pd.DataFrame, lossy: pd.DataFrame) -> None:
    for table in (pruning, lossy):
        assert (table["low"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["high"]).all()


def test_nine_tenths_and_more_of_what_two_plans_predict_lie_in_the_interval(pruning: pd.DataFrame) -> None:
    others = pruning[(pruning["predicted_by"] == TWO_PLANS) & pruning["measured"].notna()]
    others = others[~others["in_fit"].astype(bool)]
    inside = others["measured"].between(others["low"], others["high"])
    assert inside.mean() >= 0.9


def test_an_encoder_is_predicted_without_its_own_evaluations(lossy: pd.DataFrame) -> None:
    known = known_losses()
    digits = lossy[(lossy["task"] == "digits") & (lossy["message_dropout"] == 0)]
    others = [law.drop(digits["message_loss"], 0.0) for name, law in known.tasks.items() if name != "digits"]
    assert digits["estimate"].to_numpy() == pytest.approx(np.mean(others, axis=0), abs=0.02)


def test_every_panel_is_named_and_draws_its_points(pruning: pd.DataFrame, lossy: pd.DataFrame) -> None:
    for figure, table in ((plot_pruning(pruning), pruning), (plot_message_loss(lossy), lossy)):
        assert [axes.get_title() for axes in figure.axes] == table["task"].unique().tolist()
        assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
        for axes in figure.axes:
            rows = table[(table["task"] == axes.get_title()) & table["measured"].notna()]
            drawn = sum(len(line.get_xdata()) for line in axes.get_lines() if line.get_marker() == "o")
            if "message_loss" in rows:
                assert drawn == len(rows)
            else:
                assert drawn == len(rows[rows["predicted_by"] != OTHER_TASKS])
