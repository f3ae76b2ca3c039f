"""Options of the command line: their types, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from costmodel.accounting import Accounting
    from costmodel.plan import Plan

MAX_CHOICES = 10_000
MAX_BUDGET_DIGITS = 12
DEFAULT_WORKLOAD, DEFAULT_PLATFORM = "tinyllama-42m", "siracusa-mipi"


def whole_number(text: str | int) -> int:
    """Read a whole number of an option."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{str(text)[:60]!r} is no whole number") from None


def number(text: str | float) -> float:
    """Read a number of an option."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{str(text)[:60]!r} is no number") from None


WorkloadOption = Annotated[
    str | None, typer.Option("--workload", help=f"Model, by name or TOML path. [default: {DEFAULT_WORKLOAD}]")
]
WorkloadsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--workload",
        help="Model, by name or TOML path (repeatable: several are alternatives in one front). "
        f"[default: {DEFAULT_WORKLOAD}]",
    ),
]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", help=f"Platform, by name or TOML path. [default: {DEFAULT_PLATFORM}]"),
]
RequestOption = Annotated[
    str | None, typer.Option("--request", help="prompt, autoregressive or encoder. [default: the model's]")
]
TokensOption = Annotated[
    int | None,
    typer.Option(
        "--tokens", help="Prompt length, or context of the token. [default: the model's]", parser=whole_number
    ),
]
ContextOption = Annotated[
    int | None,
    typer.Option(
        "--context",
        help="Longest context that there must be room for. [default: the tokens costed]",
        parser=whole_number,
    ),
]
KernelsOption = Annotated[
    str | None, typer.Option("--kernels", help="Kernel set, by name or TOML path. [default: the platform's]")
]
ScopeOption = Annotated[
    str | None, typer.Option("--scope", help="model, block, attention or mlp. [default: model]")
]
PrefetchOption = Annotated[
    str | None,
    typer.Option("--prefetch", help="steady, or hidden: loads beside a block are free. [default: steady]"),
]
HeadOption = Annotated[
    bool | None, typer.Option("--head/--no-head", help="Count embedding and LM head. [default: --head]")
]


def share(text: str | float) -> float:
    """Read a share of an option, as 0.05 or 5%."""
    from dse.digits import share_of

    try:
        return share_of(str(text))
    except ValueError:
        raise typer.BadParameter(f"{str(text)[:60]!r} is no share; write 0.05 or 5%") from None


MessageLossOption = Annotated[
    float | None,
    typer.Option(
        "--message-loss",
        help="Share of messages that a chip does not get, as 0.05 or 5%. [default: 0]",
        parser=share,
        metavar="SHARE",
    ),
]
CalibrationOption = Annotated[
    str | None,
    typer.Option(
        "--calibration", help="What plans cost in accuracy, by name or TOML path. [default: other tasks]"
    ),
]
CalibrationsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--calibration",
        help="What plans cost in accuracy, by name or TOML path (one a workload, in their order). "
        "[default: other tasks]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a finished run.")]


def accounting_of(
    scope: str | None, prefetch: str | None, head: bool | None, message_loss: float | None
) -> Accounting:
    """Read the accounting options; those not given have their defaults."""
    from costmodel.accounting import Accounting
    from costmodel.errors import UsageError

    given: dict[str, Any] = {
        "scope": scope,
        "prefetch": prefetch,
        "head": head,
        "message_loss": message_loss,
    }
    try:
        return Accounting(**{name: value for name, value in given.items() if value is not None})
    except UsageError as error:
        hint = "5 per cent are 5% or 0.05" if error.message.startswith("message_loss") else error.hint
        raise UsageError(f"--{error.message.replace('message_loss', 'message-loss')}", hint) from None


def choices_of(text: str) -> list[int | float]:
    """Read choices: numbers, and ranges of whole ones, as in ``1..4,8`` or ``0,0.5``.

    >>> choices_of("1..4,8")
    [1, 2, 3, 4, 8]
    """
    choices: list[int | float] = []
    for part in text.split(","):
        low, dots, high = part.partition("..")
        if not dots and not low.strip().lstrip("+-").isdecimal():
            choices.append(float(low))
            continue
        last = int(high) if dots else int(low)
        if last < int(low):
            raise ValueError(f"no choice in {part}")
        if last - int(low) >= MAX_CHOICES:
            raise ValueError("too many choices")
        choices += range(int(low), last + 1)
    return choices


def budget_of(text: str) -> int:
    """Read a number of plans."""
    from costmodel.errors import UsageError

    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= MAX_BUDGET_DIGITS and int(text)):
        raise UsageError(f"--budget {text[:60]} must be a whole number of at least 1")
    return int(text)


def plan_decided(settings: dict[str, str], strategy: str) -> Plan:
    """Build the plan of settings; `strategy` is that of a plan that names none.

    Raises
    ------
    UsageError
        A decision is one of other strategies, and would make no difference.
    """
    from costmodel.errors import UsageError, nearest
    from costmodel.plan import SHORTHANDS, plan_of
    from costmodel.strategies import STRATEGIES, strategy_named

    plan = plan_of({"strategy": strategy, **settings})
    mine = strategy_named(plan.strategy).decisions
    for name in settings:
        meant = SHORTHANDS.get(name, (name,))
        if name != "strategy" and not set(meant) & set(mine):
            others = [one for one, other in STRATEGIES.items() if set(meant) & set(other.decisions)]
            raise UsageError(
                f"--set {name}: no decision of strategy {plan.strategy}; {nearest(name, mine)}",
                f"add --set strategy={others[0]}" if others else "",
            )
    return plan


def settings_of(texts: list[str]) -> dict[str, str]:
    """Split ``name=value`` settings."""
    from costmodel.errors import UsageError

    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"--set {text!r} cannot be read", "write it like --set n_chips=8")
        if name.strip() in settings:
            raise UsageError(f"--set {name.strip()} is given twice")
        settings[name.strip()] = value.strip()
    return settings
