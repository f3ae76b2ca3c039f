"""What people read of which decision moves which objective, as rich renderables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dse.export import figure_title
from dse.importance import Importance
from dse.objectives import KNOWN
from dse.terminal import plain_table

MEANING = (
    "Share: the variance of the means of plans that decide alike, of all variance (first-order Sobol index).",
    "What shares leave is what decisions do together; where one bounds another, they overlap.",
)


def importance_report(found: Importance, summary: Mapping[str, Any]) -> RenderableType:
    """Shares of variance by decision and objective, and what they rest on.

    Parameters
    ----------
    summary : mapping
        The run's run.json.
    """
    job, *_ = figure_title(dict(summary)).splitlines()
    lines: list[RenderableType] = [Text(job, style="bold"), "", _table(found), ""]
    lines += [*_constant(found), basis_sentence(found, summary["front"])]
    lines += [Text(line, style="dim") for line in MEANING]
    return Group(*lines)


def _table(found: Importance) -> Table:
    """One row a decision, by its largest share; one column an objective."""
    moved = {name: shares for name, shares in found.shares.items() if shares}
    names = dict.fromkeys(name for shares in moved.values() for name in shares)
    titles = [KNOWN[name].title for name in moved]
    table = plain_table("variance explained by", *titles, right=range(1, 1 + len(titles)))
    for name in sorted(names, key=lambda name: -max(shares[name] or 0.0 for shares in moved.values())):
        table.add_row(name, *(_percent(shares[name]) for shares in moved.values()))
    return table


def _percent(share: float | None) -> str:
    """Say a share.

    >>> _percent(0.974), _percent(0.0004), _percent(0.0), _percent(None)
    ('97.4 %', '0.0 %', '0.0 %', 'unknown')
    """
    return "unknown" if share is None else f"{100 * share:.1f} %"


def _constant(found: Importance) -> list[str]:
    """Name the objectives that no plan moves."""
    names = [KNOWN[name].title for name, shares in found.shares.items() if not shares]
    return [f"The same for all plans: {', '.join(names)}."] if names else []


def basis_sentence(found: Importance, front: Mapping[str, Any]) -> str:
    """Say what shares rest on.

    Parameters
    ----------
    front : mapping
        How the front was found, as in run.json.
    """
    plans = f"{found.n_plans} feasible {'plan' if found.n_plans == 1 else 'plans'}"
    space = f"the {front['plans_in_space']} of the space"
    if found.basis == "all":
        return (
            f"Exact: of all {front['plans_in_space']} plans of the space, {found.n_plans} of them feasible."
        )
    if found.basis == "random":
        left = f"; the {found.left_out} plans of the front are left out" if found.left_out else ""
        return f"An estimate, from {plans} drawn at random of {space}{left}."
    return (
        f"Of the {plans} that {front['engine']} chose of {space}: they crowd where it looked, and the shares "
        "are theirs, not the space's; a run with --engine random estimates those."
    )
