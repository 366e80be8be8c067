"""``do: tune``."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trimtab._atomic import atomic_path
from trimtab._records import to_plain
from trimtab.errors import ConfigError, nearest
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings
from trimtab.tuning import FAMILIES, Plan, Space, check_names, family_space

__all__ = ["TuneStep"]


class TuneStep(StepSettings):
    """Searches for a network and how to train it, and makes the best one; see `trimtab.tune`."""

    do: Literal["tune"]
    space: str | dict[str, Any]
    """A family with a built-in space, or what may vary, as `Space.from_data` reads it."""
    epochs: int | None = Field(None, ge=1)
    """Of every trial, where `space` is a family; a space of one's own says it itself."""
    trials: int = Field(20, ge=1)
    minutes: float | None = Field(None, gt=0)
    jobs: int = Field(1, ge=1)
    cut_short: bool = True

    @model_validator(mode="after")
    def _space_makes_sense(self) -> Self:
        if isinstance(self.space, dict):
            if self.epochs is not None:
                raise ValueError("epochs: a space of your own says it itself; move it there")
            try:
                check_names(Space.from_data(self.space))
            except ConfigError as error:
                raise ValueError(f"space: {error}") from None
        elif self.space not in FAMILIES:
            raise ValueError(
                f"space: there is none for the family {self.space!r}.{nearest(self.space, FAMILIES)} "
                f"There are: {', '.join(FAMILIES)}; or say what may vary"
            )
        return self

    def made_space(self, image_shape: tuple[int, int, int]) -> Space:
        """Returns the space for images of one size."""
        if isinstance(self.space, str):
            return family_space(self.space, image_shape, epochs=self.epochs or 10)
        return Space.from_data(self.space)


@perform.register(TuneStep)
def _tune(step: TuneStep, bench: Bench) -> Outcome:
    from trimtab.tuning import search_in

    # Beside the checkpoints of other steps: a run that was stopped finds it there, and a change leaves it.
    folder = bench.checkpoint.with_suffix("")
    plan = Plan(step.trials, step.minutes, step.jobs, cut_short=step.cut_short, seed=bench.seed)
    space = step.made_space(bench.data.image_shape)
    result = search_in(folder, bench.data, space, plan, bench.progress, bench.label)
    if result.ending == "interrupted":
        raise KeyboardInterrupt  # the run goes on with it; a search by itself would end here
    with atomic_path(bench.folder / "tuning.json") as partial:
        shutil.copyfile(folder / "tuning.json", partial)
    record = {
        "notes": list(result.notes),
        "best_trial": result.best,
        "trials": len(result.trials),
        "cut": sum(trial.state == "cut" for trial in result.trials),
        "setting": to_plain(result.winner.values),
        "baseline_val_accuracy": result.baseline.val_accuracy,
        "importances": to_plain(result.importances),
    }
    outcome = bench.outcome(result.model, record, result.history)
    return dataclasses.replace(
        outcome,
        # What it takes to have this model is the whole search.
        record={**outcome.record, "training_seconds": result.seconds},
        files={**outcome.files, "tuning": "tuning.json"},
    )


@check.register(TuneStep)
def _check(step: TuneStep, preview: Preview) -> Any:
    from trimtab.tuning import checked_space

    try:
        checked_space(step.made_space(preview.data.image_shape), preview.data)
    except ConfigError as error:
        raise ConfigError(f"step {step.name!r}: {error}") from None
