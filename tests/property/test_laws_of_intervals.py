"""Pricing with many constants at once gives what pricing with each of them by itself gives."""

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, load_platform, load_workload
from costmodel.costing import costed as costed_again
from costmodel.dealing import laid_out
from costmodel.draws import PARTS, Draws, drawable, drawn, with_constants
from costmodel.intervals import drawn_costs_of, repriced
from costmodel.parameters import drawn_keys
from costmodel.strategies import STRATEGIES
from tests.strategies import ROUNDING, accountings, any_platforms, costed, drawn_plans, messages_of, workloads

SHARES = ("kernels.load_overlap", "link.transmit_share")


def stated(platform: Platform, key: str) -> float:
    """Value of a constant, by part and dotted key."""

    def inner(parameters: Any, name: str) -> Any:
        fields = type(parameters).model_fields.items()
        return getattr(parameters, next(n for n, f in fields if name in (n, f.alias)))

    part, *names = key.split(".")
    return float(reduce(inner, names, getattr(platform, part)))


def some_draws(platform: Platform, seed: int, n: int = 3) -> Draws:
    """Other values of all constants that can be drawn."""
    rng, values = np.random.default_rng(seed), {}
    for part in PARTS:
        for name, reader in drawn_keys(getattr(platform, part), f"{part}."):
            about = rng.random(n) if name in SHARES else stated(platform, name) * 2 ** rng.normal(size=n)
            values[name] = np.maximum(np.round(about), 1) if reader.counts else about
    return Draws(values=values, basis="ranges")


def check_each_draw(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting, seed: int
) -> None:
    """Pricing with draws of all constants at once is costing with each of them, as laid out already."""
    draws = some_draws(platform, seed)
    many = drawn(platform, draws)
    _, found = next(laid_out(workload, platform, batch, counted))
    latency, energy = repriced(workload, many, found, counted, slice(None))
    shape = len(draws), len(found.plans)
    for i in range(len(draws)):
        one = with_constants(platform, {key: float(values[i]) for key, values in draws.values.items()})
        one = with_constants(one, {"mcu.idle_power": float(np.ravel(many.mcu.idle_power_w)[i])})
        placement = replace(found.placement, passes=one.kernels.passes(workload.rows))
        again = costed_again(workload, one, found.plans, counted, found.fills, placement).costs
        np.testing.assert_allclose(np.broadcast_to(latency, shape)[i], again.latency_s, ROUNDING)
        np.testing.assert_allclose(np.broadcast_to(energy, shape)[i], again.energy_j, ROUNDING)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@given(data=st.data())
def test_pricing_with_many_constants_is_pricing_with_each(strategy: str, data: st.DataObject) -> None:
    workload, platform = data.draw(workloads()), data.draw(any_platforms())
    batch, counted = data.draw(drawn_plans(strategy)), data.draw(accountings())
    check_each_draw(workload, platform, batch, counted, data.draw(st.integers(0, 2**32)))


@given(workload=workloads(), platform=any_platforms(), batch=drawn_plans("head_wise"), counted=accountings())
def test_with_the_constants_as_stated_a_cost_is_the_one_stated_and_has_no_interval(
    workload: Workload, platform: Platform, batch: Plans, counted: Accounting
) -> None:
    found = costed(workload, platform, batch, counted)
    where = np.arange(len(batch))
    costs = drawn_costs_of(workload, platform, [(where, found)], counted, Draws(values={}, basis="none"))
    np.testing.assert_allclose(costs.latency_s, found.costs.latency_s[None], ROUNDING)
    np.testing.assert_allclose(costs.energy_j, found.costs.energy_j[None], ROUNDING)
    for interval in costs.intervals.values():
        assert np.all(np.isnan(list(vars(interval).values())))


CASES = [
    (("siracusa-mipi", "date2025"), (("mobilebert", "encoder"), ("tinyllama-42m", "autoregressive"))),
    (("siracusa-mipi", "pulp-gvsoc"), (("tinyllama-42m", "prompt"), ("tinyllama-42m", "autoregressive"))),
    (("nrf52840-mixer", None), (("cats-block", "encoder"), ("stories260k", "autoregressive"))),
]
# Constants of what is never done on a platform, with why.
UNMOVED = {"kernels.narrow": "of the nRF52840: on wires alone does a leader send a sum on"}


@pytest.mark.parametrize(("on", "workloads_of"), CASES)
def test_every_constant_that_is_drawn_moves_some_cost(
    on: tuple[str, str | None], workloads_of: tuple[tuple[str, str], ...]
) -> None:
    platform, moved, names = load_platform(*on), set(), set()
    for model, request in workloads_of:
        workload, plans = (
            load_workload(model, request),
            Plans.of(
                Plan(
                    strategy=strategy,
                    n_chips=n,
                    group_size=2,
                    partial_sum_bits=8,
                    weight_bits=bits,
                    **messages_of(bits),
                )
                for strategy in STRATEGIES
                for n in (1, 4, 13)
                for bits in (4, 6, 8)
            ),
        )
        batches = list(laid_out(workload, platform, plans, Accounting()))
        for one in drawable(platform):
            names.add(one.name)
            values = {one.name: one.between(np.array([0.0, 1.0]))}
            draws = Draws(values=values, basis="ranges")
            costs = drawn_costs_of(workload, platform, batches, Accounting(), draws)
            if any(np.any(interval.low < interval.high) for interval in costs.intervals.values()):
                moved.add(one.name)
    assert names - moved <= UNMOVED.keys()
    assert len(names) > 10
