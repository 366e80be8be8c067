"""A plain convolutional network: stages of convolutions and pooling, then a dense head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from trimtab.errors import ConfigError
from trimtab.zoo._arguments import check_classes, check_image_shape, check_rate, check_whole, check_wholes
from trimtab.zoo._logits import average, logits
from trimtab.zoo._seeds import he_normal

__all__ = ["cnn"]


def cnn(
    image_shape: Sequence[int],
    classes: int,
    *,
    filters: Sequence[int] = (32, 64),
    depth: int = 1,
    dense: int = 64,
    dropout: float = 0.0,
    batch_norm: bool = False,
    kernel: int = 3,
    seed: int = 0,
) -> keras.Model:
    """Builds a plain CNN for images of one size, ending in logits.

    Each stage is `depth` times convolution (-> batch normalisation) -> ReLU, then 2x2 max pooling. Make it
    wider with larger `filters`, deeper with more stages or a larger `depth`.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        filters: output channels of each stage. Every stage halves height and width.
        depth: convolutions in each stage.
        dense: units of the hidden dense layer; 0: global average pooling goes straight to the logits.
        dropout: share of units dropped before the logits. Feature maps are left whole: dropping in them
            costs a short training more than it gives. 0: off.
        batch_norm: whether batch normalisation stands between each convolution and its ReLU.
        kernel: height and width of the convolution kernels, in pixels.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``cnn``: float32 images (n, height, width, channels) to float32 logits
        (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small for so many stages.

    Example:
        >>> cnn((8, 8, 1), 10, filters=(8, 16), dense=16).count_params()
        2458
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    stages = check_wholes("filters", filters, 1)
    depth = check_whole("depth", depth, 1)
    dense = check_whole("dense", dense, 0, note="0 for global average pooling instead")
    rate = check_rate("dropout", dropout)
    kernel = check_whole("kernel", kernel, 1)
    seed = check_whole("seed", seed, 0)
    _check_room(shape, len(stages))

    images = keras.Input(shape, name="images", dtype="float32")
    x = images
    number = 0
    for stage, channels in enumerate(stages, start=1):
        for _ in range(depth):
            number += 1
            x = _convolution(x, f"conv_{number}", channels, kernel, batch_norm, seed)
        x = keras.layers.MaxPooling2D(2, data_format="channels_last", name=f"pool_{stage}")(x)
    x = _vector(x, dense, seed)
    return keras.Model(images, logits(x, classes, rate, seed), name="cnn")


def _check_room(shape: tuple[int, int, int], stages: int) -> None:
    """Refuses more poolings than the image has halvings."""
    smallest = min(shape[:2])
    most = smallest.bit_length() - 1
    if stages > most:
        raise ConfigError(
            f"filters asks for {stages} stages, each of which halves the image, but "
            f"{shape[0]}x{shape[1]} pixels allow {most}. Give fewer filters, or larger images (size=...)."
        )


def _convolution(x: Any, name: str, channels: int, kernel: int, batch_norm: bool, seed: int) -> Any:
    """Adds convolution -> batch normalisation -> ReLU, the order in which converters fold all three."""
    x = keras.layers.Conv2D(
        channels,
        kernel,
        padding="same",
        data_format="channels_last",
        use_bias=not batch_norm,
        kernel_initializer=he_normal(seed, name),
        name=name,
    )(x)
    if batch_norm:
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _vector(x: Any, dense: int, seed: int) -> Any:
    """Turns feature maps into a vector: flattened into a hidden layer, or averaged."""
    if not dense:
        return average(x)
    x = keras.layers.Flatten(data_format="channels_last", name="flatten")(x)
    return keras.layers.Dense(
        dense, activation="relu", kernel_initializer=he_normal(seed, "dense"), name="dense"
    )(x)
