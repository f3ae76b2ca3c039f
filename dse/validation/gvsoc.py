"""The model's side of the simulated block shards: kernel set pulp-gvsoc, compute and on-chip DMA alone."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from costmodel.hardware import Platform, load_platform
from costmodel.kernel_sets import OperatorLaws
from costmodel.operator_laws import shard_cycles
from costmodel.operators import Kind, Operator
from costmodel.strategies.head_wise import attention, feed_forward
from costmodel.workload import Model, Workload, load_workload
from dse.validation.source import FOLDER

WORST = 0.15
CORES = 8  # the row target; shards on fewer cores are set beside the model as well
SUM_BYTES = 4


def workload_of(row: dict[str, str]) -> Workload:
    """Build the workload whose one-chip shard was simulated."""
    base = load_workload("tinyllama-42m")
    rows, encoder = int(row["rows"]), row["norm"] == "layernorm"
    model: Model = base.model.model_copy(
        update={
            "embedding": int(row["embedding"]),
            "heads": int(row["heads"]),
            "kv_heads": int(row["heads"]),
            "head_size": int(row["head_size"]),
            "ffn": int(row["ffn_columns"]),
            "ffn_matrices": 3 if row["gated"] == "true" else 2,
            "activation": row["activation"],
            "norm": row["norm"],
            "rotary": row["rotary"] == "true",
        }
    )
    return replace(
        base,
        name=row["id"],
        model=model,
        request="autoregressive" if rows == 1 else "encoder" if encoder else "prompt",
        n_tokens=int(row["context"]),
    )


def operators(workload: Workload) -> list[Operator]:
    """A block as simulated: norms, residuals and requantisation of sums on the chip itself."""
    m, s = workload.model, workload.rows

    def whole(kind: Kind, name: str, element_bytes: int = 0) -> Operator:
        return Operator(
            kind=kind, name=name, rows=s, columns=m.embedding, data_bytes=element_bytes * s * m.embedding
        )

    load, norm = whole(Kind.TRANSFER, "in", 1), whole(Kind.NORM, m.norm)
    after = [
        whole(Kind.TRANSFER, "sum", SUM_BYTES),
        whole(Kind.REQUANTISE, "requantise sum"),
        whole(Kind.ADD, "residual"),
    ]
    heads, columns = np.array(m.heads), np.array(m.ffn)
    return [
        *(load, norm, *attention(workload, heads, heads), *after),
        *(norm, *feed_forward(workload, columns), *after),
    ]


def cycles_of(platform: Platform, row: dict[str, str]) -> float:
    """Model cycles of a simulated shard, with cold tile buffers at the start."""
    mcu = platform.mcu.model_copy(update={"n_cores": int(row["cores"])})
    kernels = platform.kernels.model_copy(update={"tile_bytes": int(row["tile_bytes"])})
    if not isinstance(kernels, OperatorLaws):
        raise TypeError("simulated shards need operator laws")
    return float(shard_cycles(kernels, mcu, operators(workload_of(row)), start=0.0))


@cache
def shards() -> list[tuple[dict[str, Any], float]]:
    """Each simulated shard as a published entry, with the model's cycles."""
    platform = load_platform("siracusa-mipi", "pulp-gvsoc")
    with (FOLDER / "gvsoc_blocks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            {
                "id": f"gvsoc-{row['id']}",
                "source": "gvsoc2026",
                "where": f"block shard {row['id']}, {row['cores']} cores",
                "quantity": (
                    f"shard E {row['embedding']}, {row['heads']} heads of {row['head_size']}, "
                    f"FFN {row['ffn_columns']}, {row['rows']} rows, context {row['context']}, "
                    f"{row['cores']} cores, tiles of {int(row['tile_bytes']) // 1024} KiB"
                ),
                "unit": "cycles",
                "published": float(row["cycles"]),
                "tolerance": WORST,
                "fitted": True,
                "detail": True,
            },
            cycles_of(platform, row),
        )
        for row in rows
    ]


def errors() -> dict[str, float]:
    """Median and worst relative error over the shards on all eight cores."""
    sizes = [
        abs(cycles / entry["published"] - 1)
        for entry, cycles in shards()
        if f"{CORES} cores" in entry["where"]
    ]
    return {"gvsoc-median": float(np.median(sizes)), "gvsoc-worst": max(sizes)}
