"""A budget in words: what was asked for, and whether a file keeps it."""

from __future__ import annotations

from trimtab.reporting._compression import BROKEN_BY, Compression, Shipped
from trimtab.reporting._formats import NOTHING, milliseconds, percent, size

__all__ = ["LIMIT_WORDS", "asked_for", "asked_value", "budget_rows", "limit_value"]

LIMIT_WORDS = {
    "max_size": "file size",
    "max_download": "download (gzip)",
    "max_latency": "latency",
    "max_memory": "working memory",
    "min_accuracy": "accuracy",
    "max_drop": "accuracy lost",
}
"""What each limit is about."""


def limit_value(name: str, value: float | None) -> str:
    """Returns a limit, or what is held against it, with its unit."""
    if value is None:
        return NOTHING
    if name == "min_accuracy":
        return percent(value, 2)
    return f"{milliseconds(value)} ms" if name == "max_latency" else size(value)


def asked_value(name: str, value: float) -> str:
    """Returns a limit as somebody would ask for it: "20 kB", not "20.0 kB"."""
    number, _, unit = limit_value(name, value).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def asked_for(found: Compression) -> str:
    """Says the budget in one phrase: "at most 20 kB and 2 ms, at least 91 % accurate"."""
    upper = [_upper(found, name) for name in BROKEN_BY if name in found.budget]
    parts = [f"at most {' and '.join(upper)}"] if upper else []
    if "min_accuracy" in found.budget:
        parts.append(f"at least {_percent(found.budget['min_accuracy'])} accurate")
    if "max_drop" in found.budget:
        lost = found.budget["max_drop"]
        parts.append(f"at most {lost} point{'' if lost == '1' else 's'} less accurate than the baseline")
    return ", ".join(parts)


def _upper(found: Compression, name: str) -> str:
    """Returns an upper limit as a phrase: in plain units where those are known, as written otherwise."""
    known = found.limits.get(name)
    written = found.budget[name]
    told = asked_value(name, known) if known is not None else written
    if written.endswith("%"):
        told = f"{written} of the baseline's size" if known is None else f"{told} ({written})"
    return told + {"max_memory": " of memory", "max_download": " gzipped"}.get(name, "")


def _percent(written: str) -> str:
    """Returns an accuracy as percent, however it was written."""
    try:
        return f"{100 * float(written):g} %"
    except ValueError:
        return written.replace("%", " %").replace("  ", " ")


def budget_rows(found: Compression, file: Shipped | None) -> list[tuple[str, str, str, str, str]]:
    """Returns a row for each limit: its name, what was asked for, what the file has, how much, a word.

    The last word is ``"kept"``, ``"broken"`` or empty, where it is not known.
    """
    rows = []
    for name, written in found.budget.items():
        key = "min_accuracy" if name == "max_drop" else name
        limit = found.limits.get(key)
        has = None if file is None else _has(file, key)
        asked = f"at least {_percent(written)}" if name == "min_accuracy" else _asked(name, written, limit)
        used = f"{has / limit:.0%} of it" if has is not None and limit and key != "min_accuracy" else ""
        if key == "min_accuracy" and has is not None and limit is not None:
            used = f"{100 * (has - limit):+.2f} points".replace("-", "−")
        rows.append((LIMIT_WORDS.get(name, name), asked, limit_value(key, has), used, _word(key, has, limit)))
    return rows


def _asked(name: str, written: str, limit: float | None) -> str:
    if name == "max_drop":
        floor = "" if limit is None else f": at least {asked_value('min_accuracy', limit)}"
        return f"at most {written} points below the baseline{floor}"
    if limit is None:
        return f"at most {written}"
    return f"at most {asked_value(name, limit)}" + (f" ({written})" if written.endswith("%") else "")


def _has(file: Shipped, name: str) -> float | None:
    if name == "min_accuracy":
        return None if file.accuracy is None else file.accuracy.value
    return file.numbers.get(BROKEN_BY.get(name, ""))


def _word(name: str, has: float | None, limit: float | None) -> str:
    if has is None or limit is None:
        return ""
    return "kept" if (has >= limit if name == "min_accuracy" else has <= limit) else "broken"
