"""How many numbers a model holds, and how many of them are not zero."""

from __future__ import annotations

import math

import keras
import numpy as np

__all__ = ["non_zeros", "parameters"]


def parameters(model: keras.Model) -> int:
    """Counts the numbers that a deployed model carries: all its weights, trainable or not.

    A shared weight counts once. The moving statistics of batch normalisation count too, although a converter
    folds them into the convolution before; optimizer state, metrics and dropout seeds do not.
    """
    return sum(math.prod(weight.shape) for weight in model.weights)


def non_zeros(model: keras.Model) -> int:
    """Counts the weights (as in `parameters`) that are not exactly zero."""
    return sum(int(np.count_nonzero(weight.numpy())) for weight in model.weights)
