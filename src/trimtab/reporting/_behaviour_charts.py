"""The charts of behaviour, from the record of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.reporting import _formats as formats
from trimtab.reporting._behaviour import shown_row
from trimtab.reporting._behaviour_chart import Dot, DotLine, Dumbbell, Dumbbells, Panel, Panels, Reliability
from trimtab.reporting._chart import Chart, Interval
from trimtab.reporting._data import ReportData
from trimtab.reporting._palette import SERIES_COLOURS

if TYPE_CHECKING:
    from trimtab.benchmarking import BehaviourResult, BehaviourRow, ClassAccuracy, Measurement

__all__ = ["behaviour_charts"]

_CLASSES = 30
"""How many classes a chart shows at most."""
_IN_BIN = 5
"""Of how many images a bin must be to be drawn: fewer say nothing."""
_BASELINE, _SHOWN = "#7f8794", "#d55e00"


def behaviour_charts(data: ReportData) -> tuple[Chart, ...]:
    """Returns the charts of behaviour; none where the run compared none."""
    result = data.behaviour
    if result is None:
        return ()
    shown = shown_row(result, data.featured)
    made = [_class_chart(result, shown), _reliability(result, shown), _robustness(result, shown)]
    return tuple(chart for chart in made if chart is not None)


def _class_chart(result: BehaviourResult, shown: BehaviourRow) -> Dumbbells | None:
    """Draws what each class lost or gained; those that changed most where they are many."""
    baseline = result[result.baseline]
    pairs = [
        (before, after)
        for before, after in zip(baseline.classes, shown.classes, strict=True)
        if after.difference is not None
    ]
    if not pairs:
        return None
    most = sorted(pairs, key=lambda pair: -abs(_difference(pair[1])))[:_CLASSES]
    most.sort(key=lambda pair: _difference(pair[1]))
    changed = [after for after in shown.changed_classes if _difference(after) < 0]
    which = f"The {_CLASSES} of {len(pairs)} classes that changed most. " if len(pairs) > len(most) else ""
    worst = most[0]
    return Dumbbells(
        key="class_changes",
        title=f"What each class lost or gained in {shown.name}",
        alt=f"Accuracy of each class in {baseline.name} and in {shown.name}. {len(changed)} lost more than "
        f"chance. The greatest loss: {worst[1].name}, {_told(worst[0].accuracy)} to "
        f"{_told(worst[1].accuracy)}.",
        subtitle=f"{which}Coloured: more than chance. Grey: may be chance.",
        changes=tuple(_dumbbell(before, after, baseline.name, shown.name) for before, after in most),
        before_name=baseline.name,
        after_name=shown.name,
        x_title="Images of the class classified rightly, %",
    )


def _dumbbell(before: ClassAccuracy, after: ClassAccuracy, first: str, second: str) -> Dumbbell:
    """Returns one class before and after."""
    p = None if after.p is None else after.p.value
    return Dumbbell(
        label=after.name,
        before=_percent(before.accuracy),
        after=_percent(after.accuracy),
        shown=formats.points(_difference(after)),
        strong=after.changed,
        hover=(
            after.name,
            f"{first}: {_told(before.accuracy)}",
            f"{second}: {_told(after.accuracy)}",
            f"{formats.points(_difference(after))} points, {formats.p_value(p)} corrected",
            f"{after.images:,} images",
        ),
    )


def _reliability(result: BehaviourResult, shown: BehaviourRow) -> Reliability:
    """Draws accuracy against confidence."""
    images = max(int(result.settings.get("images") or 0), 1)
    lines = tuple(
        DotLine(
            name,
            colour,
            tuple(
                Dot(
                    x=100 * each.confidence,
                    y=_percent(each.accuracy),
                    interval=_interval(each.accuracy),
                    hover=(
                        f"{name}: {each.images:,} images",
                        f"{100 * each.confidence:.1f} % sure",
                        f"{_told(each.accuracy)} right",
                    ),
                    share=each.images / images,
                )
                for each in row.calibration.bins
                if each.images >= _IN_BIN
            ),
            first,
        )
        for row, name, colour, first in _lines(result, shown)
    )
    errors = "; ".join(
        f"{name} {_told(row.calibration.error)}" for row, name, _, first in _lines(result, shown) if first
    )
    return Reliability(
        key="reliability",
        title="How sure they are, and how often right",
        alt=f"Accuracy against confidence. Expected calibration error: {errors}.",
        lines=lines,
        x_title="Confidence, %",
        y_title="Of these right, %",
    )


def _robustness(result: BehaviourResult, shown: BehaviourRow) -> Panels | None:
    """Draws accuracy by strength, a panel for each kind of corruption."""
    if shown.robustness is None:
        return None
    kinds = dict.fromkeys((level.kind, level.unit) for level in shown.robustness.levels)
    panels = tuple(
        Panel(
            title=kind[:1].upper() + kind[1:],
            x_title=unit[:1].upper() + unit[1:],
            lines=tuple(
                DotLine(name, colour, _strengths(row, name, kind), first)
                for row, name, colour, first in _lines(result, shown)
                if row.robustness is not None
            ),
        )
        for kind, unit in kinds
    )
    ends = [
        end
        for panel in panels
        for line in panel.lines
        for dot in line.dots
        for end in (dot.interval or (dot.y, dot.y))
    ]
    room = 0.04 * (max(ends) - min(ends)) + 0.5
    told = "; ".join(
        f"{name} {_told(row.robustness.mean_accuracy)}"
        for row, name, _, first in _lines(result, shown)
        if first and row.robustness is not None
    )
    return Panels(
        key="robustness",
        title="Accuracy on spoilt images",
        alt=f"Accuracy by strength of {', '.join(kind for kind, _ in kinds)}. Mean over all: {told}.",
        panels=panels,
        y_title="Accuracy, %",
        y_range=(max(min(ends) - room, 0.0), min(max(ends) + room, 101.0)),
    )


def _strengths(row: BehaviourRow, name: str, kind: str) -> tuple[Dot, ...]:
    """Returns the accuracies of one kind by strength, with that of the images as they are."""
    if row.robustness is None:
        return ()
    found = [(0.0, row.robustness.clean_accuracy, "")]
    for level in row.robustness.levels:
        if level.kind != kind or level.strength == 0:
            continue
        extra = level.extra_drop
        against = (
            "" if extra is None else f"{formats.points(-(extra.value or 0.0))} points beside the baseline"
        )
        found.append((level.strength, level.accuracy, against))
    return tuple(
        Dot(
            x=strength,
            y=_percent(accuracy),
            interval=_interval(accuracy),
            hover=tuple(
                word for word in (f"{name}, {kind} {strength:g}", f"{_told(accuracy)} right", against) if word
            ),
        )
        for strength, accuracy, against in sorted(found, key=lambda each: each[0])
    )


def _lines(result: BehaviourResult, shown: BehaviourRow) -> list[tuple[BehaviourRow, str, str, bool]]:
    """Returns all rows with name, colour and whether they are drawn at first; the baseline begins."""
    others = [row for row in result.rows if row.name not in (result.baseline, shown.name)]
    colours = [colour for colour in SERIES_COLOURS if colour not in (_SHOWN, "#7f7f7f")]
    baseline = result[result.baseline]
    named = baseline.name + ("" if "baseline" in baseline.name else " (baseline)")
    first = [(baseline, named, _BASELINE, True)]
    if shown.name != baseline.name:
        first.append((shown, shown.name, _SHOWN, True))
    return [
        *first,
        *((row, row.name, colours[place % len(colours)], False) for place, row in enumerate(others)),
    ]


def _difference(one: ClassAccuracy) -> float:
    return (one.difference.value or 0.0) if one.difference is not None else 0.0


def _percent(measured: Measurement) -> float:
    return 100 * (measured.value or 0.0)


def _interval(measured: Measurement) -> Interval | None:
    if measured.low is None or measured.high is None:
        return None
    return 100 * measured.low, 100 * measured.high


def _told(measured: Measurement) -> str:
    """Writes a share as percent with its interval."""
    limits = _interval(measured)
    between = "" if limits is None else f" ({limits[0]:.1f}–{limits[1]:.1f})"
    return formats.percent(measured.value) + between
