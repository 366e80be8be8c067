"""Numbers as people read them: percent, kilobytes, milliseconds, times."""

from __future__ import annotations

import math

from trimtab.reporting._data import Number

__all__ = [
    "count",
    "interval",
    "milliseconds",
    "p_value",
    "percent",
    "points",
    "seconds",
    "share",
    "signed_share",
    "size",
    "times",
]

NOTHING = "–"


def _digits(value: float) -> str:
    """Three figures that count, without an exponent: 0.00123, 0.0123, 1.23, 12.3, 123, 1234."""
    magnitude = abs(float(f"{value:.3g}"))  # rounded first: 0.9996 has the figures of 1.00
    if magnitude == 0:
        return "0"
    return f"{value:.{min(max(2 - math.floor(math.log10(magnitude)), 0), 9)}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share 0..1 as percent: ``0.918`` is ``"91.8 %"``."""
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def share(value: float | None) -> str:
    """A share 0..1 as whole percent, with one decimal near the ends where it matters."""
    if value is None:
        return NOTHING
    return percent(value, 1 if 0 < value < 0.0995 or 0.9905 < value < 1 else 0)


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign: ``"+0.8"``, ``"−0.1"``."""
    if value is None:
        return NOTHING
    shown = f"{100 * value:+.1f}".replace("-", "−")
    return "±0.0" if shown in ("+0.0", "−0.0") else shown


def signed_share(value: float | None) -> str:
    """A change as percent with its sign: ``-0.922`` is ``"−92 %"``, near the ends ``"−99.4 %"``."""
    if value is None:
        return NOTHING
    shown = share(abs(value))
    return "±0 %" if shown in ("0 %", "0.0 %") else f"{'−' if value < 0 else '+'}{shown}"


def size(value: float | None) -> str:
    """Bytes in decimal units: ``112345`` is ``"112 kB"``."""
    if value is None:
        return NOTHING
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 0.9995 * scale:
            return f"{_digits(value / scale)} {unit}"
    return f"{value:.0f} B"


def count(value: float | None) -> str:
    """A large number of things: ``"412 k"``, ``"1.23 M"``; small ones in full."""
    if value is None:
        return NOTHING
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * scale and (unit != "k" or value >= 9_999.5):
            return f"{_digits(value / scale)} {unit}"
    return f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds with three figures that count, without the unit."""
    return NOTHING if value is None else _digits(value)


def times(value: float | None) -> str:
    """A ratio: ``"4.9×"``."""
    if value is None:
        return NOTHING
    return f"{value:.0f}×" if value >= 99.5 else f"{value:.1f}×" if value >= 1.95 else f"{value:.2f}×"


def p_value(value: float | None) -> str:
    """The p-value of a test, never "p = 0.000"."""
    if value is None:
        return NOTHING
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.0995 else f"p = {value:.2f}"


def seconds(value: float | None) -> str:
    """A duration: ``"8.2 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    if value is None:
        return NOTHING
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def interval(number: Number | None, scale: float = 1.0, digits: int | None = 1) -> str:
    """The interval of a number without unit: ``"91.2–92.3"``; empty where there is none.

    Args:
        number: the measurement.
        scale: multiplies both ends, such as 100 for percent.
        digits: decimals; None for three figures that count.
    """
    if number is None or number.interval is None:
        return ""
    low, high = (scale * end for end in number.interval)
    if digits is None:
        return f"{_digits(low)}–{_digits(high)}"
    low_text, high_text = f"{low:.{digits}f}".replace("-", "−"), f"{high:.{digits}f}".replace("-", "−")
    # "-0.3-0.5" cannot be read: words where an end is negative.
    return f"{low_text} to {high_text}" if low < 0 else f"{low_text}–{high_text}"
