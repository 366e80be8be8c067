"""`strip`: for those who look for it. There is nothing to strip."""

from __future__ import annotations

import warnings

import keras

from trimtab.pruning.where._prunable import check_model

__all__ = ["strip"]


def strip(model: keras.Model) -> keras.Model:
    """Returns the model as it is, and warns that nothing had to be stripped.

    TensorFlow Model Optimization wraps layers, so its `strip_pruning` must take the wrappers off. Here the
    masks live in the optimizer: a pruned model is an ordinary Keras model before, during and after training.

    Args:
        model: a Keras 3 model.

    Returns:
        The very same model.

    Raises:
        ModelError: it is not a built Keras 3 model.

    Warns:
        UserWarning: there is nothing to strip.
    """
    check_model(model)
    warnings.warn(
        "There is nothing to strip: the masks live in the optimizer, and the model is an ordinary Keras "
        "model that saves and loads without Trimtab. Leave out this call.",
        UserWarning,
        stacklevel=2,
    )
    return model
