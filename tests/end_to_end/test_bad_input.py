"""Bad input ends with exit code 2 and one or two lines that name what is wrong."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import search_spaces
from tests.commands import Command, assert_refused

EVALUATE = ("evaluate", "--set", "n_chips=8")
SEARCH = ("search", "--out", "never")
COMMANDS = [
    ("serch", "serch"),
    ("search --budgt 5", "--budgt"),
    ("search --budget", "--budget"),
    ("search --budget many", "--budget"),
    ("search --budget 0", "--budget 0"),
    ("search --budget -3", "--budget -3"),
    ("search --budget 2.5", "--budget"),
    ("search --seed -1", "--seed -1"),
    ("search --seed 99999999999", "--seed 99999999999"),
    ("search --engine nsga4", "did you mean 'nsga"),
    ("search --exact-seconds -1", "--exact-seconds -1 must be a number of at least 0"),
    ("search --exact-seconds soon", "soon"),
    ("search --engine ''", "engine ''"),
    ("search --workload ''", "model ''"),
    ("search --platform ''", "platform ''"),
    ("search --space ''", "space ''"),
    ("search --space nowhere.toml", "'nowhere.toml' does not exist"),
    ("search --space head_wize", "did you mean 'head_wise'"),
    ("search --objective latencyy", "did you mean 'latency'"),
    ("search --objective ''", "objective ''"),
    ("search --workload tinylama-42m", "did you mean 'tinyllama-42m'"),
    ("search --platform siracusa", "'siracusa'"),
    ("search --set n_chips=two", "n_chips=two"),
    ("search --set n_chips=2.5", "n_chips 2.5 must be a whole number"),
    ("search --space all --set prune=0.9,1.1", "prune_qkv 1.1 must be 0 to 1"),
    ("search --space all --set prune=nan", "prune_qkv nan must be 0 to 1"),
    ("search --space all --set prune_o=0.12345", "prune_o 0.12345 must be a multiple of 0.001"),
    ("search --set prune=0.5", "unknown decision 'prune'; there are: n_chips"),
    ("search --space all --set strategy=row_wise", "'row_wise' is not in the space"),
    ("evaluate --set strategy=column_wise --set n_chips=8 --set prune=1.5", "prune_qkv 1.5 must be 0 to 1"),
    ("evaluate --set n_chips=8 --set prune=half", "prune = 'half' must be a number"),
    ("evaluate --set n_chips=8 --scope atention", "did you mean 'attention'"),
    ("search --set n_chips=1,,2", "n_chips=1,,2"),
    ("search --set n_chips=1..", "n_chips=1.."),
    ("search --set n_chips=4..1", "n_chips=4..1"),
    ("search --set n_chips=1..2..3", "n_chips=1..2..3"),
    ("search --set n_chips=1..10001", "n_chips=1..10001"),
    ("search --set n_chips=1..65", "n_chips 65"),
    ("search --set n_chips=0", "n_chips 0"),
    ("search --set n_chips=65", "n_chips 65"),
    ("search --set n_chips=99999999999999999999999", "n_chips 9999"),
    ("search --set group_size=1", "group_size 1"),
    ("search --set chips=8", "did you mean 'n_chips'"),
    ("search --set strategy=headwise", "'headwise' is not in the space; did you mean 'head_wise'"),
    ("search --set n_chips", "'n_chips'"),
    ("search --constraint latency<=1", "unit is missing"),
    ("search --constraint latency<=1mJ", "'mJ'"),
    ("search --constraint latency<=1parsnip", "'parsnip'"),
    ("search --constraint n_chips<=8ms", "'ms'"),
    ("search --constraint latncy<=1ms", "did you mean 'latency'"),
    ("search --constraint latency<1ms", "'<'"),
    ("search --constraint latency<=-1ms", "'latency<=-1ms'"),
    ("search --constraint latency<=1e999ms", "'latency<=1e999ms'"),
    ("search --constraint latency<=1e34ms", "beyond 1e-30 to 1e+30"),
    ("search --constraint n_chips>=1e-31", "beyond 1e-30 to 1e+30"),
    ("search --constraint 'make it fast'", "'make it fast'"),
    ("search --constraint ''", "constraint ''"),
    ("search --constraint latency<=1ms --constraint latency>=2ms", "'latency>=2ms'"),
    ("search --constraint n_chips>=9 --constraint n_chips<=8", "contradict"),
    ("evaluate", "'n_chips' is missing"),
    ("evaluate --set n_chip=8", "did you mean 'n_chips'"),
    ("evaluate --set n_chips=eight", "'eight'"),
    ("evaluate --set n_chips=8.5", "'8.5'"),
    ("evaluate --set n_chips=-8", "n_chips -8"),
    ("evaluate --set n_chips=", "'n_chips='"),
    ("evaluate --set =8", "'=8'"),
    ("evaluate --set n_chips=8 --set n_chips=4", "n_chips is given twice"),
    ("evaluate --set n_chips=8 --set group_size=65", "group_size 65"),
    ("evaluate --set n_chips=8 --set partial_sum_bits=12", "partial_sum_bits 12"),
    ("evaluate --set n_chips=8 --set strategy=headwise", "did you mean 'head_wise'"),
    ("evaluate --set n_chips=8 --scope blok", "did you mean 'block'"),
    ("evaluate --set n_chips=8 --prefetch hiden", "did you mean 'hidden'"),
    ("evaluate --set n_chips=8 --request promt", "did you mean 'prompt'"),
    ("evaluate --set n_chips=8 --workload mobilebert --request prompt", "no request 'prompt'"),
    ("evaluate --set n_chips=8 --kernels date2026", "did you mean 'date2025'"),
    ("evaluate --set n_chips=8 --tokens 0", "tokens 0"),
    ("evaluate --set n_chips=8 --tokens -5", "tokens -5"),
    ("evaluate --set n_chips=8 --tokens 99999999", "tokens 99999999"),
    ("evaluate --set n_chips=8 --tokens many", "--tokens"),
    ("evaluate --set n_chips=8 --workload nowhere.toml", "nowhere.toml"),
    ("evaluate --set n_chips=8 --workload ''", "model ''"),
    ("evaluate --set n_chips=8 --platform ''", "platform ''"),
    ("evaluate --set n_chips=8 --request ''", "request ''"),
    ("evaluate --set n_chips=8 --scope ''", "scope ''"),
    ("evaluate --set n_chips=8 --prefetch ''", "prefetch ''"),
    ("evaluate --plan nowhere.json", "nowhere.json"),
    ("export nowhere", "nowhere"),
    ("plot nowhere", "nowhere"),
    ("list", "what"),
    ("list workload", "did you mean 'workloads'"),
    ("show tinylama-42m", "did you mean 'tinyllama-42m'"),
    ("show nowhere.toml", "'nowhere.toml' does not exist"),
    ("show ''", "''"),
    ("schema plans", "did you mean 'plan'"),
    ("reproduce date2026", "did you mean 'date2025'"),
    ("validate now", "now"),
]
MODEL, MCU, RATES, LAWS = "model/tinyllama-42m", "mcu/siracusa", "kernels/date2025", "kernels/pulp-gvsoc"
EDITS = [
    (MODEL, "kv_heads =", "kv_head =", "did you mean 'kv_heads'"),
    (MODEL, "layers =", "# layers =", "'layers' is missing"),
    (MODEL, "heads = { value = 8", "heads = { value = -8", "-8"),
    (MODEL, "heads = { value = 8", "heads = { value = 8.5", "8.5"),
    (MODEL, "heads = { value = 8", "heads = { value = true", "'heads'"),
    (MODEL, "heads = { value = 8", 'heads = { value = "8"', "'heads'"),
    (MODEL, "kv_heads = { value = 8", "kv_heads = { value = 3", "kv_heads 3"),
    (MODEL, "layers = { value = 8", "layers = { value = 0", "'layers'"),
    (MODEL, "ffn_matrices = { value = 2", "ffn_matrices = { value = 4", "'ffn_matrices': value 4"),
    (MODEL, "heads = { value = 8", "heads = { value = 1000001", "1 to 1000000"),
    (MODEL, "vocabulary = { value = 32000", "vocabulary = { value = 100000001", "0 to 100000000"),
    (MODEL, "weight_bits = { value = 8", "weight_bits = { value = 65", "1 to 64"),
    (MODEL, "heads = { value = 8", "heads = { value = 1" + "0" * 5000, "too many digits"),
    (MODEL, "heads = { value = 8", "heads = { valu = 8", "unknown key; did you mean 'value'"),
    (MODEL, "embedding = {", "embedding = 512\nx = {", "'x'"),
    (MODEL, '"gelu"', '"swish"', "'swish'"),
    (MODEL, 'source = "llama2c", ', "", "source"),
    (MODEL, 'status = "datasheet"', 'status = "guessed"', "status"),
    (MODEL, 'default_request = "autoregressive"', 'default_request = "encoder"', "'encoder'"),
    (MODEL, "prompt = {", "promt = {", "promt"),
    (MODEL, "[requests]", "[requests", "broken TOML"),
    (MODEL, "embedding = {", 'description = "again"\nembedding = {', "broken TOML"),
    (MCU, '"MHz"', '"mJ"', "'mJ'"),
    (MCU, '"MHz"', '"MHx"', "'MHx'"),
    (MCU, ', unit = "MHz"', "", "unit is missing"),
    (MCU, "value = 500,", "value = -500,", "'clock'"),
    (MCU, "value = 500,", "value = 0,", "'clock'"),
    (MCU, "value = 500,", "value = nan,", "'clock'"),
    (MCU, "value = 500,", "value = 1e999,", "'clock'"),
    (MCU, "value = 500,", "value = 501,", "501"),
    (MCU, "value = 500,", 'value = "500",', "'500'"),
    (MCU, "size = { value = 2, unit", "size = { value = 1e-9, unit", "reserve"),
    (MCU, "[l2]", "[l4]", "'l4'"),
    ("link/mipi", "bandwidth =", "bandwith =", "did you mean 'bandwidth'"),
    ("link/mipi", '"point_to_point"', '"broadcast"', "'broadcast'"),
    ("link/mipi", '"GB/s"', '"GB"', "'GB'"),
    (RATES, "gemv =", "gevm =", "did you mean 'gemv'"),
    (RATES, '"effective_rates"', '"rates"', "'rates'"),
    (RATES, "form =", "# form =", "'form'"),
    (RATES, 'mcu = "siracusa"', 'mcu = "gap8"', "'gap8'"),
    (LAWS, "per_depth =", "per_dept =", "did you mean 'per_depth'"),
    (LAWS, "value = 32768", "value = 3276800", "3276800"),
    ("platform/siracusa-mipi", "link =", "links =", "did you mean 'link'"),
    ("platform/siracusa-mipi", '"mipi"', '"lost.toml"', "lost.toml"),
    ("platform/siracusa-mipi", '"siracusa"', '"sirakusa"', "did you mean 'siracusa'"),
    ("platform/siracusa-mipi", '"siracusa"', "3", "'mcu'"),
    ("space", "description =", "descripton =", "did you mean 'description'"),
    ("space", "description =", "# x =", "'description' is missing"),
    ("space", "[head_wise]", "[headwise]", "unknown strategy 'headwise'; did you mean 'head_wise'"),
    ("space", "[head_wise]", "strategy = 'head_wise'\n[choices]", "unknown key 'strategy'"),
    ("space", "n_chips =", "n_chps =", "did you mean 'n_chips'"),
    ("space", "low = 1", "low = 65", "low 65"),
    ("space", "low = 1", "lo = 1", "did you mean 'low'"),
    ("space", "low = 1", 'low = "1"', "n_chips: key 'low'"),
    ("space", "high = 64", "high = 10000", "n_chips 65"),
    ("space", "high = 64", "high = 10001", "more than 10000 choices"),
    ("space", "high = 64", "high = 65", "n_chips 65"),
    ("space", "high = 64", "high = 6.5", "n_chips"),
    ("space", "[16]", "[]", "partial_sum_bits"),
    ("space", "partial_sum_bits =", "# x", "partial_sum_bits"),
]
CONTENTS = {
    "broken": b"a = [",
    "binary": bytes(range(256)),
    "empty": b"",
    "too large": b"#" * 1_000_001,
    "too deep": b"a = " + b"[" * 100_000,
    "of another kind": b"medium = 1",
}


@pytest.mark.parametrize(("command", "named"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_command_is_refused(dse: Command, tmp_path: Path, command: str, named: str) -> None:
    assert_refused(dse(*shlex.split(command)), named)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "old", "new", "named"), EDITS)
def test_edited_file_is_refused(
    dse: Command, copy_of: Callable[..., str], tmp_path: Path, kind: str, old: str, new: str, named: str
) -> None:
    if kind == "space":
        text = (Path(search_spaces.__file__).parent / "head_wise.toml").read_text()
        assert old in text
        (tmp_path / "space.toml").write_text(text.replace(old, new, 1))
        assert_refused(dse(*SEARCH, "--space", "space.toml"), named)
        return
    path = Path(copy_of(kind, old, new)).name
    option = {"model": "--workload", "kernels": "--kernels"}.get(kind.split("/")[0], "--platform")
    if kind.startswith(("mcu", "link")):
        parts = {"mcu": "siracusa", "link": "mipi", "kernels": "date2025", kind.split("/")[0]: path}
        lines = [f'{part} = "{name}"' for part, name in {"description": "mine", **parts}.items()]
        path = "board.toml"
        (tmp_path / path).write_text("\n".join(lines))
    assert_refused(dse(*EVALUATE, option, path), named)


# A search reads more than one file for these.
TOGETHER = ("'gap8'", "3276800", "lost.toml", "did you mean 'siracusa'", "'form'")
ALONE = [edit for edit in EDITS if edit[3] not in TOGETHER]


@pytest.mark.parametrize(("kind", "old", "new", "named"), ALONE)
def test_show_refuses_a_file_that_a_search_refuses(
    dse: Command, copy_of: Callable[..., str], tmp_path: Path, kind: str, old: str, new: str, named: str
) -> None:
    if kind == "space":
        text = (Path(search_spaces.__file__).parent / "head_wise.toml").read_text()
        (tmp_path / "head_wise.toml").write_text(text.replace(old, new, 1))
    else:
        copy_of(kind, old, new)
    outcome = dse("show", f"{kind.split('/')[-1].replace('space', 'head_wise')}.toml")
    assert_refused(outcome, named)
    assert ".toml" in outcome.err


@pytest.mark.parametrize("option", ["--workload", "--platform", "--kernels", "--space"])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_file_that_is_no_parameter_file_is_refused(
    dse: Command, tmp_path: Path, option: str, content: bytes
) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert_refused(dse(*(SEARCH if option == "--space" else EVALUATE), option, "mine.toml"), "mine.toml")
    assert not (tmp_path / "never").exists()
