from collections.abc import Callable

import numpy as np
import pytest

from costmodel import Workload, load_workload
from costmodel.errors import ParameterError, UsageError
from costmodel.operators import Kind, Operator
from costmodel.workload import MAX_TOKENS

Copy = Callable[..., str]


def test_weights_of_a_block_are_its_matrices(tinyllama: Workload) -> None:
    assert tinyllama.model.block_weights == 4 * 512 * 512 + 2 * 512 * 2048 == 3_145_728
    gated = load_workload("stories42m").model
    assert gated.block_weights == 4 * 512 * 512 + 3 * 512 * 1376


def test_shared_kv_heads_make_k_and_v_narrower() -> None:
    model = load_workload("stories260k").model
    assert model.block_weights == (2 * 8 + 2 * 4) * 8 * 64 + 3 * 64 * 172


def test_a_tied_embedding_is_counted_once(tinyllama: Workload) -> None:
    assert tinyllama.model.vocabulary_weights == 32000 * 512
    untied = tinyllama.model.model_copy(update={"tied_embedding": False})
    assert untied.vocabulary_weights == 2 * 32000 * 512


def test_bits_become_bytes(tinyllama: Workload) -> None:
    model = tinyllama.model.model_copy(update={"weight_bits": 4, "activation_bits": 16})
    assert (model.weight_bytes, model.activation_bytes) == (0.5, 2)


@pytest.mark.parametrize(
    ("model", "request_kind", "rows", "reads", "writes", "cached"),
    [
        ("tinyllama-42m", "autoregressive", 1, True, True, 128),
        ("tinyllama-42m", "prompt", 16, False, True, 16),
        ("mobilebert", "encoder", 268, False, False, 0),
    ],
)
def test_a_request_says_how_many_rows_and_what_the_cache_does(
    model: str, request_kind: str, rows: int, reads: bool, writes: bool, cached: int
) -> None:
    w = load_workload(model, request_kind)
    assert (w.rows, w.reads_cache, w.writes_cache, w.cached_tokens) == (rows, reads, writes, cached)
    assert w.context == w.n_tokens


def test_request_and_tokens_default_to_those_of_the_file() -> None:
    assert (load_workload("tinyllama-42m").request, load_workload("tinyllama-42m").n_tokens) == (
        "autoregressive",
        128,
    )
    assert load_workload("tinyllama-42m", "prompt").n_tokens == 16
    assert load_workload("tinyllama-42m", "prompt", 5).n_tokens == 5
    assert load_workload("tinyllama-42m", n_tokens=MAX_TOKENS).context == MAX_TOKENS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tinyllama-42m", "promt"), "unknown request 'promt'; did you mean 'prompt'?"),
        (("tinyllama-42m", ""), "unknown request ''; there are: prompt, autoregressive, encoder"),
        (("tinyllama-42m", "encoder"), "model 'tinyllama-42m' has no request 'encoder'; there are: auto"),
        (("tinyllama-42m", None, 0), f"tokens 0 must be 1 to {MAX_TOKENS}"),
        (("tinyllama-42m", None, -4), f"tokens -4 must be 1 to {MAX_TOKENS}"),
        (("tinyllama-42m", None, MAX_TOKENS + 1), f"tokens {MAX_TOKENS + 1} must be 1 to {MAX_TOKENS}"),
    ],
)
def test_a_request_that_there_is_not_is_refused(arguments: tuple[str, str, int], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_workload(*arguments)
    assert str(caught.value).startswith(said)


def test_tokens_of_a_file_are_bounded_as_well(copy_of: Copy) -> None:
    path = copy_of("model/stories15m", "value = 256,", "value = 1000001,")
    with pytest.raises(ParameterError, match="value 1000001 must be a whole number, 1 to 1000000"):
        load_workload(path)


def test_macs_are_rows_columns_depth_of_every_head() -> None:
    sizes = {"name": "x", "rows": 3, "columns": np.array([5, 7]), "depth": 11, "batch": 2}
    for kind in Kind:
        operator = Operator(kind=kind, **sizes)
        assert operator.elements.tolist() == [30, 42]
        products = (Kind.MATMUL, Kind.SCORES, Kind.VALUES)
        assert operator.macs.tolist() == ([330, 462] if kind in products else [0, 0])
