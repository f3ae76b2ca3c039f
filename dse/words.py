"""Plans in words, as their strategies speak of them; requests, scopes and rates, too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from costmodel.costs import LATENCY_CAUSES
from costmodel.draws import N_DRAWS, Basis
from costmodel.plan import DECISIONS, Plan, plan_of
from costmodel.strategies import strategy_named
from dse.digits import digits, seconds

if TYPE_CHECKING:
    import pandas as pd

# Causes of latency and energy, as tables name them, in words.
CAUSES = {
    "compute": "compute",
    "root": "root (residual, norm)",
    "link": "link",
    "l3": "off-chip memory (L3)",
    "idle": "waiting chips",
    "l2": "on-chip memory",
    "controller": "controller cores, always on",
    "l3_standby": "off-chip memory, standby",
    "link_idle": "links, always on",
}
UNCALIBRATED = (
    "Accuracy is not calibrated: missing weights (U, by importance) rank plans of one model, points are what "
    "other tasks lost by them and by narrow widths: their mean, and the band that holds nine new tasks of "
    "ten (below 0: noise, or gain). dse calibrate makes them this model's own, out of a few retrained plans."
)


def plan_of_row(row: Mapping[Any, Any] | pd.Series[Any]) -> Plan:
    """Give the plan in a row of a table; decisions without a column are neutral."""
    decided = {name: row.get(name, decision.neutral) for name, decision in DECISIONS.items()}
    return plan_of({"strategy": row["strategy"], **decided})


def plan_words(plan: Plan) -> str:
    """Say a plan's decisions beside strategy and number of chips."""
    return strategy_named(plan.strategy).words(plan)


def chips_words(plan: Plan) -> str:
    """Say how many chips a plan has."""
    return f"{plan.n_chips} {'chip' if plan.n_chips == 1 else 'chips'}"


def whole_words(plan: Plan) -> str:
    """Say all of a plan: chips, strategy and decisions."""
    return f"{chips_words(plan)}, {plan.strategy}, {plan_words(plan)}"


def ground_words(heads: Collection[int], strategies: Collection[str]) -> str:
    """Say why plans stand outside published ground.

    Parameters
    ----------
    heads : collection of int
        Of the models whose plans have more chips than heads.
    strategies : collection of str
        Of which plans have more chips than any published one.

    >>> ground_words({8}, ())
    "outside published ground: more chips than the model's 8 heads; no published system ran so"
    >>> ground_words({4, 12}, ["column_wise"])
    'outside published ground: more chips than heads (4 or 12), or than any published column_wise plan (16); \
no published system ran so'
    """
    reasons = []
    if heads:
        numbers = " or ".join(map(str, sorted(heads)))
        one = f"the model's {numbers} {'head' if numbers == '1' else 'heads'}"
        reasons.append(one if len(heads) == 1 else f"heads ({numbers})")
    reasons += [f"any published {name} plan ({strategy_named(name).published_chips})" for name in strategies]
    return (
        f"outside published ground: more chips than {', or than '.join(reasons)}; no published system ran so"
    )


def request_words(request: str, n_tokens: int, context_max: int) -> str:
    """What one inference is, and what there is room for beyond it."""
    words = {
        "autoregressive": f"one token, context {n_tokens}",
        "prompt": f"prompt of {n_tokens} tokens",
        "encoder": f"{n_tokens} tokens at once",
    }[request]
    return words + (f" (room for {context_max})" if context_max > n_tokens else "")


OF_BASIS = {
    "sample": f"{N_DRAWS} sets of the platform's constants that keep what those stated keep of what "
    "was published",
    "ranges": f"{N_DRAWS} draws of the platform's constants, each by itself, from low to high of its file",
}


def basis_words(basis: Basis) -> str:
    """Say what the 5, 50 and 95 % of latency and energy are of.

    >>> basis_words("none")
    'No constant that these costs depend on says how far it may be off.'
    """
    if basis == "none":
        return "No constant that these costs depend on says how far it may be off."
    return f"5, 50 and 95 % are of {OF_BASIS[basis]}."


CLOSE = 1.05  # a context this many times as long is no longer far


def context_lines(context_max: int, latency_s: float, up_to: int, beyond_s: float | None) -> list[str]:
    """Say up to what context a plan keeps on chip what it keeps, and what comes after; nothing of 0.

    Parameters
    ----------
    latency_s, beyond_s : float
        Of an inference, and of one where there is room for one token more; none where that does not fit.
    """
    if not up_to:
        return []
    if up_to >= CLOSE * context_max:
        beyond = "" if beyond_s else "; beyond, it does not fit"
        more = f"{up_to - context_max:,} more than asked for"
        return [f"What is on chip stays there up to a context of {up_to:,} tokens, {more}{beyond}."]
    takes = f"{seconds(beyond_s)} instead of {seconds(latency_s)}" if beyond_s else "more than there is"
    return [f"Close to a cliff: there is room for {up_to:,} tokens; with room for one more it takes {takes}."]


def scope_words(scope: str, *, head: bool) -> str:
    """What is counted."""
    if scope == "model":
        return "whole model" + ("" if head else " without embedding and LM head")
    return {"block": "one block", "attention": "attention half of a block", "mlp": "MLP half of a block"}[
        scope
    ]


def limit_line(latency_by_cause_s: dict[str, float]) -> str:
    """Say what takes most of the latency."""
    total = sum(latency_by_cause_s.values())
    first, second = sorted(LATENCY_CAUSES, key=lambda c: -latency_by_cause_s[c])[:2]
    return (
        f"Most of the latency is {CAUSES[first]}, {latency_by_cause_s[first] / total:.0%}; "
        f"then {CAUSES[second]}, {latency_by_cause_s[second] / total:.0%}."
    )


def rate_words(request: str, latency_s: float, tokens_per_s: float) -> str:
    """How much a second: tokens, or inputs of an encoder."""
    return (
        f"{digits(1 / latency_s)} inferences/s" if request == "encoder" else f"{digits(tokens_per_s)} token/s"
    )
