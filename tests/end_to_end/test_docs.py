import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from costmodel.parameters import KINDS, built_in_names, load

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\(([^()\s]+)\)")
QUOTED = re.compile(r"`([^`]+)`")
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


def test_no_uncertain_value_is_left_out_of_the_assumptions() -> None:
    text = (DOCS / "assumptions.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    given = {cells[0].removeprefix("| ") for cells in rows}
    of_models = {(cells[0].removeprefix("| "), model) for cells in rows for model in cells[-2].split(", ")}
    count = 0
    for kind in KINDS:
        for record in (load(kind, name) for name in built_in_names(kind)):
            for key, entry in record.values():
                if entry.status in ("assumed", "fitted"):
                    count += 1
                    if kind == "model":
                        assert (f"`{key}`", record.name) in of_models
                    else:
                        assert f"`{kind}/{record.name}` `{key}`" in given
    assert count > 100
