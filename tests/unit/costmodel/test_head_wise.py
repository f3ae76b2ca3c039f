from dataclasses import replace

import numpy as np
import pytest

from costmodel import Plan, Plans, Workload, load_workload
from costmodel.shards import balanced
from costmodel.strategies import head_wise
from costmodel.workload import Kind

EIGHT = Plans.of([Plan(n_chips=8, partial_sum_bits=16)])


def block(workload: Workload, plans: Plans = EIGHT) -> list[head_wise.Phase]:
    return head_wise.block(workload, balanced(workload.model, plans.n_chips), plans)


def test_a_block_synchronises_after_attention_and_after_ffn(tinyllama: Workload) -> None:
    phases = block(tinyllama)
    assert [phase.name for phase in phases] == ["attention", "ffn"]
    for phase in phases:
        assert phase.up_bytes.tolist() == [1024]
        assert (phase.down_bytes, phase.sum_elements) == (512, 512)
        assert [o.kind for o in phase.root] == [Kind.REQUANTISE, Kind.ADD, Kind.NORM]
        assert [o.name for o in (phase.shard[0], *phase.shard[-2:])] == [
            "input to L1",
            "narrow partial sum",
            "partial sum to L2",
        ]


def test_partial_sums_travel_at_their_width_and_results_at_that_of_activations() -> None:
    workload = load_workload("tinyllama-42m", "prompt")
    wide = replace(workload, model=workload.model.model_copy(update={"activation_bits": 16}))
    plans = Plans.of(Plan(n_chips=8, partial_sum_bits=bits) for bits in (8, 16, 32))
    for phase in block(wide, plans):
        assert phase.up_bytes.tolist() == [16 * 512, 16 * 512 * 2, 16 * 512 * 4]
        assert phase.down_bytes == 16 * 512 * 2
        assert phase.shard[-1].data_bytes.tolist() == [[16 * 512], [16 * 512 * 2], [16 * 512 * 4]]


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
    phases = block(load_workload(model, request_kind))
    names = {operator.name for phase in phases for operator in phase.shard}
    assert some - names == absent


def test_the_cache_is_read_only_when_one_token_meets_its_context(tinyllama: Workload) -> None:
    for workload, cached in ((tinyllama, 128 * 64), (load_workload("tinyllama-42m", "prompt"), 0)):
        attention = block(workload)[0].shard
        heads = {o.name: o for o in attention if o.kind is Kind.HEAD_MATMUL}
        for operator in heads.values():
            assert np.all(operator.data_bytes == cached)


def test_values_are_written_transposed_for_several_rows_only(tinyllama: Workload) -> None:
    for workload, transposed in ((tinyllama, False), (load_workload("tinyllama-42m", "prompt"), True)):
        flags = {o.name: o.transposed for o in block(workload)[0].shard if o.kind is Kind.MATMUL}
        assert flags == {"q": False, "k": False, "v": transposed, "o": False}


def test_matrices_of_one_of_eight_chips(tinyllama: Workload) -> None:
    held = head_wise.matrices(tinyllama, balanced(tinyllama.model, EIGHT.n_chips))
    assert {name: float(size[0, 0]) for name, size in held.items()} == {
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
def test_activation_peaks(model: str, request_kind: str, n_chips: int, bits: int, peak: int) -> None:
    workload = load_workload(model, request_kind)
    plans = Plans.of([Plan(n_chips=n_chips, partial_sum_bits=bits)])
    shards = balanced(workload.model, plans.n_chips)
    assert np.max(head_wise.activation_peak_bytes(workload, shards, plans, 32, with_head=False)) == peak


def test_the_head_holds_one_token_and_the_logits_of_its_rows(tinyllama: Workload) -> None:
    shards = balanced(tinyllama.model, EIGHT.n_chips)
    found = head_wise.activation_peak_bytes(tinyllama, shards, EIGHT, 32, with_head=True)
    assert found.tolist() == [[512 + 4000]]


def test_sums_are_narrowed_only_when_they_travel_narrower_than_they_are_held(tinyllama: Workload) -> None:
    plans = Plans.of(Plan(n_chips=8, partial_sum_bits=bits) for bits in (8, 16, 32))
    for phase in block(tinyllama, plans):
        assert phase.narrowed.tolist() == [True, True, False]
        assert phase.shard[-2].elements.tolist() == [[512], [512], [0]]


def test_the_embedding_is_reduced_like_a_half_block_and_the_head_sends_one_candidate(
    tinyllama: Workload,
) -> None:
    shards = balanced(tinyllama.model, EIGHT.n_chips)
    embedding, head = head_wise.vocabulary(tinyllama, shards)
    assert (embedding.up_bytes, embedding.down_bytes, embedding.sum_elements) == (512, 512, 512)
    assert [o.kind for o in embedding.root] == [Kind.NORM]
    assert embedding.shard == []
    assert (head.up_bytes, head.down_bytes, head.sum_elements, head.root) == (8, 4, 0, [])
    assert head.shard[0].weight_bytes.tolist() == [[4000 * 512]]
    assert [o.rows for o in head.shard] == [1, 1, 1]


def test_only_the_last_token_of_a_prompt_meets_the_head() -> None:
    workload = load_workload("tinyllama-42m", "prompt")
    _, head = head_wise.vocabulary(workload, balanced(workload.model, EIGHT.n_chips))
    assert head.shard[0].macs.tolist() == [[4000 * 512]]
