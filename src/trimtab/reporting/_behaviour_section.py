"""What the page says of behaviour: a table of all rows, a sentence for each, and every class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.reporting import _formats as formats
from trimtab.reporting._behaviour import shown_row
from trimtab.reporting._data import ReportData

if TYPE_CHECKING:
    from trimtab.benchmarking import BehaviourResult, BehaviourRow, ClassAccuracy, Measurement

__all__ = ["behaviour_section"]

Told = tuple[str, str, str, bool]
"""A cell: what is read first, the small print, how it was measured, and whether it is more than chance."""


def behaviour_section(data: ReportData) -> dict[str, Any] | None:
    """Returns what the template shows of behaviour; None where the run compared none."""
    result = data.behaviour
    if result is None:
        return None
    shown = shown_row(result, data.featured)
    others = [row for row in result.rows if row.name != result.baseline]
    kinds = {row.name: row.kind for row in data.rows}
    robust = any(row.robustness is not None for row in result.rows)
    settings = result.settings
    return {
        "shown": shown.name,
        "baseline": result.baseline,
        "robust": robust,
        "images": f"{settings.get('images', 0):,}",
        "spoilt": f"{settings.get('corrupted_images', 0):,}",
        "classes": len(result.class_names),
        "rows": [(row.name, kinds.get(row.name, "keras"), _line(row, result, robust)) for row in result.rows],
        "verdicts": [(row.name, kinds.get(row.name, "keras"), row.verdict) for row in others],
        "names": [row.name for row in others],
        "each": _each_class(result, others),
    }


def _line(row: BehaviourRow, result: BehaviourResult, robust: bool) -> list[Told]:
    """Returns the cells of one row."""
    answers, calibration = row.answers, row.calibration
    cells = [_worst(row, result[result.baseline])]
    for kind in ("right_to_wrong", "wrong_to_right", "wrong_to_wrong"):
        if answers is None:
            cells.append((formats.NOTHING, "", "", False))
            continue
        share: Measurement = getattr(answers, kind)
        number = len(getattr(answers, f"{kind}_images"))
        cells.append((f"{number:,}", formats.percent(share.value, 2), share.method, False))
    surer = calibration.overconfidence.value or 0.0
    cells.append(
        (
            formats.percent(calibration.error.value),
            _between(calibration.error),
            calibration.error.method,
            calibration.changed,
        )
    )
    cells.append(
        (
            formats.points(surer),
            _between(calibration.overconfidence),
            calibration.overconfidence.method,
            False,
        )
    )
    if robust:
        cells += _spoilt(row)
    return cells


def _spoilt(row: BehaviourRow) -> list[Told]:
    """Returns what spoilt images cost: the accuracy on them, and the drop beside the baseline's own."""
    measured = row.robustness
    if measured is None:
        return [(formats.NOTHING, "", "", False)] * 2
    accuracy, extra = measured.mean_accuracy, measured.mean_extra_drop
    found = [(formats.percent(accuracy.value), _between(accuracy), accuracy.method, False)]
    if extra is None:
        return [*found, (formats.NOTHING, "", "", False)]
    # Shown as what is gained, like all other differences: more lost is below 0.
    value = formats.points(-(extra.value or 0.0))
    between = "" if extra.low is None or extra.high is None else _span(-extra.high, -extra.low)
    return [*found, (value, between, extra.method, measured.changed)]


def _worst(row: BehaviourRow, baseline: BehaviourRow) -> Told:
    """Returns the class that lost most, or the least accurate one of the baseline."""
    worst = row.worst_class
    if worst is None:
        return (formats.NOTHING, "", "", False)
    after = formats.percent(worst.accuracy.value)
    if row.answers is None:
        return (worst.name, f"{after}, its least accurate", worst.accuracy.method, False)
    before = baseline.classes[row.classes.index(worst)]
    told = f"{formats.percent(before.accuracy.value)} to {after}"
    if worst.p is not None:
        told += f", {formats.p_value(worst.p.value)}"
    method = (
        "" if worst.difference is None or worst.p is None else f"{worst.difference.method} {worst.p.method}"
    )
    return (worst.name, told, method, worst.changed)


def _each_class(
    result: BehaviourResult, others: list[BehaviourRow]
) -> list[tuple[str, str, Told, list[Told]]]:
    """Returns every class: images, accuracy of the baseline, and what it changed by in each other row."""
    return [
        (
            first.name,
            f"{first.images:,}",
            (formats.percent(first.accuracy.value), _between(first.accuracy), first.accuracy.method, False),
            [_change(row.classes[number]) for row in others],
        )
        for number, first in enumerate(result[result.baseline].classes)
    ]


def _change(one: ClassAccuracy) -> Told:
    """Returns by how much a class changed, with its corrected p."""
    if one.difference is None or one.p is None:
        return (formats.NOTHING, "", one.accuracy.method, False)
    told = f"{_between(one.difference)}, {formats.p_value(one.p.value)}"
    method = f"{one.difference.method} {one.p.method}"
    return (formats.points(one.difference.value), told, method, one.changed)


def _between(measured: Measurement) -> str:
    """Writes the interval of a share in percent, or of a difference in points."""
    if measured.low is None or measured.high is None:
        return ""
    return _span(measured.low, measured.high)


def _span(low: float, high: float) -> str:
    first, second = (f"{100 * end:.1f}".replace("-", "−") for end in (low, high))
    return f"{first} to {second}" if low < 0 else f"{first}–{second}"
