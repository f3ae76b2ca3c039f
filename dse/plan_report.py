"""What people read of one plan in the terminal, as rich renderables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel import costs
from costmodel.costs import ENERGY_CAUSES, LATENCY_CAUSES
from costmodel.plan import plan_of
from dse.digits import digits, joules, seconds, size
from dse.document import ChipShare, Deployment, MatrixSlice, PredictedCosts, Violation
from dse.objectives import SCORES, objectives_of
from dse.terminal import plain_table
from dse.words import (
    CAUSES,
    UNCALIBRATED,
    basis_words,
    context_lines,
    ground_words,
    limit_line,
    rate_words,
    request_words,
    scope_words,
    whole_words,
)

ALWAYS_ON = ("controller", "l3_standby", "link_idle")  # causes of energy that are there all the time
ROUNDING = 1e-12  # an energy that is this small a share of all is a remainder of additions


def breakdown(predicted: PredictedCosts, on_chip: str) -> Table:
    """Latency and energy by cause, and how the energy is known; `on_chip` is a memory's name.

    Causes of neither are left out, but for those that are no more than not stated, or assumed to be none.
    """
    table = plain_table("cause", "latency", "share", "energy", "share", "energy is", right=range(1, 5))
    known = predicted.energy_evidence
    for cause in dict.fromkeys((*LATENCY_CAUSES, *ENERGY_CAUSES)):
        time, energy = predicted.latency_by_cause_s.get(cause), predicted.energy_by_cause_j[cause]
        doubtful = cause in ALWAYS_ON and known.get(cause) in ("assumed", "not stated")
        if not time and energy < ROUNDING * predicted.energy_j and not doubtful:
            continue
        name = f"on-chip memory ({on_chip})" if cause == "l2" else CAUSES[cause]
        table.add_row(
            name,
            "" if time is None else seconds(time),
            "" if time is None else f"{time / predicted.latency_s:.0%}",
            joules(energy),
            f"{energy / predicted.energy_j:.0%}",
            known.get(cause, ""),
        )
    table.add_row("total", seconds(predicted.latency_s), "", joules(predicted.energy_j), "", style="bold")
    return table


def evaluation_report(document: Deployment, other_s: float) -> RenderableType:
    """What one plan costs, what it needs, and how much the accounting of prefetches matters.

    Parameters
    ----------
    other_s : float
        Latency of the same plan with the other accounting of prefetches.
    """
    w, d, c, a = document.workload, document.decisions, document.costs, document.accounting
    plan = plan_of({"strategy": d.strategy, **d.values})
    room = document.platform.usable_bytes
    off_chip = "L3" in room
    rate = f"throughput {rate_words(w.request, c.latency_s, c.throughput_tokens_per_s)}, "
    rate = rate if a.scope == "model" else ""
    lines: list[RenderableType] = [
        Text(
            f"{w.name}, {request_words(w.request, w.n_tokens, w.context_max)}, on {document.platform.name}",
            style="bold",
        ),
        (
            f"{whole_words(plan)}; "
            f"{scope_words(a.scope, head=a.head)}, "
            f"{f'prefetch accounting {a.prefetch}, ' if off_chip else ''}"
            f"kernel set {document.platform.kernels}"
        ),
        "",
        breakdown(c, next(iter(room))),
        *interval_lines(c),
        "",
        (
            f"{rate}EDP {digits(c.edp_js * 1e6)} mJ ms, "
            f"link traffic {size(c.link_bytes)} in {c.link_messages:.0f} messages"
            f"{partner_words(c.link_partners)}"
            f"{f', L3 traffic {size(c.l3_bytes)}' if off_chip else ''}"
        ),
        *round_lines(document),
        *message_loss_lines(document),
        *drop_lines(document),
        *memory_lines(document),
        *room_lines(document),
        limit_line(c.latency_by_cause_s),
        *ground_lines(document),
    ]
    if c.feasible:
        lines.append(Text("The plan fits.", style="green"))
    else:
        lines += [
            Text(f"The plan does not fit: {violation_words(v)}", style="bold red") for v in c.violations
        ]
    accounting = [accounting_line(document, other_s), ""] if off_chip else []
    lines += ["", *accounting, assumptions_line(document.rests_on), *not_stated_lines(document.not_stated)]
    return Group(*lines)


def ground_lines(document: Deployment) -> list[str]:
    """Say that a plan stands outside published ground, and why; empty where it does not."""
    found = document.published_ground
    if found.within:
        return []
    heads = [_model(document)["heads"]["value"]] if found.more_chips_than_heads else []
    strategies = [document.decisions.strategy] if found.more_chips_than_published else []
    return [f"The plan stands {ground_words(heads, strategies)}."]


def interval_lines(predicted: PredictedCosts) -> list[RenderableType]:
    """Say how far latency and energy may be off, and absolute times besides."""
    outside: list[str] = []
    ends, share = predicted.intervals, predicted.intervals.time_uncertainty
    table = plain_table("total", "as stated", "5 %", "50 %", "95 %", right=range(1, 5))
    for name, value, interval, shown in (
        ("latency", predicted.latency_s, ends.latency_s, seconds),
        ("energy", predicted.energy_j, ends.energy_j, joules),
    ):
        if interval is not None:
            of_draws = (interval.low, interval.median, interval.high)
            table.add_row(name, *(shown(one) for one in (value, *of_draws)))
            if not interval.low <= value <= interval.high:
                side = "less" if value < interval.low else "more"
                outside.append(f"The {name} as stated is {side} than 95 % of the draws give.")
    lines: list[RenderableType] = ["", *([table] if table.rows else []), basis_words(ends.basis), *outside]
    if table.rows and ends.held:
        lines.append(f"Held, though their files say how far they may be off: {', '.join(ends.held)}.")
    if share is not None:
        low, high = (seconds(predicted.latency_s * (1 + end)) for end in (-share, share))
        lines.append(f"Times carry about {share:.0%} besides, {low} to {high}; ratios of plans less.")
    return lines


def partner_words(partners: int) -> str:
    """Say how many links a chip must have."""
    return f", a chip has links to at most {partners}" if partners else ""


def _sent(document: Deployment) -> float:
    """How many times messages are sent, on average; 0 where there are none."""
    planned = sum(sync.times * len(sync.messages) for sync in document.synchronisations)
    return document.costs.link_messages / planned if planned else 0.0


def message_loss_lines(document: Deployment) -> list[str]:
    """Say what becomes of messages that are lost, or that none is taken to be lost."""
    lost, times = document.accounting.message_loss, _sent(document)
    if not times:
        return []
    if not lost:
        (link,) = (one for one in document.inputs if one.kind == "link")
        stated = link.data.get("loss", {}).get("value")
        if "retransmission" not in document.decisions.values or not stated:
            return []
        words = f"no message is taken to be lost; link {link.name} states {stated:g}"
        return [f"{words}: --message-loss {stated:g} counts it"]
    share = f"{100 * lost:.3g} % of messages do not arrive"
    if times > 1:
        return [f"{share} and are sent again: {times:.2f} times as many are sent"]
    return [f"{share} and are not sent again: accuracy pays for it"]


def round_lines(document: Deployment) -> list[RenderableType]:
    """The rounds of a plan one by one, and what pruning leaves out; empty where neither is there."""
    c = document.costs
    table = plain_table(
        "radio round",
        "times",
        "message",
        "packets",
        "slots",
        "slot",
        "expected",
        "at most",
        right=range(1, 8),
    )
    for sync in document.synchronisations:
        if sync.round is not None:
            r = sync.round
            table.add_row(
                f"{sync.name}, {sync.kind}",
                str(sync.times * r.rounds),
                f"{max(m.payload_bytes for m in sync.messages):.0f} B x {len(sync.messages)}",
                f"{r.packets} x {r.payload_bytes} B",
                f"{r.expected_slots:.0f} of {r.slots}",
                f"{r.slot_s * 1e6:.0f} us",
                seconds(r.expected_s / r.rounds),
                seconds(r.bound_s / r.rounds),
            )
    lines: list[RenderableType] = []
    again = f", each {times:.2f} times" if (times := _sent(document)) > 1 else ""
    if table.row_count:
        lines += [
            "",
            table,
            (
                f"all rounds{again}: {seconds(c.latency_by_cause_s['link'])} expected, as they stop early "
                f"when all have everything; at most {seconds(c.link_bound_s)}"
            ),
            "",
        ]
    return lines


def drop_lines(document: Deployment) -> list[str]:
    """Say what a plan leaves out and what that costs in accuracy; empty where it leaves nothing out."""
    c, drop = document.costs, document.costs.accuracy_drop
    if drop.high <= 0:
        return []
    shown = objectives_of("accuracy" if drop.unit == "points" else "loss")["accuracy_drop"]
    interval = shown.with_interval(drop.estimate, drop.low, drop.high)
    words = f"missing weights U = {c.missing_weights:.3f}; accuracy drop, 90 %: {interval} {shown.shown_unit}"
    leaves = ""
    if drop.score is not None:
        left = SCORES["accuracy" if drop.unit == "points" else "loss"]
        leaves = f"; it leaves {left.name} {left.shown(drop.score)} {left.shown_unit}".rstrip()
    if drop.calibration is None:
        return [f"{words}{leaves}", UNCALIBRATED, *_rates_beyond(document)]
    beyond = "" if drop.within else ", beyond what it measured"
    return [f"{words}, by calibration {drop.calibration}{beyond}{leaves}"]


def _rates_beyond(document: Deployment) -> list[str]:
    """Say which rates are above all that other tasks were measured with."""
    known = next(one.data for one in document.inputs if one.kind == "calibration")["message_loss"]
    rates = {
        "message loss": (document.accounting.message_loss, known["most_loss"]["value"]),
        "message dropout": (
            document.decisions.values.get("message_dropout", 0),
            known["most_dropout"]["value"],
        ),
    }
    return [
        f"{name} {100 * float(rate):.3g} % is more than any task was measured with, {100 * most:.3g} %"
        for name, (rate, most) in rates.items()
        if float(rate) > most
    ]


def violation_words(v: Violation) -> str:
    """What the plan exceeds."""
    return str(costs.Violation(resource=v.resource, demand=v.demand, limit=v.limit, unit=v.unit))


def memory_lines(document: Deployment) -> list[str]:
    """Where the weights are, and what the fullest chip holds of what."""
    chips = document.chips
    fullest = max(chips, key=lambda chip: list(chip.footprint_bytes.values()))
    room = document.platform.usable_bytes
    held = ", ".join(f"{size(v)} of {size(room[k])} {k}" for k, v in fullest.footprint_bytes.items() if v)
    if "flash" in fullest.footprint_bytes:
        where, parts = "weights read in place from flash", _all_parts(document, fullest)
    elif "L3" in room:
        outside = sum(chip.footprint_bytes["L3"] > 0 for chip in chips)
        whose = "one that all share" if document.platform.shares_l3 else "each its own"
        where = f"{outside} of {len(chips)} chips need off-chip memory{f', {whose}' * (len(chips) > 1)}"
        where = f"weights of blocks {document.costs.regime}; {where}"
        parts = _l2_parts(document, fullest)
    else:
        where, parts = f"weights of blocks {document.costs.regime}", _all_parts(document, fullest)
    return [
        where,
        f"fullest chip, {held}: " + ", ".join(f"{k} {size(v)}" for k, v in parts.items() if v),
    ]


def room_lines(document: Deployment) -> list[str]:
    """Up to what context a plan keeps what it keeps on chip; empty where it does not fit, or has no cache."""
    if (room := document.context) is None:
        return []
    most, latency_s = document.workload.context_max, document.costs.latency_s
    return context_lines(most, latency_s, room.up_to, room.latency_beyond_s)


def _model(document: Deployment) -> dict[str, Any]:
    return next(i for i in document.inputs if i.kind == "model").data


def _n_blocks(document: Deployment) -> int:
    return int(_model(document)["layers"]["value"])


def _around(chip: ChipShare) -> list[MatrixSlice]:
    """Give a chip's part of embedding and LM head."""
    return [w for w in chip.weights if "head" in w.matrix or w.matrix == "embedding"]


def _all_parts(document: Deployment, chip: ChipShare) -> dict[str, float]:
    """What a chip holds that has all it needs on chip."""
    n_blocks = _n_blocks(document)
    around = sum(w.bytes for w in _around(chip))
    blocks = n_blocks * (sum(w.bytes for w in chip.weights) - around)
    parts = {
        f"weights of {n_blocks} blocks" if n_blocks > 1 else "weights of a block": blocks,
        "embedding and head": around,
        "KV cache": chip.kv_cache_bytes,
        "activations": chip.activation_peak_bytes,
    }
    if "flash" in document.platform.usable_bytes:  # what is held there is counted nowhere else
        parts["packets and link software"] = sum(chip.footprint_bytes.values()) - sum(parts.values())
    return parts


def _l2_parts(document: Deployment, chip: ChipShare) -> dict[str, float]:
    """What is in the on-chip memory of a chip that loads the rest."""
    n_blocks, pinned = _n_blocks(document), len(chip.pinned_blocks)
    block = sum(w.bytes for w in chip.weights) - sum(w.bytes for w in _around(chip))
    kept = "all" if pinned == n_blocks else f"{pinned} of"
    rows = chip.owns["vocabulary_rows"].count
    head = sum(w.bytes for w in _around(chip) if "head" in w.matrix) * chip.head_rows_kept / max(rows, 1)
    embedding = sum(w.bytes for w in chip.weights if w.matrix == "embedding" and w.home == "L2")
    rest = {
        f"{chip.head_rows_kept} of {rows} rows of the head": head,
        "rows of the embedding": embedding,
        "activations": chip.activation_peak_bytes,
        "prefetch buffer": chip.prefetch_buffer_bytes,
    }
    parts = {
        f"{kept} {n_blocks} blocks": pinned * block,
        "their KV cache": pinned * chip.kv_cache_bytes / n_blocks,
    }
    running = chip.footprint_bytes["L2"] - sum(parts.values()) - sum(rest.values())
    runs = "tiles of the block that runs" if chip.regime == "streamed" else "the block that runs"
    return {**parts, runs: running * (pinned < n_blocks), **rest}


def accounting_line(document: Deployment, other_s: float) -> str:
    """Say what steady-state accounting makes of the hidden one, and why."""
    c = document.costs
    both = (c.latency_s, other_s)
    steady, hidden = both if document.accounting.prefetch == "steady" else both[::-1]
    times = steady / hidden
    numbers = f"prefetch accounting: steady {seconds(steady)}, hidden {seconds(hidden)}"
    if times < 1.005:
        return f"{numbers}: the same, no prefetch outlasts the work that it hides behind."
    return (
        f"{numbers} ({times:.2f} times): loading the next block takes {seconds(c.block_prefetch_s)}, "
        f"a block itself {seconds(c.block_on_chip_s)} on chip. Hidden counts loads for the next block as "
        "free, as the DATE 2025 paper does; steady makes the chips wait for them."
    )


def not_stated_lines(not_stated: Sequence[str]) -> list[str]:
    """Say what the files leave out, and what is taken to be so."""
    return ["Not stated, and taken to be so:", *(f"  {one}" for one in not_stated)] if not_stated else []


def assumptions_line(rests_on: Sequence[str]) -> str:
    """How many assumed and fitted parameters the costs rest on."""
    assumed = sum("(assumed)" in line for line in rests_on)
    fitted = sum("(fitted)" in line for line in rests_on)
    return (
        f"These costs rest on {assumed} assumed and {fitted} fitted parameters "
        "(dse evaluate --json lists them under rests_on; dse show NAME gives each with its source)."
    )
