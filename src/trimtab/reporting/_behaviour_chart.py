"""Charts of behaviour as plain data: what classes lost, reliability, accuracy on spoilt images."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.reporting._chart import Chart, Interval

__all__ = ["Dot", "DotLine", "Dumbbell", "Dumbbells", "Panel", "Panels", "Reliability"]


@dataclass(frozen=True)
class Dumbbell:
    """One class before and after, in percent.

    Attributes:
        shown: the difference in points, as text.
        strong: whether it is more than chance.
        hover: what is shown when it is pointed at, line by line.
    """

    label: str
    before: float
    after: float
    shown: str
    strong: bool
    hover: tuple[str, ...]

    @property
    def colour(self) -> str:
        """Grey where it may be chance; else one colour for a loss and one for a gain."""
        if not self.strong:
            return "#9aa3af"
        return "#d55e00" if self.after < self.before else "#009e73"


@dataclass(frozen=True)
class Dumbbells(Chart):
    """Classes one below the other, each from its accuracy before to that after.

    Attributes:
        subtitle: which classes are shown, and what the colours mean.
    """

    subtitle: str
    changes: tuple[Dumbbell, ...]
    before_name: str
    after_name: str
    x_title: str

    @property
    def x_range(self) -> Interval:
        """Ends of the x axis."""
        lowest = min(min(change.before, change.after) for change in self.changes)
        low = max(5 * ((lowest - 3) // 5), -3.0)
        return low, 100 + 0.02 * (100 - low)

    @property
    def ticks(self) -> tuple[int, ...]:
        """Where the x axis is marked, in percent."""
        step = next((step for step in (2, 5, 10) if (100 - self.x_range[0]) / step <= 8), 20)
        return tuple(tick for tick in range(0, 101, step) if tick >= self.x_range[0])


@dataclass(frozen=True)
class Dot:
    """One point of a line, in the units of its axes; `share` is of all images, 0..1."""

    x: float
    y: float
    interval: Interval | None
    hover: tuple[str, ...]
    share: float = 0.0


@dataclass(frozen=True)
class DotLine:
    """What one model did; `first` says whether it is drawn before anyone asks for it."""

    name: str
    colour: str
    dots: tuple[Dot, ...]
    first: bool


@dataclass(frozen=True)
class Reliability(Chart):
    """Accuracy against confidence, in percent; on the diagonal a model is right as often as it says.

    The area of a dot is the share of the images.
    """

    lines: tuple[DotLine, ...]
    x_title: str
    y_title: str


@dataclass(frozen=True)
class Panel:
    """Accuracy by the strength of one kind of corruption."""

    title: str
    x_title: str
    lines: tuple[DotLine, ...]

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where the x axis is marked: at the strengths that were tried."""
        return tuple(sorted({dot.x for line in self.lines for dot in line.dots}))


@dataclass(frozen=True)
class Panels(Chart):
    """Several panels with one y axis and one legend."""

    panels: tuple[Panel, ...]
    y_title: str
    y_range: Interval
