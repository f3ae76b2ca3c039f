from dataclasses import replace
from functools import cache

import jsonschema
import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.links import wire_bytes
from costmodel.memory import Regime
from costmodel.parameters import built_in_names
from costmodel.plan import MAX_CHIPS
from costmodel.shards import balanced
from dse.deployment import deployment, predicted, regime_name
from dse.document import Deployment

PLATFORM = load_platform("siracusa-mipi")
WORKLOADS = {name: load_workload(name) for name in built_in_names("model")}
COUNTS = range(1, MAX_CHIPS + 1)
EVERY_MODEL = pytest.mark.parametrize("model", WORKLOADS)
ACCOUNTINGS = [
    Accounting(),
    Accounting(head=False),
    Accounting(prefetch="hidden"),
    Accounting(scope="block", prefetch="hidden"),
]
PLANS = [
    Plan(n_chips=1),
    Plan(n_chips=5, group_size=2),
    Plan(n_chips=8, partial_sum_bits=32),
    Plan(n_chips=24, group_size=64),
    Plan(n_chips=64, group_size=3, partial_sum_bits=16),
]


@cache
def written(model: str, n: int) -> Deployment:
    return deployment(WORKLOADS[model], PLATFORM, Plan(n_chips=n), Accounting())


def tiles(extents: list[tuple[int, int]], total: int) -> bool:
    """Whether the extents, in order, cover 0 to total without gap or overlap."""
    ends = np.cumsum([0] + [count for _, count in extents])
    return [first for first, _ in extents] == ends[:-1].tolist() and ends[-1] == total


@EVERY_MODEL
def test_heads_columns_and_rows_are_given_out_exactly_once(model: str) -> None:
    m = WORKLOADS[model].model
    for n in COUNTS:
        chips = written(model, n).chips
        assert [chip.chip for chip in chips] == list(range(n))
        assert sorted(head for chip in chips for head in chip.heads) == list(range(m.heads)), n
        assert tiles([(c.ffn_columns.first, c.ffn_columns.count) for c in chips], m.ffn), n
        assert tiles([(c.vocabulary_rows.first, c.vocabulary_rows.count) for c in chips], m.vocabulary), n
        group = m.heads // m.kv_heads
        for chip in chips:
            assert chip.kv_heads == sorted({head // group for head in chip.heads}), n


@EVERY_MODEL
def test_counts_agree_with_the_classes_of_the_cost_model(model: str) -> None:
    shards = balanced(WORKLOADS[model].model, np.array(COUNTS))
    for row, n in enumerate(COUNTS):
        columns = ("heads", "kv_heads", "ffn_columns", "vocabulary_rows")
        classes = zip(*(getattr(shards, c)[row].tolist() for c in columns), strict=True)
        expected = [c for c, k in zip(classes, shards.n_chips[row].tolist(), strict=True) for _ in range(k)]
        held = [
            (len(c.heads), len(c.kv_heads), c.ffn_columns.count, c.vocabulary_rows.count)
            for c in written(model, n).chips
        ]
        assert held == expected, n


@EVERY_MODEL
def test_weight_bytes_sum_to_the_model_and_what_is_held_twice(model: str) -> None:
    m = WORKLOADS[model].model
    for n in COUNTS:
        chips = written(model, n).chips
        sums: dict[str, float] = {}
        for chip in chips:
            for share in chip.weights:
                sums[share.matrix] = sums.get(share.matrix, 0.0) + share.bytes
        copies = sum(len(chip.kv_heads) for chip in chips) - m.kv_heads
        assert copies == 0 or n > m.kv_heads
        twice = 2 * copies * m.head_size * m.embedding * m.weight_bytes
        outside = {name for name in sums if "head" in name or "embedding" in name}
        blocks = sum(size for name, size in sums.items() if name not in outside)
        assert blocks == m.block_weights * m.weight_bytes + twice, n
        assert sum(sums[name] for name in outside) == m.vocabulary_weights * m.weight_bytes, n
        assert {"q", "k", "v", "o", "up", "down"} <= sums.keys()
        assert ("gate" in sums) == (m.ffn_matrices == 3)


def test_untied_head_and_embedding_are_two_matrices(siracusa: Platform) -> None:
    tied = WORKLOADS["stories15m"]
    untied = replace(tied, model=tied.model.model_copy(update={"tied_embedding": False}))
    for workload in (tied, untied):
        m = workload.model
        chips = deployment(workload, siracusa, Plan(n_chips=3), Accounting()).chips
        held = sum(share.bytes for chip in chips for share in chip.weights)
        assert held == (m.block_weights + m.vocabulary_weights) * m.weight_bytes


@EVERY_MODEL
def test_footprints_and_regimes_are_those_of_the_costs(model: str) -> None:
    for n in COUNTS:
        document = written(model, n)
        c, chips = document.costs, document.chips
        assert max(chip.footprint_bytes["L2"] for chip in chips) == c.l2_footprint_bytes, n
        assert max(chip.footprint_bytes["L3"] for chip in chips) == c.l3_footprint_bytes, n
        assert max(Regime[chip.regime.upper()] for chip in chips) == Regime[c.regime.upper()], n
        for chip in chips:
            homes = {share.home for share in chip.weights if share.matrix in ("q", "o", "up", "down")}
            assert homes == ({"L2"} if chip.regime == "resident" else {"L3"}), n
            assert chip.activation_peak_bytes > 0


def test_cache_bytes_cover_all_layers_and_tokens(tinyllama: Workload, siracusa: Platform) -> None:
    chips = deployment(tinyllama, siracusa, Plan(n_chips=5), Accounting()).chips
    assert sum(chip.kv_cache_bytes for chip in chips) == 2 * 8 * 128 * 512
    assert [chip.kv_cache_bytes / 2 / 8 / 128 / 64 for chip in chips] == [2, 2, 2, 1, 1]


@pytest.mark.parametrize("accounting", ACCOUNTINGS, ids=str)
@EVERY_MODEL
def test_messages_are_those_the_costs_count(model: str, accounting: Accounting) -> None:
    workload = WORKLOADS[model]
    for plan in PLANS:
        document = deployment(workload, PLATFORM, plan, accounting)
        messages = [
            (m.payload_bytes, s.times)
            for s in document.schedule.synchronisations
            for m in (*s.reduce, *s.broadcast)
        ]
        assert sum(times for _, times in messages) == document.costs.link_messages
        on_wire = sum(times * float(wire_bytes(PLATFORM.link, payload)) for payload, times in messages)
        assert on_wire == pytest.approx(document.costs.link_bytes, rel=1e-12)


def test_schedule_names_what_happens_how_often(tinyllama: Workload, siracusa: Platform) -> None:
    schedule = deployment(tinyllama, siracusa, Plan(n_chips=8), Accounting()).schedule
    steps = [(s.name, s.times) for s in schedule.synchronisations]
    assert steps == [("embedding", 1), ("attention", 8), ("ffn", 8), ("head", 1)]
    assert schedule.root == 0
    assert schedule.levels == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 4]]]
    attention = schedule.synchronisations[1]
    assert attention.root_work == ["requantise sum", "residual", "rmsnorm"]
    assert {m.payload_bytes for m in attention.reduce + attention.broadcast} == {512.0}
    block = deployment(tinyllama, siracusa, Plan(n_chips=8), ACCOUNTINGS[3]).schedule
    assert [(s.name, s.times) for s in block.synchronisations] == [("attention", 1), ("ffn", 1)]


def test_costs_are_those_of_the_evaluation(tinyllama: Workload, siracusa: Platform) -> None:
    costs = evaluate(tinyllama, siracusa, Plans.of(PLANS), Accounting())
    for i, plan in enumerate(PLANS):
        document = deployment(tinyllama, siracusa, plan, Accounting())
        assert document.costs == predicted(costs, i)
        assert document.costs.latency_s == pytest.approx(sum(document.costs.latency_by_cause_s.values()))
        assert document.costs.energy_j == pytest.approx(sum(document.costs.energy_by_cause_j.values()))
        assert document.costs.regime == regime_name(int(costs.regime[i]))


def test_plan_is_written_in_its_canonical_form(tinyllama: Workload, siracusa: Platform) -> None:
    flat = Plan(n_chips=5, group_size=64)
    document = deployment(tinyllama, siracusa, flat, Accounting())
    assert document.decisions.group_size == 5
    assert document == deployment(tinyllama, siracusa, flat.canonical(), Accounting())


@pytest.mark.parametrize("model", ["tinyllama-42m", "stories260k", "mobilebert"])
def test_document_validates_against_its_schema(model: str) -> None:
    schema = Deployment.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = written(model, 3).model_dump(mode="json")
    jsonschema.validate(data, schema)
    for broken in (
        {**data, "extra": 1},
        {**data, "schema_version": "2"},
        {**data, "chips": "none"},
        {key: value for key, value in data.items() if key != "costs"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


@pytest.mark.parametrize("request_kind", ["autoregressive", "prompt"])
def test_plan_rests_on_the_assumed_and_fitted_parameters_alone(siracusa: Platform, request_kind: str) -> None:
    workload = load_workload("tinyllama-42m", request_kind)
    lines = deployment(workload, siracusa, Plan(n_chips=8), Accounting()).rests_on
    expected = [
        f"{record.kind}/{record.name} {key} = "
        for record in (workload.record, *siracusa.records)
        for key, entry in record.values()
        if entry.status in ("assumed", "fitted")
        and (not key.startswith("requests.") or key == f"requests.{request_kind}")
    ]
    assert len(lines) == len(expected) > 10
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)
        assert line.endswith(("(assumed)", "(fitted)"))


def test_plan_that_does_not_fit_says_why() -> None:
    costs = written("stories110m", 1).costs
    assert not costs.feasible
    assert costs.violations[0].startswith("L3 needs")
    assert written("stories110m", 64).costs.feasible
    assert written("stories110m", 64).costs.violations == []


OUTSIDE = ("head", "embedding", "embedding and head")


@pytest.mark.parametrize("accounting", ACCOUNTINGS, ids=str)
@EVERY_MODEL
def test_parts_held_in_l2_sum_to_the_footprint(model: str, accounting: Accounting) -> None:
    workload, room = WORKLOADS[model], PLATFORM.mcu.l2.usable_bytes
    layers = workload.model.layers
    for n in (1, 2, 3, 5, 8, 13, 16, 24, 32, 48, 64):
        for chip in deployment(workload, PLATFORM, Plan(n_chips=n), accounting).chips:
            blocks = sum(share.bytes for share in chip.weights if share.matrix not in OUTSIDE)
            head = sum(s.bytes for s in chip.weights if s.matrix in OUTSIDE and s.home == "L2")
            resident = chip.regime == "resident"
            times, cached = (layers, layers) if resident else (1, int(workload.reads_cache))
            held = blocks * times + chip.kv_cache_bytes / layers * cached
            held += chip.activation_peak_bytes + chip.prefetch_buffer_bytes + head * resident
            l2 = chip.footprint_bytes["L2"]
            assert l2 <= room, n
            assert l2 == (room if chip.regime == "streamed" else held), (n, chip.chip)
            assert held > room or chip.regime != "streamed", n


def test_prefetch_buffer_is_where_something_is_loaded_ahead(siracusa: Platform) -> None:
    chips = {n: written("tinyllama-42m", n).chips[0] for n in (1, 8, 24, 64)}
    assert [chip.regime for chip in chips.values()] == ["streamed", "prefetched", "resident", "resident"]
    buffers = [chip.prefetch_buffer_bytes for chip in chips.values()]
    assert buffers[0] == buffers[3] == 0
    assert min(buffers[1:3]) > 0
    assert chips[24].weights[-1].home == "L3"
    assert chips[64].weights[-1].home == "L2"
    bare = deployment(WORKLOADS["tinyllama-42m"], siracusa, Plan(n_chips=24), Accounting(head=False))
    assert bare.chips[0].prefetch_buffer_bytes == 0
