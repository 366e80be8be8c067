"""The folder of `trimtab tune`: a run of one step, whose report is the same page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from trimtab.reporting._data import ReportData, Step
from trimtab.reporting._fields import Fields, read_fields
from trimtab.reporting._formats import percent
from trimtab.reporting._steps import read_history
from trimtab.reporting._tuning import Tuning, read_tuning

__all__ = ["KIND", "with_tuning"]

KIND = "tune"
"""What ``run.json`` says of such a folder."""
_NAME = "tuned"


def with_tuning(data: ReportData, run: Fields) -> ReportData:
    """Returns what is known of a search's folder, with what it found.

    Args:
        data: what its ``run.json`` says.
        run: that file.

    Raises:
        RunError: a file in it is damaged.
    """
    path, images = data.folder / "tuning.json", run.fields("data").text("name", "the images")
    title = f"Tuning on {images}"
    if not path.is_file():
        data = dataclasses.replace(data, title=title, complete=False, missing=("the first trial",))
        return dataclasses.replace(data, headline="No trial is finished yet.")
    tuning = read_tuning(read_fields(path), _NAME)
    step = _step(data.folder, tuning)
    done = run.text("status") in ("complete", "interrupted")
    return dataclasses.replace(
        data,
        title=title,
        steps=(step,),
        complete=done,
        missing=() if done else ("the trials that are left",),
        recipe_file="space.yaml" if (data.folder / "space.yaml").is_file() else "",
        headline=_headline(tuning),
    )


def _step(folder: Path, tuning: Tuning) -> Step:
    """Returns the search as a step: its best model, and how that was trained."""
    best = next((trial for trial in tuning.trials if trial.number == tuning.best), None)
    history = folder / "best-history.csv"
    epochs = read_history(history) if history.is_file() else ()
    told = max(epochs, key=lambda epoch: (epoch.val_accuracy or 0.0, -(epoch.val_loss or 0.0)), default=None)
    return Step(
        name=_NAME,
        do=KIND,
        finished=True,
        did=f"the best of {len(tuning.trials)} settings" + (f", trial {best.number}" if best else ""),
        config=best.values if best else {},
        seconds=tuning.seconds,
        history=epochs,
        best_epoch=told.epoch if told else None,
        training_seconds=best.seconds if best else None,
        tuning=tuning,
        parameters=best.parameters if best else None,
        macs=best.macs if best else None,
    )


def _headline(tuning: Tuning) -> str:
    """Says in one sentence what tuning bought."""
    best = next((trial for trial in tuning.trials if trial.number == tuning.best), None)
    first = tuning.trials[0] if tuning.trials else None
    if best is None or first is None:
        return "No trial is finished yet."
    tried = f"{sum(trial.state != 'unfinished' for trial in tuning.trials)} settings"
    known = f"{percent(best.accuracy)} of {tuning.images:,} validation images right"
    if best.number == first.number:
        return f"{known}: none of {tried} was better than the defaults."
    return f"{known} with the best of {tried}, {percent(first.accuracy)} with the defaults."
