import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costmodel import Accounting, Plan, load_platform, load_workload
from costmodel.errors import ParameterError, PlanError
from costmodel.parameters import hash_of
from dse.deployment import deployment
from dse.document import Deployment
from dse.export import write_plan
from dse.plan_file import check_unchanged, first_difference, parts, read_deployment

ACCOUNTINGS = [
    Accounting(),
    Accounting(head=False),
    Accounting(prefetch="hidden"),
    Accounting(scope="block", prefetch="hidden"),
]
PLANS = [
    Plan(strategy="head_wise", n_chips=1),
    Plan(strategy="head_wise", n_chips=5, group_size=2),
    Plan(strategy="head_wise", n_chips=64, group_size=3, partial_sum_bits=16),
]
PATH = Path("mine.json")
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def document() -> Deployment:
    workload = load_workload("tinyllama-42m")
    return deployment(
        workload, load_platform("siracusa-mipi"), Plan(strategy="head_wise", n_chips=3), Accounting()
    )


def edited(document: Deployment, place: Place, value: Any) -> Any:
    """The plan as data, with one value replaced."""
    data = at = document.model_dump(mode="json")
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return data


def read(folder: Path, data: Any) -> tuple[Deployment, Any]:
    (folder / "mine.json").write_text(json.dumps(data))
    return read_deployment(folder / "mine.json")


@pytest.mark.parametrize("accounting", ACCOUNTINGS, ids=str)
@pytest.mark.parametrize("kernels", ["date2025", "pulp-gvsoc"])
def test_json_round_trip_is_the_identity_and_costs_stay_exact(
    tmp_path: Path, kernels: str, accounting: Accounting
) -> None:
    platform = load_platform("siracusa-mipi", kernels)
    workload = load_workload("stories260k", "prompt", 7)
    for plan in PLANS:
        document = deployment(workload, platform, plan, accounting)
        path = tmp_path / "plan.json"
        write_plan(path, document)
        read, made_of = read_deployment(path)
        assert read == document
        assert deployment(*made_of) == document
        write_plan(tmp_path / "again.json", deployment(*made_of))
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["model", "platform", "mcu", "link", "kernels"])
def test_plan_without_its_parameters_is_refused(document: Deployment, kind: str) -> None:
    fewer = [entry for entry in document.inputs if entry.kind != kind]
    with pytest.raises(ParameterError, match=f"no {kind}"):
        parts(document.model_copy(update={"inputs": fewer}))


def test_plan_with_impossible_decisions_is_refused(document: Deployment) -> None:
    many = document.decisions.model_copy(update={"values": {"n_chips": 65}})
    with pytest.raises(PlanError, match="n_chips 65 must be 1 to 64"):
        parts(document.model_copy(update={"decisions": many}))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "broken JSON"),
        (b"\xff\xfe", "not readable text"),
        (b"[" * 100_000, "not readable text"),
        (b"[]", "valid dictionary"),
        (json.dumps({"schema_version": "4", "costz": 0}).encode(), "'costz'; did you mean 'costs'"),
        (b'{"schema_version": "4"}', "'generator' is missing"),
        (b'{"schema_version": "1"}', "key 'schema_version': Input should be '4', got '1'"),
    ],
)
def test_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(ParameterError) as error:
        read_deployment(path)
    assert named in error.value.message
    assert "other.json" in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize("position", range(5))
def test_two_inputs_of_one_kind_are_refused(document: Deployment, tmp_path: Path, position: int) -> None:
    data = document.model_dump(mode="json")
    data["inputs"].append(data["inputs"][position])
    with pytest.raises(ParameterError, match=f"two of kind '{data['inputs'][position]['kind']}'"):
        read(tmp_path, data)


@pytest.mark.parametrize("position", range(5))
def test_contents_that_are_not_those_hashed_are_refused(
    document: Deployment, tmp_path: Path, position: int
) -> None:
    entry = document.inputs[position]
    data = edited(document, ("inputs", position, "data", "description"), "another")
    with pytest.raises(ParameterError, match=f"{entry.kind} '{entry.name}' are not those hashed"):
        read(tmp_path, data)
    data["inputs"][position]["sha256"] = hash_of(data["inputs"][position]["data"])
    assert read(tmp_path, data)[0].inputs[position].data["description"] == "another"


def test_order_of_hashed_contents_does_not_matter(document: Deployment, tmp_path: Path) -> None:
    data = document.model_dump(mode="json")
    for entry in data["inputs"]:
        entry["data"] = dict(reversed(entry["data"].items()))
    assert read(tmp_path, data)[0] == document


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("decisions", "strategy"), 3),
        *((("decisions", "values", "n_chips"), value) for value in ("3", True, None, [3], float("nan"))),
        (("workload", "n_tokens"), "128"),
        (("accounting", "head"), "yes"),
        (("accounting", "head"), 1),
        (("costs", "latency_s"), "1e-3"),
        (("costs", "feasible"), 1),
        (("chips", 0, "chip"), "0"),
        (("chips", 0, "owns", "heads", "first"), "0"),
        (("chips", 0, "owns", "ffn_columns", "count"), "1"),
        (("synchronisations", 0, "times"), "1"),
        (("synchronisations", 1, "messages", 0, "receivers", 0), "0"),
        (("schema_version",), 1),
    ],
)
def test_value_of_another_type_is_not_read_as_one(
    document: Deployment, tmp_path: Path, place: Place, value: Any
) -> None:
    with pytest.raises(ParameterError) as error:
        read(tmp_path, edited(document, place, value))
    assert f"key '{'.'.join(map(str, place))}'" in error.value.message
    assert "mine.json" in error.value.message


@pytest.mark.parametrize("value", [3.0, 3.5])
def test_a_decision_that_is_no_whole_number_is_refused(
    document: Deployment, tmp_path: Path, value: float
) -> None:
    with pytest.raises(ParameterError) as error:
        read(tmp_path, edited(document, ("decisions", "values", "n_chips"), value))
    assert error.value.message.endswith(f"mine.json: decision n_chips = '{value}' must be a whole number")


def test_a_strategy_that_there_is_not_is_refused_with_the_file(document: Deployment, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"mine\.json: unknown strategy 'headwise'; did you mean"):
        read(tmp_path, edited(document, ("decisions", "strategy"), "headwise"))


def test_unchanged_plan_passes(document: Deployment, tmp_path: Path) -> None:
    stored, made_of = read(tmp_path, document.model_dump(mode="json"))
    check_unchanged(PATH, stored, deployment(*made_of))


EDITS: list[tuple[Place, Callable[[Any], Any], str]] = [
    (("costs", "latency_s"), lambda v: v * (1 + 1e-12), "costs.latency_s"),
    (("costs", "feasible"), lambda v: not v, "costs.feasible"),
    (
        ("costs", "violations"),
        lambda v: [*v, {"resource": "L2", "demand": 2.0, "limit": 1.0, "unit": "B"}],
        "costs.violations",
    ),
    (("decisions", "values", "n_chips"), lambda _: 4, "costs.latency_s"),
    (("chips", 1, "owns", "heads", "count"), lambda v: v - 1, "chips[1].owns.heads.count"),
    (("chips", 2, "weights", 0, "home"), lambda _: "L2", "chips[2].weights[0].home"),
    (("synchronisations", 1, "messages", 0, "sender"), lambda _: 9, "synchronisations[1].messages[0]"),
    (("synchronisations", 1, "times"), lambda v: v + 1, "synchronisations[1].times"),
    (("chips", 1, "weights", 0, "rows", "count"), lambda v: v + 1, "chips[1].weights[0].rows.count"),
    (("rests_on",), lambda v: v[1:], "rests_on"),
    (("generator",), lambda _: "dse 0.0.0", "generator"),
    (("platform", "mcu"), lambda _: "gap8", "platform.mcu"),
    (("workload", "name"), lambda _: "mine", "workload.name"),
]


@pytest.mark.parametrize(
    ("place", "change", "named"), EDITS, ids=[".".join(map(str, place)) for place, _, _ in EDITS]
)
def test_edited_plan_is_refused_with_both_values(
    document: Deployment, tmp_path: Path, place: Place, change: Callable[[Any], Any], named: str
) -> None:
    value: Any = document.model_dump(mode="json")
    for key in place:
        value = value[key]
    stored, made_of = read(tmp_path, edited(document, place, change(value)))
    with pytest.raises(ParameterError) as error:
        check_unchanged(PATH, stored, deployment(*made_of))
    assert error.value.message.startswith(f"plan mine.json: key '{named}")
    assert " is " in error.value.message
    assert ", its parameters give " in error.value.message
    assert stored.generator in error.value.hint


@pytest.mark.parametrize(
    ("stored", "again", "said"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "key 'a.b[1]' is 2, its parameters give 3"),
        ({"a": [1]}, {"a": [1, 2]}, "key 'a' is [1], its parameters give [1, 2]"),
        ({"a": "x", "b": 1}, {"a": "y", "b": 2}, "key 'a' is 'x', its parameters give 'y'"),
        ({"a": [{"b": None}]}, {"a": [{"b": None}]}, ""),
    ],
)
def test_first_difference_names_key_and_values(stored: Any, again: Any, said: str) -> None:
    assert first_difference(stored, again, "") == said
