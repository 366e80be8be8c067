"""`keep_clusters`: lets any training of a clustered model leave its shared weights shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from trimtab.errors import ConfigError
from trimtab.models._kernels import check_model
from trimtab.training._sharing_optimizer import SharingOptimizer, found_shared

__all__ = ["keep_clusters"]


def keep_clusters(model: keras.Model, *, zeros: bool = True, gradients: str = "sum") -> Callable[[Any], Any]:
    """Returns what makes an optimizer keep the clusters of a model: a function around the optimizer.

    A plain optimizer tears clusters apart in its first step. With this, numbers of a weight that are equal
    when it is called stay equal, and zeros stay zero; everything else trains as before. It serves any
    training that changes this very model: fine-tuning, the student of a distillation, quantization-aware
    training. Where a technique makes a new model, give that one.

    Weights of two or more axes are held where they have at most half as many different values, zero aside,
    as numbers; biases and normalisation are not. Those that are frozen need no help.

    Args:
        model: the built model whose clusters shall stay.
        zeros: keep zeros too, also in weights that are not clustered, as `trimtab.pruning.keep_zeros` does.
        gradients: how those of a cluster are put together, see `trimtab.clustering.SharingOptimizer`.

    Returns:
        A function that takes a Keras optimizer and returns a `SharingOptimizer` around it (or, where all
        that could be held is frozen, the optimizer itself).

    Raises:
        ConfigError: the model has no weights that share values (and, with `zeros`, no zeros).
        ModelError: it is not a built Keras 3 model.

    Example:
        >>> tuned = trimtab.train(clustered, data, epochs=2, wrap_optimizer=keep_clusters(clustered)).model
    """
    check_model(model)
    found = found_shared(model.weights, zeros=zeros)
    if not found:
        raise ConfigError(
            f"The model {model.name!r} has no clusters to keep: no weight with few different values"
            f"{' or with zeros' if zeros else ''}. Give the clustered model, or train without keep_clusters."
        )
    trained = {id(variable) for variable in model.trainable_variables}
    held = [weight for weight in found if id(weight.variable) in trained]

    def wrap(optimizer: Any) -> Any:
        """Puts the optimizer that keeps clusters around another one."""
        return SharingOptimizer(optimizer, held, gradients=gradients) if held else optimizer

    return wrap
