"""What training for integers or sharing values cost: against the model before, and against plain training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trimtab.reporting._comparing import compared_with, control_of, paired_p
from trimtab.reporting._data import ResultRow, Step
from trimtab.reporting._formats import times
from trimtab.reporting._wording import SAME, accuracy_change, joined, ratio, sized

__all__ = ["about_few_bits", "few_bits", "shared_in_file"]


def about_few_bits(
    row: ResultRow,
    step: Step,
    rows: tuple[ResultRow, ...],
    steps: tuple[Step, ...],
    predictions: Mapping[str, np.ndarray],
) -> str:
    """Says what a model that was trained for integers, or shares its values, is worth.

    Args:
        row: the model, a Keras model.
        step: the step that made it.
        rows: everything that was measured.
        steps: the recipe's steps.
        predictions: ``labels`` and ``<row>.classes``; may be empty.
    """
    parent, twin = compared_with(row, rows, steps), control_of(step, steps)
    models = {other.name: other for other in rows if other.kind == "keras"}
    told = few_bits(step)
    if parent is not None and step.clustering is not None:
        told = f"{told} {_packed(row, parent)}".rstrip()
    change = _change(row, parent, predictions)
    if twin is not None and twin.name in models:
        control = _change(row, models[twin.name], predictions)
        control += ", which trained as many epochs without" if control else ""
    else:
        control = "what as many epochs without would have given was not measured" if step.history else ""
    return joined(told, change, control)


def few_bits(step: Step) -> str:
    """Says what a step made of the weights."""
    if step.clustering is not None:
        return step.clustering.told
    if step.aware is not None and step.aware.weights_bits:
        trained = "trained" if step.history else "calibrated"
        return f"{trained} for {step.aware.weights_bits}-bit weights"
    return "trained for integers"


def shared_in_file(row: ResultRow, parent: ResultRow | None) -> str:
    """Says what shared values do for a file: its download shrinks."""
    if parent is not None and (parent.kind, parent.scheme) == (row.kind, row.scheme):
        packed = _packed(row, parent)
        return f"its shared values {packed}" if packed else ""
    raw, packed_bytes = row.value("bytes"), row.value("gzip_bytes")
    if not raw or not packed_bytes:
        return ""
    return f"gzip makes the download {times(raw / packed_bytes)} smaller than the file"


def _packed(row: ResultRow, parent: ResultRow) -> str:
    """Says what became of the download."""
    packed = ratio(parent, row, "gzip_bytes")
    if packed is None:
        return ""
    if abs(packed - 1) <= SAME:
        return "do not shrink the download (gzip)"
    return f"make the download (gzip) {sized(packed)}"


def _change(row: ResultRow, other: ResultRow | None, predictions: Mapping[str, np.ndarray]) -> str:
    """Says how the accuracy differs from another model's."""
    if other is None:
        return ""
    told = accuracy_change(row, other, paired_p(predictions, row.name, other.name))
    to = "as" if told.startswith("the same") else "against"
    return f"{told} {to} {other.name}" if told else ""
