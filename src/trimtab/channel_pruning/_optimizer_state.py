"""An optimizer for the smaller model that goes on where the one of the larger model stood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab import _keras_internals
from trimtab.channels import Slicing, find_groups, weight_pairs
from trimtab.errors import ConfigError, first_line

__all__ = ["carry_compilation", "carry_optimizer"]


def carry_optimizer(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    smaller: keras.Model,
    keep: Mapping[str, Sequence[int] | np.ndarray],
) -> keras.optimizers.Optimizer:
    """Makes an optimizer for a model with fewer channels that goes on where an optimizer stands.

    It has the same settings, step count and learning rate; of what it remembers of each weight (momentum,
    the moments of Adam, moving averages of the weights) it has the slices that belong to the channels that
    stayed. So a training of one's own can go on after the removal. Nothing that is given is changed.

    Args:
        optimizer: a built Keras optimizer of the larger model.
        model: the larger model.
        smaller: what `trimtab.channels.remove` made of it.
        keep: the units of each group that stayed, as `remove` was told.

    Returns:
        A built optimizer of the same class, for ``smaller.trainable_variables``. What it remembers in another
        shape than that of a weight (the factors of Adafactor) begins anew where the shape changed.

    Raises:
        ConfigError: the optimizer is not built, trains other weights, or cannot be made again.

    Example:
        >>> smaller = trimtab.channels.remove(model, keep)
        >>> optimizer = trimtab.channel_pruning.carry_optimizer(optimizer, model, smaller, keep)
    """
    if not optimizer.built:
        raise ConfigError(
            f"The optimizer {optimizer.name!r} has no state yet that could be carried over. Build it, or "
            "make a fresh one for the smaller model."
        )
    twins = {id(weight): (weight, twin) for _, weight, twin in weight_pairs(model, smaller)}
    trained = _keras_internals.optimized(optimizer)
    strangers = [variable for variable in trained if id(variable) not in twins]
    if strangers:
        raise ConfigError(
            f"The optimizer {optimizer.name!r} trains {len(strangers)} weights that are not of the model "
            f"{model.name!r}, such as {strangers[0].name!r}. Give the optimizer of this very model."
        )
    slicing = Slicing(find_groups(model), keep)
    carried = _made_again(optimizer)
    try:
        with _keras_internals.noted_references(carried) as references:
            carried.build([twins[id(variable)][1] for variable in trained])
    except Exception as error:
        raise _not_made_again(optimizer, error) from error
    originals = {id(twin): weight for weight, twin in twins.values()}
    for old, new in zip(optimizer.variables, carried.variables, strict=True):
        value = np.asarray(ops.convert_to_numpy(old))
        weight = originals.get(id(references.get(id(new))))
        if weight is not None and value.shape == tuple(weight.shape):
            new.assign(slicing.take(weight, value))
        elif value.shape == tuple(new.shape):
            new.assign(value)
    return carried


def _made_again(optimizer: Any) -> Any:
    """Returns a fresh optimizer of the same class and settings; raises `ConfigError` where it cannot."""
    try:
        return type(optimizer).from_config(optimizer.get_config())
    except Exception as error:  # an optimizer of one's own need not have a config
        raise _not_made_again(optimizer, error) from error


def _not_made_again(optimizer: Any, error: Exception) -> ConfigError:
    """Says why an optimizer cannot be made for the smaller model."""
    return ConfigError(
        f"The optimizer {optimizer.name!r} ({type(optimizer).__name__}) cannot be made again for the smaller "
        f"model ({first_line(error)}). Make a fresh one."
    )


def carry_compilation(
    model: keras.Model, smaller: keras.Model, keep: Mapping[str, Sequence[int] | np.ndarray]
) -> list[str]:
    """Compiles the smaller model, in place, as the larger one is, its optimizer's state included.

    Args:
        model: the larger model; where it is not compiled, nothing is done.
        smaller: what was made of it.
        keep: the units of each group that stayed.

    Returns:
        Sentences about what was done.
    """
    if not model.compiled or getattr(model, "optimizer", None) is None:
        return []
    optimizer, steps = model.optimizer, int(model.optimizer.iterations)
    try:
        built = optimizer.built
        carried = carry_optimizer(optimizer, model, smaller, keep) if built else _made_again(optimizer)
    except ConfigError as error:
        return [f"the model is not compiled: {error}"]
    try:
        settings = keras.saving.deserialize_keras_object(model.get_compile_config())
        smaller.compile(**{**settings, "optimizer": carried})
    except Exception:  # a loss or metric of one's own need not have a config
        smaller.compile(optimizer=carried, loss=model.loss)
    told = f"the state of its optimizer ({type(optimizer).__name__}, {steps} steps) was carried over"
    return [told] if steps else []
