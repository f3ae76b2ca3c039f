"""What a command must not load, as seconds of CPU that each costs depend on the machine."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dse.catalogue import LISTINGS
from dse.listings import FILES

EXAMPLE = Path(__file__).parents[2] / "docs" / "example" / "platform.toml"
HEAVY = {"pint", "pandas", "matplotlib", "plotly", "optuna", "scipy", "moocore"}
RUNNER = """
import json, sys
from dse.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded(*argv: str) -> set[str]:
    """Packages that a command which goes well has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *argv], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(done.stderr))


def test_help_loads_no_arrays_and_no_tables() -> None:
    assert not loaded("--help") & (HEAVY | {"numpy", "rich"})


@pytest.mark.parametrize("what", LISTINGS)
def test_a_list_loads_nothing_heavy(what: str) -> None:
    found = loaded("list", what)
    assert not found & HEAVY
    assert ("numpy" in found) is (what not in FILES)


@pytest.mark.parametrize(
    "asked",
    [
        "--set n_chips=8",
        "--set n_chips=8 --json",
        "--workload cats-block --platform nrf52840-mixer --scope block --set n_chips=16 --set prune=0.9",
        f"--workload stories260k --platform {shlex.quote(str(EXAMPLE))} --set n_chips=4",
    ],
)
def test_costing_a_plan_loads_nothing_heavy(asked: str) -> None:
    assert not loaded("evaluate", *shlex.split(asked)) & HEAVY


def test_what_is_heavy_is_seen_where_it_is_loaded() -> None:
    assert "scipy" in loaded("validate")
