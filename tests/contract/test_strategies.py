"""What every strategy in the table keeps to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate
from costmodel.collectives import collective
from costmodel.evaluation import inspect
from costmodel.media import MEDIA
from costmodel.plan import DECISIONS, MAX_CHIPS
from costmodel.program import AROUND, HALVES
from costmodel.strategies import STRATEGIES, Strategy, canonical, keys
from tests.strategies import accountings, any_platforms, costed, drawn_plans, per_plan, workloads

EVERY = pytest.mark.parametrize("name", STRATEGIES)
FIELDS = (
    "name",
    "description",
    "decisions",
    "canonical",
    "program",
    "slices",
    "words",
    "scales",
    "published_chips",
)


@EVERY
def test_a_strategy_goes_by_its_name_and_knows_its_decisions(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.name == name
    assert set(strategy.decisions) <= set(DECISIONS)
    assert len(strategy.description) > 20


@EVERY
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("nothing", [None, ()])
def test_a_strategy_that_defines_nothing_is_refused(name: str, field: str, nothing: object) -> None:
    with pytest.raises(TypeError, match=field):
        replace(STRATEGIES[name], **{field: nothing})


@EVERY
@pytest.mark.parametrize("chips", [0, -1, 2.5])
def test_published_chips_are_a_positive_number(name: str, chips: float) -> None:
    assert STRATEGIES[name].published_chips > 0
    with pytest.raises(TypeError, match="published_chips"):
        replace(STRATEGIES[name], published_chips=chips)


def test_a_strategy_without_fields_is_refused() -> None:
    with pytest.raises(TypeError):
        Strategy(name="empty")  # type: ignore[call-arg]


@EVERY
@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms())
def test_canonical_plans_are_final_valid_and_of_the_strategys_decisions(
    name: str, data: st.DataObject, workload: Workload, platform: Platform
) -> None:
    once = canonical(workload, platform, data.draw(drawn_plans(name)))
    assert keys(canonical(workload, platform, once)).tolist() == keys(once).tolist()
    for plan in once:
        for decision in DECISIONS.values():
            if decision.name not in STRATEGIES[plan.strategy].decisions:
                assert getattr(plan, decision.name) == decision.neutral


@EVERY
@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms(), counted=accountings())
def test_equivalent_plans_cost_the_same(
    name: str, data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting
) -> None:
    batch = data.draw(drawn_plans(name))
    asked, other = (
        per_plan(evaluate(workload, platform, plans, counted))
        for plans in (batch, canonical(workload, platform, batch))
    )
    for field, array in asked.items():
        np.testing.assert_array_equal(array, other[field], field)


@EVERY
@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms())
def test_what_chips_hold_piece_by_piece_is_what_their_class_holds(
    name: str, data: st.DataObject, workload: Workload, platform: Platform
) -> None:
    (plan,) = canonical(workload, platform, data.draw(drawn_plans(name, most=1)))
    found = inspect(workload, platform, plan, Accounting())
    program = found.costing.program
    n = int(program.n_chips[0])
    assert len(found.slices) == n == plan.n_chips
    for part in program.parts:
        for matrix, size in part.weights.items():
            by_class = (size + np.zeros(program.chips.shape))[:, 0]
            by_chip = np.repeat(by_class, program.chips[:, 0])
            pieces = [
                sum(piece.size_bytes for piece in chip.matrices if piece.matrix == matrix)
                for chip in found.slices
            ]
            np.testing.assert_allclose(pieces, by_chip, rtol=1e-12, err_msg=matrix)
    named = {matrix for part in program.parts for matrix in part.weights}
    assert {piece.matrix for chip in found.slices for piece in chip.matrices} == named
    starts = np.cumsum(program.chips[:, 0]) - program.chips[:, 0]
    there = program.chips[:, 0] > 0
    assert program.first[there, 0].tolist() == starts[there].tolist()


@EVERY
@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms(), counted=accountings())
def test_messages_one_by_one_are_those_counted(
    name: str, data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting
) -> None:
    (plan,) = canonical(workload, platform, data.draw(drawn_plans(name, most=1)))
    found = inspect(workload, platform, plan, counted)
    sent = sum(sync.times * len(sync.messages.messages) for sync in found.synchronisations)
    assert sent == found.costing.costs.link_messages[0]


@EVERY
@settings(max_examples=60)
@given(data=st.data(), workload=workloads(), platform=any_platforms(), counted=accountings())
def test_who_merges_has_room_to_merge_and_the_root_for_what_it_keeps(
    name: str, data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting
) -> None:
    (plan,) = canonical(workload, platform, data.draw(drawn_plans(name, most=1)))
    found = inspect(workload, platform, plan, counted)
    program, parts = found.costing.program, found.costing.counted.parts
    of_chip = np.repeat(np.arange(len(program.chips)), program.chips[:, 0])
    peaks = np.zeros(plan.n_chips)
    synchronisations = iter(found.synchronisations)
    for part in parts:
        room = (part.activation_peak_bytes + np.zeros(program.chips.shape))[of_chip, 0]
        peaks = np.maximum(peaks, room)
        for exchange in (step.exchange for step in part.steps if step.exchange is not None):
            up = next(synchronisations).messages
            merging = {chip for message in up.messages for chip in message.receivers}
            if exchange.kind == "reduce":
                more = np.array([chip in merging for chip in range(plan.n_chips)]) * exchange.merge_bytes
                more[0] += np.ravel(exchange.root_bytes)[0]
                peaks = np.maximum(peaks, room + more)
    asked = found.costing.counted.activation_peak_bytes
    room = np.array([asked[program.role(chip), k, 0] for chip, k in enumerate(of_chip.tolist())])
    # Whoever leads a group has the room, though all of it may take no part where attention alone is counted.
    assert (room >= peaks).all()
    if counted.scope != "attention":
        assert room.tolist() == peaks.tolist()
    roles = np.zeros_like(program.roles[:, :, 0])
    np.add.at(roles, ([program.role(chip) for chip in range(plan.n_chips)], of_chip), 1)
    assert roles.tolist() == program.roles[:, :, 0].tolist()


@EVERY
@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms(), counted=accountings())
def test_a_batch_equals_its_rows(
    name: str, data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting
) -> None:
    batch = data.draw(drawn_plans(name))
    together = per_plan(evaluate(workload, platform, batch, counted))
    rows = [per_plan(evaluate(workload, platform, Plans.of([plan]), counted)) for plan in batch]
    for field, array in together.items():
        np.testing.assert_array_equal(array, np.concatenate([row[field] for row in rows]), field)


@settings(max_examples=40)
@given(data=st.data(), workload=workloads(), platform=any_platforms(), counted=accountings())
def test_a_batch_that_mixes_strategies_equals_its_rows(
    data: st.DataObject, workload: Workload, platform: Platform, counted: Accounting
) -> None:
    mixed = st.sampled_from(list(STRATEGIES)).flatmap(lambda name: drawn_plans(name, most=3))
    batch = Plans.joined(data.draw(st.lists(mixed, min_size=1, max_size=4)))
    together = per_plan(evaluate(workload, platform, batch, counted))
    rows = [per_plan(evaluate(workload, platform, Plans.of([plan]), counted)) for plan in batch]
    for field, array in together.items():
        np.testing.assert_array_equal(array, np.concatenate([row[field] for row in rows]), field)


@EVERY
@settings(max_examples=20)
@given(workload=workloads(), platform=any_platforms())
def test_one_chip_holds_the_model_once_sends_nothing_and_has_one_owner(
    name: str, workload: Workload, platform: Platform
) -> None:
    (plan,) = canonical(workload, platform, Plans.of([Plan(strategy=name, n_chips=1)]))
    assert plan.strategy == next(iter(STRATEGIES))
    found = costed(workload, platform, Plans.of([plan]))
    assert found.costs.link_messages[0] == found.costs.latency_by_cause_s["link"][0] == 0
    held = sum(
        float(np.sum(size * found.program.chips))
        for half in HALVES
        for size in found.program.part(half).weights.values()
    )
    assert held == workload.model.block_weights * workload.model.weight_bytes
    tables = sum(
        float(np.sum(size * found.program.chips))
        for part in AROUND
        for size in found.program.part(part).weights.values()
    )
    assert tables == workload.model.vocabulary_weights * workload.model.weight_bytes


@EVERY
@settings(max_examples=20)
@given(workload=workloads(), platform=any_platforms())
def test_every_number_of_chips_is_costed_and_uses_as_many(
    name: str, workload: Workload, platform: Platform
) -> None:
    asked = Plans.of(Plan(strategy=name, n_chips=n) for n in range(1, MAX_CHIPS + 1))
    batch = canonical(workload, platform, asked)
    assert (evaluate(workload, platform, asked).n_chips == batch["n_chips"]).all()


@EVERY
@pytest.mark.parametrize("medium", MEDIA)
def test_every_exchange_has_its_collective_on_every_medium(
    name: str, medium: str, tinyllama: Workload, siracusa: Platform
) -> None:
    found = costed(tinyllama, siracusa, Plans.of([Plan(strategy=name, n_chips=4)]))
    exchanges = [s.exchange for part in found.program.parts for s in part.steps if s.exchange]
    assert exchanges
    for exchange in exchanges:
        collective(exchange, siracusa.link.model_copy(update={"medium": medium}))


@EVERY
@pytest.mark.parametrize("n_chips", [1, 2, 8])
def test_a_plan_is_spoken_of_in_a_few_words(
    name: str, n_chips: int, tinyllama: Workload, siracusa: Platform
) -> None:
    (plan,) = canonical(tinyllama, siracusa, Plans.of([Plan(strategy=name, n_chips=n_chips)]))
    assert 0 < len(STRATEGIES[plan.strategy].words(plan)) < 60
