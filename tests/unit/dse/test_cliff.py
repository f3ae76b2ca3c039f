from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.errors import PlanError
from costmodel.intervals import drawn_costs
from costmodel.plan import MAX_CHIPS
from dse import cliff as module
from dse.cliff import WORDS, Cliff, cliff, cliff_table
from dse.cliff_plot import COLOURS, plot_cliff
from dse.cliff_report import sentences
from dse.document import Regime
from dse.plots import save

Copy = Callable[..., str]
MODEL = Accounting()
PUBLISHED = Plan(strategy="head_wise", n_chips=1, shares=0, pinning=0)
PRUNED = Plan(
    strategy="column_wise", n_chips=1, prune_qkv=0.3, prune_o=0.3, prune_ffn_in=0.3, prune_ffn_out=0.3
)
ALONE = Plan(strategy="column_wise", n_chips=1)


@pytest.fixture(scope="module")
def wired(tinyllama: Workload, siracusa: Platform) -> Cliff:
    return cliff(tinyllama, siracusa, MODEL, PUBLISHED)


@pytest.fixture(scope="module")
def radio() -> Cliff:
    return cliff(load_workload("cats-vit"), load_platform("nrf52840-mixer"), MODEL, PRUNED)


def asked_from(found: Cliff, start: int) -> Cliff:
    return replace(found, start=start)


def test_every_number_of_chips_costs_what_it_costs_alone(wired: Cliff, radio: Cliff) -> None:
    for found, most in ((wired, MAX_CHIPS), (radio, 16)):
        assert found.n_chips.tolist() == list(range(1, most + 1))
        for i in (0, 1, 3, most - 1):
            alone = Plans.of([replace(found.plan, n_chips=i + 1)])
            costs = evaluate(found.workload, found.platform, alone)
            assert found.costs.latency_s[i] == costs.latency_s[0]
            assert found.costs.energy_j[i] == costs.energy_j[0]
            drawn = drawn_costs(found.workload, found.platform, alone)
            assert found.drawn.intervals["latency_s"].high[i] == drawn.intervals["latency_s"].high[0]


def test_all_numbers_of_chips_are_one_batch(
    monkeypatch: pytest.MonkeyPatch, tinyllama: Workload, siracusa: Platform
) -> None:
    batches = []

    def counted(workload: Workload, platform: Platform, plans: Plans, accounting: Accounting) -> object:
        batches.append(len(plans))
        return laid_out(workload, platform, plans, accounting)

    laid_out = module.laid_out
    monkeypatch.setattr(module, "laid_out", counted)
    cliff(tinyllama, siracusa, MODEL, PUBLISHED)
    assert batches == [MAX_CHIPS]


def test_borders_are_where_weights_lie_otherwise(wired: Cliff) -> None:
    assert [(one.first, one.last, one.kind) for one in wired.stretches] == [
        (1, 1, "streamed"),
        (2, 23, "prefetched"),
        (24, 46, "blocks resident"),
        (47, 64, "resident"),
    ]
    off_chip = wired.costs.l3_bytes
    assert np.all(off_chip[:46] > 0)
    assert np.all(off_chip[46:] == 0)
    assert np.flatnonzero([wired.border(i) for i in range(MAX_CHIPS)]).tolist() == [1, 23, 46]


def test_what_does_not_fit_is_kept_and_borders_what_does(radio: Cliff) -> None:
    fits = [one for one in radio.stretches if not one.exceeded]
    assert [(one.first, one.last, one.kind) for one in fits] == [(9, 16, "in flash")]
    table = cliff_table(radio)
    assert table.index.tolist() == list(range(1, 17))
    assert table["feasible"].tolist() == [n >= 9 for n in range(1, 17)]
    assert table["flash_footprint_bytes"].le(radio.platform.mcu.levels["flash"].usable_bytes).tolist() == (
        table["feasible"].tolist()
    )
    assert table["border"].tolist() == [n == 9 for n in range(1, 17)]
    assert table["exceeds"][8].startswith("flash needs")
    assert table["exceeds"][9] == ""
    assert table["speed_up"][:8].isna().all()
    assert table["speed_up"][9] == 1
    assert table["speed_up"][16] == table["latency_s"][9] / table["latency_s"][16]


def test_other_resources_that_do_not_suffice_are_another_stretch() -> None:
    vit, radio = load_workload("cats-vit"), load_platform("nrf52840-mixer")
    found = cliff(vit, radio, MODEL, Plan(strategy="head_wise", n_chips=1))
    assert [one.exceeded for one in found.stretches] == [
        ("flash",),
        ("flash", "rounds"),
        ("RAM", "flash", "rounds"),
        ("RAM", "rounds"),
    ]
    assert found.fastest is None
    assert np.isnan(found.speed_up).all()
    assert sentences(found) == ["Does another chip help? No: the plan fits no number of chips."]
    (line,) = sentences(asked_from(found, 2))
    assert line.endswith("No: it fits no larger number either.")


def test_every_place_of_weights_has_its_words_and_colour() -> None:
    assert set(get_args(Regime)) < set(WORDS)
    assert set(COLOURS) == set(WORDS)


def test_another_chip_helps_or_does_not(wired: Cliff, siracusa: Platform) -> None:
    costs = wired.costs
    another, border, best = sentences(asked_from(wired, 8))
    change = 100 * (costs.latency_s[8] / costs.latency_s[7] - 1)
    assert another.startswith(
        "Does another chip help, from 8 chips on? Yes. Another chip: the same plan on 9"
    )
    assert f"({change:+.1f} %)" in another
    assert border.startswith("The next border is at 24 chips: all blocks stay on chip")
    assert f"{costs.latency_s[23] * 1e3:.4g} ms" in border
    assert f"Latency is least on {1 + np.argmin(costs.latency_s)} chips" in best
    assert f"Energy is least on {1 + np.argmin(costs.energy_j)} " in best
    assert sentences(wired) == [f"Does another chip help? {best}"]
    assert "head_wise can use 64 at most" in sentences(asked_from(wired, 64))[0]
    small = cliff(load_workload("stories260k"), siracusa, MODEL, PUBLISHED)
    assert "? Latency, not energy. Another chip" in sentences(asked_from(small, 7))[0]
    assert "? No. Another chip" in sentences(asked_from(small, 8))[0]
    assert "(0.2247 ms): more are no faster" in sentences(small)[0]


def test_in_how_many_draws_another_chip_helps_is_counted_draw_by_draw(wired: Cliff) -> None:
    drawn = wired.drawn
    thriftier = np.mean([after < before for before, after in drawn.energy_j[:, 7:9].tolist()])
    assert 0 < thriftier < 1
    assert f"takes less energy in {thriftier:.0%}." in sentences(asked_from(wired, 8))[0]


def test_what_does_not_fit_now_fits_on_more(radio: Cliff) -> None:
    line, best = sentences(asked_from(radio, 4))
    assert "On 4 chips the plan does not fit: flash needs" in line
    assert line.endswith("Yes: it fits on 9 chips.")
    assert best.startswith("Latency is least on")


def test_one_chip_is_all_that_some_models_can_use(
    copy_of: Copy,
) -> None:
    path = Path(copy_of("model/cats-block", "heads = { value = 16", "heads = { value = 1"))
    path.write_text(path.read_text().replace("kv_heads = { value = 16", "kv_heads = { value = 1"))
    found = cliff(load_workload(str(path)), load_platform("nrf52840-mixer"), MODEL, ALONE, 1)
    assert found.n_chips.tolist() == [1]
    assert len(found.stretches) == 1
    assert len(cliff_table(found)) == 1
    assert len(plot_cliff(found).axes) == 2
    with pytest.raises(PlanError, match="can use 1 on"):
        cliff(load_workload(str(path)), load_platform("nrf52840-mixer"), MODEL, ALONE, 2)


def test_borders_are_lines_and_what_does_not_fit_is_hatched(wired: Cliff, radio: Cliff) -> None:
    for found, borders, hatched in ((wired, 3, 0), (radio, 1, 1)):
        figure = plot_cliff(found)
        for axes in figure.axes:
            lines = [line for line in axes.get_lines() if len(set(np.ravel(line.get_xdata()).tolist())) == 1]
            at = sorted(float(np.ravel(line.get_xdata())[0]) for line in lines)
            assert at == [one.first - 0.5 for one in found.stretches[1:]]
            assert sum(bool(patch.get_hatch()) for patch in axes.patches) == hatched
        labels = [text.get_text() for text in figure.axes[0].texts]
        assert len(labels) == borders
        assert labels == [f"from {one.first} chips: {one.kind}" for one in found.stretches[1:]]


def test_the_same_cliff_is_the_same_picture(radio: Cliff, tmp_path: Path) -> None:
    for ending in ("svg", "png"):
        for name in ("one", "two"):
            save(plot_cliff(radio), tmp_path / f"{name}.{ending}")
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
