"""``do: load``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["LoadStep"]


class LoadStep(StepSettings):
    """Takes a model that the user brings, as a ``.keras`` or legacy ``.h5`` file."""

    do: Literal["load"]
    path: str

    @property
    def reads(self) -> tuple[Path, ...]:
        """The model's file."""
        return (Path(self.path),)

    @property
    def judged(self) -> bool:
        """It is not trained here, so nothing was measured on the validation images."""
        return False


@perform.register(LoadStep)
def _load(step: LoadStep, bench: Bench) -> Outcome:
    from trimtab.models import check_fits, load_model

    model = load_model(step.path)
    check_fits(model, bench.data)
    return bench.outcome(model, {"origin": Path(step.path).name})


@check.register(LoadStep)
def _check(step: LoadStep, preview: Preview) -> Any:
    from trimtab.models import check_fits, load_model

    model = load_model(step.path)
    check_fits(model, preview.data)
    return model
