"""Residual networks for small images: He et al. (2015), section 4.2, and MLPerf Tiny's ResNet-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from trimtab.errors import ConfigError
from trimtab.zoo._arguments import check_choice, check_classes, check_image_shape, check_rate, check_whole
from trimtab.zoo._logits import average, logits
from trimtab.zoo._seeds import he_normal

__all__ = ["resnet"]

_STAGES = 3
_DEPTHS = (8, 20, 56)
_SMALLEST = 4  # pixels: two stages halve the image, so that 4 leave one


def resnet(
    image_shape: Sequence[int],
    classes: int,
    *,
    depth: int = 8,
    width: int = 16,
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a residual network for small images (CIFAR-10 and the like), ending in logits.

    A 3x3 stem, three stages of residual blocks with `width`, 2 x `width` and 4 x `width` channels, global
    average pooling, and the logits. `depth` counts the layers with weights on the longest path. Depth 8 is
    the ResNet of MLPerf Tiny (78,426 parameters for 32x32x3 and ten classes; its convolutions have no bias
    here, since batch normalisation follows them). Where a stage changes the shape, the shortcut is a 1x1
    convolution.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        depth: 8, 20 or 56.
        width: channels of the first stage.
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``resnet_<depth>``: float32 images (n, height, width, channels) to float32
        logits (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small.

    References:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, 2015, section 4.2.
        Banbury et al.: MLPerf Tiny Benchmark, 2021.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    depth = check_choice("depth", depth, _DEPTHS)
    width = check_whole("width", width, 1)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)
    if min(shape[:2]) < _SMALLEST:
        raise ConfigError(
            f"A resnet needs images of at least {_SMALLEST}x{_SMALLEST} pixels, since two of its stages "
            f"halve them. Received: {shape[0]}x{shape[1]}. Give larger images (size=...)."
        )

    images = keras.Input(shape, name="images", dtype="float32")
    x = _relu(_convolution(images, "stem", width, 3, 1, seed), "stem_relu")
    for stage in range(1, _STAGES + 1):
        for block in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _block(x, f"stage_{stage}_block_{block}", width * 2 ** (stage - 1), stride, seed)
    return keras.Model(images, logits(average(x), classes, rate, seed), name=f"resnet_{depth}")


def _block(x: Any, name: str, channels: int, stride: int, seed: int) -> Any:
    """Adds two 3x3 convolutions and the shortcut around them (He et al., figure 2)."""
    shortcut = x
    x = _relu(_convolution(x, f"{name}_conv_1", channels, 3, stride, seed), f"{name}_relu_1")
    x = _convolution(x, f"{name}_conv_2", channels, 3, 1, seed)
    if stride != 1 or shortcut.shape[-1] != channels:
        shortcut = keras.layers.Conv2D(
            channels,
            1,
            strides=stride,
            padding="same",
            data_format="channels_last",
            kernel_initializer=he_normal(seed, f"{name}_shortcut"),
            name=f"{name}_shortcut",
        )(shortcut)
    return _relu(keras.layers.Add(name=f"{name}_add")([x, shortcut]), f"{name}_relu_2")


def _convolution(x: Any, name: str, channels: int, kernel: int, stride: int, seed: int) -> Any:
    """Adds convolution -> batch normalisation, in the order that converters fold."""
    x = keras.layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same",
        data_format="channels_last",
        use_bias=False,
        kernel_initializer=he_normal(seed, name),
        name=name,
    )(x)
    return keras.layers.BatchNormalization(name=f"{name}_bn")(x)


def _relu(x: Any, name: str) -> Any:
    """Adds a ReLU."""
    return keras.layers.ReLU(name=name)(x)
