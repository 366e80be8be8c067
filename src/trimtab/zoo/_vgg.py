"""A VGG for small images: Simonyan and Zisserman (2015), plus batch normalisation, less the hidden layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from trimtab.zoo._arguments import check_choice, check_classes, check_image_shape, check_rate, check_whole
from trimtab.zoo._convolution import convolution
from trimtab.zoo._logits import average, logits

__all__ = ["vgg"]

# Convolutions in each of the five stages: table 1 of the paper, columns A, B, D and E.
_STAGES: Mapping[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_WIDTHS = (1, 2, 4, 8, 8)


def vgg(
    image_shape: Sequence[int],
    classes: int,
    *,
    depth: int = 11,
    width: int = 64,
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a VGG-like network for small images (CIFAR-10 and the like), ending in logits.

    Five stages of 3x3 convolutions with batch normalisation and ReLU, with `width` times 1, 2, 4, 8 and 8
    channels. 2x2 max pooling stands between two stages as long as there is something left to halve. Global
    average pooling takes the place of the published network's two hidden layers, as is usual for small
    images, and the logits follow. It has far more weights than such images need, which makes it a favourite
    to prune.

    Args:
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart: one logit each.
        depth: 11, 13, 16 or 19, as the published networks are numbered.
        width: channels of the first stage.
        dropout: share of units dropped before the logits; 0: off.
        seed: seed of the initial weights and of dropout.

    Returns:
        A Functional model named ``vgg_<depth>``: float32 images (n, height, width, channels) to float32
        logits (n, classes).

    Raises:
        ConfigError: an argument makes no sense.

    References:
        Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015.
        Liu, Deng: Very Deep Convolutional Neural Network Based Image Classification Using Small Training
        Sample Size, 2015.
    """
    shape = check_image_shape(image_shape)
    classes = check_classes(classes)
    depth = check_choice("depth", depth, tuple(_STAGES))
    width = check_whole("width", width, 1)
    rate = check_rate("dropout", dropout)
    seed = check_whole("seed", seed, 0)

    images = keras.Input(shape, name="images", dtype="float32")
    x = images
    for stage, (count, factor) in enumerate(zip(_STAGES[depth], _WIDTHS, strict=True), start=1):
        if stage > 1 and min(x.shape[1:3]) > 1:
            x = keras.layers.MaxPooling2D(2, data_format="channels_last", name=f"pool_{stage - 1}")(x)
        for number in range(1, count + 1):
            x = convolution(x, f"stage_{stage}_conv_{number}", width * factor, 3, 1, seed, "relu")
    return keras.Model(images, logits(average(x), classes, rate, seed), name=f"vgg_{depth}")
