"""Energies and times as short text."""

from __future__ import annotations


def joules(value: float | None) -> str:
    """An energy with three digits and a prefix; `-` where there is none."""
    if value is None:
        return "-"
    return _prefixed(value, "J")


def seconds(value: float | None) -> str:
    """A time with three digits and a prefix; `-` where there is none."""
    if value is None:
        return "-"
    return _prefixed(value, "s")


def count(value: float) -> str:
    """A plain number with three digits and no exponent."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def _prefixed(value: float, unit: str) -> str:
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p")):
        if value >= 0.9995 * factor:
            return f"{float(f'{value / factor:.3g}'):g} {prefix}{unit}"
    if value == 0:
        return f"0 {unit}"
    return f"{value:.3g} {unit}"
