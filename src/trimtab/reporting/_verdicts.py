"""What each technique bought on this runtime: words, then the measured numbers behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from trimtab.reporting._channel_verdict import Gain, about_channels, gains, gone
from trimtab.reporting._comparing import compared_with, files_of, paired_p
from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._few_bits_verdict import about_few_bits, few_bits, shared_in_file
from trimtab.reporting._formats import count, milliseconds, p_value, points, share, size, times
from trimtab.reporting._headline import file_ratios
from trimtab.reporting._pruned import missed
from trimtab.reporting._steps import first_weights, origin
from trimtab.reporting._student_verdict import about_student
from trimtab.reporting._wording import (
    SAME,
    accuracy_change,
    joined,
    listed,
    price,
    ratio,
    size_and_speed,
    sized,
)

__all__ = ["verdict", "verdicts"]

_SPARSE = 0.2  # share of zeros from which on a model counts as pruned


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
        step, made = by_name.get(row.name), origin(steps, row.name)
        if row.kind == "keras" and step is not None and step.do == "distill" and row.name != baseline:
            words = about_student(row, step, rows, steps, predictions)
        elif row.kind == "keras" and step is not None and _in_few_bits(step) and row.name != baseline:
            words = about_few_bits(row, step, rows, steps, predictions)
        else:
            files = files_of(row, rows, steps)
            bought = gains(row, parent, rows, steps) if row.kind == "keras" and parent is not None else ()
            same = parent is not None and made == origin(steps, parent.name)
            words = verdict(row, parent, first, step, machine, files, made, bought, same)
            words = joined(words, _pretrained(row, steps))
        judged.append(dataclasses.replace(row, verdict=words))
    return tuple(judged)


def _in_few_bits(step: Step) -> bool:
    return step.aware is not None or step.clustering is not None


def _pretrained(row: ResultRow, steps: tuple[Step, ...]) -> str:
    """Says where the weights of a trained model began, where that was not chance."""
    trained = row.kind == "keras" and any(step.name == row.name and step.do == "train" for step in steps)
    weights = first_weights(steps, row.name)[1] if trained else ""
    return f"its weights began {weights}" if weights and not weights.startswith("random") else ""


def verdict(
    row: ResultRow,
    parent: ResultRow | None,
    baseline: ResultRow | None,
    step: Step | None,
    machine: Mapping[str, Any] | None = None,
    files: tuple[ResultRow, ...] = (),
    made: Step | None = None,
    bought: tuple[Gain, ...] = (),
    same_model: bool = True,
) -> str:
    """Says in one line what a step bought on this runtime, from the measured numbers.

    Args:
        row: what was measured; `parent_p` among its numbers is the paired test against `parent`.
        parent: the same thing without the step (see `compared_with`).
        baseline: the run's baseline.
        step: the step that made it.
        machine: the run's machine record; says why zeros do not speed anything up here.
        files: the deployable files made from it, where it is a Keras model.
        made: the step that made the model of it; `step` itself where it is a Keras model.
        bought: what each runtime made of it, where channels were removed.
        same_model: whether `parent` has the same model in it.
    """
    is_baseline = baseline is not None and row.name == baseline.name
    if row.kind == "litert":
        return _BASELINE if is_baseline else _about_file(row, parent, machine or {}, made, same_model)
    if is_baseline or parent is None:
        return joined(_BASELINE if is_baseline else "", _as_it_is(row, step, files))
    if step is not None and step.do == "prune":
        return joined(_about_zeros(row, parent, row.value("parent_p")), missed(step.missed))
    if step is not None and step.do == "prune_channels":
        return about_channels(row, parent, step, row.value("parent_p"), bought)
    return _about_training(row, parent, row.value("parent_p"))


_BASELINE = "the baseline: everything else is measured against it"


def _as_it_is(row: ResultRow, step: Step | None, files: tuple[ResultRow, ...]) -> str:
    """Says what a Keras model is that nothing on its own runtime can be compared with."""
    told = f"the model as {'loaded' if step is not None and step.do == 'load' else 'trained'}"
    parameters, weight = row.value("parameters"), row.value("bytes")
    if parameters is not None:
        told += f": {count(parameters)} parameters"
        told += f" in a {size(weight)} Keras file" if weight is not None else ""
    named = [
        f"{file.name} ({size(file.value('bytes'))})" for file in files if file.value("bytes") is not None
    ]
    made = f"deployed from it {'are' if len(named) > 1 else 'is'} {listed(named)}" if named else ""
    return joined(told, made)


def _about_training(row: ResultRow, parent: ResultRow, p: float | None) -> str:
    """Says what another configuration gained, and for how much: the comparison of hyperparameters."""
    mine, theirs, cost = row.value("accuracy"), parent.value("accuracy"), price(row, parent)
    if mine is None or theirs is None:
        return f"{cost} of {parent.name}" if cost else "trained; its accuracy was not measured"
    difference = mine - theirs
    if p is not None and p < 0.05 and abs(difference) >= 0.0005:
        told = f"{points(difference)} points of accuracy ({p_value(p)})"
        return f"{told} {'for' if difference > 0 else 'with'} {cost or 'it'}, against {parent.name}"
    told = accuracy_change(row, parent, p)
    return f"{told} for {cost}, against {parent.name}" if cost else f"{told}, against {parent.name}"


def zero_share(row: ResultRow) -> float | None:
    """Returns the share of parameters that are zero, 0..1."""
    parameters, non_zeros = row.value("parameters"), row.value("non_zeros")
    return 1 - non_zeros / parameters if parameters and non_zeros is not None else None


def _other_model(made: Step) -> str:
    """Says what a model is that stands in for the one before it."""
    if made.do == "distill":
        return "the student"
    if _in_few_bits(made):
        return few_bits(made)
    return gone(made) if made.do == "prune_channels" else ""


def _about_file(
    row: ResultRow,
    parent: ResultRow | None,
    machine: Mapping[str, Any],
    made: Step | None,
    same_model: bool,
) -> str:
    clustered = made is not None and made.clustering is not None
    zeros = shared_in_file(row, parent) if clustered else _zeros_in_file(row, parent, machine)
    if parent is None:
        return joined("a deployable file, whose model was not measured beside it", zeros)
    accuracy = accuracy_change(row, parent, row.value("parent_p"))
    if parent.kind == "keras":
        smaller, latency = ratio(parent, row, "bytes"), row.value("latency_ms")
        answers = f"answers in {milliseconds(latency)} ms" if latency is not None else ""
        words = "a deployable file" + (
            f", {sized(smaller)} than the Keras file" if smaller is not None else ""
        )
        return joined(words, answers, accuracy, zeros)
    change = size_and_speed(row, parent)
    ways = [
        # Beside another model, not all of the difference is the integers'.
        "" if made is None or same_model else _other_model(made),
        _SCHEMES.get(row.scheme, row.scheme) if parent.scheme != row.scheme else "",
    ]
    how = ", in ".join(filter(None, ways))
    change = f"{how}: {change}" if how and change else how or change
    return joined(change, accuracy, zeros)


_SCHEMES = {
    "int8": "8-bit integers throughout",
    "int8-float-io": "8-bit integers, float at both ends",
    "int4": "4-bit weights, 8-bit activations",
    "int4-float-io": "4-bit weights, 8-bit activations, float at both ends",
    "int16x8": "8-bit weights, 16-bit activations",
    "dynamic-int4": "4-bit weights, float activations",
    "dynamic-int8": "8-bit weights, float activations",
    "float16": "16-bit weights, computed in float",
}


def _about_zeros(row: ResultRow, parent: ResultRow, p: float | None) -> str:
    zeros, parts = zero_share(row), []
    raw, packed = ratio(parent, row, "bytes"), ratio(parent, row, "gzip_bytes")
    if raw is not None:
        same = abs(raw - 1) <= SAME
        parts.append(
            "leave the Keras file as large, since it stores them"
            if same
            else f"make the Keras file {sized(raw)}"
        )
    if packed is not None:
        parts.append(
            "do not shrink its gzip"
            if abs(packed - 1) <= SAME
            else f"make its download (gzip) {sized(packed)}"
        )
    faster = file_ratios(row, parent)[1]
    if faster is not None and abs(faster - 1) <= 2 * SAME:
        parts.append("do not change latency here, since a dense kernel multiplies zeros like any number")
    elif faster is not None:
        parts.append(
            f"go with a latency {times(faster) + ' faster' if faster > 1 else times(1 / faster) + ' slower'}"
        )
    told = f"{share(zeros)} zeros" if zeros is not None else "zeros"
    return joined(f"{told} {listed(parts) or 'were made'}", accuracy_change(row, parent, p))


def _zeros_in_file(row: ResultRow, parent: ResultRow | None, machine: Mapping[str, Any]) -> str:
    """Says what zeros do for a file: its download shrinks; its latency mostly does not."""
    zeros, raw, packed = zero_share(row), row.value("bytes"), row.value("gzip_bytes")
    if zeros is None or zeros < _SPARSE:
        return ""
    told = f"its {share(zeros)} zeros"
    dense = parent if parent is not None and (parent.kind, parent.scheme) == (row.kind, row.scheme) else None
    if dense is not None and (shrunk := ratio(dense, row, "gzip_bytes")) is not None:
        told += (
            f" make the download (gzip) {sized(shrunk)}"
            if abs(shrunk - 1) > SAME
            else " do not shrink the download"
        )
    elif raw and packed:
        told += f" let gzip make the download {times(raw / packed)} smaller ({size(packed)})"
    faster = file_ratios(row, dense)[1] if dense is not None else None
    if faster is not None and abs(faster - 1) > 2 * SAME:
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
