"""What there is to say about a tuning, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trimtab.tuning._result import TrialResult

__all__ = ["notes_on"]


def notes_on(
    trials: Sequence[TrialResult],
    best: TrialResult,
    images: int,
    ending: Literal["running", "done", "time", "interrupted"],
) -> tuple[str, ...]:
    """Says what tuning bought, what was cut short, and how far the numbers can be trusted.

    Args:
        trials: all of them, the baseline first.
        best: the one whose model is handed over.
        images: how many validation images there are.
        ending: why the search ended.
    """
    notes = [_gain(trials[0], best, images)]
    cut = [trial for trial in trials if trial.state == "cut"]
    if cut:
        epochs = _between([trial.epochs for trial in cut])
        were = "was" if len(cut) == 1 else "were"
        notes.append(f"{len(cut)} of {len(trials)} trials {were} cut short, after {epochs} epochs")
    if failed := [trial for trial in trials if trial.state == "failed"]:
        first = failed[0]
        notes.append(f"{len(failed)} of {len(trials)} trials failed; trial {first.number}: {first.why}")
    left = sum(trial.state == "unfinished" for trial in trials)
    if ending in ("time", "interrupted"):
        reason = "its time was up" if ending == "time" else "it was stopped"
        still = f"; {left} of the trials {'was' if left == 1 else 'were'} not finished" if left else ""
        notes.append(f"the search ended because {reason}{still}: this is the best so far")
    return tuple(notes)


def _gain(baseline: TrialResult, best: TrialResult, images: int) -> str:
    """Says how much better the best is, and that it was picked by the images that it is judged on."""
    before, after = baseline.val_accuracy or 0.0, best.val_accuracy or 0.0
    if best.number == baseline.number:
        return f"nothing was better than the defaults: {before:.2%} of {images:,} validation images"
    return (
        f"{before:.2%} became {after:.2%} of {images:,} validation images; the best of many was picked by "
        "these very images, so expect a little less on new ones"
    )


def _between(numbers: Sequence[int]) -> str:
    """Says a range, or the one number that it is."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
