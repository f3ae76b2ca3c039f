"""Numbers as people read and write them: four digits, no exponent where the number can be written out."""

from __future__ import annotations


def digits(value: float) -> str:
    """Write a number with four digits.

    >>> [digits(x) for x in (0.0123456, 559.49, 123456.7, 1e12)]
    ['0.01235', '559.5', '123,457', '1e+12']
    """
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def seconds(value: float) -> str:
    """Write a time in ms, or in s from one second on."""
    return f"{digits(value)} s" if value >= 1 else f"{digits(value * 1e3)} ms"


def joules(value: float) -> str:
    """Write an energy in mJ, or in J from one joule on."""
    return f"{digits(value)} J" if value >= 1 else f"{digits(value * 1e3)} mJ"


def size(n_bytes: float) -> str:
    """Write bytes in kB, or in MB from a million on."""
    return f"{n_bytes / 1e6:.2f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.1f} kB"


def share_of(text: str) -> float:
    """Read a share.

    Raises
    ------
    ValueError
        It is no number.

    >>> share_of("5%"), share_of("0.05")
    (0.05, 0.05)
    """
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
