"""MobileNetV3: Howard et al. (2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from trimtab.zoo._arguments import (
    check_choice,
    check_classes,
    check_factor,
    check_image_shape,
    check_rate,
    check_whole,
)
from trimtab.zoo._convolution import activate, convolution
from trimtab.zoo._inverted_residual import SqueezeExcite, inverted_residual, make_divisible
from trimtab.zoo._logits import average, logits
from trimtab.zoo._seeds import he_normal
from trimtab.zoo._stem import small_stem, stage_strides

__all__ = ["mobilenet_v3"]


@dataclass(frozen=True)
class _Block:
    """One row of the paper's tables 1 and 2; `expansion` is a factor on the channels that come in."""

    kernel: int
    expansion: float
    channels: int
    stride: int
    squeeze: bool
    activation: str


_LARGE = (
    _Block(3, 1, 16, 1, False, "relu"),
    _Block(3, 4, 24, 2, False, "relu"),
    _Block(3, 3, 24, 1, False, "relu"),
    _Block(5, 3, 40, 2, True, "relu"),
    _Block(5, 3, 40, 1, True, "relu"),
    _Block(5, 3, 40, 1, True, "relu"),
    _Block(3, 6, 80, 2, False, "hard_swish"),
    _Block(3, 2.5, 80, 1, False, "hard_swish"),
    _Block(3, 2.3, 80, 1, False, "hard_swish"),
    _Block(3, 2.3, 80, 1, False, "hard_swish"),
    _Block(3, 6, 112, 1, True, "hard_swish"),
    _Block(3, 6, 112, 1, True, "hard_swish"),
    _Block(5, 6, 160, 2, True, "hard_swish"),
    _Block(5, 6, 160, 1, True, "hard_swish"),
    _Block(5, 6, 160, 1, True, "hard_swish"),
)
_SMALL = (
    _Block(3, 1, 16, 2, True, "relu"),
    _Block(3, 72 / 16, 24, 2, False, "relu"),
    _Block(3, 88 / 24, 24, 1, False, "relu"),
    _Block(5, 4, 40, 2, True, "hard_swish"),
    _Block(5, 6, 40, 1, True, "hard_swish"),
    _Block(5, 6, 40, 1, True, "hard_swish"),
    _Block(5, 3, 48, 1, True, "hard_swish"),
    _Block(5, 3, 48, 1, True, "hard_swish"),
    _Block(5, 6, 96, 2, True, "hard_swish"),
    _Block(5, 6, 96, 1, True, "hard_swish"),
    _Block(5, 6, 96, 1, True, "hard_swish"),
)
_VARIANTS: Mapping[str, tuple[tuple[_Block, ...], int]] = {"small": (_SMALL, 1024), "large": (_LARGE, 1280)}
_STEM = 16  # channels of the first convolution, whatever alpha is
_HEAD = 6  # the last convolution has so many times the channels of the last block


def mobilenet_v3(
    image_shape: Sequence[int],
    classes: int,
    *,
    variant: str = "small",
    alpha: float = 1.0,
    stem: str = "auto",
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a MobileNetV3, a network for phones found by a search, ending in logits.

    Inverted residual blocks, most of them with squeeze-and-excitation and hard-swish, then global average
    pooling, a hidden layer, and the logits. Strides of 2 are padded evenly on all sides; sizes and weights
    are the published ones.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        variant: ``"small"`` (1.5 million parameters besides the logits') or ``"large"`` (4.2 million).
        alpha: factor on the channels, which are then rounded to multiples of 8. The stem and the hidden layer
            get no narrower.
        stem: ``"imagenet"``: as published, for photographs, five halvings; ``"small"``: for small images, the
            first convolution and the first stage that would halve keep the size, three halvings; ``"auto"``:
            small where the smaller side of the images is at most 64 pixels.
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``mobilenet_v3_<variant>``: float32 images (n, height, width, channels) to
        float32 logits (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small.

    References:
        Howard et al.: Searching for MobileNetV3, 2019.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    blocks, hidden = _VARIANTS[check_choice("variant", variant, tuple(_VARIANTS))]
    alpha = check_factor("alpha", alpha)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)
    small = small_stem(stem, shape, "mobilenet_v3", halvings=5, small_halvings=3)

    images = keras.Input(shape, name="images", dtype="float32")
    x = convolution(images, "stem", _STEM, 3, 1 if small else 2, seed, "hard_swish")
    strides = stage_strides([block.stride for block in blocks], small=small)
    for number, (block, stride) in enumerate(zip(blocks, strides, strict=True), start=1):
        x = _block(x, f"block_{number}", block, alpha, stride, seed)
    x = convolution(x, "head", make_divisible(_HEAD * x.shape[-1]), 1, 1, seed, "hard_swish")
    x = keras.layers.Dense(
        make_divisible(hidden * max(alpha, 1.0)), kernel_initializer=he_normal(seed, "hidden"), name="hidden"
    )(average(x))
    x = activate(x, "hidden", "hard_swish")
    return keras.Model(images, logits(x, classes, rate, seed), name=f"mobilenet_v3_{variant}")


def _block(x: Any, name: str, block: _Block, alpha: float, stride: int, seed: int) -> Any:
    """Adds one row of the table, with its channels times alpha."""
    expanded = make_divisible(x.shape[-1] * block.expansion) if block.expansion != 1 else x.shape[-1]
    squeeze = SqueezeExcite(make_divisible(expanded * 0.25), "relu", "hard_sigmoid")
    return inverted_residual(
        x,
        name,
        expanded=expanded,
        channels=make_divisible(block.channels * alpha),
        kernel=block.kernel,
        stride=stride,
        activation=block.activation,
        seed=seed,
        squeeze=squeeze if block.squeeze else None,
    )
