"""Reading what was measured: one row for each model or file."""

from __future__ import annotations

from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._fields import Fields
from trimtab.reporting._steps import origin

__all__ = ["read_rows"]


def read_rows(steps: tuple[Step, ...], benchmark: Fields) -> tuple[ResultRow, ...]:
    """Returns what was measured, in the order of the recipe; the steps tell what each row is."""
    by_name = {step.name: step for step in steps}
    rows = []
    for fields in benchmark.objects("rows"):
        name = fields.text("name")
        step, made_by = by_name.get(name), origin(steps, name)
        measured = fields.fields("measurements")
        numbers = {key: _number(measured.fields(key)) for key in measured.content}
        kind = fields.text("kind", "keras")
        given = {key: number for key, number in numbers.items() if number is not None}
        rows.append(
            ResultRow(
                name=name,
                kind=kind,
                scheme=(step.file.scheme if step and step.file else "float32") if kind == "litert" else "",
                did=step.did if step else "",
                numbers=_with_facts(_with_batch(given, benchmark), made_by),
                notes=fields.texts("notes"),
                keras_bytes=made_by.keras_bytes if made_by else None,
            )
        )
    return tuple(rows)


def _with_facts(numbers: dict[str, Number], step: Step | None) -> dict[str, Number]:
    """Fills in what is known of the model a row was made from, where the benchmark did not count it."""
    if step is None:
        return numbers
    known = {
        "parameters": step.parameters,
        "non_zeros": step.non_zeros,
        "macs": step.macs,
        "training_seconds": step.training_seconds,
    }
    filled = {key: Number(value) for key, value in known.items() if value is not None and key not in numbers}
    return {**numbers, **filled}


def _with_batch(numbers: dict[str, Number], benchmark: Fields) -> dict[str, Number]:
    """Adds how long a whole batch takes; the benchmark gives the share of one image in it."""
    each, images = numbers.get("batch_latency_ms"), benchmark.fields("settings").integer("batch")
    if each is None or not images:
        return numbers
    low, high = (None if end is None else images * end for end in (each.low, each.high))
    whole = Number(images * each.value, low, high, each.unit, each.method)
    return {**numbers, "batch_ms": whole, "batch_images": Number(images)}


def _number(fields: Fields) -> Number | None:
    value = fields.number("value")
    if value is None:
        return None
    return Number(
        value, fields.number("low"), fields.number("high"), fields.text("unit"), fields.text("method")
    )
