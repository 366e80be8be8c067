"""The front: accuracy against what it costs, of everything that a compression tried and made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.reporting import _formats as formats
from trimtab.reporting._budget_words import LIMIT_WORDS, asked_value
from trimtab.reporting._chart import Chart, Interval
from trimtab.reporting._compression import Compression, Shipped, Tried
from trimtab.reporting._data import ReportData

__all__ = ["ROLES", "Front", "Mark", "file_id", "front_charts", "trial_id"]

ROLES: dict[str, str] = {
    "refused": "never trained",
    "below": "less accurate",
    "tried": "tried and cut short",
    "file": "other file",
    "baseline": "baseline, int8",
    "front": "on the front",
    "chosen": "chosen",
}
"""What a mark stands for, the palest first."""
STRONG = ("file", "baseline", "front", "chosen")


@dataclass(frozen=True)
class Mark:
    """One file or candidate in the picture.

    Attributes:
        id: ties it to its chain on the page.
        role: one of `ROLES`.
        keeps: whether it keeps the budget, as far as is known.
        hover: what is shown when it is pointed at, line by line.
    """

    id: str
    name: str
    role: str
    x: float
    y: float
    y_interval: Interval | None
    hover: tuple[str, ...]
    keeps: bool = True


@dataclass(frozen=True)
class Front(Chart):
    """Accuracy against a cost, with the budget's limits as lines.

    Attributes:
        marks: the palest first.
        steps: corners of the line of what is reachable, from the left.
        most: the limit on the cost, with its words; None where there is none.
        least: the limit on the accuracy, likewise.
        x_range: ends of the x axis; in powers of ten where it is logarithmic.
        y_range: ends of the y axis, the lanes below the picture included.
        lanes: height and name of each lane below the picture, for what has no place in it.
    """

    marks: tuple[Mark, ...]
    steps: tuple[tuple[float, float], ...]
    most: tuple[float, str] | None
    least: tuple[float, str] | None
    x_title: str
    y_title: str
    log_x: bool
    x_range: Interval
    y_range: Interval
    lanes: tuple[tuple[float, str], ...]

    @property
    def strong(self) -> tuple[Mark, ...]:
        """The marks that have a name in the picture."""
        return tuple(mark for mark in self.marks if mark.role in STRONG)

    @property
    def ends(self) -> Interval:
        """Ends of the x axis in its own unit."""
        left, right = self.x_range
        return (10**left, 10**right) if self.log_x else (left, right)

    @property
    def floor(self) -> float:
        """Where the lanes end and the picture begins."""
        return self.lanes[0][0] + _lane_height(self.y_range) / 2 if self.lanes else self.y_range[0]

    @property
    def y_ticks(self) -> tuple[float, ...]:
        """Round accuracies to mark, none of them in the lanes."""
        low, high = self.floor, self.y_range[1]
        step = next((s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0) if (high - low) / s <= 7), 20.0)
        first = math.ceil(low / step)
        return tuple(round(n * step, 3) for n in range(first, math.floor(min(high, 100.0) / step) + 1))


def file_id(found: Compression, file: Shipped) -> str:
    """Returns the word that ties a file's mark to its chain."""
    return f"file-{found.files.index(file)}"


def trial_id(trial: Tried) -> str:
    """Returns the word that ties a candidate's mark to what is told of it."""
    return f"trial-{trial.number}"


def front_charts(data: ReportData) -> list[Front | None]:
    """Returns accuracy against file size and against latency; None where nothing is known of one."""
    if data.compression is None:
        return []
    return [_front(data, data.compression, "bytes"), _front(data, data.compression, "latency_ms")]


def _front(data: ReportData, found: Compression, cost: str) -> Front | None:
    """Puts a picture together: files first, which decide what part of the axes is shown."""
    size = cost == "bytes"
    scale = 1e-3 if size else 1.0
    strong = [mark for file in found.files if (mark := _file_mark(data, found, file, cost, scale))]
    made = {file.trial for file in found.files if file.trial is not None}
    rest = [trial for trial in found.tried if trial.number not in made and cost in trial.numbers]
    if not strong and not any(trial.trained for trial in rest):
        return None
    limit, least = found.limits.get("max_size" if size else "max_latency"), found.limits.get("min_accuracy")
    y_range, floor, lanes = _heights(strong, rest, least)
    pale = [_trial_mark(trial, cost, scale, floor, lanes) for trial in rest]
    marks = sorted([*pale, *strong], key=lambda mark: list(ROLES).index(mark.role))
    xs = [mark.x for mark in marks] + ([limit * scale] if limit is not None else [])
    log_x = max(xs) > 3 * min(xs)
    x_range = _widened(xs, log_x)
    key = "size" if size else "latency"
    return Front(
        key=f"front_{key}",
        title=f"Accuracy against {'file size' if size else 'latency'}",
        alt=_alt(found, marks, key, limit, least),
        marks=tuple(marks),
        steps=_steps(strong, 10 ** x_range[1] if log_x else x_range[1]),
        most=None if limit is None else (limit * scale, f"at most {_limit_told(key, limit)}"),
        least=None if least is None else (100 * least, f"at least {asked_value('min_accuracy', least)}"),
        x_title="Size of the .tflite file (kB)" if size else "Latency (ms per image, one thread)",
        y_title="Accuracy on the validation images (%)",
        log_x=log_x,
        x_range=x_range,
        y_range=y_range,
        lanes=tuple((height, words) for height, words in lanes.values()),
    )


def _limit_told(key: str, limit: float) -> str:
    return asked_value("max_size" if key == "size" else "max_latency", limit)


def _file_mark(data: ReportData, found: Compression, file: Shipped, cost: str, scale: float) -> Mark | None:
    x, accuracy = file.numbers.get(cost), file.accuracy
    if x is None or accuracy is None or x <= 0:
        return None
    role = "front" if file.front else "file"
    role = "chosen" if file.name == found.chosen else "baseline" if file.baseline else role
    broken = found.broken(file)
    between = None if accuracy.interval is None else tuple(100 * end for end in accuracy.interval)
    return Mark(
        id=file_id(found, file),
        name=file.name,
        role=role,
        x=scale * x,
        y=100 * accuracy.value,
        y_interval=between,  # type: ignore[arg-type]
        hover=_file_hover(data, file, broken),
        keeps=not broken,
    )


def _file_hover(data: ReportData, file: Shipped, broken: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what is told of a file at a glance."""
    lines = [file.what] if file.what else []
    if file.accuracy is not None:
        lines.append(f"validation {formats.percent(file.accuracy.value)} {_between(file.accuracy)}".strip())
    row = data.row(file.name)
    if row is not None and (tested := row.numbers.get("accuracy")) is not None:
        lines.append(f"test {formats.percent(tested.value)} {_between(tested)}".strip())
    numbers = file.numbers
    lines.append(f"{formats.size(numbers.get('bytes'))}, gzip {formats.size(numbers.get('gzip_bytes'))}")
    if (latency := numbers.get("latency_ms")) is not None:
        lines.append(f"{formats.milliseconds(latency)} ms per image")
    if broken:
        lines.append(f"breaks the limit on {' and '.join(LIMIT_WORDS[name] for name in broken)}")
    return (*lines, "click for its chain")


def _between(number: object) -> str:
    told = formats.interval(number, 100)  # type: ignore[arg-type]
    return f"({told})" if told else ""


def _trial_mark(
    trial: Tried, cost: str, scale: float, floor: float, lanes: dict[str, tuple[float, str]]
) -> Mark:
    """Returns the mark of a candidate; one without a place in the picture goes into a lane below it."""
    known = trial.accuracy
    role = "refused" if known is None else "below" if 100 * known < floor else "tried"
    numbers = trial.numbers
    lines = [trial.what]
    if known is not None:
        lines.append(f"validation {formats.percent(known)} after {trial.passes:.3g} epochs")
    lines.append(formats.size(numbers.get("bytes")))
    if "latency_ms" in numbers:
        lines[-1] += f", {formats.milliseconds(numbers['latency_ms'])} ms per image"
    return Mark(
        id=trial_id(trial),
        name=f"candidate {trial.number}",
        role=role,
        x=scale * numbers[cost],
        y=lanes[role][0] if role in lanes else 100 * (known or 0.0),
        y_interval=None,
        hover=(*lines, *([trial.why] if trial.why else [])),
    )


def _heights(
    strong: list[Mark], rest: list[Tried], least: float | None
) -> tuple[Interval, float, dict[str, tuple[float, str]]]:
    """Returns the ends of the y axis, where its picture begins, and the lanes below that.

    The files decide: a candidate that was trained for a moment would press them all into a line.
    """
    tried = [100 * trial.accuracy for trial in rest if trial.accuracy is not None]
    ys = [end for mark in strong for end in (mark.y, *(mark.y_interval or ()))] or tried
    ys = ys + ([100 * least] if least is not None else [])
    low, high = min(ys), max(ys)
    reach = low - max(0.6 * (high - low), 1.0)
    shown = [y for y in tried if y >= reach]
    low, high = min([low, *shown]), max([high, *shown])
    room = 0.09 * (high - low) or 1.0
    floor, top = low - room, high + room
    names = []
    if any(y < floor for y in tried):
        names.append(("below", "less accurate"))
    if any(trial.accuracy is None for trial in rest):
        names.append(("refused", "not trained"))
    lane = _LANE * (top - floor) / (1 - _LANE * len(names))
    lanes = {role: (floor - (place + 0.5) * lane, words) for place, (role, words) in enumerate(names)}
    return (floor - lane * len(names), top), floor, lanes


_LANE = 0.075  # of the height of the picture


def _lane_height(y_range: Interval) -> float:
    return _LANE * (y_range[1] - y_range[0])


def _widened(xs: list[float], log_x: bool) -> Interval:
    """Returns the ends of the x axis, with room for marks and names."""
    ends = [math.log10(x) for x in (min(xs), max(xs))] if log_x else [min(xs), max(xs)]
    room = 0.1 * (ends[1] - ends[0]) or 0.3 * abs(ends[1]) or 0.3
    return ends[0] - room, ends[1] + room


def _steps(strong: list[Mark], right: float) -> tuple[tuple[float, float], ...]:
    """Returns the corners of the best accuracy that each cost allows, up to the right end of the axis."""
    if not any(mark.role in ("front", "chosen") for mark in strong):
        return ()  # there is no answer yet
    corners: list[tuple[float, float]] = []
    best = -math.inf
    for mark in sorted(strong, key=lambda mark: (mark.x, -mark.y)):
        if mark.role != "file" and mark.y > best:
            if corners:
                corners.append((mark.x, best))
            best = mark.y
            corners.append((mark.x, best))
    return (*corners, (right, best)) if corners else ()


def _alt(found: Compression, marks: list[Mark], key: str, limit: float | None, least: float | None) -> str:
    """Says what the picture shows to who cannot see it."""
    unit = "kB" if key == "size" else "ms"
    files = [f"{mark.name} {mark.y:.1f} % at {mark.x:.3g} {unit}" for mark in marks if mark.role in STRONG]
    tried = sum(mark.role in ("tried", "below") for mark in marks)
    refused = sum(mark.role == "refused" for mark in marks)
    limits = [f"at most {_limit_told(key, limit)}"] if limit is not None else []
    limits += [f"at least {asked_value('min_accuracy', least)}"] if least is not None else []
    told = f"Scatter of validation accuracy against {'file size' if key == 'size' else 'latency'}"
    told += f" of {', '.join(files)}" if files else ""
    told += f", and {tried} candidates cut short and {refused} refused." if tried or refused else "."
    if limits:
        told += f" The budget: {' and '.join(limits)}."
    return told + (f" Chosen: {found.chosen}." if found.chosen else "")
