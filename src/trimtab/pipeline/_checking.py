"""Finding mistakes before the first step is done: in seconds, not after an hour of training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._recipe import ExportStep, LoadStep, PruneStep, Recipe, SelectStep, TrainStep

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


@_check.register(SelectStep)
def _check_select(step: SelectStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    from trimtab.models import parameters

    sizes = {name: parameters(models[name]) for name in step.among if name in models}
    fitting = [
        name for name, size in sizes.items() if step.max_parameters is None or size <= step.max_parameters
    ]
    if sizes and not fitting:
        listed = ", ".join(f"{name} has {size:,}" for name, size in sizes.items())
        raise ModelError(
            f"step {step.name!r}: no candidate has at most {step.max_parameters:,} parameters ({listed}). "
            "Allow more, or add a smaller candidate."
        )
    # Which one will be best is not known yet; with a single one that fits, it is.
    return models[fitting[0]] if len(fitting) == 1 else None


@_check.register(ExportStep)
def _check_export(step: ExportStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    from trimtab.models import has_softmax

    model = models.get(step.from_)
    if model is not None and step.scheme == "int8" and step.softmax == "refuse" and has_softmax(model):
        raise ModelError(
            f"step {step.name!r}: the model of {step.from_!r} ends in a softmax, which int8 gives in steps "
            "of 1/256 only. Set softmax: strip (the file then gives logits), or softmax: keep."
        )
