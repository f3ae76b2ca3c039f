"""Laws of costs over 3000 random workloads, platforms and batches of plans, every law on each of them.

Priced with draws of the constants, too, each case costs what it does with the constants of each draw.

Chips work on whole tiles and groups of columns, so that by operator laws somewhat more work may take somewhat
less time: such cases are counted, and none is further off than `ROUNDED`. By rates there are none at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from costmodel import Accounting, Costs, Plans, Platform, Workload, evaluate
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from costmodel.kernel_sets import OperatorLaws
from costmodel.precision import BYTE
from costmodel.strategies import STRATEGIES
from tests.property.test_laws_of_intervals import check_each_draw
from tests.strategies import ROUNDING, accountings, changed, drawn_plans, platforms, workloads

CASES, PARTS = 3000, 6
ROUNDED = 0.03
ROUNDING_LAWS = (
    "one core more",
    "twice the cores",
)  # of better platforms: tiles are whole rounds of all cores
Array = NDArray[np.floating[Any]]


def decided(batch: Plans, **values: int) -> Plans:
    """Give the plans with the same value of some decisions."""
    return batch.changed(**{name: np.full(len(batch), value) for name, value in values.items()})


def better_platforms(platform: Platform, times: float) -> Iterator[tuple[str, Platform]]:
    """Give platforms on which nothing is slower."""
    link, l3, mcu = platform.link, platform.mcu.l3, platform.mcu
    yield (
        "link bandwidth",
        changed(platform, link={"bandwidth_bytes_per_s": times * link.bandwidth_bytes_per_s}),
    )
    yield "packets", changed(platform, link={"payload_bytes": times * link.payload_bytes})
    yield "message latency", changed(platform, link={"message_latency_s": link.message_latency_s / times})
    yield "header", changed(platform, link={"header_bytes": link.header_bytes // times})
    yield "duplex", changed(platform, link={"duplex": "full"})
    for name, cores in (("one core more", mcu.n_cores + 1), ("twice the cores", 2 * mcu.n_cores)):
        yield name, changed(platform, mcu={"n_cores": cores})
    yield "clock", changed(platform, mcu={"clock_hz": times * mcu.clock_hz})
    yield "L2", changed(platform, l2={"size_bytes": times * mcu.l2.size_bytes})
    yield "L3 bandwidth", changed(platform, l3={"bandwidth_bytes_per_s": times * l3.bandwidth_bytes_per_s})
    yield "an L3 each", replace(platform, shares_l3=False)
    if not isinstance(platform.kernels, OperatorLaws):
        for name in ("gemv_mac_per_cycle", "gemm_mac_per_cycle"):
            yield name, changed(platform, kernels={name: times * getattr(platform.kernels, name)})
        yield "load overlap", changed(platform, kernels={"load_overlap": 1 - 1 / times})


def larger_workloads(workload: Workload, more: int) -> Iterator[tuple[str, Workload]]:
    """Give workloads of which no chip has less to do."""
    model = workload.model
    for name in ("ffn", "embedding", "layers"):
        yield name, replace(workload, model=model.model_copy(update={name: getattr(model, name) + more}))
    if model.vocabulary:
        yield (
            "vocabulary",
            replace(workload, model=model.model_copy(update={"vocabulary": model.vocabulary + more})),
        )
    for name in ("weight_bits", "activation_bits"):
        if getattr(model, name) < BYTE:  # narrower ones are unpacked
            continue
        yield name, replace(workload, model=model.model_copy(update={name: 2 * getattr(model, name)}))
    yield "tokens", replace(workload, n_tokens=workload.n_tokens + more)
    yield "context", workload.with_room(workload.n_tokens + more)


def check_bounds(costs: Costs, platform: Platform) -> None:
    """Totals are their breakdowns, nothing is negative, and one chip sends nothing."""
    np.testing.assert_allclose(costs.latency_s, sum(costs.latency_by_cause_s[c] for c in LATENCY_CAUSES))
    np.testing.assert_allclose(costs.energy_j, sum(costs.energy_by_cause_j[c] for c in ENERGY_CAUSES))
    for cost in (*costs.latency_by_cause_s.values(), *costs.energy_by_cause_j.values()):
        assert np.all(cost >= 0)
    alone = costs.n_chips == 1
    for cost in (costs.latency_by_cause_s["link"], costs.energy_by_cause_j["link"], costs.link_bytes):
        assert np.all(cost[alone] == 0)
    assert platform.mcu.l3 is not None
    chips = 1 if platform.shares_l3 else costs.n_chips
    steady = costs.l3_bytes / platform.mcu.l3.bandwidth_bytes_per_s / chips
    assert np.all(costs.latency_s >= steady * (1 - ROUNDING))


class Violations:
    """Of each law, by how much it was violated wherever it was, and what of that whole tiles excuse."""

    def __init__(self) -> None:
        self.cases = 0
        self.broken: dict[str, list[float]] = {}
        self.rounded: dict[str, list[float]] = {}

    def note(self, law: str, slower: Array, faster: Array, *, rounds: bool) -> None:
        """Note where what should be slower is faster; only whole tiles may make it so."""
        off = 1 - slower / faster
        here = self.rounded if rounds else self.broken
        here.setdefault(law, []).extend(off[off > ROUNDING].tolist())

    def said(self, found: dict[str, list[float]]) -> list[str]:
        """Say how often each law was violated, and by how much at most."""
        return [f"{law}: {len(off)} times, at most {max(off):.2%}" for law, off in found.items() if off]


def comparable(batch: Plans, *costs: Costs) -> NDArray[np.bool_]:
    """Which plans are dealt out as time asks: shares by room are dealt out so that they fit, fast or not."""
    return np.all([one.feasible for one in costs], axis=0) | (batch["shares"] == 0)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_laws_hold_but_for_whole_tiles(part: int) -> None:
    found = Violations()
    pick: Callable[..., Any] = st.sampled_from(sorted(STRATEGIES)).flatmap(drawn_plans)

    @seed(part)
    @settings(
        max_examples=CASES // PARTS,
        phases=[Phase.generate],
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        workload=workloads(),
        platform=platforms(),
        batch=pick,
        counted=accountings(),
        times=st.floats(1, 16),
        more=st.integers(1, 300),
    )
    def each(
        workload: Workload,
        platform: Platform,
        batch: Plans,
        counted: Accounting,
        times: float,
        more: int,
    ) -> None:
        found.cases += 1
        check_each_draw(workload, platform, batch, counted, found.cases)
        rounds = isinstance(platform.kernels, OperatorLaws)
        # Chips that pin blocks and are dealt out for time; of another workload, shares by room are others.
        timed = decided(batch, pinning=1).changed(shares=np.minimum(batch["shares"], 1))
        before = evaluate(workload, platform, timed, counted)
        check_bounds(before, platform) if counted.prefetch == "steady" and counted.scope == "model" else None
        for law, better in better_platforms(platform, times):
            after = evaluate(workload, better, timed, counted)
            alike = comparable(timed, before, after)
            whole = rounds and law in ROUNDING_LAWS
            found.note(law, before.latency_s[alike], after.latency_s[alike], rounds=whole)
        even = decided(timed, shares=0)
        before = evaluate(workload, platform, even, counted)
        for law, larger in larger_workloads(workload, more):
            after = evaluate(larger, platform, even, counted)
            found.note(law, after.latency_s, before.latency_s, rounds=rounds)
        for law, bits in (("sums of 16 bit", (8, 16)),):
            narrow, wide = (
                evaluate(workload, platform, decided(even, partial_sum_bits=b), counted) for b in bits
            )
            found.note(law, wide.latency_s, narrow.latency_s, rounds=rounds)

    each()
    assert found.cases >= CASES // PARTS
    print(f"{found.cases} cases; by whole tiles", found.said(found.rounded) or "nothing")  # noqa: T201
    assert not found.said(found.broken)
    most = max((max(off) for off in found.rounded.values() if off), default=0.0)
    assert most <= ROUNDED, found.said(found.rounded)
