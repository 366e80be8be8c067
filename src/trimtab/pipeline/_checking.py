"""Finding mistakes before the first step is done: in seconds, not after an hour of training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._recipe import (
    ExportStep,
    LoadStep,
    PruneStep,
    Recipe,
    SelectStep,
    SensitivityStep,
    TrainStep,
)

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
        if isinstance(step, PruneStep) and step.targets is not None:
            _check_targets(step, next(scan for scan in recipe.steps if scan.name == step.targets), models)
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

    from trimtab.pruning import KeepZeros, PruningOptimizer

    if (model := models.get(step.from_)) is None:
        return None
    try:
        arguments = step.prune_arguments(model)
        names = ("layers", "exclude", "skip_ends", "granularity")
        where = {name: arguments[name] for name in names if name in arguments}
        if isinstance(step.sparsity, dict):
            where["layers"] = tuple(step.sparsity)
        # The layers and the granularity are to be checked; how much they prune was, with the recipe.
        PruningOptimizer.for_model(model, keras.optimizers.SGD(), KeepZeros(), **where)
    except ConfigError as error:
        raise ConfigError(f"step {step.name!r}: {error}") from None
    if step.rewind_to is not None and (earlier := models.get(step.rewind_to)) is not None:
        _check_same_shapes(step, model, earlier)
    return model


def _check_same_shapes(step: PruneStep, model: Any, earlier: Any) -> None:
    """Refuses to rewind a model to the weights of one that is built otherwise."""
    if [weight.shape for weight in model.weights] != [weight.shape for weight in earlier.weights]:
        raise ConfigError(
            f"step {step.name!r}: rewind_to names {step.rewind_to!r}, whose weights have other shapes than "
            f"those of {step.from_!r}. Name an earlier state of the same model."
        )


def _check_targets(step: PruneStep, scan: Any, models: Mapping[str, Any]) -> None:
    """Refuses a total out of the scan's reach, and targets that were found on a model with other layers."""
    from trimtab.pruning import sparsity_table

    if (scanned := models.get(scan.from_)) is not None:
        try:
            scan.check_model(scanned, step.total)
        except ConfigError as error:
            raise ConfigError(f"step {step.name!r}: {error}") from None
    if scan.from_ == step.from_ or not {scan.from_, step.from_} <= set(models):
        return
    layers = [
        [(row.name, row.weight, row.size) for row in sparsity_table(models[name])]
        for name in (scan.from_, step.from_)
    ]
    if layers[0] != layers[1]:
        raise ConfigError(
            f"step {step.name!r}: its targets come from {scan.name!r}, which looks at {scan.from_!r}, a "
            f"model with other layers than {step.from_!r}. Scan a model of the same architecture."
        )


@_check.register(SensitivityStep)
def _check_sensitivity(step: SensitivityStep, data: ImageData, models: Mapping[str, Any]) -> Any:  # noqa: ARG001
    if (model := models.get(step.from_)) is not None:
        try:
            step.check_model(model)
        except ConfigError as error:
            raise ConfigError(f"step {step.name!r}: {error}") from None
    return None


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
