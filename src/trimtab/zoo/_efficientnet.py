"""EfficientNet: Tan and Le (2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from trimtab.zoo._arguments import check_classes, check_factor, check_image_shape, check_rate, check_whole
from trimtab.zoo._convolution import convolution
from trimtab.zoo._inverted_residual import SqueezeExcite, inverted_residual, make_divisible
from trimtab.zoo._logits import average, logits
from trimtab.zoo._stem import small_stem, stage_strides

__all__ = ["efficientnet"]


@dataclass(frozen=True)
class _Stage:
    """One row of the paper's table 1: EfficientNet-B0."""

    kernel: int
    expansion: int
    channels: int
    blocks: int
    stride: int


_STAGES = (
    _Stage(3, 1, 16, 1, 1),
    _Stage(3, 6, 24, 2, 2),
    _Stage(5, 6, 40, 2, 2),
    _Stage(3, 6, 80, 3, 2),
    _Stage(5, 6, 112, 3, 1),
    _Stage(5, 6, 192, 4, 2),
    _Stage(3, 6, 320, 1, 1),
)
_STEM, _HEAD = 32, 1280  # channels of the first and of the last convolution
_SQUEEZE = 0.25  # of the channels that come into a block


def efficientnet(
    image_shape: Sequence[int],
    classes: int,
    *,
    width: float = 1.0,
    depth: float = 1.0,
    stem: str = "auto",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds an EfficientNet, a network found by a search and scaled by two factors, ending in logits.

    Seven stages of inverted residual blocks with squeeze-and-excitation and swish, a 1x1 convolution, global
    average pooling, and the logits. Strides of 2 are padded evenly on all sides; sizes and weights are the
    published ones. Images go in as they come: nothing inside normalises them.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        width: factor on the channels, which are then rounded to multiples of 8. B0: 1.0 (4.0 million
            parameters besides the logits'), B1: 1.0, B2: 1.1, B3: 1.2, B4: 1.4.
        depth: factor on the blocks of each stage, rounded up. B0: 1.0, B1: 1.1, B2: 1.2, B3: 1.4, B4: 1.8.
        stem: ``"imagenet"``: as published, for photographs, five halvings; ``"small"``: for small images, the
            first convolution and the second stage keep the size, three halvings; ``"auto"``: small where the
            smaller side of the images is at most 64 pixels.
        dropout: share of units dropped before the logits; 0: off. Published: 0.2 for B0.
        stochastic_depth: how often training leaves out the last block with a shortcut; earlier ones less
            often, in proportion to where they stand. 0: off. Published: 0.2.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``efficientnet``: float32 images (n, height, width, channels) to float32
        logits (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small.

    References:
        Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019.
        Huang, Sun, Liu, Sedra, Weinberger: Deep Networks with Stochastic Depth, 2016.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    width, depth = check_factor("width", width), check_factor("depth", depth)
    rate, drop = check_rate("dropout", dropout), check_rate("stochastic_depth", stochastic_depth)
    seed = check_whole("seed", seed, 0)
    small = small_stem(stem, shape, "efficientnet", halvings=5, small_halvings=3)

    images = keras.Input(shape, name="images", dtype="float32")
    x = convolution(images, "stem", make_divisible(_STEM * width), 3, 1 if small else 2, seed, "swish")
    strides = stage_strides([stage.stride for stage in _STAGES], small=small)
    repeats = [math.ceil(stage.blocks * depth) for stage in _STAGES]
    before = 0
    for number, stage in enumerate(_STAGES):
        for block in range(repeats[number]):
            x = inverted_residual(
                x,
                f"stage_{number + 1}_block_{block + 1}",
                expanded=stage.expansion * x.shape[-1],
                channels=make_divisible(stage.channels * width),
                kernel=stage.kernel,
                stride=1 if block else strides[number],
                activation="swish",
                seed=seed,
                squeeze=SqueezeExcite(max(1, int(x.shape[-1] * _SQUEEZE)), "swish", "sigmoid"),
                drop=drop * before / sum(repeats),
            )
            before += 1
    x = convolution(x, "head", make_divisible(_HEAD * width), 1, 1, seed, "swish")
    return keras.Model(images, logits(average(x), classes, rate, seed), name="efficientnet")
