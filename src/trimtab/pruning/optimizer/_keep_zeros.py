"""`keep_zeros`: lets any training of a pruned model leave its zeros alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from trimtab.errors import ConfigError
from trimtab.pruning.optimizer._optimizer import PruningOptimizer
from trimtab.pruning.schedules._schedule import KeepZeros
from trimtab.pruning.where._prunable import check_model, find_weights

__all__ = ["keep_zeros"]


def keep_zeros(model: keras.Model) -> Callable[[Any], Any]:
    """Returns what makes an optimizer keep the zeros of a pruned model: a function around the optimizer.

    A plain optimizer lets most zeros grow again when a pruned model is trained on. With this, what is zero
    when the training begins stays zero, and everything else trains as before. It serves any training that
    changes this very model: fine-tuning, the student of a distillation, quantization-aware training. Where
    a technique makes a new model, give that one.

    Only weights that may be pruned (the kernels) are held: a bias that starts at zero still trains. Zeros in
    frozen layers need no help.

    Args:
        model: the built model whose zeros shall stay.

    Returns:
        A function that takes a Keras optimizer and returns a `PruningOptimizer` around it (or, where all
        zeros are frozen, the optimizer itself).

    Raises:
        ConfigError: the model has no zeros in its kernels.
        ModelError: it is not a built Keras 3 model.

    Example:
        >>> tuned = trimtab.train(pruned, data, epochs=2, wrap_optimizer=keep_zeros(pruned)).model
        >>> pruned.compile(keep_zeros(pruned)(keras.optimizers.Adam(1e-4)), loss=...)  # a fit of one's own
    """
    check_model(model)
    weights = find_weights(model)[0]
    holding = [weight for weight in weights if weight.zeros()]
    if not holding:
        raise ConfigError(
            f"The model {model.name!r} has no zeros to keep in the {len(weights)} weights that may be "
            "pruned. Give the pruned model, or train without keep_zeros."
        )
    trained = {id(variable) for variable in model.trainable_variables}
    held = [weight.variable for weight in holding if id(weight.variable) in trained]

    def wrap(optimizer: Any) -> Any:
        """Puts the optimizer that keeps zeros around another one."""
        return PruningOptimizer(optimizer, KeepZeros(), weights=held) if held else optimizer

    return wrap
