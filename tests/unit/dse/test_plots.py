import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dse.objectives import OBJECTIVES
from dse.plots import (
    LABELLED_CHIPS,
    front_page,
    label_points,
    plain_log_ticks,
    plot_front,
    save,
    save_front,
)
from dse.search import SearchResult
from dse.tables import front_table, trials_table

X, Y = OBJECTIVES["latency"], OBJECTIVES["energy"]
HOSTILE = '</title></script><script>alert("1")</script><img src=x onerror=alert(2)> & "quotes"'
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "background"}

Tables = tuple[pd.DataFrame, pd.DataFrame]


class Tags(HTMLParser):
    """Collect the tags of a page, and the text of its title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "title":
            self.title += data


@pytest.fixture(scope="module")
def tables(found: SearchResult) -> Tables:
    return trials_table(found), front_table(found)


def test_same_tables_give_the_same_bytes(tables: Tables, tmp_path: Path) -> None:
    first, again = (tmp_path / name for name in ("first", "again"))
    for folder in (first, again):
        folder.mkdir()
        paths = save_front(folder, "pareto", *tables, X, Y, "title\nsecond line")
        assert [path.name for path in paths] == ["pareto.svg", "pareto.png", "pareto.html"]
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_files_are_what_their_names_say(tables: Tables, tmp_path: Path) -> None:
    figure = plot_front(*tables, X, Y, "title")
    for ending in ("svg", "png"):
        save(figure, tmp_path / f"x.{ending}")
    assert ElementTree.parse(tmp_path / "x.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "<dc:date>" not in (tmp_path / "x.svg").read_text()


def _in_order(points: np.ndarray) -> np.ndarray:
    """Sort points, those of equal x but for rounding by y."""
    return points[np.lexsort((points[:, 1], points[:, 0].round(9)))]


def test_every_feasible_plan_and_every_plan_of_the_front_is_drawn(tables: Tables) -> None:
    trials, front = tables
    axes = plot_front(*tables, X, Y, "title").axes[0]
    drawn = [np.asarray(c.get_offsets()) for c in axes.collections]
    feasible = trials[trials["feasible"]]
    assert len(feasible) < len(trials)
    np.testing.assert_allclose(drawn[0], feasible[["latency_s", "energy_j"]].to_numpy() * 1e3)
    on_front = np.concatenate(drawn[1:-1])
    expected = front[["latency_s", "energy_j"]].to_numpy() * 1e3
    np.testing.assert_allclose(_in_order(on_front), _in_order(expected))
    knee = front.loc[front["knee"], ["latency_s", "energy_j"]].to_numpy() * 1e3
    np.testing.assert_allclose(drawn[-1], knee)


def test_axes_have_names_units_and_the_knee_is_told(tables: Tables) -> None:
    figure = plot_front(*tables, OBJECTIVES["edp"], OBJECTIVES["n_chips"], "two\nlines")
    axes, (legend,) = figure.axes[0], figure.legends
    assert axes.get_xlabel() == "energy-delay product [mJ ms]"
    assert axes.get_ylabel() == "number of chips"
    assert axes.get_title() == "two\nlines"
    texts = [text.get_text() for text in legend.get_texts()]
    row = tables[1].loc[tables[1]["knee"]].iloc[0]
    assert texts[-1].startswith(f"recommended: {row['n_chips']} chips, groups of {row['group_size']}")
    assert sum(int(text.split("(")[1].rstrip(")")) for text in texts[1:-1]) == len(tables[1])


@pytest.mark.parametrize(("largest", "scale"), [(9.0, "linear"), (11.0, "log")])
def test_axis_is_logarithmic_beyond_a_decade(tables: Tables, largest: float, scale: str) -> None:
    trials, front = (t.copy() for t in tables)
    for table in (trials, front):
        table["latency_s"] = np.linspace(1.0, largest, len(table))
    axes = plot_front(trials, front, X, Y, "title").axes[0]
    assert axes.get_xscale() == scale


def test_axis_of_shares_is_linear_over_any_range(tables: Tables) -> None:
    trials, front = (t.copy() for t in tables)
    for table in (trials, front):
        table["missing_weights"] = np.linspace(0.001, 0.9, len(table))
    axes = plot_front(trials, front, X, OBJECTIVES["missing_weights"], "title").axes[0]
    assert axes.get_yscale() == "linear"
    assert axes.get_ylabel() == "missing weights (share, 0 to 1)"


def test_large_numbers_on_a_log_axis_are_written_out() -> None:
    axes = Figure().subplots()
    axes.set(xscale="log")
    plain_log_ticks(axes.xaxis)
    assert axes.xaxis.get_major_formatter()(2e6) == "2000000"


def test_legend_lies_below_the_axes(tables: Tables) -> None:
    figure = plot_front(*tables, X, Y, "title")
    figure.draw_without_rendering()
    (legend,), axes = figure.legends, figure.axes[0]
    assert axes.get_legend() is None
    assert legend.get_window_extent().y1 <= axes.get_window_extent().y0


def test_the_fastest_plan_of_so_many_chips_is_labelled(tables: Tables) -> None:
    front = tables[1].iloc[::-1]
    texts = plot_front(tables[0], front, X, Y, "title").axes[0].texts
    for text in texts:
        rows = front[front["n_chips"] == int(text.get_text())]
        fastest = rows.loc[rows["latency_s"].idxmin(), ["latency_s", "energy_j"]] * 1e3
        assert text.xy == pytest.approx(tuple(fastest))
    assert {int(text.get_text()) for text in texts} == set(front["n_chips"]) & set(LABELLED_CHIPS)


@pytest.mark.parametrize(("x", "y"), [("n_chips", "latency"), ("energy", "n_chips")])
def test_chips_are_not_told_again_where_they_are_an_axis(tables: Tables, x: str, y: str) -> None:
    figure = plot_front(*tables, OBJECTIVES[x], OBJECTIVES[y], "title")
    assert not figure.axes[0].texts
    assert not figure.legends[0].get_title().get_text()


def test_texts_beside_points_cover_neither_points_nor_each_other() -> None:
    figure = Figure(figsize=(4, 4))
    axes = figure.subplots()
    points = [(0.5, 0.5), (0.5, 0.54), (0.55, 0.5)]
    axes.plot(*zip(*points, strict=True), marker="o", linestyle="")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label_points(figure, axes, [(str(i), point, "black") for i, point in enumerate(points)])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2"]
    for i, box in enumerate(boxes):
        assert not box.count_contains(axes.transData.transform(points))
        assert not box.count_overlaps(boxes[:i] + boxes[i + 1 :])


def test_axis_with_a_zero_is_linear(tables: Tables) -> None:
    assert (tables[0]["link_bytes"] == 0).any() or (tables[0]["l3_bytes"] == 0).any()
    for name in ("link_traffic", "l3_traffic"):
        if (tables[0].loc[tables[0]["feasible"], OBJECTIVES[name].column] == 0).any():
            assert plot_front(*tables, OBJECTIVES[name], Y, "title").axes[0].get_xscale() == "linear"


@pytest.mark.parametrize("x", OBJECTIVES)
def test_any_two_objectives_can_be_drawn(tables: Tables, x: str, tmp_path: Path) -> None:
    save(plot_front(*tables, OBJECTIVES[x], X, "title"), tmp_path / "x.svg")
    assert len(front_page(*tables, OBJECTIVES[x], X, "title")) > 10_000


@pytest.mark.parametrize("name", ["a$b", "$\\frac{", "$$", "x$y$z", "\\$x$", "{}^_%", "模型 한국 日本"])
def test_any_name_is_drawn_as_it_is(tables: Tables, tmp_path: Path, name: str) -> None:
    figure = plot_front(*tables, X, Y, name)
    for ending in ("svg", "png"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save(figure, tmp_path / f"x.{ending}")
    texts = ElementTree.parse(tmp_path / "x.svg").getroot().itertext()
    assert name in {text.strip() for text in texts}


def test_page_fetches_nothing(tables: Tables) -> None:
    tags = Tags(front_page(*tables, X, Y, "title")).tags
    assert {tag for tag, _ in tags} <= {"html", "head", "title", "meta", "body", "div", "script", "style"}
    assert not [(tag, attrs) for tag, attrs in tags if FETCHING & attrs.keys()]
    page = front_page(*tables, X, Y, "title")
    assert "<script src=" not in page


def test_hostile_title_is_text_and_nothing_else(tables: Tables) -> None:
    tame, hostile = (Tags(front_page(*tables, X, Y, title)) for title in ("tame", HOSTILE))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert hostile.title == HOSTILE


def test_hostile_table_is_text_and_nothing_else(tables: Tables) -> None:
    trials, front = (t.copy() for t in tables)
    front["limited_by"] = HOSTILE
    tame, hostile = (Tags(front_page(trials, f, X, Y, "title")) for f in (tables[1], front))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]


def test_page_has_the_first_line_as_its_title_and_every_point(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    import plotly.graph_objects as go

    shown: list[go.Figure] = []
    to_html: Callable[..., str] = go.Figure.to_html
    monkeypatch.setattr(go.Figure, "to_html", lambda self, **kw: shown.append(self) or to_html(self, **kw))
    page = front_page(*tables, X, Y, "first\nsecond")
    assert Tags(page).title == "first"
    sizes = [len(trace.x) for trace in shown[0].data]
    assert sizes[0] == int(tables[0]["feasible"].sum())
    assert sum(sizes[1:-1]) == len(tables[1])
    assert sizes[-1] == 1
