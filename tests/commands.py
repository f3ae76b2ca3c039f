import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def said(outcome: Outcome) -> str:
    """What a command printed that went well."""
    assert outcome.err == ""
    assert outcome.code == 0
    return outcome.out


def plan_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def assert_refused(outcome: Outcome, named: str) -> None:
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert 1 <= len(outcome.err.splitlines()) <= 2
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    assert "fault of this program" not in outcome.err
    assert named in outcome.err
