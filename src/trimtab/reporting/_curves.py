"""Training and validation curves over the epochs."""

from __future__ import annotations

import itertools

from trimtab.reporting._chart import Curves, Interval, Line
from trimtab.reporting._data import EpochPoint, ReportData, Step
from trimtab.reporting._palette import SERIES_COLOURS
from trimtab.reporting._steps import origin

__all__ = ["curve_steps", "curves"]

_LEAST = {"accuracy": 1.0, "loss": 0.02}  # the smallest height of the y axis worth a look


def curves(data: ReportData, measure: str) -> Curves | None:
    """Returns the curves of ``"accuracy"`` (in percent) or ``"loss"``; None where nothing was trained."""
    lines = []
    for number, step in enumerate(curve_steps(data)):
        line = _line(data, step, measure, SERIES_COLOURS[number % len(SERIES_COLOURS)])
        if any(value is not None for value in (*line.training, *line.validation)):
            lines.append(line)
    if not lines:
        return None
    accuracy = measure == "accuracy"
    names = ", ".join(line.name for line in lines)
    values = _values(lines)
    low, high = y_range(tuple(lines), measure)
    return Curves(
        key=f"{measure}_curves",
        title=f"{measure.capitalize()} over the epochs",
        alt=f"Curves of training and validation {measure} over the epochs for {names}.",
        lines=tuple(lines),
        y_title="Accuracy (%)" if accuracy else "Loss (cross-entropy, nats)",
        unit=" %" if accuracy else "",
        y_range=(low, high),
        cut=min(values) < low or max(values) > high,
    )


def curve_steps(data: ReportData) -> tuple[Step, ...]:
    """Returns the steps whose curves are compared: those that the recipe names, or all that trained."""
    trained = tuple(step for step in data.steps if step.history and step.do != "select")
    named = tuple(step for step in data.steps if step.history and step.name in data.curves)
    return named or trained


def y_range(lines: tuple[Line, ...], measure: str) -> Interval:
    """Returns the ends of the y axis: where the later epochs can be told apart.

    The first epochs, and a dip while pruning is under way, are far from where training ends. Where
    they would squash what matters, they are left outside, up to half a height of it.
    """
    values, settled = _values(lines), _values([_second_half(line) for line in lines])
    low, high = min(values), max(values)
    end_low, end_high = min(settled), max(settled)
    height = max(end_high - end_low, _LEAST[measure])
    if high - low > 2.5 * height:
        if measure == "accuracy":
            low = max(low, end_low - 0.5 * height)
        else:
            high = min(high, end_high + 0.5 * height)
    room = 0.06 * max(high - low, _LEAST[measure])
    low, high = low - room, high + room
    return (low, min(high, 100.0 + room)) if measure == "accuracy" else (max(low, 0.0), high)


def _line(data: ReportData, step: Step, measure: str, colour: str) -> Line:
    # A narrower copy has new weights: it begins where every new model does.
    parent = None if step.config.get("shrink") else origin(data.steps, step.source)
    kept = _kept(parent)
    points = step.history if kept is None else (kept, *step.history)
    before = 0 if kept is None else kept.epoch
    first = () if kept is None else (before,)
    scale = 100.0 if measure == "accuracy" else 1.0
    return Line(
        name=step.name,
        epochs=(*first, *(before + point.epoch for point in step.history)),
        training=tuple(_scaled(getattr(point, measure), scale) for point in points),
        validation=tuple(_scaled(getattr(point, f"val_{measure}"), scale) for point in points),
        colour=colour,
        best_epoch=None if step.best_epoch is None else before + step.best_epoch,
    )


def _kept(step: Step | None) -> EpochPoint | None:
    """Returns the epoch that a step's model was kept from: there a step that trains on begins."""
    if step is None:
        return None
    return next((point for point in step.history if point.epoch == step.best_epoch), None)


def _second_half(line: Line) -> Line:
    half = len(line.epochs) // 2
    return Line(line.name, line.epochs[half:], line.training[half:], line.validation[half:], line.colour)


def _values(lines: tuple[Line, ...] | list[Line]) -> list[float]:
    every = itertools.chain.from_iterable((*line.training, *line.validation) for line in lines)
    return [value for value in every if value is not None] or [0.0]


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value
