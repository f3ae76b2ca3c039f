import subprocess
import sys
from pathlib import Path

import pytest

from dse.cli import main
from tests.commands import Command, Outcome

PROGRAM = Path(sys.executable).with_name("dse")


@pytest.fixture(scope="session")
def program() -> Command:
    """Run the installed program in a process of its own, in folder `cwd`."""

    def run(*argv: str, cwd: Path) -> Outcome:
        done = subprocess.run(
            [PROGRAM, *argv], cwd=cwd, capture_output=True, encoding="utf-8", timeout=120, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def dse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSE_DEBUG", raising=False)

    def run(*argv: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["dse", *map(str, argv)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def first_search(program: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What ``dse search`` says and writes without any option."""
    cwd = tmp_path_factory.mktemp("home")
    return program("search", cwd=cwd), cwd / "results" / "tinyllama-42m-siracusa-mipi"


@pytest.fixture(scope="session")
def run(first_search: tuple[Outcome, Path]) -> Path:
    """Folder of a finished run."""
    return first_search[1]
