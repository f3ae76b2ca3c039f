"""Fit what CATS leaves open: the MAC rate of its kernels, and the slots that a Mixer round uses.

Only ratios of times are published for the testbed; a log of the same protocol on another radio counts
slots. Rate and slots trade against each other, so they are fitted together on both. Prints the fitted
values and what comes out of them: agreement with these numbers is calibration, not validation. Run:
``make fit``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from costmodel.hardware import Platform, load_platform
from dse.validation.cats2026 import LOG_NODES, LOG_SLOWEST_SLOTS, PLATFORM, speedups

START = {"mac_per_cycle": 0.3, "slots_per_packet": 2.5, "slots": 50.0}
PUBLISHED = {
    "cats-attention-speedup": 2.51,
    "cats-attention-speedup-pruned": 10.96,
    "cats-mlp-speedup": 1.38,
    "cats-mlp-speedup-pruned": 6.45,
}
BASE = load_platform(PLATFORM)


def platform_with(constants: NDArray[np.float64]) -> Platform:
    """Give the platform with other values of the three constants."""
    rate, per_packet, slots = (float(c) for c in constants)
    rates = {"gemv_mac_per_cycle": rate, "gemm_mac_per_cycle": rate}
    used = {"used_slots_per_packet": per_packet, "used_slots": slots}
    return replace(
        BASE, kernels=BASE.kernels.model_copy(update=rates), link=BASE.link.model_copy(update=used)
    )


def ratios(constants: NDArray[np.float64]) -> dict[str, float]:
    """Model over published value of each case."""
    found = speedups(platform_with(constants))
    _, per_packet, slots = (float(c) for c in constants)
    return {
        **{name: found[name] / value for name, value in PUBLISHED.items()},
        "log": (per_packet * LOG_NODES + slots) / LOG_SLOWEST_SLOTS,
    }


def main() -> None:
    """Fit and print."""
    fit = least_squares(
        lambda x: [np.log(ratio) for ratio in ratios(np.exp(x)).values()], np.log(list(START.values()))
    )
    for name, value in zip(START, np.exp(fit.x), strict=True):
        print(f"{name:32} {value:.4g}")
    for name, ratio in ratios(np.exp(fit.x)).items():
        print(f"{name:32} {ratio:.4f}")


if __name__ == "__main__":
    main()
