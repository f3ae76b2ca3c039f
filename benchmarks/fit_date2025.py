"""Fit the five constants that the DATE 2025 paper leaves open, on the paper's own numbers.

A sixth, the rows of a tile, is whole and taken from elsewhere; which others would do as well is printed.

Prints the fitted values and what comes out of them. Agreement with these numbers is calibration, not
validation; the parameter files say so. Run: ``make fit``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from costmodel.evaluation import evaluate
from costmodel.hardware import Platform, load_platform
from costmodel.workload import load_workload
from dse.validation.date2025 import ACCOUNTING, plans

START = {"gemv": 2.0, "gemm": 8.0, "l3_gb_per_s": 0.3, "root": 60.0, "idle_mw": 2.0}
TILES, WITHIN = range(8, 129), 0.1
MARGIN = 0.02  # how far a crossing of the linear line should be from the next chip count

BASE = load_platform("siracusa-mipi", "date2025")
TINY = load_workload("tinyllama-42m")
MOBILE = load_workload("mobilebert")
SCALED = load_workload("tinyllama-42m-64h")
SCALED_PROMPT = load_workload("tinyllama-42m-64h", "prompt")


def platform_with(constants: NDArray[np.float64]) -> Platform:
    """Give the platform with other values of the five constants."""
    gemv, gemm, l3, root, idle = (float(c) for c in constants)
    assert BASE.mcu.l3 is not None  # noqa: S101
    mcu = BASE.mcu.model_copy(
        update={
            "idle_power_w": idle * 1e-3,
            "l3": BASE.mcu.l3.model_copy(update={"bandwidth_bytes_per_s": l3 * 1e9}),
        }
    )
    rates = BASE.kernels.model_copy(
        update={
            "gemv_mac_per_cycle": gemv,
            "gemm_mac_per_cycle": gemm,
            "root_cycles_per_element": root,
        }
    )
    return replace(BASE, mcu=mcu, kernels=rates)


def ratios(platform: Platform) -> dict[str, float]:
    """Model over paper for each published number, and speed-up over chips at the crossings."""

    def costs(workload, *chips):  # type: ignore[no-untyped-def]
        return evaluate(workload, platform, plans(chips), ACCOUNTING)

    tiny, mobile = costs(TINY, 1, 8), costs(MOBILE, 1, 4)
    scaled, prompt = costs(SCALED, 1, 32, 64), costs(SCALED_PROMPT, 1, 16, 32)
    t, e, m = tiny.latency_s, tiny.energy_j, mobile.latency_s
    return {
        "T1": t[0] / 14.1e-3,
        "T8": t[1] / 0.54e-3,
        "speed-up": t[0] / t[1] / 26.1,
        "E1": e[0] / 0.667e-3,
        "E8": e[1] / 0.64e-3,
        "EDP": t[0] * e[0] / (t[1] * e[1]) / 27.2,
        "MobileBERT T4": m[1] / 38.8e-3,
        "MobileBERT speed-up": m[0] / m[1] / 4.7,
        "scaled at 32": scaled.latency_s[0] / scaled.latency_s[1] / 32,
        "scaled at 64": scaled.latency_s[0] / scaled.latency_s[2] / 64,
        "scaled prompt at 16": prompt.latency_s[0] / prompt.latency_s[1] / 16,
        "scaled prompt at 32": prompt.latency_s[0] / prompt.latency_s[2] / 32,
    }


def residuals(log_constants: NDArray[np.float64]) -> list[float]:
    """Relative errors; the crossing counts only when it is nearer than the margin.

    That of prompts takes no part: no constants near the others' keep it, see ``dse validate``.
    """
    r = ratios(platform_with(np.exp(log_constants)))
    errors = [r[name] - 1 for name in list(r)[:8]]
    above, below = r["scaled at 32"] - 1 - MARGIN, r["scaled at 64"] - 1 + MARGIN
    return [*errors, 5 * min(0.0, above), 5 * max(0.0, below)]


def tiles_kept(platform: Platform) -> list[int]:
    """Rows of a tile with which what was published of MobileBERT is met within a tenth."""

    def kept(rows: int) -> bool:
        rates = platform.kernels.model_copy(update={"row_tile": rows})
        found = ratios(replace(platform, kernels=rates))
        return all(abs(r - 1) <= WITHIN for name, r in found.items() if name.startswith("MobileBERT"))

    return [rows for rows in TILES if kept(rows)]


def main() -> None:
    """Fit and print."""
    fit = least_squares(residuals, np.log(list(START.values())), x_scale=0.1, diff_step=1e-3)
    for name, value in zip(START, np.exp(fit.x), strict=True):
        print(f"{name:12} {value:.4g}")
    platform = platform_with(np.exp(fit.x))
    for name, rows in zip(
        ("row_tile_from", "row_tile_to"), np.array(tiles_kept(platform))[[0, -1]], strict=True
    ):
        print(f"{name:12} {rows}")
    for name, ratio in ratios(platform).items():
        print(f"{name:22} {ratio:.4f}")


if __name__ == "__main__":
    main()
