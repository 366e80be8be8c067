"""What a teacher was worth to its student, and how far the student is behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trimtab.reporting._comparing import control_of, paired_p, teachers_of
from trimtab.reporting._data import ResultRow, Step
from trimtab.reporting._formats import p_value, points, times
from trimtab.reporting._wording import accuracy_change, joined, listed, ratio

__all__ = ["about_student"]


def about_student(
    row: ResultRow,
    step: Step,
    rows: tuple[ResultRow, ...],
    steps: tuple[Step, ...],
    predictions: Mapping[str, np.ndarray],
) -> str:
    """Says what the teacher gave beyond a training without it, and what is left of the teacher's size.

    Args:
        row: the student, a Keras model.
        step: the step that taught it.
        rows: everything that was measured.
        steps: the recipe's steps.
        predictions: ``labels`` and ``<row>.classes``; may be empty.
    """
    models = {other.name: other for other in rows if other.kind == "keras"}
    twin, teachers = control_of(step, steps), teachers_of(step, steps)
    control = models.get(twin.name) if twin is not None else None
    taught = [_behind(row, models[one.name], predictions) for one in teachers if one.name in models]
    if control is None:
        names = listed([one.name for one in teachers]) or "a teacher"
        alone = f"learned from {names}; what that was worth is not known, for no twin was trained without it"
    else:
        alone = _worth(row, control, paired_p(predictions, row.name, control.name))
    return joined(alone, *taught)


def _worth(row: ResultRow, control: ResultRow, p: float | None) -> str:
    """Says what the teacher was worth: the student against its twin."""
    mine, theirs = row.value("accuracy"), control.value("accuracy")
    if mine is None or theirs is None:
        return ""
    tested = f", {p_value(p)}" if p is not None else ""
    told = f"{points(mine - theirs)} points{tested}"
    if p is None:
        return f"with its teacher against {control.name}, the same model without: {told}"
    if p >= 0.05:
        return f"its teacher made no measurable difference ({told}) against {control.name}, its twin without"
    gained = "gave" if mine > theirs else "cost"
    change = f"{points(abs(mine - theirs)).lstrip('+')} points of accuracy ({p_value(p)})"
    return f"its teacher {gained} it {change}, against {control.name}, its twin without"


def _behind(row: ResultRow, teacher: ResultRow, predictions: Mapping[str, np.ndarray]) -> str:
    """Says how the student compares with one teacher: accuracy, parameters, MACs."""
    accuracy = accuracy_change(row, teacher, paired_p(predictions, row.name, teacher.name))
    less = [
        f"{times(value)} fewer {name}"
        for key, name in (("parameters", "parameters"), ("macs", "MACs"))
        if (value := ratio(teacher, row, key)) is not None and value > 1
    ]
    told = ", ".join(part for part in (accuracy, listed(less)) if part)
    return f"against {teacher.name}: {told}" if told else ""
