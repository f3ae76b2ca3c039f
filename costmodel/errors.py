"""Errors of the program. Each carries a message and a hint, and reaches the user as one or two lines.

DseError
├── ParameterError   a parameter file: unknown name, misspelt key, bad value or unit
├── PlanError        a plan that makes no sense (misuse; a plan that does not fit is data)
├── UsageError       a value given to a command: objective, constraint, pick, option
├── RunError         a run folder: exists already, cannot be written, is not complete
└── InterruptionError a search was stopped by its user, with something to go on with
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DseError(Exception):
    """Root of all errors that a user can cause and mend.

    Parameters
    ----------
    message : str
        What is wrong, where: name, value, limit, unit.
    hint : str
        What to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ParameterError(DseError):
    """A parameter file cannot be found, read or believed."""


class PlanError(DseError):
    """A plan makes no sense; no search space can reach it."""


class UsageError(DseError):
    """A value given to a command is not usable."""


class RunError(DseError):
    """A run folder cannot be written or read."""


class InterruptionError(DseError):
    """A search was stopped by its user; the hint says how to go on."""


MAX_SHOWN_CHARS = 60


def cut(value: object) -> str:
    """Show a value of the user's, shortened when it is long.

    >>> cut("x" * 100)[-6:]
    "xx...'"
    """
    text = str(value)
    return repr(value) if len(text) <= MAX_SHOWN_CHARS else repr(f"{text[:MAX_SHOWN_CHARS]}...")


MANY = 16  # names that fit a line


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Say what was probably meant, and what there is, unless that is too much to read.

    >>> nearest("latencyy", ["latency", "energy"])
    "did you mean 'latency'? there are: latency, energy"
    >>> nearest("x", ["latency", "energy"])
    'there are: latency, energy'
    """
    options = list(allowed)
    listed = f"there are: {', '.join(options)}" if options else "there are none"
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.55)
    if not close:
        return listed
    meant = f"did you mean {close[0]!r}?"
    return meant if len(options) > MANY else f"{meant} {listed}"
