from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dse.reproduce import STUDIES
from dse.reproduce_cats import (
    CHIPS,
    FEATURES,
    RATIOS,
    capacity_table,
    latency_table,
    plot_capacity,
    plot_latency,
    plot_resources,
    resources_table,
)
from dse.validation.cats_forms import SCHEMES

TRACKED = Path(__file__).parents[3] / "results"


@pytest.fixture(scope="module")
def resources() -> pd.DataFrame:
    return resources_table()


@pytest.fixture(scope="module")
def latency() -> pd.DataFrame:
    return latency_table()


def test_tracked_tables_and_figures_are_what_is_written_now(tmp_path: Path) -> None:
    for path in STUDIES["cats2026"](tmp_path):
        tracked = TRACKED / "cats2026" / path.name
        assert tracked.is_file()
        if path.suffix in (".csv", ".svg"):
            assert path.read_bytes() == tracked.read_bytes(), path.name


def test_every_scheme_has_every_number_of_chips(resources: pd.DataFrame) -> None:
    assert len(resources) == len(SCHEMES) * len(CHIPS)
    assert resources["ram_bytes"].isna().sum() == len(CHIPS)  # one scheme is no strategy here


def test_activations_as_deployed_are_those_of_the_paper_where_columns_are_whole(
    resources: pd.DataFrame,
) -> None:
    whole = resources[(resources["scheme"].isin(["p 0", "p 0.5"])) & resources["n_chips"].isin([2, 4, 8, 16])]
    assert (whole["activation_bytes"] == whole["paper_ram_bytes"]).all()
    assert len(whole) == 8


def test_as_deployed_one_chip_sends_nothing(resources: pd.DataFrame) -> None:
    alone = resources[(resources["n_chips"] == 1) & resources["link_bytes"].notna()]
    assert (alone["link_bytes"] == 0).all()
    assert (alone["paper_communication_bytes"] > 0).all()


def test_latency_has_every_width_half_and_ratio(latency: pd.DataFrame) -> None:
    assert len(latency) == len(FEATURES) * 2 * (1 + len(RATIOS) * (len(CHIPS) - 1))
    assert (latency["radio_bound_s"] >= latency["radio_s"]).all()
    alone = latency[latency["n_chips"] == 1]
    assert (alone["radio_s"] == 0).all()
    assert alone.loc[~alone["fits"], ["half", "features"]].to_numpy().tolist() == [["attention", 512]]


def test_pruning_more_is_never_slower(latency: pd.DataFrame) -> None:
    some = latency[latency["n_chips"] > 1].pivot_table(
        index=["half", "features", "n_chips"], columns="prune", values="latency_s"
    )
    assert (some[0.9] <= some[0.5]).all()
    assert (some[0.5] <= some[0.0]).all()


def test_capacity_grows_with_chips_and_says_what_binds_before_flash() -> None:
    table = capacity_table()
    for _, rows in table.groupby("blocks"):
        assert rows["stored_weights"].is_monotonic_increasing
        assert (rows["runs_to_features"] <= rows["features"]).all()
    limited = table[table["also_limited_by"] != ""]
    assert set(limited["also_limited_by"]) == {"rounds"}
    assert (limited["runs_to_features"] < limited["features"]).all()


def test_figures_name_their_axes(resources: pd.DataFrame, latency: pd.DataFrame) -> None:
    for figure in (plot_resources(resources), plot_latency(latency), plot_capacity(capacity_table())):
        assert all(axes.get_xlabel() for axes in figure.axes)


def test_every_panel_says_what_its_lines_are(resources: pd.DataFrame, latency: pd.DataFrame) -> None:
    for axes in plot_latency(latency).axes:
        names = [text.get_text() for text in axes.texts]
        assert len(names) == len(axes.get_lines())
        assert {f"p {ratio:g}" for ratio in RATIOS} <= set(names)
    (legend,) = plot_resources(resources).legends
    assert len(legend.get_texts()) == len(SCHEMES)


def test_what_exceeds_flash_is_marked_in_every_panel_that_shows_it(latency: pd.DataFrame) -> None:
    marked = [axes.collections[0].get_offsets() for axes in plot_latency(latency).axes]
    seconds = latency.loc[~latency["fits"], "latency_s"].item()
    assert [np.asarray(some).tolist() for some in marked] == [[[512, seconds]], [[1, seconds]], [], []]


def test_no_two_lines_of_a_figure_are_drawn_alike(resources: pd.DataFrame) -> None:
    for figure in (plot_resources(resources), plot_capacity(capacity_table())):
        for axes in figure.axes:
            lines = axes.get_lines()
            assert len({(line.get_marker(), line.get_markersize()) for line in lines}) == len(lines)
