"""How a compression spent its time: for the baseline, exploring, finalists, files and measuring."""

from __future__ import annotations

from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import Bar, Bars
from trimtab.reporting._compression import Compression
from trimtab.reporting._data import ReportData
from trimtab.reporting._palette import SERIES_COLOURS

__all__ = ["time_bars"]

_STAGES = {
    "baseline": "Baseline",
    "exploration": "Exploring",
    "finalists": "Finalists",
    "files": "Files and proofs",
    "measuring": "Measuring",
}


def time_bars(data: ReportData) -> Bars | None:
    """Returns the time of each stage: wall time where that was recorded, or that of the work itself."""
    if data.compression is None:
        return None
    wall = bool(data.compression.stages)
    parts = [
        (_STAGES.get(name, name), seconds)
        for name, seconds in (data.compression.stages if wall else _worked(data.compression))
        if seconds > 0
    ]
    if not parts:
        return None
    scale, unit = (60.0, "min") if max(seconds for _, seconds in parts) >= 180 else (1.0, "s")
    bars = tuple(Bar(name, seconds / scale, formats.seconds(seconds)) for name, seconds in parts)
    told = ", ".join(f"{name.lower()} {formats.seconds(seconds)}" for name, seconds in parts)
    return Bars(
        key="time_spent",
        title="How the time was spent",
        alt=f"Time by stage: {told}.",
        series=(("time", SERIES_COLOURS[0], bars),),
        x_title=f"Time ({unit})" if wall else f"Time of the work, added over all workers ({unit})",
    )


def _worked(found: Compression) -> list[tuple[str, float]]:
    """Adds up what the work took, as far as it was recorded."""
    return [
        ("baseline", found.baseline_seconds or 0.0),
        ("exploration", sum(trial.explored_seconds for trial in found.tried)),
        ("finalists", sum(trial.final_seconds for trial in found.tried)),
        ("files", sum(file.seconds or 0.0 for file in found.files)),
    ]
