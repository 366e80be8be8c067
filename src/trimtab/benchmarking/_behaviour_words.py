"""What changed beside accuracy, in words: a sentence for each row, and a table of the main numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.benchmarking._class_accuracy import ClassAccuracy
from trimtab.benchmarking._measurement import Measurement

if TYPE_CHECKING:
    from trimtab.benchmarking._behaviour_result import BehaviourResult, BehaviourRow
    from trimtab.benchmarking._calibration import Calibration
    from trimtab.benchmarking._robustness import Robustness

__all__ = ["behaviour_table", "verdict"]

_NAMED = 3
"""How many classes a sentence names; more are counted."""
_NOTABLE = 0.005
"""From which change of the calibration error on it is worth a word: half a point."""


def verdict(row: BehaviourRow, baseline: BehaviourRow) -> str:
    """Says in one sentence what changed by more than chance.

    Args:
        row: the row to judge.
        baseline: that of the baseline.
    """
    if row.name == baseline.name:
        return "the baseline: everything else is compared with it"
    told = [_about_classes(row, baseline)]
    if (calibration := _about_calibration(row.calibration, baseline.calibration)) is not None:
        told.append(calibration)
    if row.robustness is not None and (robust := _about_robustness(row.robustness)) is not None:
        told.append(robust)
    return "; ".join(told)


def behaviour_table(result: BehaviourResult) -> tuple[list[str], list[list[str]]]:
    """Returns headers and cells of the main numbers, one line a row.

    A star marks a class that changed by more than chance.
    """
    robust = any(row.robustness is not None for row in result.rows)
    headers = ["model", "class that lost most", "newly wrong", "newly right", "calibration error %"]
    rows = []
    for row in result.rows:
        first = result[result.baseline]
        cells = [
            row.name + (" (baseline)" if row.name == result.baseline else ""),
            _worst(row, first),
            *(
                ["-", "-"]
                if row.answers is None
                else [
                    f"{len(row.answers.right_to_wrong_images):,}",
                    f"{len(row.answers.wrong_to_right_images):,}",
                ]
            ),
            _percent(row.calibration.error),
        ]
        if robust:
            cells.append("-" if row.robustness is None else _percent(row.robustness.mean_accuracy))
        rows.append(cells)
    return headers + (["% right when spoilt"] if robust else []), rows


def _worst(row: BehaviourRow, baseline: BehaviourRow) -> str:
    """Names the class that lost most, before and after; of the baseline, that which it finds least."""
    worst = row.worst_class
    if worst is None:
        return "-"
    if row.answers is None:
        return f"{worst.name}: {_share(worst.accuracy.value)} (its worst)"
    before = baseline.classes[row.classes.index(worst)]
    mark = " *" if worst.changed else ""
    return f"{worst.name}: {_share(before.accuracy.value)} to {_share(worst.accuracy.value)}{mark}"


def _about_classes(row: BehaviourRow, baseline: BehaviourRow) -> str:
    """Says which classes changed."""
    changed = row.changed_classes
    if not changed:
        return "no class changed by more than chance"
    before = {one.name: one for one in baseline.classes}
    of = len(row.classes)
    gone = [one for one in changed if _gone(one, before[one.name], of)]
    lost = [one for one in changed if _value(one.difference) < 0 and one not in gone]
    gained = [one for one in reversed(changed) if _value(one.difference) > 0]
    told = [f"lost the class {_before_and_after(one, before[one.name])}" for one in gone[:_NAMED]]
    told += [f"lost {len(gone) - _NAMED} more classes"] if len(gone) > _NAMED else []
    told += [_counted("lost", lost, of)] if lost else []
    told += [_counted("gained", gained, of)] if gained else []
    alone = "; no other class changed by more than chance" if len(changed) < of else ""
    return _listed(told) + alone


def _gone(one: ClassAccuracy, before: ClassAccuracy, classes: int) -> bool:
    """Tells whether a class is lost: guessing would find it twice as often, and it was found before."""
    return _value(one.accuracy) < 0.5 / classes and _value(before.accuracy) >= 1 / classes


def _before_and_after(one: ClassAccuracy, before: ClassAccuracy) -> str:
    """Names a class with its accuracy before and after."""
    return f"{one.name} ({_share(before.accuracy.value)} to {_share(one.accuracy.value)}, {_chance(one)})"


def _counted(verb: str, classes: list[ClassAccuracy], of: int) -> str:
    """Names the classes that changed most, and counts them where there are more."""
    named = _listed(
        [f"{100 * abs(_value(one.difference)):.1f} points on {one.name} ({_chance(one)})" for one in classes][
            :_NAMED
        ]
    )
    if len(classes) <= _NAMED:
        return f"{verb} {named}"
    return f"{verb} on {len(classes)} of {of} classes, most of all {named}"


def _listed(parts: list[str]) -> str:
    """Joins parts of a sentence by commas and a last "and"."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _chance(one: ClassAccuracy) -> str:
    """Says how likely the change of a class is by chance."""
    p = _value(one.p)
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _about_calibration(own: Calibration, baseline: Calibration) -> str | None:
    """Says whether the confidence can be trusted less or more than before."""
    if not own.changed or abs(_value(own.difference)) < _NOTABLE:
        return None
    worse = _value(own.difference) > 0
    how = "further from" if worse else "nearer to"
    told = f"{_share(baseline.error.value)} to {_share(own.error.value)}"
    return f"its confidence is {how} its accuracy (calibration error {told})"


def _about_robustness(own: Robustness) -> str | None:
    """Says whether spoilt images cost more or less than they cost the baseline."""
    if not own.changed:
        return None
    extra = _value(own.mean_extra_drop)
    how = "more" if extra > 0 else "less"
    return f"spoilt images cost it {100 * abs(extra):.1f} points {how} than the baseline"


def _value(measured: Measurement | None) -> float:
    return 0.0 if measured is None or measured.value is None else float(measured.value)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _percent(measured: Measurement) -> str:
    """Writes a fraction as percent with its interval."""
    text = f"{100 * _value(measured):.1f}"
    if measured.low is None or measured.high is None:
        return text
    return f"{text} ({100 * measured.low:.1f} to {100 * measured.high:.1f})"
