"""The charts of a tuning: the best so far, and every setting as a line across all parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trimtab.reporting._chart import Bar, Bars, Chart, Interval
from trimtab.reporting._palette import SERIES_COLOURS
from trimtab.reporting._tuning import Axis, TunedTrial, Tuning, short_name, shown_value

__all__ = ["Mark", "Parallel", "Rail", "Strand", "Trials", "tuning_charts"]

_UNUSED = -0.13
"""Where on an axis a trial goes through that has no value there."""


@dataclass(frozen=True)
class Mark:
    """A trial in the history: `y` in percent; None where nothing is known of it."""

    number: int
    y: float
    state: str
    hover: tuple[str, ...]


@dataclass(frozen=True)
class Trials(Chart):
    """Validation accuracy of each trial in order, and the best so far.

    Attributes:
        best: (trial, percent): where the best so far changed, and where it ends.
        baseline: accuracy of the first trial, in percent.
        y_range: ends of the y axis; marks below are drawn at its bottom.
    """

    marks: tuple[Mark, ...]
    best: tuple[tuple[int, float], ...]
    baseline: float | None
    y_range: Interval
    y_title: str = "Validation accuracy (%)"

    def clipped(self, mark: Mark) -> float:
        """Returns where a mark is drawn."""
        return max(mark.y, self.y_range[0] + 0.02 * (self.y_range[1] - self.y_range[0]))


@dataclass(frozen=True)
class Rail:
    """One upright axis: its name, and its marks as (place from 0 to 1, text)."""

    name: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Strand:
    """One trial as a line: a place on each rail.

    Attributes:
        shade: 0 for the worst, 1 for the best; None for a trial without a result.
        role: "best", "baseline", or empty.
    """

    name: str
    places: tuple[float, ...]
    shade: float | None
    role: str
    hover: tuple[str, ...]


@dataclass(frozen=True)
class Parallel(Chart):
    """Each trial as a line across all parameters, to the accuracy at the right."""

    rails: tuple[Rail, ...]
    strands: tuple[Strand, ...]

    @property
    def unused(self) -> bool:
        """Whether some trial has no value on some rail."""
        return any(place < 0 for strand in self.strands for place in strand.places)


def tuning_charts(tuning: Tuning) -> tuple[Chart, ...]:
    """Returns the charts that a tuning suffices for."""
    made = [_history(tuning), _importances(tuning), _parallel(tuning)]
    return tuple(chart for chart in made if chart is not None)


def _history(tuning: Tuning) -> Trials | None:
    marks = tuple(
        Mark(trial.number, 100 * trial.accuracy, trial.state, _hover(tuning, trial))
        for trial in tuning.trials
        if trial.accuracy is not None
    )
    whole = [mark for mark in marks if mark.state == "complete"]
    if not whole:
        return None
    best: list[tuple[int, float]] = []
    for mark in whole:
        if not best or mark.y > best[-1][1]:
            best.append((mark.number, mark.y))
    first = tuning.trials[0]
    baseline = 100 * first.accuracy if first.state == "complete" and first.accuracy is not None else None
    best.append((max(mark.number for mark in marks), best[-1][1]))
    cut = sum(mark.state == "cut" for mark in marks)
    return Trials(
        key=f"tuning_history_{tuning.name}",
        title=f"The best so far, trial by trial: {tuning.name}",
        alt=f"Validation accuracy of {len(marks)} trials in order, {cut} of them cut short. The best has "
        f"{best[-1][1]:.2f} %" + (f", the baseline {baseline:.2f} %." if baseline is not None else "."),
        marks=marks,
        best=tuple(best),
        baseline=baseline,
        y_range=_range([mark.y for mark in whole], baseline),
    )


def _range(values: list[float], baseline: float | None) -> Interval:
    """Returns the ends of an axis on which the good trials can be told apart; bad ones lie at its bottom."""
    high, low = max(values), min(values)
    middle = sorted(values)[len(values) // 2]
    low = max(low, high - max(4 * (high - middle), 2.0))
    if baseline is not None:
        low = min(low, baseline)
    room = 0.08 * max(high - low, 0.5)
    return low - room, min(high + room, 100.5)


def _importances(tuning: Tuning) -> Bars | None:
    if not tuning.importances:
        return None
    bars = tuple(
        Bar(short_name(name), 100 * share, f"{100 * share:.0f} %") for name, share in tuning.importances[:12]
    )
    most = ", ".join(f"{bar.label} {bar.shown}" for bar in bars[:3])
    return Bars(
        key=f"tuning_importance_{tuning.name}",
        title=f"Which parameters made the difference: {tuning.name}",
        alt=f"Share of the differences in validation accuracy that each parameter explains: {most}.",
        series=(("importance", SERIES_COLOURS[0], bars),),
        x_title="Share of the differences in validation accuracy (%)",
    )


def _parallel(tuning: Tuning) -> Parallel | None:
    shown = [trial for trial in tuning.trials if trial.values and trial.state != "unfinished"]
    ranked = [trial.accuracy for trial in shown if trial.state == "complete" and trial.accuracy is not None]
    axes = _chosen_axes(tuning)
    if len(shown) < 2 or len(set(ranked)) < 2 or not axes:
        return None
    ends = _range([100 * value for value in ranked], None)
    rails = [_rail(axis) for axis in axes]
    rails.append(
        Rail("accuracy (%)", tuple((at, f"{ends[0] + at * (ends[1] - ends[0]):.1f}") for at in (0, 0.5, 1)))
    )
    order = sorted(shown, key=lambda trial: (trial.state == "complete", trial.accuracy or 0.0))
    strands = tuple(_strand(tuning, trial, axes, ends) for trial in order)
    return Parallel(
        key=f"tuning_settings_{tuning.name}",
        title=f"Every setting that was tried: {tuning.name}",
        alt=f"{len(strands)} trials as lines across {len(axes)} parameters to their validation accuracy; the "
        "darker the line, the better the trial.",
        rails=tuple(rails),
        strands=strands,
    )


def _chosen_axes(tuning: Tuning) -> tuple[Axis, ...]:
    """Returns the parameters to draw, the most important ones next to the accuracy: at most nine."""
    ranks = {name: place for place, (name, _) in enumerate(tuning.importances)}
    varied = [axis for axis in tuning.axes if len({str(t.values.get(axis.name)) for t in tuning.trials}) > 1]
    best = sorted(varied, key=lambda axis: ranks.get(axis.name, len(ranks)))[:9]
    return tuple(reversed(best)) if ranks else tuple(best)


def _rail(axis: Axis) -> Rail:
    if axis.options:
        last = max(len(axis.options) - 1, 1)
        ticks = tuple((place / last, shown_value(option)) for place, option in enumerate(axis.options))
        return Rail(short_name(axis.name), ticks)
    whole = all(float(end).is_integer() for end in (axis.low, axis.high)) and axis.high - axis.low < 6
    values: list[float] = [axis.low, axis.high]
    if whole and not axis.log:
        values = [axis.low + step for step in range(int(axis.high - axis.low) + 1)]
    elif axis.log:
        values.insert(1, math.sqrt(axis.low * axis.high))
    else:
        values.insert(1, (axis.low + axis.high) / 2)
    return Rail(short_name(axis.name), tuple((_place(axis, value), f"{value:.3g}") for value in values))


def _strand(tuning: Tuning, trial: TunedTrial, axes: tuple[Axis, ...], ends: Interval) -> Strand:
    places = [_place(axis, trial.values.get(axis.name)) for axis in axes]
    accuracy = None if trial.accuracy is None else 100 * trial.accuracy
    at = 0.0 if accuracy is None else (accuracy - ends[0]) / (ends[1] - ends[0])
    at = min(max(at, 0.0), 1.0)
    role = "best" if trial.number == tuning.best else "baseline" if trial.number == 0 else ""
    return Strand(
        f"trial {trial.number}",
        (*places, at),
        at if trial.state == "complete" else None,
        role,
        _hover(tuning, trial),
    )


def _place(axis: Axis, value: Any) -> float:
    """Returns where a value lies on its axis, 0 to 1; below it where there is none."""
    if axis.options:
        found = [place for place, option in enumerate(axis.options) if option == value]
        return found[0] / max(len(axis.options) - 1, 1) if found else _UNUSED
    if not isinstance(value, int | float) or axis.high <= axis.low:
        return _UNUSED if value is None else 0.5
    if axis.log and axis.low > 0 and value > 0:
        return math.log(value / axis.low) / math.log(axis.high / axis.low)
    return (float(value) - axis.low) / (axis.high - axis.low)


def _hover(tuning: Tuning, trial: TunedTrial) -> tuple[str, ...]:
    lines = []
    if trial.accuracy is not None:
        lines.append(f"{trial.accuracy:.2%} of the validation images")
    told = {"cut": f"cut short after {trial.epochs} epochs", "failed": "failed", "unfinished": "not finished"}
    if trial.state in told:
        lines.append(told[trial.state])
    varied = {axis.name for axis in tuning.axes}
    values = [
        f"{short_name(name)} {shown_value(value)}" for name, value in trial.values.items() if name in varied
    ]
    lines += [", ".join(values[start : start + 3]) for start in range(0, len(values), 3)]
    if trial.parameters is not None:
        lines.append(f"{trial.parameters:,} parameters")
    return tuple(lines)
