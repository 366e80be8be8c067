"""ResNet50 with weights from ImageNet, to be trained further: He et al. (2015), section 4.1."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trimtab.errors import ConfigError, ModelError, first_line
from trimtab.models._random_state import undisturbed_random_state
from trimtab.zoo._arguments import check_classes, check_image_shape, check_rate, check_whole
from trimtab.zoo._logits import average, logits
from trimtab.zoo._pretrained import checked_weights, layer_weights
from trimtab.zoo._seeds import he_normal

__all__ = ["resnet50"]

_SMALLEST = 32  # pixels: five halvings leave one
_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # channels inside a block, blocks
_EPSILON = 1.001e-5
_MEANS = (123.68, 116.779, 103.939)  # ImageNet's red, green and blue, of 255
# Keras' first convolution takes blue, green, red. Ours takes the colours as they come, and has a name of its
# own, so that a file tells by the name which order its weights are in.
_STEM, _KERAS_STEM = "conv1_rgb_conv", "conv1_conv"


def resnet50(
    image_shape: Sequence[int],
    classes: int,
    *,
    weights: str | os.PathLike[str] | None = "imagenet",
    image_size: int | Sequence[int] | None = None,
    input_range: Sequence[float] = (0.0, 1.0),
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a ResNet50 that starts from pretrained weights and tells your classes apart, ending in logits.

    The layers of ``keras.applications.ResNet50`` under Keras' names, in one flat graph, with global average
    pooling and new logits. Its preprocessing is inside: images go in as Trimtab's data gives them, and come
    out as the published weights want them, from 0 to 255 less the means of ImageNet. Only the first
    convolution, ``conv1_rgb_conv``, differs: it takes red, green, blue, and its kernel is turned round when
    Keras' weights are taken over, which computes the same and saves an operator.

    Args:
        image_shape: (height, width, channels) of one image; grey images (1 channel) are given three.
        classes: how many classes it tells apart: one logit each.
        weights: ``"imagenet"``: Keras' own, which it downloads once (94 MB); a ``.weights.h5``, ``.keras`` or
            ``.h5`` file of a ResNet50 of Keras or of this function, whose logits are taken over too where
            there are as many; None or ``"none"``: random ones.
        image_size: pixels that the images are resized to inside the model, one number or (height, width);
            None: as they come. ImageNet's weights were trained at 224 and see little in 32.
        input_range: what black and white are in the images (``input_range`` of the data).
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``resnet50``: float32 images (n, height, width, channels) to float32 logits
        (n, classes). `weights_origin` says where its weights came from.

    Raises:
        ConfigError: an argument makes no sense, the images are too small, or the weights cannot be
            downloaded.
        ModelError: the file does not hold the weights of a ResNet50.

    References:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, 2015.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    source = checked_weights(weights)
    size = _checked_size(image_size, shape)
    low, high = _checked_range(input_range)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)
    published = _imagenet_weights() if source == "imagenet" else {}  # before the work: it may fail

    images = keras.Input(shape, name="images", dtype="float32")
    x = _preprocessed(images, shape, size, low, high)
    x = keras.layers.ZeroPadding2D(3, data_format="channels_last", name="conv1_pad")(x)
    x = _activated(_convolution(x, "conv1", 64, 7, 2, seed), "conv1_relu")
    x = keras.layers.ZeroPadding2D(1, data_format="channels_last", name="pool1_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, data_format="channels_last", name="pool1_pool")(x)
    for stage, (channels, blocks) in enumerate(_STAGES, start=2):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 2 and block == 1 else 1
            x = _block(x, f"conv{stage}_block{block}", channels, stride, seed)
    model = keras.Model(images, logits(average(x), classes, rate, seed), name="resnet50")
    if isinstance(source, Path):
        asked = {layer.name: layer for layer in model.layers if layer.weights}
        asked[_KERAS_STEM] = asked[_STEM]
        _take_over(model, layer_weights(source, asked, optional=("logits",)), str(source))
    elif published:
        _take_over(model, published, "keras.applications.ResNet50")
    return model


def _checked_size(size: Any, shape: tuple[int, int, int]) -> tuple[int, int] | None:
    """Returns the (height, width) to resize to, or None; refuses sizes and channels that do not work."""
    if shape[2] not in (1, 3):
        raise ConfigError(f"resnet50 takes images of 1 or 3 channels. Received: image_shape={shape!r}.")
    if size is None:
        if min(shape[:2]) < _SMALLEST:
            raise ConfigError(
                f"resnet50 halves images five times, so that they need at least {_SMALLEST}x{_SMALLEST} "
                f"pixels. Received: {shape[0]}x{shape[1]}. Give image_size=96, say, to resize them inside."
            )
        return None
    pair = (size, size) if not isinstance(size, Sequence) or isinstance(size, str) else tuple(size)
    if len(pair) != 2:
        raise ConfigError(f"image_size must be pixels or (height, width). Received: image_size={size!r}.")
    height, width = (check_whole("image_size", side, _SMALLEST) for side in pair)
    return None if (height, width) == shape[:2] else (height, width)


def _checked_range(input_range: Any) -> tuple[float, float]:
    """Returns what black and white are, or says that two numbers are needed."""
    try:
        low, high = (float(end) for end in input_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ConfigError(
            f"input_range must be two numbers, low < high, such as (0, 1). Received: {input_range!r}."
        )
    return low, high


def _preprocessed(
    x: Any, shape: tuple[int, int, int], size: tuple[int, int] | None, low: float, high: float
) -> Any:
    """Brings images to the size, channels and range that the weights were trained with."""
    if size is not None:
        x = keras.layers.Resizing(*size, data_format="channels_last", name="resize")(x)
    scale = 255 / (high - low)
    offsets = [-low * scale - mean for mean in _MEANS]
    if shape[2] == 3:
        return keras.layers.Rescaling(scale, offsets, name="preprocess")(x)
    # Joined after they differ: of a tensor joined to itself, the int8 converter gets the range wrong.
    colours = [
        keras.layers.Rescaling(scale, offset, name=f"preprocess_{colour}")(x)
        for colour, offset in zip(("red", "green", "blue"), offsets, strict=True)
    ]
    return keras.layers.Concatenate(name="preprocess")(colours)


def _block(x: Any, name: str, channels: int, stride: int, seed: int) -> Any:
    """Adds a bottleneck: 1x1, 3x3 and 1x1 convolutions and the shortcut around them (figure 5, right)."""
    shortcut = x
    if shortcut.shape[-1] != 4 * channels:
        shortcut = _convolution(x, f"{name}_0", 4 * channels, 1, stride, seed)
    x = _activated(_convolution(x, f"{name}_1", channels, 1, stride, seed), f"{name}_1_relu")
    x = _activated(_convolution(x, f"{name}_2", channels, 3, 1, seed), f"{name}_2_relu")
    x = _convolution(x, f"{name}_3", 4 * channels, 1, 1, seed)
    return _activated(keras.layers.Add(name=f"{name}_add")([shortcut, x]), f"{name}_out")


def _convolution(x: Any, name: str, channels: int, kernel: int, stride: int, seed: int) -> Any:
    """Adds convolution -> batch normalisation; the published weights have a bias between them."""
    layer = _STEM if name == "conv1" else f"{name}_conv"
    x = keras.layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same" if kernel == 3 else "valid",
        data_format="channels_last",
        kernel_initializer=he_normal(seed, layer),
        name=layer,
    )(x)
    return keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)


def _activated(x: Any, name: str) -> Any:
    """Adds a ReLU."""
    return keras.layers.ReLU(name=name)(x)


def _take_over(model: keras.Model, stored: dict[str, list[np.ndarray]], source: str) -> None:
    """Gives the model's layers the weights that are stored under their names; the logits need not be."""
    if _KERAS_STEM in stored:
        kernel, bias = stored.pop(_KERAS_STEM)
        stored.setdefault(_STEM, [kernel[:, :, ::-1], bias])
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    missing = [name for name in layers if name not in stored and name != "logits"]
    if missing:
        raise ModelError(
            f"{source} has no weights for {len(missing)} of the {len(layers) - 1} layers of a ResNet50, "
            f"{missing[0]!r} among them. Give a file of keras.applications.ResNet50 or of zoo.resnet50, "
            "saved by Keras 3 with model.save() or model.save_weights()."
        )
    for name, weights in stored.items():
        layers[name].set_weights(weights)


def _imagenet_weights() -> dict[str, list[np.ndarray]]:
    """Returns the published weights by layer, which Keras downloads once and checks.

    Raises:
        ConfigError: they are not to be had; says what can be done instead.
    """
    shape = (3, 224, 224) if keras.config.image_data_format() == "channels_first" else (224, 224, 3)
    try:
        with undisturbed_random_state(), contextlib.redirect_stdout(sys.stderr):
            # Keras reports on stdout, which may be somebody's JSON.
            base = keras.applications.ResNet50(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:  # whatever Keras and the network raise, it means: not to be had
        raise ConfigError(
            f"The ImageNet weights of ResNet50 cannot be downloaded ({first_line(error)}). Say weights: none "
            "for random ones, or name a file that holds them (.weights.h5, .keras or .h5)."
        ) from error
    return {layer.name: layer.get_weights() for layer in base.layers if layer.weights}
