"""What the page says of a tuning, beside its charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trimtab.reporting._formats import NOTHING, count, percent, seconds
from trimtab.reporting._tuning import TunedTrial, Tuning, short_name, shown_value

__all__ = ["tuning_sections"]

_STATES = {"complete": "", "cut": "cut short", "failed": "failed", "unfinished": "not finished"}


def tuning_sections(found: Sequence[Tuning]) -> list[dict[str, Any]]:
    """Returns what the template shows of each tuning."""
    return [_section(tuning) for tuning in found]


def _section(tuning: Tuning) -> dict[str, Any]:
    axes = [axis.name for axis in tuning.axes]
    order = sorted(
        tuning.trials,
        key=lambda trial: (
            trial.state != "complete",
            -(trial.accuracy or 0.0),
            trial.number,
        ),
    )
    return {
        "name": tuning.name,
        "lead": _lead(tuning),
        "charts": [f"tuning_{kind}_{tuning.name}" for kind in ("history", "importance", "settings")],
        "axes": [short_name(name) for name in axes],
        "rows": [_row(tuning, trial, axes) for trial in order],
        "notes": [f"{note[:1].upper()}{note[1:]}." for note in tuning.notes],
        "several": len(tuning.objectives) > 1,
    }


def _lead(tuning: Tuning) -> str:
    """Says what was tried, and what it bought."""
    ended = [trial for trial in tuning.trials if trial.state != "unfinished"]
    cut = sum(trial.state == "cut" for trial in ended)
    took = f" in {seconds(tuning.seconds)}" if tuning.seconds else ""
    short = f", {cut} of them cut short," if cut else ""
    return (
        f"{len(ended)} settings were tried{short}{took}, judged by {tuning.images:,} validation images and "
        "never by the test images. The first is the baseline: the defaults."
    )


def _row(tuning: Tuning, trial: TunedTrial, axes: list[str]) -> dict[str, Any]:
    usual = tuning.trials[0].values
    between = ""
    if trial.low is not None and trial.high is not None:
        between = f"{100 * trial.low:.1f}–{100 * trial.high:.1f}"
    tags = [
        *(["best"] if trial.number == tuning.best else []),
        *(["baseline"] if trial.number == 0 else []),
        *(["front"] if trial.number in tuning.front and len(tuning.objectives) > 1 else []),
    ]
    return {
        "number": trial.number,
        "tags": tags,
        "state": _STATES.get(trial.state, trial.state),
        "why": trial.why,
        "accuracy": percent(trial.accuracy),
        "between": between,
        "epochs": trial.epochs,
        "parameters": NOTHING if trial.parameters is None else count(trial.parameters),
        "values": [
            (shown_value(value) if name in trial.values else "", value != usual.get(name))
            for name, value in ((name, trial.values.get(name)) for name in axes)
        ],
    }
