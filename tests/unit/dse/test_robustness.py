from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from costmodel.intervals import DrawnCosts
from dse.job import Job
from dse.robustness import robustness, robustness_sentences
from dse.search import SearchResult, search


def with_draws(found: SearchResult, latency: np.ndarray, energy: np.ndarray) -> SearchResult:
    """Give the result with costs of its front by draw: those stated, times factors of shape (d, f)."""
    costs = found.costs.take(found.front)
    again = replace(found)
    again.__dict__["front_drawn"] = DrawnCosts(
        latency_s=costs.latency_s * latency, energy_j=costs.energy_j * energy, basis="ranges"
    )
    return again


def knees(found: SearchResult) -> int:
    """Position on its front of the knee."""
    return int(np.flatnonzero(found.front == found.recommended)[0])


def test_what_scales_all_plans_alike_leaves_the_knee_where_it_is(found: SearchResult) -> None:
    factors = np.outer([0.25, 0.5, 1.0], np.ones(len(found.front)))
    robust = robustness(with_draws(found, factors, factors[::-1]))
    assert robust is not None
    assert np.flatnonzero(robust.knee).tolist() == [knees(found)]
    assert robust.knee.sum() == 1
    assert robust.met == {"latency<=100ms": 1.0}


def test_a_plan_that_is_best_in_every_respect_in_some_draws_is_the_knee_in_those(found: SearchResult) -> None:
    factors = np.ones((4, len(found.front)))
    other = next(i for i in range(len(found.front)) if i != knees(found))
    factors[0, other] = 1e-9
    changed = with_draws(found, factors, factors)
    robust = robustness(changed)
    assert robust is not None
    assert (robust.knee[other], robust.knee[knees(found)]) == (0.25, 0.75)
    sentence = robustness_sentences(changed)[0]
    assert sentence.endswith(f"It stays the knee in 75% of them; front plan {other} is it in 25%.")


def test_bounds_are_met_in_a_share_of_the_draws(job: Callable[..., Job]) -> None:
    bounded = search(job("n_chips<=8", "latency<=16ms"), lambda *_: None)
    factors = np.outer([0.9, 1.0, 9.0, 9.0], np.ones(len(bounded.front)))
    changed = with_draws(bounded, factors, factors)
    robust = robustness(changed)
    assert robust is not None
    assert robust.met == {"latency<=16ms": 0.5}
    assert robust.knee.sum() == pytest.approx(0.5)  # no plan meets the bound in the other draws
    assert robustness_sentences(changed)[1:] == ["It meets latency<=16ms in 50% of the draws."]


def test_where_no_draw_changes_a_cost_nothing_is_said(
    found: SearchResult, nothing_found: SearchResult
) -> None:
    same = np.ones((3, len(found.front)))
    assert robustness_sentences(with_draws(found, same, same)) == []
    assert robustness(nothing_found) is None
