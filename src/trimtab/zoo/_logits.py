"""The end of a classifier: averages of the feature maps, dropout, one logit for each class."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.zoo._seeds import glorot_uniform, layer_seed

__all__ = ["average", "logits"]


def average(x: Any) -> Any:
    """Turns feature maps into a vector: the average of each channel."""
    return keras.layers.GlobalAveragePooling2D(data_format="channels_last", name="average")(x)


def logits(x: Any, classes: int, rate: float, seed: int) -> Any:
    """Adds dropout (nothing where the rate is 0) and one logit for each class.

    The logits are float32, whatever the rest computes in.
    """
    if rate:
        x = keras.layers.Dropout(rate, seed=layer_seed(seed, "dropout"), name="dropout")(x)
    return keras.layers.Dense(
        classes, kernel_initializer=glorot_uniform(seed, "logits"), dtype="float32", name="logits"
    )(x)
