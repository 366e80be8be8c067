"""The result of a run in one sentence."""

from __future__ import annotations

from trimtab.reporting._data import ReportData, ResultRow
from trimtab.reporting._formats import interval, p_value, percent, points, size, times

__all__ = ["file_ratios", "headline"]


def headline(data: ReportData) -> str:
    """Says how good, how small and how fast the featured model or file is, against the baseline."""
    row = data.row(data.featured)
    if row is None:
        done = sum(step.finished for step in data.steps)
        return f"Nothing is measured yet: {done} of {len(data.steps)} steps are done."
    accuracy, number = row.value("accuracy"), row.numbers.get("accuracy")
    known = percent(accuracy)
    if number is not None and number.interval is not None:
        known += f" ({interval(number, 100)})"
    weight = row.value("bytes")
    told = f"{_called(row)}: {known} right" if accuracy is not None else _called(row)
    if weight is not None:
        told += f" in {size(weight)}"
    against = _reference(data, row)
    if against is not None:
        told += f", {_comparison(row, against)}{_accuracy(row)}"
    return f"{told}."


def file_ratios(row: ResultRow, against: ResultRow) -> tuple[float | None, float | None]:
    """Returns how many times smaller and faster `row` is than `against`; None where not measured.

    Both speed-ups are medians of paired ratios to the run's baseline, so their quotient is the best
    estimate where `against` is not the baseline itself.
    """
    smaller, faster = _quotient(against.value("bytes"), row.value("bytes")), None
    mine, theirs = row.value("speed_up"), against.value("speed_up")
    if mine is not None and theirs:
        faster = mine / theirs
    else:
        faster = _quotient(against.value("latency_ms"), row.value("latency_ms"))
    return smaller, faster


def _quotient(before: float | None, after: float | None) -> float | None:
    return before / after if before and after else None


def _called(row: ResultRow) -> str:
    return f"{row.name} ({row.scheme} file)" if row.kind == "litert" else f"{row.name} (Keras model)"


def _reference(data: ReportData, row: ResultRow) -> ResultRow | None:
    """Returns what to compare with: the baseline, as a float file where there is one and `row` is a file.

    A Keras model runs through Python and Keras, so "faster than the Keras model" would praise the
    runtime and not the technique.
    """
    baseline = data.row(data.baseline)
    if baseline is None or baseline.name == row.name:
        return None
    if row.kind == "litert" and baseline.kind == "keras":
        for other in data.rows:
            step = data.step(other.name)
            if other.kind == "litert" and other.scheme == "float32" and step and step.source == baseline.name:
                return None if other.name == row.name else other
    return baseline


def _comparison(row: ResultRow, against: ResultRow) -> str:
    smaller, faster = file_ratios(row, against)
    parts = [
        _more(smaller, "smaller", "larger", "as large"),
        _more(faster, "faster", "slower", "as fast"),
    ]
    told = " and ".join(part for part in parts if part)
    kind = (
        "float file" if against.scheme == "float32" else "file" if against.kind == "litert" else "Keras model"
    )
    return f"{told} than the baseline's {kind}" if told else f"compared with the baseline's {kind}"


def _accuracy(row: ResultRow) -> str:
    """Says what accuracy it costs or gains against the baseline, so that size and speed do not flatter.

    A difference that McNemar's test puts down to chance is none.
    """
    difference, p = row.value("accuracy_difference"), row.value("accuracy_p")
    if difference is None or p is None:
        return ""
    if p >= 0.05:
        shown = f" ({points(difference)} points, {p_value(p)})" if difference else ""
        return f", with no measurable change in accuracy{shown}" if shown else ", at the same accuracy"
    tested = f"{points(abs(difference)).lstrip('+')} points"
    return f", {f'and {tested} more' if difference > 0 else f'but {tested} less'} accurate ({p_value(p)})"


def _more(ratio: float | None, better: str, worse: str, same: str) -> str:
    if ratio is None:
        return ""
    if 0.98 <= ratio <= 1.02:
        return f"no {better}" if same else ""
    return f"{times(ratio)} {better}" if ratio > 1 else f"{times(1 / ratio)} {worse}"
