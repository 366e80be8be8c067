"""MobileNetV2: Sandler et al. (2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from trimtab.zoo._arguments import check_classes, check_factor, check_image_shape, check_rate, check_whole
from trimtab.zoo._convolution import convolution
from trimtab.zoo._inverted_residual import inverted_residual, make_divisible
from trimtab.zoo._logits import average, logits
from trimtab.zoo._stem import small_stem, stage_strides

__all__ = ["mobilenet_v2"]

# Expansion, channels, blocks, stride of the first block: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM, _HEAD = 32, 1280  # channels of the first and of the last convolution


def mobilenet_v2(
    image_shape: Sequence[int],
    classes: int,
    *,
    alpha: float = 1.0,
    stem: str = "auto",
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a MobileNetV2, a network for phones, ending in logits.

    A 3x3 convolution, 17 inverted residual blocks in seven stages, a 1x1 convolution to 1280 channels, global
    average pooling, and the logits; ReLU6 throughout, which converters take to int8. Strides of 2 are padded
    evenly on all sides, for XNNPACK's sparse kernels; sizes and weights are the published ones.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        alpha: factor on the channels, which are then rounded to multiples of 8; 1.0 has 2.2 million
            parameters besides the logits', 0.35 0.4 million. The last convolution gets no narrower.
        stem: ``"imagenet"``: as published, for photographs, five halvings; ``"small"``: for small images, the
            first convolution and the second stage keep the size, three halvings; ``"auto"``: small where the
            smaller side of the images is at most 64 pixels.
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``mobilenet_v2``: float32 images (n, height, width, channels) to float32
        logits (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small.

    Example:
        >>> mobilenet_v2((32, 32, 3), 10, alpha=0.35).count_params()
        423018

    References:
        Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    alpha = check_factor("alpha", alpha)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)
    small = small_stem(stem, shape, "mobilenet_v2", halvings=5, small_halvings=3)

    images = keras.Input(shape, name="images", dtype="float32")
    x = convolution(images, "stem", make_divisible(_STEM * alpha), 3, 1 if small else 2, seed, "relu6")
    strides = stage_strides([stride for *_, stride in _STAGES], small=small)
    for stage, ((expansion, channels, blocks, _), stride) in enumerate(
        zip(_STAGES, strides, strict=True), start=1
    ):
        width = make_divisible(int(channels * alpha))
        x = _stage(x, f"stage_{stage}", expansion, width, blocks, stride, seed)
    x = convolution(x, "head", make_divisible(_HEAD * max(alpha, 1.0)), 1, 1, seed, "relu6")
    return keras.Model(images, logits(average(x), classes, rate, seed), name="mobilenet_v2")


def _stage(x: Any, name: str, expansion: int, channels: int, blocks: int, stride: int, seed: int) -> Any:
    """Adds the blocks of one stage; the first may halve height and width."""
    for block in range(1, blocks + 1):
        x = inverted_residual(
            x,
            f"{name}_block_{block}",
            expanded=expansion * x.shape[-1],
            channels=channels,
            kernel=3,
            stride=stride if block == 1 else 1,
            activation="relu6",
            seed=seed,
        )
    return x
