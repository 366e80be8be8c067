"""What a chart is, as plain data; `_plotly` draws it for the page, `_png` for files."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "Bar",
    "Bars",
    "Cell",
    "Chart",
    "Curves",
    "DotRow",
    "Dots",
    "GroupRow",
    "Groups",
    "Heat",
    "Interval",
    "Line",
    "Matrix",
    "Point",
    "Scatter",
    "Strip",
]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A model or file in a scatter; `hover` is what is shown when it is pointed at, line by line."""

    name: str
    kind: str
    x: float
    y: float
    x_interval: Interval | None
    y_interval: Interval | None
    hover: tuple[str, ...]
    featured: bool = False
    best: bool = False


@dataclass(frozen=True)
class Chart:
    """What every chart has: a file name without ending, a title, and a text for who cannot see it."""

    key: str
    title: str
    alt: str


@dataclass(frozen=True)
class Scatter(Chart):
    """Points, with those on the best trade-off joined by a line."""

    points: tuple[Point, ...]
    x_title: str
    y_title: str
    log_x: bool


@dataclass(frozen=True)
class Line:
    """One step's curve over the epochs; None where an epoch was not recorded.

    A step that trains on from another one's model begins where that model was kept.
    """

    name: str
    epochs: tuple[int, ...]
    training: tuple[float | None, ...]
    validation: tuple[float | None, ...]
    colour: str
    best_epoch: int | None = None

    @property
    def kept(self) -> tuple[int, float] | None:
        """The epoch whose weights were kept, with its validation value."""
        found = dict(zip(self.epochs, self.validation, strict=True)).get(self.best_epoch or 0)
        return None if found is None or self.best_epoch is None else (self.best_epoch, found)


@dataclass(frozen=True)
class Curves(Chart):
    """Training and validation curves of several models.

    Attributes:
        y_range: ends of the y axis.
        cut: whether some point lies outside `y_range`.
    """

    lines: tuple[Line, ...]
    y_title: str
    unit: str
    y_range: Interval
    cut: bool

    @property
    def x_range(self) -> Interval:
        """Ends of the x axis, with a little room at both."""
        first = min(line.epochs[0] for line in self.lines)
        last = max(line.epochs[-1] for line in self.lines)
        room = max(0.02 * (last - first), 0.25)
        return first - room, last + room

    @property
    def ticks(self) -> tuple[int, ...]:
        """Whole epochs to mark: the first one, and from there on round numbers."""
        first = min(line.epochs[0] for line in self.lines)
        last = max(line.epochs[-1] for line in self.lines)
        step = next((step for step in (1, 2, 5, 10, 20, 50) if (last - first) / step <= 12), 100)
        return (first, *(epoch for epoch in range(first + 1, last + 1) if epoch % step == 0))


@dataclass(frozen=True)
class Bar:
    """One bar; `shown` is the number written beside it."""

    label: str
    value: float
    shown: str
    interval: Interval | None = None


@dataclass(frozen=True)
class Bars(Chart):
    """Horizontal bars in one or more series, each ``(name, colour, bars)``."""

    series: tuple[tuple[str, str, tuple[Bar, ...]], ...]
    x_title: str
    start: float = 0.0
    stop: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of their first bar."""
        return tuple(dict.fromkeys(bar.label for _, _, bars in self.series for bar in bars))

    @property
    def lanes(self) -> tuple[int, ...]:
        """Each series' lane: series that never meet at a label share one, so that no gap is left."""
        taken: list[set[str]] = []
        chosen = []
        for _, _, bars in self.series:
            mine = {bar.label for bar in bars}
            free = next((lane for lane, labels in enumerate(taken) if not labels & mine), len(taken))
            if free == len(taken):
                taken.append(set())
            taken[free] |= mine
            chosen.append(free)
        return tuple(chosen)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where the x axis is marked, if it must end at a whole: 0, 20, ... 100 %."""
        return tuple(self.stop * fifth / 5 for fifth in range(6)) if self.stop is not None else ()

    @property
    def end(self) -> float:
        """Where the x axis ends: with room for the numbers beside the bars."""
        highest = max((bar.interval or (0.0, bar.value))[1] for _, _, bars in self.series for bar in bars)
        return self.start + (max(highest, self.stop or 0.0) - self.start) * 1.22


@dataclass(frozen=True)
class Matrix(Chart):
    """The confusion matrix: counts, and each row's shares as shade."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map: what is written in it, how much it hurts, and what is told of it.

    Attributes:
        text: the number in the cell.
        value: what decides the shade, 0 or more, in the unit of the chart; None leaves the cell empty.
        strong: whether it is more than chance.
        hover: what is shown when it is pointed at, line by line.
    """

    text: str
    value: float | None
    strong: bool
    hover: tuple[str, ...]


@dataclass(frozen=True)
class Heat(Chart):
    """A table whose shade grows with what is lost; small losses are told apart as well as large ones.

    Attributes:
        subtitle: what the cells are compared with.
        rows: label and detail of each row, from the top.
        columns: label of each column.
        cells: those of each row.
        end: where the scale ends.
    """

    subtitle: str
    rows: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    x_title: str
    y_title: str
    scale_title: str
    end: float

    def shade(self, value: float) -> float:
        """Returns the place of a value on the scale, 0 to 1: by its square root, so that 1 differs from 3."""
        return math.sqrt(min(max(value, 0.0) / self.end, 1.0))

    def ink(self, cell: Cell) -> str:
        """Returns the colour of the number in a cell: one that can be read on the cell's shade."""
        return "#ffffff" if cell.value is not None and self.shade(cell.value) > 0.62 else "#1f2430"

    @property
    def ticks(self) -> tuple[float, ...]:
        """Values to mark on the scale, far enough apart to be read."""
        chosen = [0.0]
        for value in (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0):
            if value <= self.end and self.shade(value) - self.shade(chosen[-1]) >= 0.09:
                chosen.append(value)
        return tuple(chosen)


@dataclass(frozen=True)
class Strip:
    """A piece of a bar in a row of groups: where it lies, and the number written behind it.

    Attributes:
        series: place of its name and colour in the chart's series.
        lane: which of the row's bars it is a piece of, from the top.
    """

    series: int
    start: float
    length: float
    shown: str = ""
    lane: int = 0


@dataclass(frozen=True)
class GroupRow:
    """A group of channels: a line of words, and its bars below.

    Attributes:
        others: what is tied to it, beside the one that it is named after.
        size: how many channels it has, in words; empty where the bars tell.
        reason: why it was left alone; empty where it was not.
        hover: what is shown when it is pointed at, line by line.
    """

    name: str
    others: tuple[str, ...]
    reason: str
    strips: tuple[Strip, ...]
    hover: tuple[str, ...]
    size: str = ""

    def words(self, room: int) -> tuple[str, str]:
        """Returns its name and what is tied to it, or why it was left alone, in `room` letters together."""
        most = max(room * 3 // 5, 12)
        name = self.name if len(self.name) <= most else "…" + self.name[1 - most :]
        room -= len(name) + 2
        if self.reason:
            why = f"left alone: {self.reason}"
            return name, why if len(why) <= room else why[: max(room - 1, 0)] + "…"
        size = f"{self.size}, " if self.size and self.others else self.size
        for shown in range(len(self.others), 0, -1):
            left = len(self.others) - shown
            told = f"{size}with {', '.join(self.others[:shown])}" + (f" and {left} more" if left else "")
            if len(told) <= room:
                return name, told
        tied = f"{size}with {len(self.others)} more" if self.others else size
        return name, tied if len(tied) <= room else ""


@dataclass(frozen=True)
class Groups(Chart):
    """Groups of channels that live and die together, one below the other.

    Attributes:
        subtitle: what is true of the whole model.
        rows: from the top.
        series: name, colour and opacity of each kind of bar.
        lanes: how many bars a row has.
        end: where the longest bar may end.
        ticks: where the x axis is marked, in percent.
    """

    subtitle: str
    rows: tuple[GroupRow, ...]
    series: tuple[tuple[str, str, float], ...]
    x_title: str
    lanes: int
    end: float
    ticks: tuple[float, ...]

    @property
    def places(self) -> tuple[tuple[float, float], ...]:
        """Centre and breadth of each lane's bar, in rows, from the middle of the row."""
        breadth = 0.44 / self.lanes
        return tuple((0.02 + (lane + 0.5) * breadth, 0.86 * breadth) for lane in range(self.lanes))

    @property
    def words_at(self) -> float:
        """Where the line of words stands, in rows, from the middle of the row."""
        return -0.19


@dataclass(frozen=True)
class DotRow:
    """A row of a dot plot.

    Attributes:
        detail: small print behind its name; may be empty.
        values: one for each series; None where there is none to draw.
        marked: whether it is one to look at.
        told: written behind its dots; may be empty.
        hover: what is shown when it is pointed at, line by line.
    """

    name: str
    detail: str
    values: tuple[float | None, ...]
    marked: bool
    told: str
    hover: tuple[str, ...]

    @property
    def label(self) -> str:
        """What stands beside the row."""
        return f"{self.name} · {self.detail}" if self.detail else self.name


@dataclass(frozen=True)
class Dots(Chart):
    """Rows of dots on one scale, beside a value that all are compared with.

    Attributes:
        subtitle: what is true of the whole.
        rows: from the top.
        series: name and colour; the dots of the first one are filled, those of the second open.
        marked: what marked rows are, and the colour of their filled dots.
        reference: what the dots are compared with, and where it lies; None: with nothing.
    """

    subtitle: str
    rows: tuple[DotRow, ...]
    series: tuple[tuple[str, str], tuple[str, str]]
    marked: tuple[str, str]
    reference: tuple[str, float] | None
    x_title: str
    y_title: str

    @property
    def x_range(self) -> Interval:
        """Ends of the x axis: with room at the right for what is told behind the dots."""
        found = [value for row in self.rows for value in row.values if value is not None]
        found += [self.reference[1]] if self.reference is not None else []
        low, high = min(found, default=0.0), max(found, default=1.0)
        room = max(high - low, 6.0)
        told = max((row.values[0] or low for row in self.rows if row.told), default=low)
        return low - 0.06 * room, max(high + 0.06 * room, told + 0.45 * room)

    def drawn(self, number: int, marked: bool) -> list[tuple[int, float, DotRow]]:
        """Returns the dots of a series in marked rows, or in the others: place, value and row."""
        return [
            (at, value, row)
            for at, row in enumerate(self.rows)
            if row.marked == marked and (value := row.values[number]) is not None
        ]
