"""What a benchmark found, as plain data: rows, targets, and the tables drawn from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.benchmarking import bootstrap_median, paired_ratio

__all__ = [
    "Ratio",
    "Row",
    "Target",
    "count_row",
    "half_width",
    "markdown",
    "markdown_table",
    "measured_row",
    "table",
    "target_text",
    "value_text",
    "verdict",
]

_HEADINGS = ("what", "median [95 % interval]", "ratio [95 % interval]", "target", "met")
_COUNTED = ("what", "found", "", "target", "met")
"""Headings where nothing was sampled."""


@dataclass(frozen=True)
class Target:
    """What was promised of a number.

    Args:
        limit: the number that it is held against.
        sense: ``"at most"`` or ``"at least"``.
        of: ``"value"`` or ``"ratio"``: which number of the row.
    """

    limit: float
    sense: str = "at most"
    of: str = "value"


@dataclass(frozen=True)
class Ratio:
    """How a row compares with another: the median of ratios taken round by round.

    Args:
        value: this row over the other one.
        low: lower limit of the 95 % bootstrap interval; None where there is none.
        high: upper limit.
        to: name of the other row.
    """

    value: float
    low: float | None
    high: float | None
    to: str


@dataclass(frozen=True)
class Row:
    """One thing that was measured.

    Args:
        name: what it is; unique within its group.
        group: what it is compared within, such as one net; may be empty.
        unit: of the value and the samples.
        value: median of the samples.
        low: lower limit of its 95 % bootstrap interval; None where nothing was sampled.
        high: upper limit.
        samples: one number a round; rounds pair up across the rows of a group.
        ratio: how it compares with another row.
        target: what was promised of it.
        note: what one must know to read it rightly.
    """

    name: str
    group: str
    unit: str
    value: float
    low: float | None
    high: float | None
    samples: tuple[float, ...]
    ratio: Ratio | None = None
    target: Target | None = None
    note: str = ""


def measured_row(
    name: str,
    samples: Sequence[float],
    unit: str,
    *,
    group: str = "",
    versus: tuple[str, Sequence[float]] | None = None,
    target: Target | None = None,
    note: str = "",
) -> Row:
    """Makes a row from its samples.

    Args:
        name: what was measured.
        samples: one number a round.
        unit: of the samples.
        group: what it is compared within.
        versus: name and samples of the row that it is compared with, round by round.
        target: what was promised of it.
        note: what one must know to read it rightly.
    """
    middle = bootstrap_median(samples)
    ratio = None
    if versus is not None:
        ratio = Ratio(*paired_ratio(samples, versus[1]), to=versus[0])
    return Row(name, group, unit, *middle, tuple(float(s) for s in samples), ratio, target, note)


def count_row(
    name: str, value: float, *, unit: str = "", group: str = "", target: Target | None = None, note: str = ""
) -> Row:
    """Makes a row of something that is as it is, whatever the machine does: a count, a difference.

    Args:
        name: what was counted.
        value: the number.
        unit: of the number.
        group: what it is compared within.
        target: what was promised of it.
        note: what one must know to read it rightly.
    """
    return Row(name, group, unit, float(value), None, None, (float(value),), None, target, note)


def half_width(values: npt.ArrayLike) -> float | None:
    """Returns half the width of the 95 % interval of a mean (Student's t); None for a single value."""
    from scipy.special import stdtrit

    taken = np.asarray(values, dtype=np.float64)
    if taken.size < 2:
        return None
    return float(stdtrit(taken.size - 1, 0.975)) * float(taken.std(ddof=1)) / math.sqrt(taken.size)


def verdict(row: Mapping[str, Any]) -> str:
    """Says whether a row (as plain data) keeps its promise; an empty string where none was made."""
    target = row["target"]
    if target is None:
        return ""
    number = row if target["of"] == "value" else row["ratio"]
    if number is None:
        return "not measured"
    low, high = (number["value"] if limit is None else limit for limit in (number["low"], number["high"]))
    inside = low <= target["limit"] <= high and low < high
    kept = (
        number["value"] <= target["limit"]
        if target["sense"] == "at most"
        else number["value"] >= target["limit"]
    )
    word = "yes" if kept else "no"
    return word + (" (the interval holds the limit)" if inside else "")


def target_text(row: Mapping[str, Any]) -> str:
    """Writes what was promised of a row."""
    target = row["target"]
    if target is None:
        return ""
    unit = row["unit"] if target["of"] == "value" else "x"
    return f"{target['sense']} {target['limit']:g} {unit}".rstrip().replace(" x", "x")


def value_text(row: Mapping[str, Any]) -> str:
    """Writes a row's median with its interval and unit."""
    if row["low"] is None:
        return f"{row['value']:.4g} {row['unit']}".rstrip()
    return f"{row['value']:.4g} {row['unit']} [{row['low']:.4g}, {row['high']:.4g}]"


def ratio_text(row: Mapping[str, Any]) -> str:
    """Writes how a row compares with another."""
    ratio = row["ratio"]
    if ratio is None:
        return ""
    return f"{ratio['value']:.3f}x [{ratio['low']:.3f}, {ratio['high']:.3f}] of {ratio['to']}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["name"], value_text(row), ratio_text(row), target_text(row), verdict(row))


def _headings(rows: Sequence[Mapping[str, Any]], middle: str) -> tuple[str, ...]:
    if all(row["low"] is None for row in rows):
        return _COUNTED
    return tuple(heading.replace("median", middle) for heading in _HEADINGS)


def _groups(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return groups


def table(rows: Sequence[Mapping[str, Any]], middle: str = "median") -> str:
    """Draws rows (as plain data) as aligned text, one block a group; `middle` is what their values are."""
    headings = _headings(rows, middle)
    widths = [max(map(len, column)) for column in zip(headings, *map(_cells, rows), strict=True)]
    widths[0] += 2

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    lines = [line(headings), line(["-" * width for width in widths])]
    for group, members in _groups(rows).items():
        lines += [group] if group else []
        for row in members:
            first, *rest = _cells(row)
            lines.append(line([f"  {first}" if group else first, *rest]))
    return "\n".join(lines)


def markdown(record: Mapping[str, Any]) -> str:
    """Draws the page of a benchmark from what its JSON file holds, and nothing else."""
    lines = [f"# {record['title']}", "", record["question"], ""]
    for picture in record.get("pictures", ()):
        lines += [f"![{picture['alt']}]({picture['path']})", ""]
    middle = record.get("middle", "median")
    for group, members in _groups(record["rows"]).items():
        lines += [f"## {group}", ""] if group else []
        lines += markdown_table(_headings(members, middle), [_cells(row) for row in members])
        lines += [f"- {row['name']}: {row['note']}" for row in members if row["note"]]
        lines += [""] if lines[-1] else []
    for drawn in record.get("tables", ()):
        lines += [f"## {drawn['title']}", "", *markdown_table(drawn["headings"], drawn["rows"])]
    lines += ["## How it was measured", ""]
    lines += [f"- {sentence}" for sentence in record["method"]]
    lines += _provenance(record)
    return "\n".join(lines) + "\n"


def _provenance(record: Mapping[str, Any]) -> list[str]:
    """Writes where, when and with what the numbers were taken."""
    lines = [
        f"- Command: `{record['command']}`, {record['seconds']:.0f} s on {record['date']}.",
        f"- Commit: {commit_text(record)}.",
        f"- Machine: {machine_text(record['machine'])}.",
        f"- Versions: {_versions_text(record['versions'])}.",
    ]
    lines += [f"- Peer `{name}`: {_versions_text(found)}." for name, found in record["peers"].items()]
    lines += [f"- {note}" for note in record["notes"]]
    lines.append(f"- Every sample is in [{record['benchmark']}.json]({record['benchmark']}.json).")
    return lines


def commit_text(record: Mapping[str, Any]) -> str:
    """Writes the commit that was measured, and whether it had uncommitted changes."""
    if record["commit"] is None:
        return "not from a git checkout"
    return str(record["commit"])[:12] + (" with uncommitted changes" if record["dirty"] else "")


def machine_text(machine: Mapping[str, Any]) -> str:
    """Writes what a machine is, in one line."""
    memory = machine.get("memory_bytes")
    parts = [
        str(machine.get("cpu")),
        f"{machine.get('cores')} cores",
        *([f"{memory / 2**30:.0f} GiB"] if memory else []),
        str(machine.get("system")),
        str(machine.get("python")),
    ]
    flags = [flag for flag in machine.get("flags", ()) if "vnni" in flag or "amx" in flag or "dot" in flag]
    return ", ".join(parts + flags)


def _versions_text(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Draws a table, without the columns that say nothing."""
    filled = [index for index in range(len(headings)) if any(row[index] for row in rows)]
    lines = ["| " + " | ".join(headings[index] for index in filled) + " |", "|---" * len(filled) + "|"]
    lines += ["| " + " | ".join(row[index] for index in filled) + " |" for row in rows]
    return [*lines, ""]
