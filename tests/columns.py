"""Column-wise plans on the CATS workloads, and what their programs say of each chip."""

from dataclasses import replace

import numpy as np

from costmodel import Accounting, Plan, Plans, Workload, load_workload
from costmodel.plan import WIDTHS
from costmodel.program import HALVES, Program
from tests.strategies import RADIO, costed, messages_of

GATHERS = ("qkv", "o", "ffn_in", "ffn_out")
BLOCK = load_workload("cats-block")
SERIES, VIT, WIDE_VIT = (load_workload(f"cats-{name}") for name in ("timeseries", "vit", "vit-768"))
ONE_BLOCK = Accounting(scope="block")


def plan(n_chips: int, ratio: float = 0.0, **ratios: float) -> Plan:
    pruned = {f"prune_{name}": ratios.get(name, ratio) for name in GATHERS}
    return Plan(strategy="column_wise", n_chips=n_chips, group_size=2, **pruned)


def own(n_chips: int, ratio: float = 0.0, **ratios: float) -> Plan:
    """Give a plan with the widths of a model of bytes."""
    return replace(plan(n_chips, ratio, **ratios), partial_sum_bits=8, weight_bits=8, **messages_of(8))


def of_whole_columns(batch: Plans) -> Plans:
    """Give plans whose messages are as wide as activations are."""
    return batch.changed(**messages_of(np.full(len(batch), WIDTHS[-1])))


def program(workload: Workload, *plans: Plan) -> Program:
    return costed(workload, RADIO, Plans.of(plans)).program


def each(value: object, found: Program) -> np.ndarray:
    """One entry a chip, of a program of one plan."""
    return np.repeat((value + np.zeros(found.chips.shape))[:, 0], found.chips[:, 0])


def sent_columns(workload: Workload, found: Program) -> dict[str, list[int]]:
    """Columns that each chip sends, by gather of a block, of a program of one plan."""
    column = workload.rows * workload.model.activation_bytes
    return {
        step.name: [round(x) for x in each(step.exchange.sent_bytes / column, found)]
        for half in HALVES
        for step in found.part(half).steps
        if step.exchange is not None
    }
