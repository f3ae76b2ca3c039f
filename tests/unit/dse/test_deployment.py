from dataclasses import replace
from functools import cache

import jsonschema
import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, Workload, evaluate, load_platform, load_workload
from costmodel.intervals import drawn_costs
from costmodel.memory import Regime
from costmodel.parameters import built_in_names
from costmodel.plan import MAX_CHIPS
from costmodel.shards import balanced
from costmodel.strategies import canonical_plan
from costmodel.strategies.head_wise import dimensions
from dse.deployment import deployment, predicted, regime_name
from dse.document import ChipShare, Deployment, Extent
from dse.plan_report import violation_words
from tests.strategies import AS_PUBLISHED

PLATFORM = load_platform("siracusa-mipi")
WORKLOADS = {name: load_workload(name) for name in built_in_names("model")}
COUNTS = (*range(1, 18), 23, 24, 31, 32, 33, 47, 48, 63, MAX_CHIPS)
EVERY_MODEL = pytest.mark.parametrize("model", WORKLOADS)
ACCOUNTINGS = [
    Accounting(),
    Accounting(head=False),
    Accounting(prefetch="hidden"),
    Accounting(scope="block", prefetch="hidden"),
]
PLANS = [
    Plan(strategy="head_wise", n_chips=1),
    Plan(strategy="head_wise", n_chips=5, group_size=2),
    Plan(strategy="head_wise", n_chips=8, partial_sum_bits=32),
    Plan(strategy="head_wise", n_chips=24, group_size=64),
    Plan(strategy="head_wise", n_chips=64, group_size=3, partial_sum_bits=16),
]


@cache
def written(model: str, n: int, **decided: int) -> Deployment:
    plan = Plan(strategy="head_wise", n_chips=n, **decided)
    return deployment(WORKLOADS[model], PLATFORM, plan, Accounting())


def tiles(extents: list[Extent], total: int) -> bool:
    """Whether the extents, in order, cover 0 to total without gap or overlap."""
    ends = np.cumsum([0] + [extent.count for extent in extents])
    return [extent.first for extent in extents] == ends[:-1].tolist() and ends[-1] == total


def units(extent: Extent) -> list[int]:
    return list(range(extent.first, extent.first + extent.count))


@EVERY_MODEL
def test_heads_columns_and_rows_are_given_out_exactly_once(model: str) -> None:
    m = WORKLOADS[model].model
    for n in COUNTS:
        chips = written(model, n).chips
        assert [chip.chip for chip in chips] == list(range(n))
        assert sorted(head for c in chips for head in units(c.owns["heads"])) == list(range(m.heads)), n
        assert tiles([c.owns["ffn_columns"] for c in chips], m.ffn), n
        assert tiles([c.owns["vocabulary_rows"] for c in chips], m.vocabulary), n
        group = m.heads // m.kv_heads
        for chip in chips:
            heads, kv_heads = units(chip.owns["heads"]), units(chip.owns["kv_heads"])
            assert kv_heads == sorted({head // group for head in heads}), n


@EVERY_MODEL
def test_counts_agree_with_the_classes_of_the_cost_model(model: str) -> None:
    m = WORKLOADS[model].model
    shards = balanced(m, np.array(COUNTS), dimensions(m))
    by_class = {"heads": shards.heads, "kv_heads": shards.kv_heads, **shards.units}
    for row, n in enumerate(COUNTS):
        classes = zip(*(entry[:, row].tolist() for entry in by_class.values()), strict=True)
        counts = shards.n_chips[:, row].tolist()
        expected = [c for c, k in zip(classes, counts, strict=True) for _ in range(k)]
        even = Plan(strategy="head_wise", n_chips=n, shares=0)
        chips = deployment(WORKLOADS[model], PLATFORM, even, Accounting()).chips
        held = [tuple(c.owns[name].count for name in by_class) for c in chips]
        assert held == expected, n


@EVERY_MODEL
def test_slices_are_what_the_chip_owns(model: str) -> None:
    m = WORKLOADS[model].model
    for n in COUNTS:
        for chip in written(model, n).chips:
            width, kv_width = (chip.owns[name].count * m.head_size for name in ("heads", "kv_heads"))
            columns, rows = (chip.owns[name].count for name in ("ffn_columns", "vocabulary_rows"))
            sizes = {
                "q": (m.embedding, width),
                "k": (m.embedding, kv_width),
                "v": (m.embedding, kv_width),
                "o": (width, m.embedding),
                "down": (columns, m.embedding),
                **dict.fromkeys(("gate", "up"), (m.embedding, columns)),
                **dict.fromkeys(OUTSIDE, (m.embedding, rows)),
            }
            for one in chip.weights:
                held = (one.rows.count, one.columns.count)
                assert held == sizes[one.matrix], (n, one.matrix)
                assert one.bytes == held[0] * held[1] * m.weight_bytes, (n, one.matrix)
                assert one.received_rows == {}
            assert chip.kept_columns == {}


@EVERY_MODEL
@pytest.mark.parametrize("replicate", [0, 1])
def test_weight_bytes_sum_to_the_model_and_what_is_held_twice(model: str, replicate: int) -> None:
    m = WORKLOADS[model].model
    for n in COUNTS:
        chips = written(model, n, kv_replication=replicate).chips
        sums: dict[str, float] = {}
        for chip in chips:
            for share in chip.weights:
                sums[share.matrix] = sums.get(share.matrix, 0.0) + share.bytes
        copies = sum(chip.owns["kv_heads"].count for chip in chips) - m.kv_heads
        assert copies == 0 or n > m.kv_heads or (replicate and m.heads > m.kv_heads)
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
        chips = deployment(workload, siracusa, Plan(strategy="head_wise", n_chips=3), Accounting()).chips
        held = sum(share.bytes for chip in chips for share in chip.weights)
        assert held == (m.block_weights + m.vocabulary_weights) * m.weight_bytes


@EVERY_MODEL
def test_footprints_and_regimes_are_those_of_the_costs(model: str) -> None:
    for n in COUNTS:
        document = written(model, n)
        c, chips = document.costs, document.chips
        needed, room = c.l2_footprint_bytes, PLATFORM.mcu.l2.usable_bytes
        assert needed <= max(chip.footprint_bytes["L2"] for chip in chips) <= room, n
        assert max(chip.footprint_bytes["L3"] for chip in chips) == c.l3_footprint_bytes, n
        assert max(Regime[chip.regime.upper()] for chip in chips) == Regime[c.regime.upper()], n
        for chip in chips:
            homes = {share.home for share in chip.weights if share.matrix in ("q", "o", "up", "down")}
            assert homes == ({"L2"} if chip.regime == "resident" else {"L3"}), n
            assert chip.activation_peak_bytes > 0


def test_cache_bytes_cover_all_layers_and_tokens(tinyllama: Workload, siracusa: Platform) -> None:
    chips = deployment(tinyllama, siracusa, Plan(strategy="head_wise", n_chips=5), Accounting()).chips
    assert sum(chip.kv_cache_bytes for chip in chips) == 2 * 8 * 128 * 512
    assert [chip.kv_cache_bytes / 2 / 8 / 128 / 64 for chip in chips] == [2, 2, 2, 1, 1]


@pytest.mark.parametrize("accounting", ACCOUNTINGS, ids=str)
@EVERY_MODEL
def test_messages_are_those_the_costs_count(model: str, accounting: Accounting) -> None:
    workload = WORKLOADS[model]
    for plan in PLANS:
        document = deployment(workload, PLATFORM, plan, accounting)
        messages = [(m.payload_bytes, s.times) for s in document.synchronisations for m in s.messages]
        assert sum(times for _, times in messages) == document.costs.link_messages
        on_wire = sum(times * float(PLATFORM.link.wire_bytes(payload)) for payload, times in messages)
        assert on_wire == pytest.approx(document.costs.link_bytes, rel=1e-12)


def test_schedule_names_what_happens_how_often(tinyllama: Workload, siracusa: Platform) -> None:
    eight = Plan(strategy="head_wise", n_chips=8, partial_sum_bits=8)
    found = deployment(tinyllama, siracusa, eight, Accounting()).synchronisations
    steps = [(s.name, s.times) for s in found]
    block_steps = ["attention input", "attention", "mlp input", "mlp"]
    assert steps == [
        ("embedding", 1),
        *((name, 8) for name in block_steps),
        *((name, 1) for name in ("head input", "head", "token")),
    ]
    handed_down, attention = found[1:3]
    assert (handed_down.kind, attention.kind) == ("broadcast", "reduce")
    assert attention.merge_work == ["add partial sum"]
    assert attention.forward_work == ["narrow partial sum"]
    assert attention.root_work == ["requantise sum", "residual", "rmsnorm"]
    assert not handed_down.merge_work + handed_down.forward_work + handed_down.root_work
    assert {m.payload_bytes for sync in (handed_down, attention) for m in sync.messages} == {512.0}
    up, down = ([(m.slot, m.sender, m.receivers) for m in s.messages] for s in (attention, handed_down))
    leaders = [(0, 1, 0), (0, 5, 4), (1, 2, 0), (1, 6, 4), (2, 3, 0), (2, 7, 4), (3, 4, 0)]
    assert up == [(slot, sender, [receiver]) for slot, sender, receiver in leaders]
    members = [(0, 0, 4), (1, 0, 1), (1, 4, 5), (2, 0, 2), (2, 4, 6), (3, 0, 3), (3, 4, 7)]
    assert down == [(slot, sender, [receiver]) for slot, sender, receiver in members]
    block = deployment(tinyllama, siracusa, eight, ACCOUNTINGS[3]).synchronisations
    assert [(s.name, s.times) for s in block] == [(name, 1) for name in block_steps]


def test_costs_are_those_of_the_evaluation(tinyllama: Workload, siracusa: Platform) -> None:
    costs = evaluate(tinyllama, siracusa, Plans.of(PLANS), Accounting())
    drawn = drawn_costs(tinyllama, siracusa, Plans.of(PLANS), Accounting())
    for i, plan in enumerate(PLANS):
        document = deployment(tinyllama, siracusa, plan, Accounting())
        assert document.costs == predicted(tinyllama, siracusa, costs, drawn, i)
        assert document.costs.latency_s == pytest.approx(sum(document.costs.latency_by_cause_s.values()))
        assert document.costs.energy_j == pytest.approx(sum(document.costs.energy_by_cause_j.values()))
        assert document.costs.regime == regime_name(int(costs.regime[i]))


def test_plan_is_written_in_its_canonical_form(tinyllama: Workload, siracusa: Platform) -> None:
    flat = Plan(strategy="head_wise", n_chips=5, group_size=64)
    document = deployment(tinyllama, siracusa, flat, Accounting())
    assert document.decisions.values == {
        "n_chips": 5,
        "group_size": 5,
        "partial_sum_bits": 16,
        "shares": 1,
        "kv_replication": 1,
        "pinning": 1,
        "weight_bits": 8,
    }
    assert document == deployment(
        tinyllama, siracusa, canonical_plan(tinyllama, siracusa, flat), Accounting()
    )


@pytest.mark.parametrize("model", ["tinyllama-42m", "stories260k", "mobilebert"])
def test_document_validates_against_its_schema(model: str) -> None:
    schema = Deployment.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = written(model, 3).model_dump(mode="json")
    jsonschema.validate(data, schema)
    for broken in (
        {**data, "extra": 1},
        {**data, "schema_version": "1"},
        {**data, "chips": "none"},
        {key: value for key, value in data.items() if key != "costs"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


@pytest.mark.parametrize("request_kind", ["autoregressive", "prompt"])
def test_plan_rests_on_the_assumed_and_fitted_parameters_alone(siracusa: Platform, request_kind: str) -> None:
    workload = load_workload("tinyllama-42m", request_kind)
    lines = deployment(workload, siracusa, Plan(strategy="head_wise", n_chips=8), Accounting()).rests_on
    expected = [
        f"{record.kind}/{record.name} {key} = "
        for record in (*workload.records, *siracusa.records)
        for key, entry in record.values()
        if entry.status in ("assumed", "fitted")
        and (not key.startswith("requests.") or key == f"requests.{request_kind}")
        and key != "loss"
        and not key.startswith("packing.")  # nothing is packed
        and record.kind not in ("importance", "calibration")  # no weight is missing
    ]
    assert len(lines) == len(expected) > 10
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)
        assert line.endswith(("(assumed)", "(fitted)"))


def test_a_plan_rests_on_no_radio_alone_and_on_importance_where_weights_are_missing() -> None:
    workload, radio = load_workload("cats-block"), load_platform("nrf52840-mixer")

    def files(n_chips: int, ratio: float) -> set[str]:
        plan = Plan(strategy="column_wise", n_chips=n_chips, prune_qkv=ratio)
        lines = deployment(workload, radio, plan, Accounting()).rests_on
        assert not any(" loss " in line for line in lines)
        return {line.split("/")[0] for line in lines}

    assert files(1, 0.0) == {"model", "mcu", "kernels"}
    assert files(4, 0.0) == {"model", "mcu", "kernels", "link"}
    assert files(4, 0.5) == {"model", "mcu", "kernels", "link", "importance", "calibration"}


def test_plan_that_does_not_fit_says_why() -> None:
    costs = written("stories110m", 1).costs
    assert not costs.feasible
    (violation,) = costs.violations
    assert (violation.resource, violation.limit, violation.unit) == ("L3", 64e6, "B")
    assert violation.demand == costs.l3_footprint_bytes > violation.limit
    assert violation_words(violation).startswith("L3 needs")
    assert written("stories110m", 64).costs.feasible
    assert written("stories110m", 64).costs.violations == []


OUTSIDE = ("head", "embedding", "embedding and head")


@pytest.mark.parametrize("accounting", ACCOUNTINGS, ids=str)
@pytest.mark.parametrize("decided", [{}, AS_PUBLISHED], ids=["default", "as published"])
@EVERY_MODEL
def test_parts_held_in_l2_sum_to_the_footprint(
    model: str, decided: dict[str, int], accounting: Accounting
) -> None:
    workload, room = WORKLOADS[model], PLATFORM.mcu.l2.usable_bytes
    m = workload.model
    for n in (1, 2, 3, 5, 8, 13, 16, 24, 32, 48, 64):
        plan = Plan(strategy="head_wise", n_chips=n, **decided)
        for chip in deployment(workload, PLATFORM, plan, accounting).chips:
            blocks = sum(share.bytes for share in chip.weights if share.matrix not in OUTSIDE)
            cache = chip.kv_cache_bytes / m.layers
            pinned = len(chip.pinned_blocks)
            running = blocks + cache * workload.reads_cache if pinned < m.layers else 0
            held = pinned * (blocks + cache) + running + chip.activation_peak_bytes
            held += chip.prefetch_buffer_bytes + chip.head_rows_kept * m.embedding * m.weight_bytes
            held += sum(s.bytes for s in chip.weights if s.matrix == "embedding" and s.home == "L2")
            l2 = chip.footprint_bytes["L2"]
            assert l2 <= room, n
            # Rows are whole; what spills is not held.
            assert min(held, room) <= l2 < held + m.embedding, (n, chip.chip)
            assert held > room or chip.regime != "streamed", n


def test_prefetch_buffer_is_where_something_is_loaded_ahead(siracusa: Platform) -> None:
    def chip(n: int, accounting: Accounting) -> ChipShare:
        plan = Plan(strategy="head_wise", n_chips=n, **AS_PUBLISHED)
        return deployment(WORKLOADS["tinyllama-42m"], siracusa, plan, accounting).chips[0]

    chips = {n: chip(n, Accounting()) for n in (1, 8, 24, 64)}
    assert [chip.regime for chip in chips.values()] == ["streamed", "prefetched", "resident", "resident"]
    buffers = [chip.prefetch_buffer_bytes for chip in chips.values()]
    assert buffers[0] == buffers[3] == 0
    assert min(buffers[1:3]) > 0
    assert chips[24].weights[-1].home == "L3"
    assert chips[64].weights[-1].home == "L2"
    assert chip(24, Accounting(head=False)).prefetch_buffer_bytes == 0
