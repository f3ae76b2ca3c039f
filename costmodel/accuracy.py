"""What a plan's pruning may cost in accuracy, before anybody has trained it: U, the weights that are missing.

U ranks plans of one model; what it costs in points takes the user's own measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from costmodel.importance import BySize
from costmodel.workload import Model, Workload

POINTS = ("qkv", "o", "ffn_in", "ffn_out")  # gather points


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


def weights_of(workload: Workload) -> dict[str, float]:
    """Importance of each gather point: the calibration's, or that of the family; they sum to 1."""
    importance = workload.importance
    stated = workload.calibration.weights
    if stated is None:
        if isinstance(importance, BySize):
            return weights_by_size(workload.model)
        stated = importance.weights
    total = sum(stated.values())
    return {name: weight / total for name, weight in stated.items()}


def weighted_mean(weights: Mapping[str, float], exponent: float, shares: Mapping[str, Any]) -> Any:
    """Give ``(sum w u^c)^(1/c)`` over the gather points that there are."""
    counted = {name: weights[name] for name in shares}
    total = sum(weight * np.maximum(shares[name], 0.0) ** exponent for name, weight in counted.items())
    return (total / sum(counted.values())) ** (1 / exponent)


def missing_weights(workload: Workload, missing: Mapping[str, Any]) -> Any:
    """Give U: a mean of the shares that no chip stores, weighed by importance.

    Parameters
    ----------
    missing : dict
        Gather point to the share of the weights behind it that no chip stores; none where all are.
    """
    if not missing:
        return 0.0
    return weighted_mean(weights_of(workload), workload.importance.exponent, missing)
