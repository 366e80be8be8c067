"""Training with integers in mind: the files' accuracies, their differences, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _harness import say
from _point import seed_data
from _qat_plan import FILES, Point, Settings, file_of
from _results import Row, Target, count_row, half_width

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["Correct", "accuracy_rows", "judged", "seed_table", "told"]

Place = tuple[str, str, str, str]
"""A net, a data set, a role and one of its files."""

Correct = Mapping[Place, np.ndarray]
"""Which test images the file of each seed got right: bool (seeds, images)."""

_NAMES = {
    ("float", "float32"): "the float model, float32 file",
    ("float", "int8"): "the float model, int8 file",
    ("float", "int4"): "the float model, int4 file",
    ("float", "int4-plain"): "the float model, int4 file, biases not corrected",
    ("control", "float32"): "as many float epochs more, float32 file",
    ("control", "int8"): "as many float epochs more, int8 file",
    ("aware8", "int8"): "quantize_aware, 8 bits, int8 file",
    ("aware4", "int4"): "quantize_aware, 4 bits, int4 file",
    ("tfmot", "int8"): "TFMOT, 8 bits, int8 file",
}

_WITHIN = Target(-0.3, "at least")
_OURS, _THEIRS = ("aware8", "int8"), ("tfmot", "int8")
_DIFFERENCES: dict[tuple[tuple[str, str], tuple[str, str]], tuple[str, Target | None]] = {
    (_OURS, _THEIRS): ("8 bits: quantize_aware less TFMOT", None),
    (_OURS, ("control", "int8")): ("8 bits: quantize_aware less as many float epochs more", None),
    (_OURS, ("float", "int8")): ("8 bits: quantize_aware less no training", None),
    (("aware4", "int4"), ("float", "float32")): ("4 bits: quantize_aware less the float model", _WITHIN),
    (("aware4", "int4"), ("control", "float32")): ("4 bits: quantize_aware less float epochs more", None),
    (("aware4", "int4"), ("float", "int4")): ("4 bits: quantize_aware less no training", None),
    (("float", "int4"), ("float", "int4-plain")): (
        "4 bits, no training: biases corrected less not",
        None,
    ),
}


def judged(points: Iterable[Point], settings: Settings, folder: Path) -> dict[Place, np.ndarray]:
    """Runs every file of the finished points on all test images; what is known of a file is kept beside it.

    Args:
        points: finished ones.
        settings: of the comparison.
        folder: where finished points are kept.
    """
    found: dict[Place, list[np.ndarray]] = {}
    for point in sorted(points, key=lambda one: one.seed):
        # All seeds have the same test images.
        data = seed_data(point.data, 0, settings.images, settings.validation)
        for name in FILES[point.role]:
            place = (point.net, point.data, point.role, name)
            predicted = _predictions(file_of(folder, point, name), data)
            found.setdefault(place, []).append(predicted == data.test.labels)
    return {place: np.stack(taken) for place, taken in found.items()}


def _predictions(path: Path, data: ImageData) -> np.ndarray:
    """Returns the classes that a file gives the test images."""
    from trimtab._atomic import atomic_path
    from trimtab.litert import LiteRTModel

    kept = path.with_suffix(".npy")
    if not kept.is_file():
        say(f"running {path.parent.parent.name}, {path.parent.name}, {path.name}")
        predicted = LiteRTModel(path)(data.test.inputs()).argmax(axis=-1).astype(np.int16)
        with atomic_path(kept) as partial, partial.open("wb") as file:
            np.save(file, predicted)
    return np.asarray(np.load(kept))


def accuracy_rows(correct: Correct, settings: Settings) -> list[Row]:
    """Makes the rows: for each net and data set the accuracies and their differences, then all together."""
    rows: list[Row] = []
    gaps: dict[str, list[np.ndarray]] = {}
    for net, data in dict.fromkeys((place[0], place[1]) for place in correct):
        group = f"{settings.nets[net].title}, {data}"
        for (role, name), title in _NAMES.items():
            if (net, data, role, name) in correct:
                taken = 100 * correct[net, data, role, name].mean(axis=1)
                rows.append(Row(title, group, "%", float(taken.mean()), None, None, tuple(map(float, taken))))
        for (one, other), (title, target) in _DIFFERENCES.items():
            gap = _gap(correct, (net, data, *one), (net, data, *other))
            if gap is not None:
                gaps.setdefault(title, []).append(gap)
                rows.append(_mean_row(title, group, gap, target))
    return [*rows, *_overall(gaps)]


def _gap(correct: Correct, one: Place, other: Place) -> np.ndarray | None:
    """Returns the points of accuracy that one file is ahead of another, seed by seed."""
    if one not in correct or other not in correct:
        return None
    return np.asarray(100 * (correct[one].mean(axis=1) - correct[other].mean(axis=1)))


def _mean_row(title: str, group: str, gap: np.ndarray, target: Target | None = None) -> Row:
    """Makes the row of a mean difference, with its interval where that is known."""
    value, half = float(gap.mean()), half_width(gap)
    low, high = (None, None) if half is None else (value - half, value + half)
    return Row(title, group, "points", value, low, high, tuple(map(float, gap)), None, target)


def _overall(gaps: Mapping[str, Sequence[np.ndarray]]) -> list[Row]:
    """Makes the rows over all nets and data sets."""
    group = "All nets and data sets"
    rows = [_mean_row(title, group, np.concatenate(taken)) for title, taken in gaps.items()]
    beside = gaps.get(_DIFFERENCES[_OURS, _THEIRS][0])
    if beside is not None:
        behind = sum(float(gap.mean()) + (half_width(gap) or 0.0) < 0 for gap in beside)
        name = f"nets behind TFMOT by more than the interval, of {len(beside)}"
        rows.append(count_row(name, behind, group=group, target=Target(0)))
    return rows


def told(correct: Correct, settings: Settings) -> list[str]:
    """Says in a sentence each how the promises were kept."""
    rows = accuracy_rows(correct, settings)
    four = [row for row in rows if row.target == _WITHIN]
    missed = [f"{row.group} ({row.value:+.2f})" for row in four if row.value < _WITHIN.limit]
    verdict = f"missed on {', '.join(missed)}" if missed else "kept everywhere"
    sentences = [f"At 4 bits within 0.3 points of the float model: {verdict}."]
    title = _DIFFERENCES[_OURS, _THEIRS][0]
    beside = [row for row in rows if row.name == title and row.group != "All nets and data sets"]
    behind = [f"{row.group} ({row.value:+.2f})" for row in beside if row.value < 0]
    if beside:
        verdict = f"behind in the mean on {', '.join(behind)}" if behind else "behind nowhere"
        sentences.append(f"Beside TFMOT at 8 bits: {verdict}, of {len(beside)} nets.")
    return sentences


def seed_table(points: Sequence[Mapping[str, Any]], chosen: Mapping[Point, float]) -> dict[str, Any]:
    """Makes the table of the rates that were chosen, with the validation accuracies that chose them."""
    rows = []
    for first, rate in chosen.items():
        tried = {
            float(one["rate"]): 100 * float(one["validation"])
            for one in points
            if (one["net"], one["data"], one["seed"], one["role"])
            == (first.net, first.data, first.seed, first.role)
        }
        cells = ", ".join(f"{one:g}: {value:.2f} %" for one, value in sorted(tried.items()))
        rows.append([first.net, first.data, first.role, cells, f"{rate:g}"])
    headings = ["net", "data", "training", "validation accuracy by rate, first seed", "chosen"]
    return {"title": "The rates", "headings": headings, "rows": rows}
