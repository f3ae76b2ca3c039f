"""What a plan's pruning may cost in accuracy, before anybody has trained it: U, the weights that are missing.

U ranks plans of one model; what it costs in points takes the user's own measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from costmodel.importance import BySize, Importance
from costmodel.workload import Model


def weights_by_size(model: Model) -> dict[str, float]:
    """Share of a block's weights behind each gather point."""
    attention = model.head_size * model.embedding
    sizes = {
        "qkv": (model.heads + 2 * model.kv_heads) * attention,
        "o": model.heads * attention,
        "ffn_in": (model.ffn_matrices - 1) * model.embedding * model.ffn,
        "ffn_out": model.embedding * model.ffn,
    }
    total = sum(sizes.values())
    return {name: size / total for name, size in sizes.items()}


def weights_of(importance: Importance, model: Model) -> dict[str, float]:
    """Importance of each gather point; they sum to 1."""
    if isinstance(importance, BySize):
        return weights_by_size(model)
    stated = importance.weights
    return {name: weight / sum(stated.values()) for name, weight in stated.items()}


def missing_weights(importance: Importance, model: Model, missing: Mapping[str, Any]) -> Any:
    """Give U: a mean of the shares that no chip stores, ``(sum w u^c)^(1/c)``.

    Parameters
    ----------
    missing : dict
        Gather point to the share of the weights behind it that no chip stores; none where all are.
    """
    if not missing:
        return 0.0
    weights = weights_of(importance, model)
    counted = {name: weights[name] for name in missing}
    c = importance.exponent
    total = sum(weight * np.maximum(missing[name], 0.0) ** c for name, weight in counted.items())
    return (total / sum(counted.values())) ** (1 / c)
