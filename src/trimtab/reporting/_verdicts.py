"""What each technique bought on this runtime: words, then the measured numbers behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._formats import milliseconds, p_value, points, share, size, times
from trimtab.reporting._headline import file_ratios
from trimtab.reporting._steps import origin

__all__ = ["compared_with", "verdict", "verdicts"]

_SPARSE = 0.2  # share of zeros from which on a model counts as pruned
_SAME = 0.05  # ratios this near to 1 count as no change


def verdicts(
    rows: tuple[ResultRow, ...],
    steps: tuple[Step, ...],
    baseline: str | None,
    machine: Mapping[str, Any],
    predictions: Mapping[str, np.ndarray],
) -> tuple[ResultRow, ...]:
    """Returns the rows with their verdicts filled in.

    Args:
        rows: what was measured.
        steps: the recipe's steps.
        baseline: name of the row that the others are compared with.
        machine: the run's machine record.
        predictions: ``labels`` and ``<row>.classes``, as the run keeps them; may be empty.
    """
    first = next((row for row in rows if row.name == baseline), None)
    by_name = {step.name: step for step in steps}
    judged = []
    for row in rows:
        parent = compared_with(row, rows, steps)
        if parent is not None and (p := paired_p(predictions, row.name, parent.name)) is not None:
            row = dataclasses.replace(row, numbers={**row.numbers, "parent_p": Number(p)})
        words = verdict(row, parent, first, by_name.get(row.name), machine)
        judged.append(dataclasses.replace(row, verdict=words))
    return tuple(judged)


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
    or else the float file, of a model that its model was made from; for a Keras model it is the
    model it was made from. A file is compared with a Keras model only where no file will do.
    """
    line = _ancestors(steps, origin(steps, row.name))
    models = {other.name: other for other in rows if other.kind == "keras"}
    if row.kind == "keras":
        return next((models[step.name] for step in line[1:] if step.name in models), None)
    files: dict[tuple[str, str], ResultRow] = {}
    for other in rows:
        source = origin(steps, other.name)
        if other.kind == "litert" and other.name != row.name and source is not None:
            files.setdefault((source.name, other.scheme), other)
    wanted = [(step.name, scheme) for scheme in (row.scheme, "float32") for step in line[1:]]
    if row.scheme != "float32" and line:
        wanted.insert(0, (line[0].name, "float32"))
    return next(
        (files[key] for key in wanted if key in files),
        next((models[step.name] for step in line if step.name in models), None),
    )


def verdict(
    row: ResultRow,
    parent: ResultRow | None,
    baseline: ResultRow | None,
    step: Step | None,
    machine: Mapping[str, Any] | None = None,
) -> str:
    """Says in one line what a step bought on this runtime, from the measured numbers.

    Args:
        row: what was measured; `parent_p` among its numbers is the paired test against `parent`.
        parent: the same thing without the step (see `compared_with`).
        baseline: the run's baseline.
        step: the step that made it.
        machine: the run's machine record; says why zeros do not speed anything up here.
    """
    if baseline is not None and row.name == baseline.name:
        return "the baseline: everything else is measured against it"
    if row.kind == "litert":
        return _about_file(row, parent, machine or {})
    against = parent or baseline
    if against is None:
        return "measured; there is nothing to compare it with"
    p = row.value("parent_p") if parent is not None else row.value("accuracy_p")
    if step is not None and step.do == "prune" and parent is not None:
        return _about_zeros(row, parent, p)
    return _joined(_accuracy(row, against, p), _size_and_speed(row, against))


def zero_share(row: ResultRow) -> float | None:
    """Returns the share of parameters that are zero, 0..1."""
    parameters, non_zeros = row.value("parameters"), row.value("non_zeros")
    return 1 - non_zeros / parameters if parameters and non_zeros is not None else None


def _about_file(row: ResultRow, parent: ResultRow | None, machine: Mapping[str, Any]) -> str:
    zeros = _zeros_in_file(row, parent, machine)
    if parent is None:
        return _joined("a deployable file, whose model was not measured beside it", zeros)
    accuracy = _accuracy(row, parent, row.value("parent_p"))
    if parent.kind == "keras":
        smaller, latency = _ratio(parent, row, "bytes"), row.value("latency_ms")
        answers = f"answers in {milliseconds(latency)} ms" if latency is not None else ""
        words = "a deployable file" + (
            f", {_sized(smaller)} than the Keras file" if smaller is not None else ""
        )
        return _joined(words, answers, accuracy, zeros)
    change = _size_and_speed(row, parent)
    if parent.scheme != row.scheme:
        change = f"{_SCHEMES.get(row.scheme, row.scheme)}: {change}" if change else row.scheme
    return _joined(change, accuracy, zeros)


_SCHEMES = {
    "int8": "8-bit integers throughout",
    "dynamic-int8": "8-bit weights, float activations",
    "float16": "16-bit weights, computed in float",
}


def _about_zeros(row: ResultRow, parent: ResultRow, p: float | None) -> str:
    zeros, parts = zero_share(row), []
    raw, packed = _ratio(parent, row, "bytes"), _ratio(parent, row, "gzip_bytes")
    if raw is not None:
        same = abs(raw - 1) <= _SAME
        parts.append(
            "leave the Keras file as large, since it stores them"
            if same
            else f"make the Keras file {_sized(raw)}"
        )
    if packed is not None:
        parts.append(
            "do not shrink its gzip"
            if abs(packed - 1) <= _SAME
            else f"make its download (gzip) {_sized(packed)}"
        )
    faster = file_ratios(row, parent)[1]
    if faster is not None and abs(faster - 1) <= 2 * _SAME:
        parts.append("do not change latency here, since a dense kernel multiplies zeros like any number")
    elif faster is not None:
        parts.append(
            f"go with a latency {times(faster) + ' faster' if faster > 1 else times(1 / faster) + ' slower'}"
        )
    told = f"{share(zeros)} zeros" if zeros is not None else "zeros"
    joined = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else "were made"
    return _joined(f"{told} {joined}", _accuracy(row, parent, p))


def _zeros_in_file(row: ResultRow, parent: ResultRow | None, machine: Mapping[str, Any]) -> str:
    """Says what zeros do for a file: its download shrinks; its latency mostly does not."""
    zeros, raw, packed = zero_share(row), row.value("bytes"), row.value("gzip_bytes")
    if zeros is None or zeros < _SPARSE:
        return ""
    told = f"its {share(zeros)} zeros"
    dense = parent if parent is not None and (parent.kind, parent.scheme) == (row.kind, row.scheme) else None
    if dense is not None and (shrunk := _ratio(dense, row, "gzip_bytes")) is not None:
        told += (
            f" make the download (gzip) {_sized(shrunk)}"
            if abs(shrunk - 1) > _SAME
            else " do not shrink the download"
        )
    elif raw and packed:
        told += f" let gzip make the download {times(raw / packed)} smaller ({size(packed)})"
    faster = file_ratios(row, dense)[1] if dense is not None else None
    if faster is not None and abs(faster - 1) > 2 * _SAME:
        return told
    return f"{told} and do not change latency here: {_no_sparse_path(row, machine)}"


def _no_sparse_path(row: ResultRow, machine: Mapping[str, Any]) -> str:
    """Says why zeros buy no speed; XNNPACK's sparse kernels need a float net and a CPU without AVX."""
    if row.scheme not in ("", "float32", "float16"):
        return "XNNPACK has no sparse path for integers"
    told = f"{machine.get('flags', '')} {machine.get('architecture', '')}".lower()
    if "avx" in told:
        return "XNNPACK has no sparse path on this CPU"
    return "the file stores them densely, so they are multiplied like any number"


def _accuracy(row: ResultRow, against: ResultRow, p: float | None) -> str:
    """Says how accuracy changed, and whether the change is more than chance.

    Without a paired test of the two, only a change beyond both intervals is called one.
    """
    mine, theirs = row.numbers.get("accuracy"), against.numbers.get("accuracy")
    if mine is None or theirs is None:
        return ""
    difference = mine.value - theirs.value
    tested = f", {p_value(p)}" if p is not None else ""
    if abs(difference) < 0.0005:  # less than a tenth of a point: nobody should act on it, whatever its p
        return "the same accuracy" if difference == 0 else "the same accuracy to 0.1 points"
    real = p < 0.05 if p is not None else not _overlap(mine.interval, theirs.interval)
    if not real:
        return f"no measurable change in accuracy ({points(difference)} points{tested})"
    more = "more" if difference > 0 else "less"
    chance = f" ({p_value(p)})" if p is not None else ""
    return f"{more} accurate by {points(abs(difference)).lstrip('+')} points{chance}"


def _overlap(mine: tuple[float, float] | None, theirs: tuple[float, float] | None) -> bool:
    return mine is None or theirs is None or (mine[0] <= theirs[1] and theirs[0] <= mine[1])


def _ratio(before: ResultRow, after: ResultRow, key: str) -> float | None:
    old, new = before.value(key), after.value(key)
    return old / new if old and new else None


def _sized(ratio: float) -> str:
    if abs(ratio - 1) <= 0.02:
        return "no smaller"
    return f"{times(ratio)} smaller" if ratio > 1 else f"{times(1 / ratio)} larger"


def _size_and_speed(row: ResultRow, against: ResultRow) -> str:
    """Says how size and latency compare: "1.4× larger and 1.2× slower than wider"."""
    found = [
        (_ratio(against, row, "bytes"), "smaller", "larger", "as large"),
        (file_ratios(row, against)[1], "faster", "slower", "as fast"),
    ]
    known = [entry for entry in found if entry[0] is not None]
    changed = [
        f"{times(max(r, 1 / r))} {better if r > 1 else worse}"
        for r, better, worse, _ in known
        if r and abs(r - 1) > _SAME
    ]
    same = [word for r, _, _, word in known if r and abs(r - 1) <= _SAME]
    if not changed:
        return f"{' and '.join(same)} as {against.name}" if same else ""
    told = f"{' and '.join(changed)} than {against.name}"
    return f"{told}, just {same[0]}" if same else told


def _joined(*clauses: str) -> str:
    return "; ".join(clause for clause in clauses if clause)


def _ancestors(steps: tuple[Step, ...], step: Step | None) -> list[Step]:
    """Returns a step and those it was made from, nearest first; a selection is the step it selected."""
    by_name = {item.name: item for item in steps}
    line: list[Step] = []
    while step is not None and step not in line:
        line.append(step)
        step = by_name.get(step.source or "")
    return line
