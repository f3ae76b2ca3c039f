"""The workload: a Transformer and a request to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.calibration import Calibration, Fitted, calibration_of
from costmodel.errors import ParameterError, UsageError, nearest
from costmodel.importance import Importance, importance_of
from costmodel.parameters import Record, choice, count, load, switch, validate

RequestKind = Literal["prompt", "autoregressive", "encoder"]
REQUEST_KINDS: tuple[RequestKind, ...] = get_args(RequestKind)
MAX_TOKENS = 1_000_000


class Model(BaseModel):
    """A Transformer as a parameter file describes it.

    Attributes
    ----------
    embedding : int
        E, width of the residual stream.
    heads, kv_heads, head_size : int
        H query heads and their key/value heads, each P wide.
    layers, ffn : int
        Number of blocks; hidden width F of the feed-forward network.
    ffn_matrices : int
        2 (up, down) or 3 (gate, up, down).
    vocabulary : int
        Rows of the embedding and of the LM head; 0 for a bare encoder.
    tied_embedding : bool
        Whether LM head and embedding are one matrix.
    weight_bits, activation_bits : int
        Widths of weights, and of activations and KV cache.
    family : {"encoder", "decoder"}
        Whose importance its weights have; without it, decoder where there is a request with a cache.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    embedding: Annotated[int, count()]
    heads: Annotated[int, count()]
    kv_heads: Annotated[int, count()]
    head_size: Annotated[int, count()]
    layers: Annotated[int, count()]
    ffn: Annotated[int, count()]
    ffn_matrices: Annotated[int, count(2, 3)]
    activation: Annotated[str, choice("gelu", "silu", "relu")]
    norm: Annotated[str, choice("rmsnorm", "layernorm")]
    rotary: Annotated[bool, switch()]
    vocabulary: Annotated[int, count(0, 10**8)]
    tied_embedding: Annotated[bool, switch()]
    weight_bits: Annotated[int, count(1, 64)]
    activation_bits: Annotated[int, count(1, 64)]
    family: Annotated[str, choice("encoder", "decoder")] = ""
    default_request: RequestKind
    requests: dict[RequestKind, Annotated[int, count()]] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} is no multiple of kv_heads {self.kv_heads}")
        if self.default_request not in self.requests:
            raise ValueError(f"default_request {self.default_request!r} is not among the requests")
        return self

    @property
    def family_name(self) -> str:
        """Family that the model is taken to be of."""
        cached = {"prompt", "autoregressive"} & set(self.requests)
        return self.family or ("decoder" if cached else "encoder")

    @property
    def weight_bytes(self) -> float:
        """Bytes of one weight."""
        return self.weight_bits / 8

    @property
    def activation_bytes(self) -> float:
        """Bytes of one activation or KV-cache element."""
        return self.activation_bits / 8

    @property
    def block_weights(self) -> int:
        """Weights of one block: W_Q, W_K, W_V, W_O and the FFN matrices."""
        attention = 2 * (self.heads + self.kv_heads) * self.head_size * self.embedding
        return attention + self.ffn_matrices * self.embedding * self.ffn

    @property
    def vocabulary_weights(self) -> int:
        """Weights of embedding and LM head together."""
        matrices = 1 if self.tied_embedding else 2
        return matrices * self.vocabulary * self.embedding


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A model and a request to it.

    Attributes
    ----------
    request : {"prompt", "autoregressive", "encoder"}
        Prompt: `n_tokens` tokens at once, filling the KV cache. Autoregressive: one token against a
        context of `n_tokens` (itself included). Encoder: `n_tokens` tokens at once, no cache.
    least_context : int
        Context that chips must have room for at least; they have room for the tokens costed anyway.
    """

    name: str
    model: Model
    request: RequestKind
    n_tokens: int
    record: Record
    importance: Importance
    importance_record: Record
    calibration: Calibration
    calibration_record: Record
    least_context: int = 0

    @property
    def records(self) -> tuple[Record, ...]:
        """Parameter files it was read from: model, importance, calibration."""
        return (self.record, self.importance_record, self.calibration_record)

    @property
    def calibrated_by(self) -> str | None:
        """Name of the calibration of this very model; none where only other tasks are known."""
        return self.calibration_record.name if isinstance(self.calibration, Fitted) else None

    @property
    def rows(self) -> int:
        """Rows S of every activation: tokens worked on at once."""
        return 1 if self.request == "autoregressive" else self.n_tokens

    @property
    def context(self) -> int:
        """Tokens attended to."""
        return self.n_tokens

    @property
    def reads_cache(self) -> bool:
        """Whether keys and values of earlier tokens come from a cache."""
        return self.request == "autoregressive"

    @property
    def writes_cache(self) -> bool:
        """Whether keys and values of these tokens go to a cache."""
        return self.request != "encoder"

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values a chip must have room for."""
        return self.context_max if self.writes_cache else 0

    @property
    def context_max(self) -> int:
        """Longest context that chips have room for."""
        return max(self.n_tokens, self.least_context)

    @property
    def room_to_attend(self) -> int:
        """Tokens that a token attends to at most."""
        return self.context_max if self.reads_cache else self.context

    def with_room(self, context: int) -> Workload:
        """Give the same request with room for another longest context."""
        return replace(self, least_context=context)


def load_workload(
    name: str,
    request: str | None = None,
    n_tokens: int | None = None,
    calibration: str | None = None,
    context: int | None = None,
) -> Workload:
    """Read a model by name or path and pick a request: its default, or the one asked for.

    Parameters
    ----------
    calibration : str, optional
        Name or path of what is known of its accuracy; by default what its family gives to expect.
    context : int, optional
        Longest context to have room for; by default the tokens costed.
    """
    calibrated = None if calibration is None else load("calibration", calibration)
    return workload_of(load("model", name), None, calibrated, request, n_tokens, context)


def workload_of(
    record: Record,
    importance: Record | None,
    calibration: Record | None,
    request: str | None,
    n_tokens: int | None,
    context: int | None = None,
) -> Workload:
    """Build a workload out of records of a model, an importance and a calibration, or its family's.

    Raises
    ------
    ParameterError
        The calibration is of models of another family.
    """
    model = validate(Model, record.data, record.path)
    family = load("importance", model.family_name) if importance is None else importance
    known = load("calibration", model.family_name) if calibration is None else calibration
    calibrated = calibration_of(known)
    if calibrated.family != model.family_name:
        raise ParameterError(
            f"{known.path}: key 'family' is {calibrated.family!r}, "
            f"model {record.name!r} is one of {model.family_name!r}",
            f"take a calibration of family {model.family_name!r}",
        )
    kind = model.default_request if request is None else request
    if kind not in REQUEST_KINDS:
        raise UsageError(f"unknown request {kind!r}; {nearest(kind, REQUEST_KINDS)}")
    if kind not in model.requests:
        raise UsageError(f"model {record.name!r} has no request {kind!r}; {nearest(kind, model.requests)}")
    tokens = model.requests[kind] if n_tokens is None else n_tokens
    if not 1 <= tokens <= MAX_TOKENS:
        raise UsageError(f"tokens {tokens} must be 1 to {MAX_TOKENS}")
    if kind == "encoder" and context is not None:
        raise UsageError(f"context {context}: an encoder keeps none", "--tokens is what it reads at once")
    if context is not None and not tokens <= context <= MAX_TOKENS:
        raise UsageError(f"context {context} must be {tokens}, the tokens costed, to {MAX_TOKENS}")
    return Workload(
        name=record.name,
        model=model,
        request=kind,
        n_tokens=tokens,
        record=record,
        importance=importance_of(family),
        importance_record=family,
        calibration=calibrated,
        calibration_record=known,
        least_context=context or 0,
    )
