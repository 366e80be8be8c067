"""A depthwise separable CNN: Zhang et al. (2017), as MLPerf Tiny uses it, for images."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from trimtab.zoo._arguments import check_classes, check_image_shape, check_rate, check_whole, check_wholes
from trimtab.zoo._convolution import convolution, depthwise_convolution
from trimtab.zoo._logits import average, logits
from trimtab.zoo._stem import small_stem

__all__ = ["ds_cnn"]


def ds_cnn(
    image_shape: Sequence[int],
    classes: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    depth: int = 2,
    stem: str = "auto",
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a depthwise separable CNN, which fits a microcontroller, ending in logits.

    A 3x3 convolution, then stages of `depth` blocks, each a 3x3 depthwise and a 1x1 convolution with batch
    normalisation and ReLU; global average pooling, and the logits. Each stage after the first halves height
    and width. ``filters=(64,), depth=4`` is the published network but for its first kernel, which was made
    for spectrograms.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        filters: output channels of each stage; the first convolution has those of the first stage.
        depth: blocks in each stage.
        stem: ``"imagenet"``: the first convolution halves height and width too; ``"small"``: it does not;
            ``"auto"``: it does where the smaller side of the images is above 64 pixels.
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``ds_cnn``: float32 images (n, height, width, channels) to float32 logits
        (n, classes).

    Raises:
        ConfigError: an argument makes no sense, or the images are too small for so many stages.

    Example:
        >>> ds_cnn((32, 32, 3), 10).count_params()
        41418

    References:
        Zhang, Suda, Lai, Chandra: Hello Edge: Keyword Spotting on Microcontrollers, 2017.
        Banbury et al.: MLPerf Tiny Benchmark, 2021.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    stages = check_wholes("filters", filters, 1)
    depth = check_whole("depth", depth, 1)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)
    small = small_stem(stem, shape, "ds_cnn", halvings=len(stages), small_halvings=len(stages) - 1)

    images = keras.Input(shape, name="images", dtype="float32")
    x = convolution(images, "stem", stages[0], 3, 1 if small else 2, seed, "relu")
    for stage, channels in enumerate(stages, start=1):
        for block in range(1, depth + 1):
            name = f"stage_{stage}_block_{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            x = depthwise_convolution(x, f"{name}_depthwise", 3, stride, seed, "relu")
            x = convolution(x, f"{name}_pointwise", channels, 1, 1, seed, "relu")
    return keras.Model(images, logits(average(x), classes, rate, seed), name="ds_cnn")
