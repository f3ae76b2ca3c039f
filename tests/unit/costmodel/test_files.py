from collections.abc import Callable
from pathlib import Path

import pytest

from costmodel import load_platform, load_workload
from costmodel.errors import ParameterError
from costmodel.hardware import Mcu
from costmodel.kernel_sets import kernel_set
from costmodel.parameters import KINDS, built_in_names, hash_of, load, validate
from costmodel.parameters.files import BUILT_IN, MAX_FILE_BYTES

Copy = Callable[..., str]
CLOCK = 'clock = { value = 500, unit = "MHz", source = "bochem2025"'


def one_line(caught: pytest.ExceptionInfo[ParameterError]) -> str:
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    return said


def fault(read: Callable[[], object]) -> str:
    with pytest.raises(ParameterError) as caught:
        read()
    return one_line(caught)


def mcu_fault(path: str) -> str:
    record = load("mcu", path)
    return fault(lambda: validate(Mcu, record.data, "mine.toml")).removeprefix("mine.toml: ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_built_in_name_gets_the_nearest_one(kind: str) -> None:
    name = built_in_names(kind)[0]
    with pytest.raises(ParameterError) as caught:
        load(kind, f"{name[:-1]}q")
    assert f"unknown {kind} '{name[:-1]}q'; did you mean {name!r}?" in one_line(caught)
    assert caught.value.hint == "a file of your own is named by its path, ending in .toml"


@pytest.mark.parametrize("name", ["", ".", "../mcu/siracusa", "siracusa ", "SIRACUSA", "a\nb"])
def test_only_listed_names_are_built_in(name: str) -> None:
    assert fault(lambda: load("mcu", name)).startswith(f"unknown mcu {name!r}; ")


def test_built_in_names_are_sorted_and_without_ending() -> None:
    names = built_in_names("model")
    assert names == sorted(names)
    assert {f"{name}.toml" for name in names} == {path.name for path in (BUILT_IN / "model").iterdir()}


def test_a_record_holds_kind_name_path_and_data(copy_of: Copy) -> None:
    path = copy_of("mcu/siracusa")
    built_in, own = load("mcu", "siracusa"), load("mcu", path)
    assert (built_in.kind, built_in.name, built_in.path) == ("mcu", "siracusa", "mcu/siracusa.toml")
    assert (own.name, own.path) == (path, path)
    assert own.data == built_in.data


def test_the_hash_of_a_record_follows_its_values_and_not_its_comments_or_order(copy_of: Copy) -> None:
    built_in = load("mcu", "siracusa")
    assert load("mcu", copy_of("mcu/siracusa", "\n", "\n# a comment\n")).sha256 == built_in.sha256
    assert load("mcu", copy_of("mcu/siracusa", "value = 8,", "value = 9,")).sha256 != built_in.sha256
    assert hash_of({"a": 1, "b": {"c": 2, "d": 3}}) == hash_of({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_record_lists_what_is_assumed_or_fitted() -> None:
    record = load("kernels", "date2025")
    assert record.uncertain()[0] == "kernels/date2025 gemv = 2.19 mac/clock_cycle (fitted)"
    assert "kernels/date2025 row_tile = 32 (fitted)" in record.uncertain()
    statuses = [entry.status for _, entry in load("mcu", "siracusa").values()]
    assert len(load("mcu", "siracusa").uncertain()) == statuses.count("assumed") + statuses.count("fitted")


@pytest.mark.parametrize("name", ["none.toml", "folder/none.toml", "a\0.toml", "a\nb.toml"])
def test_a_missing_file_is_named(name: str) -> None:
    assert fault(lambda: load("link", name)) == f"link file {name!r} does not exist"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    assert fault(lambda: load("link", str(tmp_path / "x.toml"))).endswith("does not exist")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "is not readable TOML text"),
        (b"a = " + b"[" * 100_000, "is not readable TOML text"),
        (b"a = \n", "broken TOML: "),
        (b"a = 1\na = 2\n", "broken TOML: "),
        (b"a" * (MAX_FILE_BYTES + 1), f"larger than {MAX_FILE_BYTES} bytes"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    assert fault(lambda: load("link", str(path))).startswith(f"{path}: {said}")


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"a=1\n" + b"#" * (MAX_FILE_BYTES - 4))
    assert load("link", str(path)).data == {"a": 1}


def test_a_file_that_vanishes_is_an_error_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _self: True)
    assert fault(lambda: load("link", str(tmp_path / "x.toml"))).endswith(
        "cannot be read (No such file or directory)"
    )


def test_a_file_is_looked_up_first_beside_the_one_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder, text in ((beside, "a = 1"), (here, "a = 2")):
        folder.mkdir()
        (folder / "x.toml").write_text(text)
    (here / "y.toml").write_text("a = 3")
    monkeypatch.chdir(here)
    assert load("link", "x.toml", beside).data == {"a": 1}
    assert load("link", "x.toml").data == {"a": 2}
    assert load("link", "y.toml", beside).data == {"a": 3}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            CLOCK,
            'clok = { value = 500, unit = "MHz", source = "b"',
            "unknown key 'clok'; did you mean 'clock'?",
        ),
        ("n_cores = {", "cores = {", "unknown key 'cores'; did you mean 'n_cores'?"),
        ("[l3]\nsize", "[l3]\nsise", "unknown key 'l3.sise'; did you mean 'size'?"),
        ("bandwidth", "bandwith", "unknown key 'l3.bandwith'; did you mean 'bandwidth'?"),
        ("[l2]\nsize", "[l2]\nbandwidth", "unknown key 'l2.bandwidth'; there are: size, reserve, energy"),
        ("[l3]", "[l4]", "unknown key 'l4'; there are: description, clock"),
        ('description = "', '"a\\nb" = 1\ndescription = "', "unknown key 'a\\nb'; there are: description"),
    ],
)
def test_an_unknown_key_gets_the_nearest_one(copy_of: Copy, old: str, new: str, said: str) -> None:
    assert mcu_fault(copy_of("mcu/siracusa", old, new)).startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_cores = {", "# n_cores = {", "key 'n_cores' is missing"),
        ("[l2]\nsize", "[l2]\n# size", "key 'l2.size' is missing"),
        ("bandwidth = ", "# bandwidth = ", "key 'l3.bandwidth' is missing"),
    ],
)
def test_a_missing_key_is_named_and_has_no_default(copy_of: Copy, old: str, new: str, said: str) -> None:
    assert mcu_fault(copy_of("mcu/siracusa", old, new)) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (CLOCK, "clock = 5 # ", "key 'clock': got 5; expected a table {value, unit, source, where, status}"),
        ('"MHz"', '"MB"', "key 'clock': unit 'MB' cannot be read as hertz"),
        ('"MHz"', '"Mhertzz"', "key 'clock': unknown unit 'Mhertzz'; expected one that reads as hertz"),
        ("value = 500", "value = -5", "key 'clock': value -5 is outside [low, high] = [360, 500]"),
        ("value = 8,", "value = 8.5,", "key 'n_cores': value 8.5 must be a whole number, 1 to 1000000"),
        ("value = 8,", "value = 0,", "key 'n_cores': value 0 must be a whole number, 1 to 1000000"),
        ("value = 100,", "value = -1,", "key 'l3.energy': value -1 is outside"),
        ('status = "datasheet"', 'status = "sheet"', "key 'n_cores': status: Input should be 'measured'"),
        ('description = "', 'description = 5 # "', "key 'description': Input should be a valid string"),
        (
            'value = 2, unit = "MiB"',
            'value = 0.1, unit = "MiB"',
            "key 'l2': the reserve leaves nothing usable",
        ),
        (
            'value = 2, unit = "MiB"',
            'value = 200, unit = "KiB"',
            "key 'l2': the reserve leaves nothing usable",
        ),
    ],
)
def test_a_bad_value_is_named_with_key_limit_and_unit(copy_of: Copy, old: str, new: str, said: str) -> None:
    assert mcu_fault(copy_of("mcu/siracusa", old, new)).startswith(said)


def test_a_memory_level_is_a_table() -> None:
    data = {**load("mcu", "siracusa").data, "l2": 5}
    assert fault(lambda: validate(Mcu, data, "x")).startswith(
        "x: key 'l2': Input should be a valid dictionary"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"silu"', '"sliu"', "key 'activation': value 'sliu' is not known; did you mean 'silu'?"),
        ("kv_heads = { value = 6", "kv_heads = { value = 4", "heads 6 is no multiple of kv_heads 4"),
        ("kv_heads = { value = 6", "kv_heads = { value = 12", "heads 6 is no multiple of kv_heads 12"),
        (
            "ffn_matrices = { value = 3",
            "ffn_matrices = { value = 4",
            "key 'ffn_matrices': value 4 must be a whole number, 2 to 3",
        ),
        ("ffn_matrices = { value = 3", "ffn_matrices = { value = 1", "key 'ffn_matrices': value 1 must be"),
        ("rotary = { value = true", "rotary = { value = 1", "key 'rotary': value 1 must be true or false"),
        ('default_request = "a', 'default_request = "A', "key 'default_request': Input should be 'prompt'"),
        (
            'default_request = "autoregressive"',
            'default_request = "encoder"',
            "default_request 'encoder' is not among the requests",
        ),
        ("[requests]", "[request]", "unknown key 'request'; did you mean 'requests'?"),
        ("prompt = {", "promt = {", "key 'requests.promt"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(copy_of: Copy, old: str, new: str, said: str) -> None:
    path = copy_of("model/stories15m", old, new)
    assert fault(lambda: load_workload(path)).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("kernels", "old", "new", "said"),
    [
        (
            "date2025",
            'form = "e',
            'form = "',
            "key 'form' is 'ffective_rates'; did you mean 'effective_rates'?",
        ),
        (
            "date2025",
            "form = ",
            "# form = ",
            "key 'form' is None; there are: effective_rates, operator_rates, operator_laws",
        ),
        ("date2025", "effective_rates", "operator_laws", "unknown key 'gemv.value'; there are: fixed,"),
        ("pulp-gvsoc", "[softmax.rows]", "[softmax.row]", "unknown key 'softmax.row'; did you mean 'rows'?"),
        ("pulp-gvsoc", "[rotary]", "[rotari]", "unknown key 'rotari'; did you mean 'rotary'?"),
        ("pulp-gvsoc", "per_depth", "per_deph", "unknown key 'gemv.per_deph'; did you mean 'per_depth'?"),
    ],
)
def test_a_broken_kernel_set_is_refused(copy_of: Copy, kernels: str, old: str, new: str, said: str) -> None:
    path = copy_of(f"kernels/{kernels}", old, new)
    assert fault(lambda: kernel_set(load("kernels", path))).startswith(f"{path}: {said}")


def test_a_platform_with_an_unknown_part_is_refused(copy_of: Copy) -> None:
    path = copy_of("platform/siracusa-mipi", 'link = "mipi"', 'link = "mippi"')
    assert fault(lambda: load_platform(path)).startswith("unknown link 'mippi'; did you mean 'mipi'?")
    path = copy_of("platform/siracusa-mipi", "kernels = ", "kernel = ")
    assert "unknown key 'kernel'; did you mean 'kernels'?" in fault(lambda: load_platform(path))


@pytest.mark.parametrize("form", ['["effective_rates"]', '{ value = "effective_rates" }'])
def test_a_form_that_is_no_word_is_refused(copy_of: Copy, form: str) -> None:
    path = copy_of("kernels/date2025", '"effective_rates"', form)
    assert "key 'form'" in fault(lambda: kernel_set(load("kernels", path)))


def test_a_path_too_long_for_the_file_system_is_refused() -> None:
    with pytest.raises(ParameterError):
        load("mcu", "a" * 5000 + ".toml")


def test_a_whole_number_of_too_many_digits_is_refused(copy_of: Copy) -> None:
    path = copy_of("mcu/siracusa", "value = 500,", f"value = 5{'0' * 5000},")
    assert fault(lambda: load("mcu", path)) == f"{path}: broken TOML: a number has too many digits"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value = 500", "valeu = 500", "did you mean 'value'?"),
        ('source = "bochem2025"', 'sourec = "bochem2025"', "did you mean 'source'?"),
        ("low = 360", "lwo = 360", "did you mean 'low'?"),
    ],
)
def test_an_unknown_key_of_a_value_gets_the_nearest_one(copy_of: Copy, old: str, new: str, said: str) -> None:
    assert said in mcu_fault(copy_of("mcu/siracusa", old, new))


def test_an_unknown_key_of_a_value_stays_on_one_line(copy_of: Copy) -> None:
    assert mcu_fault(copy_of("mcu/siracusa", "value = 500", '"a\\nb" = 1, value = 500'))


def test_a_long_bare_value_is_cut_short(copy_of: Copy) -> None:
    assert mcu_fault(copy_of("mcu/siracusa", CLOCK, f'clock = "{"x" * 5000}" # '))


def test_values_of_a_record_are_checked_as_they_are_walked(copy_of: Copy) -> None:
    record = load("mcu", copy_of("mcu/siracusa", 'status = "datasheet"', 'status = "sheet"'))
    assert fault(record.uncertain).startswith(f"{record.path}: key 'n_cores': status: Input should be")
