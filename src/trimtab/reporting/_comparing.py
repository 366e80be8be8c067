"""Which row shows what a step bought, and whether two rows differ by more than chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trimtab.reporting._data import ResultRow, Step
from trimtab.reporting._distillation import teacher_names
from trimtab.reporting._steps import origin

__all__ = ["ancestors", "compared_with", "control_of", "files_of", "first_trained", "paired_p", "teachers_of"]


def paired_p(predictions: Mapping[str, np.ndarray], name: str, other: str) -> float | None:
    """Returns McNemar's mid-p of two rows on the same images, or None where predictions are missing."""
    from trimtab.benchmarking import mcnemar

    labels = predictions.get("labels")
    mine, theirs = predictions.get(f"{name}.classes"), predictions.get(f"{other}.classes")
    if labels is None or mine is None or theirs is None or not labels.shape == mine.shape == theirs.shape:
        return None
    right, also = mine == labels, theirs == labels
    return float(mcnemar(int((right & ~also).sum()), int((also & ~right).sum())).mid_p)


def compared_with(row: ResultRow, rows: tuple[ResultRow, ...], steps: tuple[Step, ...]) -> ResultRow | None:
    """Returns the row that shows what a step bought: the same thing without it, on the same runtime.

    For a quantized file that is the float file of the same model; then the file of the same scheme,
    or else the float file, of a model that its model was made from; then that of the first model that
    was trained. For a Keras model it is the model it was made from; for one trained from scratch, the
    first model that was trained; for a student, its twin that had no teacher, or else its teacher. A file
    is compared with a Keras model only where no file will do.
    """
    line = ancestors(steps, origin(steps, row.name))
    models = {other.name: other for other in rows if other.kind == "keras"}
    if row.kind == "keras":
        twin = control_of(line[0], steps) if line and line[0].do == "distill" else None
        if twin is not None and twin.name in models:
            return models[twin.name]
        made_from = next((models[step.name] for step in line[1:] if step.name in models), None)
        first = first_trained(rows, steps)
        fresh = bool(line) and line[0].do == "train" and line[0].source is None
        return first if fresh and first is not None and first.name != row.name else made_from
    files: dict[tuple[str, str], ResultRow] = {}
    for other in rows:
        source = origin(steps, other.name)
        if other.kind == "litert" and other.name != row.name and source is not None:
            files.setdefault((source.name, other.scheme), other)
    wanted = [(step.name, scheme) for scheme in (row.scheme, "float32") for step in line[1:]]
    if row.scheme != "float32" and line:
        wanted.insert(0, (line[0].name, "float32"))
    if (first := first_trained(rows, steps)) is not None:
        wanted.append((first.name, row.scheme))
    return next(
        (files[key] for key in wanted if key in files),
        next((models[step.name] for step in line if step.name in models), None),
    )


def control_of(step: Step, steps: tuple[Step, ...]) -> Step | None:
    """Returns the step that a technique is measured by, because it trained alike without it.

    For a student it is the twin that learned from the labels alone. For a model that was trained for integers
    or with shared values it is the same model, trained on for as many epochs.
    """
    if step.do == "distill":
        return next(
            (other for other in steps if other.do == "train" and _begins(other) == _begins(step)), None
        )
    if step.do not in ("quantize_aware", "cluster") or step.source is None or not _epochs(step):
        return None
    alike = (step.source, _epochs(step), "all")
    return next((other for other in steps if other.do == "train" and _goes_on(other) == alike), None)


def teachers_of(step: Step, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Returns the steps whose models taught a student, in the recipe's order of naming."""
    named = teacher_names(step.config) if step.do == "distill" else ()
    return tuple(other for name in named if (other := origin(steps, name)) is not None)


def _begins(step: Step) -> tuple[object, ...]:
    """Returns what a step's model was before it learned, and which part learns: twins begin alike."""
    model = step.config.get("model")
    built = sorted(map(str, model.items())) if isinstance(model, Mapping) else None
    return built, step.source, step.config.get("shrink"), step.config.get("trainable") or "all"


def _goes_on(step: Step) -> tuple[object, ...]:
    """Returns what a step trained on from, for how many epochs, and which part; a narrower copy is new."""
    source = None if step.config.get("shrink") else step.source
    return source, _epochs(step), step.config.get("trainable") or "all"


def _epochs(step: Step) -> int:
    """Returns how many epochs a step was asked to train, or else did."""
    asked = step.config.get("epochs")
    return asked if isinstance(asked, int) else len(step.history)


def first_trained(rows: tuple[ResultRow, ...], steps: tuple[Step, ...]) -> ResultRow | None:
    """Returns the first measured model that was trained from scratch: the other configurations' yardstick."""
    fresh = {step.name for step in steps if step.do == "train" and step.source is None}
    return next((row for row in rows if row.kind == "keras" and row.name in fresh), None)


def files_of(row: ResultRow, rows: tuple[ResultRow, ...], steps: tuple[Step, ...]) -> tuple[ResultRow, ...]:
    """Returns the files that were made from a Keras model as it is."""
    if row.kind != "keras":
        return ()
    made = {other.name: origin(steps, other.name) for other in rows if other.kind == "litert"}
    return tuple(other for other in rows if (step := made.get(other.name)) and step.name == row.name)


def ancestors(steps: tuple[Step, ...], step: Step | None) -> list[Step]:
    """Returns a step and those it was made from, nearest first; a selection is the step it selected.

    A student that began anew comes from its teacher, in a way: that is what it stands in for.
    """
    by_name = {item.name: item for item in steps}
    line: list[Step] = []
    while step is not None and step not in line:
        if step.do != "select":
            line.append(step)
        following = step.source or next(iter(teacher_names(step.config) if step.do == "distill" else ()), "")
        step = by_name.get(following)
    return line
