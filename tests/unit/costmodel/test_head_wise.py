from dataclasses import replace

import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, load_workload
from costmodel.operators import HEAD_PRODUCTS, Kind
from costmodel.program import AROUND, HALVES, Exchange, Program, Step
from costmodel.roles import Role
from costmodel.shards import EVEN
from costmodel.strategies import head_wise
from tests.strategies import KERNEL_SETS, costed

EIGHT = Plans.of([Plan(strategy="head_wise", n_chips=8, partial_sum_bits=16)])


def program(workload: Workload, plans: Plans = EIGHT) -> Program:
    return head_wise.program(workload, KERNEL_SETS["date2025"], plans, EVEN)


def block(workload: Workload, plans: Plans = EIGHT) -> list[tuple[Step, Exchange]]:
    """Steps of both halves, each with its exchange."""
    steps = [step for half in HALVES for step in program(workload, plans).part(half).steps]
    return [(step, step.exchange) for step in steps if step.exchange is not None]


def test_a_block_synchronises_before_and_after_attention_and_ffn(tinyllama: Workload) -> None:
    found = block(tinyllama)
    assert [step.name for step, _ in found] == ["attention input", "attention", "mlp input", "mlp"]
    for step, exchange in found[::2]:
        assert (exchange.kind, exchange.sent_bytes, step.work) == ("broadcast", 512, ())
        assert not exchange.merge + exchange.forward + exchange.root
    for step, exchange in found[1::2]:
        assert exchange.kind == "reduce"
        assert np.ravel(exchange.sent_bytes).tolist() == [1024]
        assert [(o.kind, o.elements) for o in exchange.merge] == [(Kind.ACCUMULATE, 512)]
        assert [o.kind for o in exchange.root] == [Kind.REQUANTISE, Kind.ADD, Kind.NORM]
        assert [o.name for o in (step.work[0], *step.work[-2:])] == [
            "input to L1",
            "narrow partial sum",
            "partial sum to L2",
        ]


def test_partial_sums_travel_at_their_width_and_results_at_that_of_activations() -> None:
    workload = load_workload("tinyllama-42m", "prompt")
    wide = replace(workload, model=workload.model.model_copy(update={"activation_bits": 16}))
    plans = Plans.of(Plan(strategy="head_wise", n_chips=8, partial_sum_bits=bits) for bits in (8, 16, 32))
    found = block(wide, plans)
    assert [exchange.sent_bytes for _, exchange in found[::2]] == [16 * 512 * 2] * 2
    for step, exchange in found[1::2]:
        assert np.ravel(exchange.sent_bytes).tolist() == [16 * 512, 16 * 512 * 2, 16 * 512 * 4]
        assert np.ravel(step.work[-1].data_bytes).tolist() == [16 * 512, 16 * 512 * 2, 16 * 512 * 4]


@pytest.mark.parametrize(
    ("model", "request_kind", "absent"),
    [
        ("tinyllama-42m", "autoregressive", {"requantise scores", "gate", "gate x up"}),
        ("tinyllama-42m", "prompt", {"gate", "gate x up"}),
        ("stories42m", "prompt", set()),
        (
            "mobilebert",
            "encoder",
            {"rotate q", "rotate k", "append to cache", "gate", "gate x up"},
        ),
    ],
)
def test_models_and_requests_differ_in_their_operators(
    model: str, request_kind: str, absent: set[str]
) -> None:
    some = {"requantise scores", "rotate q", "rotate k", "append to cache", "gate", "gate x up"}
    names = {o.name for step, _ in block(load_workload(model, request_kind)) for o in step.work}
    assert some - names == absent


def test_the_cache_is_read_only_when_one_token_meets_its_context(tinyllama: Workload) -> None:
    for workload, cached in ((tinyllama, 128 * 64), (load_workload("tinyllama-42m", "prompt"), 0)):
        attention = block(workload)[0][0].work
        heads = {o.name: o for o in attention if o.kind in HEAD_PRODUCTS}
        for operator in heads.values():
            assert np.all(operator.data_bytes == cached)


def test_values_are_written_transposed_for_several_rows_only(tinyllama: Workload) -> None:
    for workload, transposed in ((tinyllama, False), (load_workload("tinyllama-42m", "prompt"), True)):
        flags = {o.name: o.transposed for o in block(workload)[1][0].work if o.kind is Kind.MATMUL}
        assert flags == {"q": False, "k": False, "v": transposed, "o": False}


def test_matrices_of_one_of_eight_chips(tinyllama: Workload) -> None:
    parts = [program(tinyllama).part(half) for half in HALVES]
    held = {name: np.ravel(size) for part in parts for name, size in part.weights.items()}
    assert {name: float(size[0]) for name, size in held.items()} == {
        "q": 512 * 64,
        "k": 512 * 64,
        "v": 512 * 64,
        "o": 512 * 64,
        "up": 512 * 256,
        "down": 512 * 256,
    }


@pytest.mark.parametrize(
    ("model", "request_kind", "n_chips", "bits", "peak"),
    [
        ("tinyllama-42m", "autoregressive", 1, 8, 3 * 512 + 2 * 512 + 8 * (2 * 64 + 128)),
        ("tinyllama-42m", "autoregressive", 8, 8, (2 + 1 + 4) * 512 + 2 * 64 + (2 * 64 + 128)),
        ("tinyllama-42m", "autoregressive", 8, 32, (2 + 4 + 4) * 512 + 2 * 64 + (2 * 64 + 128)),
        ("mobilebert", "encoder", 4, 8, 268 * (7 * 512 + 2 * 128) + 32 * (2 * 128 + 268)),
        ("stories42m", "prompt", 1, 8, 16 * (3 * 512 + 2 * 1376)),
    ],
)
def test_activation_peaks_of_a_root(
    model: str, request_kind: str, n_chips: int, bits: int, peak: int, siracusa: Platform
) -> None:
    plans = Plans.of([Plan(strategy="head_wise", n_chips=n_chips, partial_sum_bits=bits)])
    found = costed(load_workload(model, request_kind), siracusa, plans, Accounting(scope="block"))
    assert found.counted.activation_peak_bytes[Role.ROOT, 0] == peak


def test_a_leader_keeps_no_residual_and_a_member_no_running_sum(
    tinyllama: Workload, siracusa: Platform
) -> None:
    plans = Plans.of([Plan(strategy="head_wise", n_chips=8, group_size=4, partial_sum_bits=8)])
    found = costed(tinyllama, siracusa, plans, Accounting(scope="block"))
    member = (1 + 1) * 512 + 2 * 64 + (2 * 64 + 128)
    assert found.counted.activation_peak_bytes[:, 0, 0].tolist() == [
        member + 5 * 512,
        member + 4 * 512,
        member,
    ]
    assert found.program.roles[:, 0, 0].tolist() == [1, 1, 6]


def test_the_head_holds_one_token_and_the_logits_of_its_rows(tinyllama: Workload) -> None:
    head = program(tinyllama).part("head")
    assert np.ravel(head.activation_peak_bytes).tolist() == [512 + 4000]


def test_sums_are_narrowed_only_when_they_travel_narrower_than_they_are_held(tinyllama: Workload) -> None:
    plans = Plans.of(Plan(strategy="head_wise", n_chips=8, partial_sum_bits=bits) for bits in (8, 16, 32))
    for step, exchange in block(tinyllama, plans)[1::2]:
        assert [o.elements.tolist() for o in exchange.forward] == [[512, 512, 0]]
        assert np.ravel(step.work[-2].elements).tolist() == [512, 512, 0]


def test_the_embedding_is_reduced_like_a_half_block_and_the_head_sends_one_candidate(
    tinyllama: Workload,
) -> None:
    (embedding,), (_, head, token) = (program(tinyllama).part(name).steps for name in AROUND)
    up, best, told = embedding.exchange, head.exchange, token.exchange
    assert up is not None
    assert best is not None
    assert told is not None
    assert (up.kind, up.sent_bytes, [o.elements for o in up.merge]) == ("reduce", 512, [512])
    assert [o.kind for o in up.root] == [Kind.NORM]
    assert embedding.work == token.work == ()
    assert (best.kind, best.sent_bytes, best.merge, best.root) == ("reduce", 8, (), ())
    assert (told.kind, told.sent_bytes) == ("broadcast", 4)
    assert np.ravel(head.work[0].weight_bytes).tolist() == [4000 * 512]
    assert [o.rows for o in head.work] == [1, 1, 1]


def test_chips_without_heads_have_no_part_in_attention(tinyllama: Workload) -> None:
    of_plan = program(tinyllama, Plans.of([Plan(strategy="head_wise", n_chips=12)]))
    attention, mlp, head = (of_plan.part(name) for name in ("attention", "mlp", "head"))
    for step in attention.steps:
        assert step.exchange is not None
        assert np.sum(step.exchange.members(of_plan.chips)) == 8
    there = np.ravel(of_plan.chips > 0)
    idle = np.ravel(np.cumsum(of_plan.chips, axis=0) > 8) & there
    for operator in attention.steps[-1].work:
        size = operator.macs if operator.kind is Kind.MATMUL else operator.elements
        sizes = np.broadcast_to(size, of_plan.chips.shape)
        assert (sizes[idle] == 0).all(), operator.name
    peaks = np.broadcast_to(attention.activation_peak_bytes, of_plan.chips.shape)
    assert (peaks[idle] == 0).all()
    assert (peaks[there & ~idle] > 0).all()
    for step in (*mlp.steps, *head.steps):
        assert step.exchange is not None
        assert np.sum(step.exchange.members(of_plan.chips)) == 12


def test_only_the_last_token_of_a_prompt_meets_the_head() -> None:
    given, head, _ = program(load_workload("tinyllama-42m", "prompt")).part("head").steps
    assert given.exchange is not None
    assert given.exchange.sent_bytes == 512
    assert np.ravel(head.work[0].macs).tolist() == [4000 * 512]


def test_an_untied_embedding_is_a_matrix_of_its_own(tinyllama: Workload) -> None:
    untied = tinyllama.model.model_copy(update={"tied_embedding": False})
    for model, named in (
        (tinyllama.model, [set(), {"embedding and head"}]),
        (untied, [{"embedding"}, {"head"}]),
    ):
        found = program(replace(tinyllama, model=model))
        assert [set(found.part(name).weights) for name in AROUND] == named


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"n_chips": 1}, "alone"),
        ({"n_chips": 2, "group_size": 2}, "groups of 2"),
        ({"n_chips": 8, "group_size": 8}, "flat"),
        ({"n_chips": 8, "group_size": 4, "partial_sum_bits": 8}, "groups of 4, 8 bit sums"),
        ({"n_chips": 8, "group_size": 4, "weight_bits": 6}, "groups of 4, 6 bit weights"),
        ({"n_chips": 1, "weight_bits": 4}, "alone, 4 bit weights"),
    ],
)
def test_a_plan_is_spoken_of_by_its_tree(plan: dict[str, int], words: str) -> None:
    assert head_wise.words(Plan(strategy="head_wise", **plan)) == words
