from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from costmodel import Accounting, Plan, Plans, evaluate, load_platform, load_workload
from dse.plots import save
from dse.reproduce_date import (
    CHIPS,
    LABELLED,
    MODELS,
    REQUESTS,
    plot_speedup,
    plot_tradeoff,
    reproduce_date2025,
    scaling_table,
)

TRACKED = Path(__file__).parents[3] / "results" / "date2025"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "deep" / "date2025"
    paths = reproduce_date2025(path)
    assert sorted(paths) == sorted(path.iterdir())
    return path


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return scaling_table()


def test_one_row_a_model_request_and_number_of_chips(table: pd.DataFrame) -> None:
    index = pd.MultiIndex.from_product([MODELS, REQUESTS, CHIPS], names=["model", "request", "n_chips"])
    assert table.set_index(index.names).index.tolist() == index.tolist()
    assert tuple(range(1, 65)) == CHIPS


def test_speedup_is_over_one_chip(table: pd.DataFrame) -> None:
    for _, rows in table.groupby(["model", "request"]):
        alone = rows.loc[rows["n_chips"] == 1, "latency_s"].item()
        np.testing.assert_allclose(rows["speedup"], alone / rows["latency_s"])
        assert ((rows["speedup"] >= rows["n_chips"]) == rows["above_linear"]).all()
        np.testing.assert_allclose(rows["edp_js"], rows["latency_s"] * rows["energy_j"])


def test_numbers_are_those_of_the_cost_model(table: pd.DataFrame) -> None:
    costs = evaluate(
        load_workload("tinyllama-42m-64h", "prompt"),
        load_platform("siracusa-mipi", "date2025"),
        Plans.of([Plan(strategy="head_wise", n_chips=32, group_size=4, partial_sum_bits=8)]),
        Accounting(scope="block", prefetch="hidden"),
    )
    match = (
        (table["model"] == "tinyllama-42m-64h") & (table["request"] == "prompt") & (table["n_chips"] == 32)
    )
    row = table[match].iloc[0]
    assert (row["latency_s"], row["energy_j"]) == (costs.latency_s[0], costs.energy_j[0])


@pytest.mark.parametrize("name", ["scaling.csv", "scaling_steady.csv"])
def test_tracked_tables_are_what_the_program_makes(folder: Path, name: str) -> None:
    made, tracked = (pd.read_csv(path / name) for path in (folder, TRACKED))
    pd.testing.assert_frame_equal(made, tracked, rtol=1e-8)


def test_steady_accounting_is_never_faster(folder: Path) -> None:
    hidden, steady = (pd.read_csv(folder / name) for name in ("scaling.csv", "scaling_steady.csv"))
    assert (steady["latency_s"] >= hidden["latency_s"]).all()
    assert (steady["latency_s"] > hidden["latency_s"]).any()


def test_speedup_figure_has_the_linear_line_and_every_number_of_chips(table: pd.DataFrame) -> None:
    panels = plot_speedup(table).axes
    assert [axes.get_title() for axes in panels] == list(REQUESTS.values())
    for axes, request in zip(panels, REQUESTS, strict=True):
        linear, *curves = (np.asarray(line.get_xydata()) for line in axes.get_lines())
        assert linear.tolist() == [[n, n] for n in CHIPS]
        drawn = np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections]).tolist()
        rows = table[table["request"] == request]
        assert sorted(drawn) == sorted(rows[["n_chips", "speedup"]].to_numpy().tolist())
        for model, curve in zip(MODELS, curves, strict=True):
            some = rows[(rows["model"] == model) & rows["n_chips"].isin(LABELLED)]
            np.testing.assert_array_equal(curve, some[["n_chips", "speedup"]])


def test_every_line_goes_through_its_large_markers(table: pd.DataFrame) -> None:
    for figure in (plot_speedup(table), plot_tradeoff(table)):
        for axes in figure.axes:
            on_lines = {tuple(point) for line in axes.get_lines() for point in np.asarray(line.get_xydata())}
            for marks in axes.collections:
                if marks.get_sizes().min() > 5:  # type: ignore[attr-defined]
                    assert {tuple(point) for point in np.asarray(marks.get_offsets())} <= on_lines


def test_each_number_of_chips_is_told_once_where_both_models_are_alike(table: pd.DataFrame) -> None:
    for axes in plot_tradeoff(table).axes:
        texts = [int(text.get_text()) for text in axes.texts]
        assert sorted(texts) == sorted([*LABELLED, 16, 32, 64])
        assert {int(t.get_text()) for t in axes.texts if t.get_color() == "black"} == {1, 2, 4, 8}


def test_tradeoff_figure_has_both_models_in_both_modes(table: pd.DataFrame) -> None:
    panels = plot_tradeoff(table).axes
    for axes, request in zip(panels, REQUESTS, strict=True):
        for model, line in zip(MODELS, axes.get_lines(), strict=True):
            rows = table[(table["model"] == model) & (table["request"] == request)]
            some = rows[rows["n_chips"].isin([1, 2, 4, 8, 16, 32, 64])]
            np.testing.assert_allclose(np.asarray(line.get_xydata()), some[["latency_s", "energy_j"]] * 1e3)


def test_each_point_is_marked_by_its_regime(table: pd.DataFrame) -> None:
    (legend,) = plot_speedup(table).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert {f"weights {regime}" for regime in set(table["regime"])} <= set(names)


def test_figures_are_the_same_every_time(folder: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    for stem, draw in (("speedup", plot_speedup), ("tradeoff", plot_tradeoff)):
        save(draw(table), tmp_path / f"{stem}.svg")
        assert (tmp_path / f"{stem}.svg").read_bytes() == (folder / f"{stem}.svg").read_bytes()
