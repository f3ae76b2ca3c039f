import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from costmodel.parameters.files import BUILT_IN
from dse.validation import Row, validate
from dse.validation.date2025 import CHIPS, costs, first_below_linear
from dse.validation.rows import compare

KEYS = {"id", "source", "quantity", "published", "model", "error", "tolerance", "status", "fitted"}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return validate()


def entry(published: float | str, tolerance: float) -> dict[str, Any]:
    words = dict.fromkeys(("id", "source", "where", "quantity", "unit"), "x")
    return {**words, "published": published, "tolerance": tolerance, "fitted": False}


def test_every_row_has_every_key(rows: list[Row]) -> None:
    for row in rows:
        data = row.as_dict()
        assert data.keys() >= KEYS
        assert all(data[key] not in ("", None) for key in KEYS)
        assert row.status in ("ok", "off", "miss")
        assert isinstance(row.fitted, bool)
        assert isinstance(row.error, float)
        assert row.tolerance >= 0
    json.dumps([row.as_dict() for row in rows], allow_nan=False)


def test_ids_are_unique(rows: list[Row]) -> None:
    assert max(Counter(row.id for row in rows).values()) == 1


def test_median_and_worst_are_those_of_the_shards_on_eight_cores(rows: list[Row]) -> None:
    errors = [abs(row.error) for row in rows if row.unit == "cycles" and "8 cores" in row.where]
    summary = {row.id: row.model for row in rows if row.id in ("gvsoc-median", "gvsoc-worst")}
    assert summary == {"gvsoc-median": pytest.approx(np.median(errors)), "gvsoc-worst": max(errors)}


def test_sources_are_in_the_bibliography(rows: list[Row]) -> None:
    bibliography = (BUILT_IN / "references.bib").read_text()
    for row in rows:
        assert f"{{{row.source}," in bibliography


def test_all_rows_are_ok(rows: list[Row]) -> None:
    assert [row.id for row in rows if row.status == "off"] == []


def test_calibration_and_validation_are_told_apart(rows: list[Row]) -> None:
    held = [row.id for row in rows if not row.fitted]
    assert {"tinyllama-least-edp", "autoregressive-gains-more"} <= set(held)
    fitted = {row.id for row in rows if row.fitted}
    assert {"tinyllama-1-latency", "tinyllama-8-energy", "mobilebert-4-speedup"} <= fitted
    assert len(held) + len(fitted) == len(rows) > 40


@pytest.mark.parametrize(
    ("published", "model", "tolerance", "error", "status"),
    [
        (2.0, 2.1, 0.06, 0.05, "ok"),
        (2.0, 1.9, 0.06, -0.05, "ok"),
        (2.0, 2.1, 0.04, 0.05, "off"),
        (2.0, 1.9, 0.04, -0.05, "off"),
        (2.0, 2.0, 0.0, 0.0, "ok"),
        (64, 32, 0.0, -0.5, "off"),
        (0.0, 0.04, 0.05, 0.04, "ok"),
        (0.0, 0.06, 0.05, 0.06, "off"),
        ("yes", "yes", 0.0, 0.0, "ok"),
        ("yes", "no", 0.0, 1.0, "off"),
    ],
)
def test_row_is_ok_within_its_tolerance(
    published: Any, model: Any, tolerance: float, error: float, status: str
) -> None:
    row = compare(entry(published, tolerance), model)
    assert row.error == pytest.approx(error)
    assert row.status == status
    assert (row.published, row.model) == (published, model)


@pytest.mark.parametrize(
    ("model", "reason", "error", "status"),
    [
        (1.0, "", 0.0, "ok"),
        (2.0, "", 0.0, "ok"),
        (2.5, "", 0.5, "off"),
        (0.75, "", -0.25, "off"),
        (2.5, "known", 0.5, "miss"),
        (1.5, "known", 0.0, "ok"),
    ],
)
def test_row_with_ends_is_ok_between_them(model: float, reason: str, error: float, status: str) -> None:
    row = compare({**entry("1 to 2", 0.0), "low": 1.0, "high": 2.0, "reason": reason}, model)
    assert (row.error, row.status) == (error, status)


def test_first_number_of_chips_below_linear_is_the_first() -> None:
    for model, request in (("tinyllama-42m-64h", "autoregressive"), ("tinyllama-42m-64h", "prompt")):
        latency_s, _ = costs(model, request)
        first = first_below_linear(latency_s)
        below = [n for n, t in zip(CHIPS, latency_s, strict=True) if latency_s[0] / t < n]
        assert below
        assert first == below[0]
