"""Tables of the templates: uncertain values of importances and calibrations, with what hangs on each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from uncertain_values import ends, record_with, section, shown, uncertain
from worked_columns import missing_share
from worked_numbers import CATS, table

from costmodel import load_workload
from costmodel.accuracy import Damage
from costmodel.calibration import WHOLE, calibration_of
from costmodel.importance import importance_of
from costmodel.parameters import Record, Sourced, built_in_names, load

MESSAGES, LOSS_AT = "message_loss.", 0.1  # what lost messages cost, and the rate that it is shown at
NARROW = "narrow."  # of a calibration: what narrow weights and messages lose
# One plan that prunes where the encoder's importance is highest, one that prunes everywhere else. A plan
# that prunes alike everywhere lacks alike everywhere, and no importance would matter.
UNEVEN = {
    "A": {"prune_qkv": 0.9},
    "B": {"prune_o": 0.9, "prune_ffn_in": 0.9, "prune_ffn_out": 0.9},
}
DROPS_AT = (0.5, 0.75)
FAMILIES = {"decoder": CATS, "encoder": load_workload("cats-vit")}


def importance_tables() -> str:
    """List the uncertain importances with U at their low and high ends."""
    sections = []
    for name in built_in_names("importance"):
        record, workload = load("importance", name), FAMILIES.get(name, CATS)

        def missing(found: Record, ratios: dict[str, float], of: Any = workload) -> str:
            return f"{missing_share(ratios, replace(of, importance=importance_of(found))):.3f}"

        now = [f"U of {plan}: {missing(record, ratios)}" for plan, ratios in UNEVEN.items()]
        rows = [
            [
                f"`{key}`",
                *shown(entry),
                *(
                    " .. ".join(missing(record_with(record, key, end), ratios) for end in ends(entry))
                    for ratios in UNEVEN.values()
                ),
            ]
            for key, entry in uncertain(record)
        ]
        sections.append(section(record, now, rows, f" Of `{workload.name}`."))
    return "\n".join(sections)


def calibration_tables() -> str:
    """List the uncertain values of calibrations with the drop at their low and high ends."""
    sections = []
    for name in built_in_names("calibration"):
        record = load("calibration", name)
        unit = "points" if calibration_of(record).metric == "accuracy" else "% of the loss"

        def drops(found: Record, u: float) -> str:
            known = calibration_of(found)
            drop = known.drop(u)
            scale = 1.0 if known.metric == "accuracy" else 100.0
            low, value, high = (float(x) * scale for x in (drop.low, drop.estimate, drop.high))
            return f"{value:.1f} ({low:.1f} to {high:.1f})"

        now = [f"drop at U {u:g}: {drops(record, u)} {unit}" for u in DROPS_AT]
        rows = [
            [
                f"`{key}`",
                *shown(entry),
                *(
                    " .. ".join(drops(record_with(record, key, end), u) for end in ends(entry))
                    for u in DROPS_AT
                ),
            ]
            for key, entry in uncertain(record)
            if not key.startswith((NARROW, MESSAGES))
        ]
        sections.append(section(record, now, rows, ""))
        narrow = [(key, entry) for key, entry in uncertain(record) if key.startswith(NARROW)]
        if narrow:
            sections.append(narrow_table(record, narrow))
        lost = [(key, entry) for key, entry in uncertain(record) if key.startswith(MESSAGES)]
        sections.append(message_loss_table(record, lost, unit))
    return "\n".join(sections)


def narrow_table(record: Record, entries: list[tuple[str, Sourced]]) -> str:
    """List what a calibration says of narrow widths, with the drop of plans that have them."""

    def drops(found: Record, key: str) -> str:
        _, name, _ = key.split(".")
        what, bits = name.split("_")
        widths = (int(bits), WHOLE) if what == "weights" else (WHOLE, int(bits))
        drop = Damage(missing=0.0, weight_bits=widths[0], message_bits=(widths[1],)).drop(
            calibration_of(found)
        )
        return f"{float(drop.estimate):.1f} ({float(drop.low):.1f} to {float(drop.high):.1f})"

    rows = [
        [
            f"`{key}`",
            *shown(entry),
            drops(record, key),
            " .. ".join(drops(record_with(record, key, end), key) for end in ends(entry)),
        ]
        for key, entry in entries
    ]
    header = ["key", "value", "low .. high", "status", "drop of such widths, points", "with the ends"]
    return f"Of narrow weights and messages, with nothing pruned:\n\n{table(header, rows)}"


def message_loss_table(record: Record, entries: list[tuple[str, Sourced]], unit: str) -> str:
    """List what a calibration says of lost messages, with the drop at some rates."""

    def drops(found: Record, dropout: float) -> str:
        known = calibration_of(found)
        drop = Damage(missing=0.0, message_loss=LOSS_AT, message_dropout=dropout).drop(known)
        scale = 1.0 if known.metric == "accuracy" else 100.0
        low, value, high = (float(x) * scale for x in (drop.low, drop.estimate, drop.high))
        return f"{value:.1f} ({low:.1f} to {high:.1f})"

    rows = [
        [
            f"`{key}`",
            *shown(entry),
            *(
                " .. ".join(drops(record_with(record, key, end), dropout) for end in ends(entry))
                for dropout in (0.0, LOSS_AT)
            ),
        ]
        for key, entry in entries
    ]
    now = [
        f"{words}: {drops(record, dropout)} {unit}"
        for words, dropout in (("without message dropout", 0.0), ("trained with as much", LOSS_AT))
    ]
    header = ["key", "value", "low .. high", "status", *now]
    return f"Of lost messages, {LOSS_AT:.0%} of them:\n\n{table(header, rows)}"
