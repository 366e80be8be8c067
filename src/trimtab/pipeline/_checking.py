"""Finding mistakes before the first step is done: in seconds, not after an hour of training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from trimtab.errors import ConfigError
from trimtab.pipeline._recipe import ExportStep, LoadStep, PruneStep, Recipe, TrainStep

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["check_steps"]


def check_steps(recipe: Recipe, data: ImageData) -> None:
    """Goes through the steps with models that are built but not trained.

    Raises:
        TrimtabError: the step that cannot be done says so; its kind is the one that doing it would raise.
    """
    models: dict[str, Any] = {}
    for step in recipe.steps:
        model = _check(step, data, models)
        if model is not None:
            models[step.name] = model


@singledispatch
def _check(step: Any, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """Returns a model shaped like the one that the step will make; None where that cannot be told."""
    return None


@_check.register(TrainStep)
def _check_train(step: TrainStep, data: ImageData, models: Mapping[str, Any]) -> Any:
    from trimtab.pipeline._steps import build

    return models.get(step.from_) if step.from_ else build(step, data, seed=0)


@_check.register(LoadStep)
def _check_load(step: LoadStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    from trimtab.models import check_fits, load_model

    model = load_model(step.path)
    check_fits(model, data)
    return model


@_check.register(PruneStep)
def _check_prune(step: PruneStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    import keras

    from trimtab.pruning import ConstantSparsity, PruningOptimizer

    if (model := models.get(step.from_)) is not None:
        schedule = ConstantSparsity(step.sparsity)
        try:
            PruningOptimizer.for_model(
                model, keras.optimizers.SGD(), schedule, layers=step.layers, exclude=step.exclude
            )
        except ConfigError as error:
            raise ConfigError(f"step {step.name!r}: {error}") from None
    return model


@_check.register(ExportStep)
def _check_export(step: ExportStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    from trimtab.litert import scheme

    scheme(step.scheme)
