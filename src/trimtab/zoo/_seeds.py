"""A seed for each layer, so that weights depend on the model's seed and the layer's name alone."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.models._seed import layer_seed

__all__ = ["glorot_uniform", "he_normal", "he_normal_depthwise", "layer_seed"]


def he_normal(seed: int, name: str) -> Any:
    """Returns He et al.'s (2015) initialiser for a layer that a ReLU follows."""
    return keras.initializers.HeNormal(seed=layer_seed(seed, name))


def he_normal_depthwise(seed: int, name: str) -> Any:
    """Returns He et al.'s initialiser for a depthwise convolution.

    Keras counts all channels as inputs of each output, where a depthwise convolution sees one: by the outputs
    the count is right.
    """
    return keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_out", distribution="truncated_normal", seed=layer_seed(seed, name)
    )


def glorot_uniform(seed: int, name: str) -> Any:
    """Returns Glorot and Bengio's (2010) initialiser for a layer without an activation."""
    return keras.initializers.GlorotUniform(seed=layer_seed(seed, name))
