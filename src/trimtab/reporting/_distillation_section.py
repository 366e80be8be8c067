"""What the page says of distillation: who taught whom, how, and what it was worth."""

from __future__ import annotations

from typing import Any

from trimtab.reporting import _formats as formats
from trimtab.reporting._comparing import control_of
from trimtab.reporting._data import Number, ReportData, Step
from trimtab.reporting._distillation import Distillation, Teacher
from trimtab.reporting._steps import first_weights, origin

__all__ = ["distillation_sections"]


def distillation_sections(data: ReportData) -> list[dict[str, Any]]:
    """Returns what the template shows of each step that taught a student."""
    return [_section(data, step, step.distillation) for step in data.steps if step.distillation is not None]


def _section(data: ReportData, step: Step, taught: Distillation) -> dict[str, Any]:
    twin = control_of(step, data.steps)
    entries = [(step, "student, with its teacher")]
    if twin is not None:
        entries.append((twin, "its twin, without"))
    for teacher in taught.teachers:
        made = origin(data.steps, teacher.step)
        if made is not None:
            entries.append((made, "teacher"))
    return {
        "name": step.name,
        "twin": twin.name if twin is not None else "",
        "teachers": [_teacher(data, teacher) for teacher in taught.teachers],
        "facts": _facts(taught),
        "rows": [_row(data, entry, role, step) for entry, role in entries],
    }


def _facts(taught: Distillation) -> list[tuple[str, str]]:
    """Returns how the student was taught, as pairs of words."""
    temperature = "" if taught.temperature is None else f"{taught.temperature:g}"
    several = ", the mean of their softened answers" if len(taught.teachers) > 1 else ""
    facts = [
        ("Learns from", f"{taught.told_loss}{several}" if taught.told_loss else ""),
        ("Temperature", temperature),
        ("Features", _pairs(taught.features)),
        ("Attention", _pairs(taught.attention)),
        ("Teacher's answers", taught.told_cache),
    ]
    return [(name, value) for name, value in facts if value]


def _teacher(data: ReportData, teacher: Teacher) -> str:
    """Says how good a teacher is, and where its weights came from in the first place."""
    told = teacher.step
    if teacher.accuracy is not None:
        between = formats.interval(teacher.accuracy, 100)
        told += f": {formats.percent(teacher.accuracy.value)}" + (f" ({between})" if between else "")
        told += f" of the {teacher.images:,} validation images" if teacher.images else ""
    first, weights = first_weights(data.steps, teacher.step)
    if not weights:
        return told
    whose = "its weights" if first == teacher.step else f"its weights, by way of {first},"
    return f"{told}; {whose} began {weights}"


def _row(data: ReportData, step: Step, role: str, student: Step) -> list[tuple[str, str]]:
    """Returns a line of the comparison: each cell with its small print."""
    measured, own = data.row(step.name), data.row(student.name)
    test = measured.numbers.get("accuracy") if measured is not None else None
    against = "–"
    if step is not student and own is not None and test is not None and own.value("accuracy") is not None:
        against = formats.points((own.value("accuracy") or 0.0) - test.value)
    kept = next((point for point in step.history if point.epoch == step.best_epoch), None)
    validation = kept.val_accuracy if kept is not None else None
    return [
        (step.name, role),
        (formats.count(step.parameters), ""),
        (formats.count(step.macs), ""),
        (formats.percent(validation), ""),
        (formats.percent(test.value if test else None), _interval(test)),
        (against, ""),
        (formats.seconds(step.training_seconds), _epochs(step)),
    ]


def _epochs(step: Step) -> str:
    number = len(step.history)
    return f"{number} epoch{'s' if number != 1 else ''}" if number else ""


def _interval(number: Number | None) -> str:
    return formats.interval(number, 100) if number is not None else ""


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{mine} like the teacher's {theirs}" for mine, theirs in pairs)
