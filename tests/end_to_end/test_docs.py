import importlib
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from costmodel.parameters import KINDS, built_in_names, files, load

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\(([^()\s]+)\)")
QUOTED = re.compile(r"`([^`]+)`")
FILE_HEADING = re.compile(r"#### `(\w+/[\w-]+)`")
ROW = re.compile(r"\| `([\w.]+)` \| (.+) \|")
REFERENCE = re.compile(r"(?:((?:costmodel|dse)/[\w/]+\.py): )?([\w.]+)")


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    """The module that writes the documentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        spec = importlib.util.spec_from_file_location("build_docs", DOCS / "build.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def references(line: str) -> list[tuple[str, str]]:
    """File and name of each code reference; a name without a file belongs to the file before it."""
    found: list[tuple[str, str]] = []
    for quoted in QUOTED.findall(line):
        match = REFERENCE.fullmatch(quoted)
        assert match, quoted
        found.append((match[1] or found[-1][0], match[2]))
    return found


def has(owner: object, name: str) -> bool:
    """Whether a module or class has a member or, as dataclasses do, a field of that name."""
    return hasattr(owner, name) or name in getattr(owner, "__annotations__", {})


def test_what_lies_here_is_what_would_be_written(build: ModuleType) -> None:
    stale = [path.name for path, page in build.PAGES.items() if path.read_text(encoding="utf-8") != page()]
    assert not stale, "run make docs"


def test_every_template_is_a_page(build: ModuleType) -> None:
    assert {DOCS / template.name for template in (DOCS / "templates").iterdir()} <= set(build.PAGES)


def test_an_expression_becomes_its_value(build: ModuleType) -> None:
    assert build.filled("{{1 + 1}} of {{10 / 4 ; .2f}} and {3}") == "2 of 2.50 and {3}"


@pytest.mark.parametrize("place", ["{{1 / 0 ; .1f}}", "{{no_such_name}}", "{{'text' ; .1f}}", "{{1 +\n}}"])
def test_an_expression_that_fails_is_named(build: ModuleType, place: str) -> None:
    with pytest.raises(ValueError, match=re.escape(place)):
        build.filled(f"text {place} text")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_section_of_the_model_names_code_that_exists() -> None:
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    lines = re.findall(r"^- Code: (.+)$", text, re.MULTILINE)
    assert len(lines) == len(re.findall(r"^### \d+\.", text, re.MULTILINE))
    for file, name in (reference for line in lines for reference in references(line)):
        owner: object = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for part in name.split("."):
            assert has(owner, part), f"{file}: {name}"
            owner = getattr(owner, part, None)


def test_code_is_named_on_such_lines_alone() -> None:
    for line in (DOCS / "model.md").read_text(encoding="utf-8").splitlines():
        assert line.startswith("- Code: ") or not re.search(r"`(costmodel|dse)/[^`]*\.py", line), line


def uncertain() -> set[tuple[str, str]]:
    """File and key of every assumed or fitted value that is built in."""
    return {
        (f"{kind}/{name}", key)
        for kind in KINDS
        for name in built_in_names(kind)
        for key, entry in load(kind, name).values()
        if entry.status in ("assumed", "fitted")
    }


def listed(page: str) -> set[tuple[str, str]]:
    """File and key of every value in the page's tables; those of models name their files in a column."""
    found: set[tuple[str, str]] = set()
    files_here: list[str] = []
    for line in page.splitlines():
        if line.startswith("#"):
            heading = FILE_HEADING.fullmatch(line)
            files_here = [heading[1]] if heading else []
            in_models = line == "### Models"
        elif row := ROW.fullmatch(line):
            if in_models:
                files_here = [f"model/{name}" for name in row[2].split(" | ")[1].split(", ")]
            found |= {(file, row[1]) for file in files_here}
    return found


def test_every_assumed_or_fitted_value_is_listed() -> None:
    assert listed((DOCS / "assumptions.md").read_text(encoding="utf-8")) == uncertain()


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ("| `ram_reserve` |", {("link/mixer-ble2m", "ram_reserve")}),
        ("| `ffn_in` |", {("importance/encoder", "ffn_in")}),
        ("| `embedding` |", {("model/mobilebert", "embedding")}),
    ],
)
def test_a_value_left_out_is_noticed(row: str, missing: set[tuple[str, str]]) -> None:
    lines = (DOCS / "assumptions.md").read_text(encoding="utf-8").splitlines()
    assert uncertain() - listed("\n".join(line for line in lines if not line.startswith(row))) == missing


def test_a_new_link_is_listed_without_being_named(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(files.BUILT_IN, tmp_path / "parameters")
    link = tmp_path / "parameters" / "link"
    shutil.copy(link / "spi-32m.toml", link / "new-wire.toml")
    monkeypatch.setattr(files, "BUILT_IN", tmp_path / "parameters")
    assert ("link/new-wire", "bandwidth") in listed(build.uncertain_values.wire_tables())


def test_uncertain_values_of_models_are_as_the_page_says() -> None:
    for name in built_in_names("model"):
        for key, entry in load("model", name).values():
            if (f"model/{name}", key) in uncertain():
                assert (entry.status, entry.low, entry.high) == ("assumed", None, None)


def test_percentages_are_those_of_the_value_alone(build: ModuleType) -> None:
    page, values = (DOCS / "assumptions.md").read_text(encoding="utf-8"), build.uncertain_values
    found = values.columns(16, 0.9).costs
    share = (found.energy_by_cause_j["compute"] / found.energy_j).item()
    low, high = (f"{100 * share * (end / 9.6 - 1):+.1f}" for end in (5.1, 16.8))
    assert f"| `core_power` | 9.6 mW | 5.1 .. 16.8 | assumed | 0 | {low} .. {high} |" in page


def words_of(page: Path) -> str:
    return " ".join(page.read_text(encoding="utf-8").split())


def test_what_the_pages_say_of_the_tracked_results_is_what_these_hold() -> None:
    table = pd.read_csv(ROOT / "results" / "date2025" / "scaling.csv").set_index(
        ["model", "request", "n_chips"]
    )
    speedup = table["speedup"]
    eight = speedup["tinyllama-42m", "autoregressive", 8]
    assert f"{eight:.1f} times faster on eight chips" in words_of(ROOT / "README.md")
    below = {
        (request, step): next(n for n in chips if speedup["tinyllama-42m-64h", request, n] < n)
        for request in ("autoregressive", "prompt")
        for step, chips in (("doubling", (2, 4, 8, 16, 32, 64)), ("every", range(2, 65)))
    }
    text = words_of(ROOT / "results" / "README.md")
    assert f"first at {below['autoregressive', 'doubling']} (autoregressive)" in text
    assert f"at {below['prompt', 'doubling']} (prompt)" in text
    assert f"every number, at {below['autoregressive', 'every']} and {below['prompt', 'every']}." in text
