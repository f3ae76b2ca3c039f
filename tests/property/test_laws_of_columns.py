"""Laws that column-wise plans obey: what chips compute, and what pruning more does."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate
from costmodel.compute import shard_s
from costmodel.counted import held_bytes
from costmodel.media import Mixer
from costmodel.operators import HEAD_PRODUCTS, Kind, Operator
from costmodel.plan import MAX_CHIPS
from costmodel.program import HALVES, Part
from costmodel.shards import EVEN
from costmodel.strategies import canonical_plan, column_wise
from tests.columns import (
    BLOCK,
    GATHERS,
    ONE_BLOCK,
    SERIES,
    VIT,
    WIDE_VIT,
    each,
    of_whole_columns,
    plan,
    program,
    sent_columns,
)
from tests.strategies import (
    KERNEL_SETS,
    RADIO,
    ROUNDING,
    accountings,
    any_platforms,
    drawn_plans,
    workloads,
)

PLATFORMS = {**KERNEL_SETS, "nrf52840-cmsis": RADIO}


def work_of(part: Part) -> list[Operator]:
    return [operator for step in part.steps for operator in step.work]


# What chips compute


@pytest.mark.parametrize("kernels", PLATFORMS)
@pytest.mark.parametrize("workload", [BLOCK, VIT], ids=lambda w: w.name)
def test_redundant_norms_take_time_in_every_kernel_set(kernels: str, workload: Workload) -> None:
    platform = PLATFORMS[kernels]
    found = program(workload, plan(4), plan(4, 0.9))
    for half in HALVES:
        (step,) = (step for step in found.part(half).steps if any(o.kind is Kind.NORM for o in step.work))
        rest = [operator for operator in step.work if operator.kind is not Kind.NORM]
        norms = [operator for operator in step.work if operator.kind is Kind.NORM]
        assert len(norms) == 1
        with_it, without = shard_s(platform, step.work), shard_s(platform, rest)
        assert (with_it > without).all()
        # all columns of all tokens on every chip, fewer with pruning
        own = workload.model.embedding // 4
        left = own - round(own * 0.9)
        assert np.ravel(norms[0].elements).tolist() == [
            workload.rows * workload.model.embedding,
            workload.rows * (own + 3 * left),
        ]


@settings(max_examples=60)
@given(workload=workloads(), n=st.integers(1, MAX_CHIPS))
def test_without_pruning_macs_and_weights_of_all_chips_sum_to_the_model(workload: Workload, n: int) -> None:
    m, s, context = workload.model, workload.rows, workload.context
    shapes = Plans.of([plan(min(n, m.heads))])
    found = column_wise.program(workload, RADIO, shapes, EVEN)  # one chip too
    kv_copies = sum(
        chip.owns["kv_heads"].count for chip in column_wise.slices(workload, RADIO, shapes.row(0), EVEN)
    )
    assert kv_copies >= m.kv_heads
    if m.kv_heads % min(n, m.heads) == 0:  # no chip has part of a group
        assert kv_copies == m.kv_heads
    more = 2 * (kv_copies - m.kv_heads) * m.head_size * m.embedding
    work = [operator for half in HALVES for operator in work_of(found.part(half))]
    macs = {
        kind: sum(each(o.macs, found).sum() for o in work if o.kind is kind)
        for kind in (Kind.MATMUL, *HEAD_PRODUCTS)
    }
    assert macs[Kind.MATMUL] == s * (m.block_weights + more)
    for kind in HEAD_PRODUCTS:
        assert macs[kind] == m.heads * s * context * m.head_size
    held = each(held_bytes([found.part(half) for half in HALVES]), found).sum()
    assert held == (m.block_weights + more) * m.weight_bytes
    elements = {kind: sum(each(o.elements, found).sum() for o in work if o.kind is kind) for kind in Kind}
    assert elements[Kind.SOFTMAX] == m.heads * s * context
    assert elements[Kind.NORM] == 2 * found.n_chips[0] * s * m.embedding
    assert elements[Kind.ADD] == 2 * s * m.embedding
    assert elements[Kind.ACTIVATION] == s * m.ffn
    head = found.part("head")
    assert sum(each(o.macs, found).sum() for o in work_of(head)) == m.vocabulary * m.embedding
    tables = held_bytes([found.part("embedding"), head])
    assert each(tables, found).sum() == m.vocabulary_weights * m.weight_bytes


@settings(max_examples=60)
@given(workload=workloads(), batch=drawn_plans("column_wise", most=1))
def test_a_chip_multiplies_its_own_columns_and_all_that_others_send(workload: Workload, batch: Plans) -> None:
    asked = of_whole_columns(batch).row(0)
    found = program(workload, asked)
    if found.n_chips[0] == 1:
        return
    one = canonical_plan(workload, RADIO, asked)
    sent = sent_columns(workload, found)
    for number, chip in enumerate(column_wise.slices(workload, RADIO, one, EVEN)):
        assert chip.kept_columns == {name: counts[number] for name, counts in sent.items()}
    depth_of = {
        "q": "qkv",
        "k": "qkv",
        "v": "qkv",
        "o": "o",
        "gate": "ffn_in",
        "up": "ffn_in",
        "down": "ffn_out",
    }
    owned = {
        "qkv": "embedding_columns",
        "ffn_in": "embedding_columns",
        "ffn_out": "ffn_columns",
    }
    slices = column_wise.slices(workload, RADIO, one, EVEN)
    for half in HALVES:
        for operator in work_of(found.part(half)):
            if operator.kind is not Kind.MATMUL:
                continue
            gather = depth_of[operator.name]
            own = [
                chip.owns["heads"].count * workload.model.head_size
                if gather == "o"
                else chip.owns[owned[gather]].count
                for chip in slices
            ]
            others = [sum(sent[gather]) - mine for mine in sent[gather]]
            assert each(operator.depth, found).tolist() == [a + b for a, b in zip(own, others, strict=True)]


# More pruning


RATIOS = st.integers(0, 1000)


def pruned_more(data: st.DataObject, n: int) -> tuple[Plan, Plan]:
    """Draw a plan, and one that prunes at least as much at every gather."""
    less = {name: data.draw(RATIOS) for name in GATHERS}
    more = {name: data.draw(st.integers(low, 1000)) for name, low in less.items()}
    one, other = (
        plan(n, **{name: thousandths / 1000 for name, thousandths in some.items()}) for some in (less, more)
    )
    return one, other


@settings(max_examples=150)
@given(data=st.data(), workload=workloads(), n=st.integers(2, 24))
def test_pruning_more_never_stores_multiplies_or_sends_more(
    data: st.DataObject, workload: Workload, n: int
) -> None:
    n = min(n, workload.model.heads)
    both = [column_wise.program(workload, RADIO, Plans.of([one]), EVEN) for one in pruned_more(data, n)]
    for half in HALVES:
        less, more = (found.part(half) for found in both)
        assert (each(less.activation_peak_bytes, both[0]) >= each(more.activation_peak_bytes, both[1])).all()
        for name, size in less.weights.items():
            assert (each(size, both[0]) >= each(more.weights[name], both[1])).all(), name
        for step, lean in zip(less.steps, more.steps, strict=True):
            for operator, smaller in zip(step.work, lean.work, strict=True):
                assert (each(operator.macs, both[0]) >= each(smaller.macs, both[1])).all()
                assert (each(operator.elements, both[0]) >= each(smaller.elements, both[1])).all()
            if step.exchange is not None and lean.exchange is not None:
                sent, rest = step.exchange.sent_bytes, lean.exchange.sent_bytes
                assert (each(sent, both[0]) >= each(rest, both[1])).all()
        for name, share in less.missing.items():
            assert (share <= more.missing[name] + 1e-15).all()


@settings(max_examples=150)
@given(
    data=st.data(),
    workload=workloads(),
    platform=any_platforms(),
    counted=accountings(),
    n=st.integers(2, 24),
)
def test_pruning_more_never_takes_longer_but_for_the_rounds_of_a_radio(
    data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting, n: int
) -> None:
    # The payload of a round makes the slots least that it is given, not those that it uses: one that is
    # fit for fewer bytes may use a few per cent more, and one round more than two of half its packets.
    assume(n <= workload.model.heads)
    costs = evaluate(workload, platform, Plans.of(pruned_more(data, n)), counted)
    slower = 1.15 if isinstance(platform.link, Mixer) else 1 + ROUNDING
    took = costs.latency_by_cause_s
    assert took["compute"][1] <= took["compute"][0] * (1 + ROUNDING)
    assert took["link"][1] <= took["link"][0] * slower
    assert costs.latency_s[1] <= costs.latency_s[0] * slower
    assert costs.link_bytes[1] <= costs.link_bytes[0]


@pytest.mark.parametrize("workload", [SERIES, BLOCK, VIT, WIDE_VIT], ids=lambda w: w.name)
@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_every_tenth_more_that_is_pruned_is_faster_by_radio(workload: Workload, n: int) -> None:
    costs = evaluate(workload, RADIO, Plans.of(plan(n, tenths / 10) for tenths in range(10)), ONE_BLOCK)
    assert (np.diff(costs.latency_s) <= 0).all()
    assert (np.diff(costs.link_bound_s) <= 0).all()
    assert (np.diff(costs.energy_j) <= 0).all()
