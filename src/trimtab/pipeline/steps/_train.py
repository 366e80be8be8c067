"""``do: train``."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from trimtab.errors import ConfigError
from trimtab.pipeline._options import TrainableOptions, TrainingOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._origin import OriginSettings, expected, own_model, told_origin

__all__ = ["TrainStep"]


class TrainStep(OriginSettings, TrainableOptions, TrainingOptions):
    """Trains a new model (`model`) or one that an earlier step made (`from`)."""

    do: Literal["train"] = "train"
    keep_zeros: bool = False
    """Weights of the earlier step's model that are zero stay zero."""

    @model_validator(mode="after")
    def _zeros_to_keep(self) -> Self:
        if self.keep_zeros and (self.from_ is None or self.shrink is not None):
            raise ValueError(
                "keep_zeros is for training a pruned model on: say 'from', or leave keep_zeros out"
            )
        return self


@perform.register(TrainStep)
def _train(step: TrainStep, bench: Bench) -> Outcome:
    from trimtab import pruning, training

    model = own_model(step, bench)
    result = training.train(
        model,
        bench.data,
        wrap_optimizer=pruning.keep_zeros(model) if step.keep_zeros else None,
        trainable=step.trainable,
        **step.train_arguments(),
        **bench.surroundings(),
    )
    return bench.outcome(result.model, {"notes": list(result.notes), **told_origin(step)}, result.history)


@check.register(TrainStep)
def _check(step: TrainStep, preview: Preview) -> Any:
    model = expected(step, preview)
    if model is not None:
        try:
            step.check_trainable(model)
        except ConfigError as error:
            raise ConfigError(f"step {step.name!r}: {error}") from None
    return model
