import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import search_spaces
from costmodel.errors import ParameterError, UsageError
from costmodel.parameters import KINDS, built_in_names
from costmodel.strategies import STRATEGIES
from dse.catalogue import LISTINGS, describe, entries
from dse.engines import ENGINES
from dse.objectives import KNOWN
from search_spaces import built_in_spaces

NAMES = sorted({name for what in LISTINGS for name in entries(what)})


def printed(name: str) -> str:
    console = Console(file=io.StringIO(), width=400, highlight=False, markup=False)
    for renderable in describe(name):
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", LISTINGS)
def test_everything_listed_has_a_line_about_it(what: str) -> None:
    listed = entries(what)
    assert listed
    assert all(text.strip() and "\n" not in text for text in listed.values())


def test_listings_are_complete() -> None:
    assert {"workloads", "platforms", "spaces", "strategies", "objectives", "engines"} <= LISTINGS.keys()
    assert list(entries("workloads")) == built_in_names("model")
    assert list(entries("spaces")) == built_in_spaces()
    assert entries("objectives").keys() == KNOWN.keys()
    assert entries("engines").keys() == ENGINES.keys()
    assert entries("strategies").keys() == STRATEGIES.keys()
    assert {name for kind in KINDS for name in built_in_names(kind)} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_listed_can_be_shown(name: str) -> None:
    assert name in printed(name)


def test_a_parameter_is_shown_with_value_unit_status_and_source() -> None:
    line = next(line for line in printed("siracusa").splitlines() if line.startswith("clock"))
    for part in ("500 MHz", "(360 to 500)", "assumed", "bochem2025", "360 MHz is also quoted"):
        assert part in line


def test_a_space_is_shown_with_its_choices() -> None:
    text = printed("head_wise")
    assert "1792 combinations" in text
    assert "2, 3, 4, 6, 8, 16, 64" in text


@pytest.mark.parametrize("built_in", ["mcu/siracusa", "link/mipi", "model/stories15m", "kernels/date2025"])
def test_own_file_is_shown_as_what_it_is(built_in: str, copy_of: Callable[..., str]) -> None:
    path = copy_of(built_in)
    kind, name = built_in.split("/")
    text = printed(path)
    assert text.startswith(f"{kind} {path}")
    assert text.splitlines()[1:] == printed(name).splitlines()[1:]


def test_own_platform_is_shown_with_its_parts(copy_of: Callable[..., str]) -> None:
    text = printed(copy_of("platform/siracusa-mipi"))
    for part in ("mcu = siracusa", "link = mipi", "kernels = date2025"):
        assert part in text


def test_unknown_names_give_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'workloads'"):
        entries("workload")
    with pytest.raises(UsageError, match="did you mean 'tinyllama-42m'"):
        list(describe("tinylama-42m"))
    with pytest.raises(UsageError, match="''"):
        list(describe(""))


def test_file_of_no_kind_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("x") / "other.toml"
    path.write_text("a = 1\n")
    with pytest.raises(UsageError, match="no parameter file"):
        list(describe(str(path)))
    with pytest.raises(UsageError, match="does not exist"):
        list(describe(str(path.with_name("none.toml"))))


def test_own_space_is_shown_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((Path(search_spaces.__file__).parent / "head_wise.toml").read_text())
    lines = printed(str(path)).splitlines()
    assert lines[0].startswith(f"space {path}: ")
    assert lines[0].endswith("; 1792 combinations, equivalent ones counted apart")
    assert lines[1] == "strategy head_wise"
    _, *built_in, strategy = printed("head_wise").splitlines()
    assert lines[1:] == built_in
    assert strategy == f"strategy head_wise: {STRATEGIES['head_wise'].description}"


@pytest.mark.parametrize(
    ("built_in", "old", "new", "named"),
    [
        ("mcu/siracusa", '"MHz"', '"mJ"', "key 'clock': unit 'mJ' cannot be read as hertz"),
        ("mcu/siracusa", "clock =", "# clock =", "key 'clock' is missing"),
        ("mcu/siracusa", "clock =", "clok =", "unknown key 'clok'; did you mean 'clock'"),
        ("link/mipi", '"GB/s"', '"GB"', "key 'bandwidth': unit 'GB' cannot"),
        ("link/mipi", "bandwidth =", "# bandwidth =", "key 'bandwidth' is missing"),
        ("model/stories15m", "layers =", "# layers =", "key 'layers' is missing"),
        ("model/stories15m", "layers =", "lairs =", "unknown key 'lairs'"),
        ("kernels/date2025", "gemv =", "gevm =", "unknown key 'gevm'; did you mean 'gemv'"),
        ("kernels/pulp-gvsoc", "tile_bytes =", "# x =", "key 'tile_bytes' is missing"),
        ("platform/siracusa-mipi", "link =", "# link =", "key 'link' is missing"),
        ("platform/siracusa-mipi", "link =", "lynk =", "unknown key 'lynk'; did you mean 'link'"),
    ],
)
def test_fault_in_an_own_file_is_named(
    copy_of: Callable[..., str], built_in: str, old: str, new: str, named: str
) -> None:
    path = copy_of(built_in, old, new)
    with pytest.raises(ParameterError) as error:
        list(describe(path))
    assert named in error.value.message
    assert path in error.value.message
    assert "\n" not in error.value.message


def test_fault_in_an_own_space_is_named(tmp_path: Path) -> None:
    text = (Path(search_spaces.__file__).parent / "head_wise.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("group_size", "groupsize"))
    with pytest.raises(ParameterError, match="'groupsize' of head_wise; did you mean 'group_size'"):
        list(describe(str(tmp_path / "mine.toml")))


def test_own_space_with_a_misspelt_strategy_is_a_space(tmp_path: Path) -> None:
    text = (Path(search_spaces.__file__).parent / "head_wise.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("[head_wise]", "[headwise]"))
    with pytest.raises(ParameterError, match="unknown strategy 'headwise'; did you mean 'head_wise'"):
        list(describe(str(tmp_path / "mine.toml")))
