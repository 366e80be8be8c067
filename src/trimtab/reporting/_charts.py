"""The charts of a report, in the order of the page."""

from __future__ import annotations

from datetime import date

from trimtab.reporting import _bars as bars
from trimtab.reporting._behaviour_charts import behaviour_charts
from trimtab.reporting._channel_maps import channel_maps
from trimtab.reporting._chart import Chart, Matrix
from trimtab.reporting._curves import curves
from trimtab.reporting._data import ReportData
from trimtab.reporting._front import front_charts
from trimtab.reporting._quantization_map import quantization_maps
from trimtab.reporting._scatter import accuracy_against
from trimtab.reporting._sensitivity import sensitivity_maps
from trimtab.reporting._time_spent import time_bars
from trimtab.reporting._trials_chart import tuning_charts

__all__ = ["charts", "file_word", "run_date"]


def charts(data: ReportData) -> tuple[Chart, ...]:
    """Returns the charts that the data suffices for, in the order of the page."""
    made: list[Chart | None] = [
        *front_charts(data),
        *(
            []
            if data.compression
            else [accuracy_against(data, "bytes"), accuracy_against(data, "latency_ms")]
        ),
        curves(data, "accuracy"),
        curves(data, "loss"),
        *(chart for step in data.steps if step.tuning is not None for chart in tuning_charts(step.tuning)),
        *sensitivity_maps(data),
        *quantization_maps(data),
        *channel_maps(data),
        bars.accuracy_bars(data),
        bars.size_bars(data),
        None if data.compression else bars.quantized_bars(data),
        *behaviour_charts(data),
        _matrix(data),
        bars.zero_bars(data),
        time_bars(data),
        bars.count_bars(data),
    ]
    return tuple(chart for chart in made if chart is not None)


def run_date(data: ReportData) -> str:
    """Returns the day the run was made, ``YYYY-MM-DD``; ``undated`` where the run does not say."""
    try:
        return date.fromisoformat(data.created[:10]).isoformat()
    except ValueError:
        return "undated"


def file_word(text: str) -> str:
    """Returns a text as a part of a file name: letters, digits, dots, dashes and underscores."""
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in text)
    return kept.strip("._") or "run"


def _matrix(data: ReportData) -> Matrix | None:
    confusion = data.confusion
    if confusion is None:
        return None
    images = sum(map(sum, confusion.counts))
    shares = tuple(tuple(cell / max(sum(line), 1) for cell in line) for line in confusion.counts)
    pairs = "; ".join(
        f"{pair.true} taken for {pair.predicted} {pair.count} times" for pair in confusion.pairs[:3]
    )
    return Matrix(
        key=f"{file_word(data.project)}_confusion_matrix_blues_{run_date(data)}",
        title=f"Confusion matrix of {confusion.row}",
        alt=f"Confusion matrix of {confusion.row} on {images:,} test images. {pairs}.",
        names=data.class_names,
        counts=confusion.counts,
        shares=shares,
    )
