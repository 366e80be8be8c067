"""Inverted residual blocks with squeeze-and-excitation: what MobileNetV2, V3 and EfficientNet are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from trimtab.zoo._convolution import activate, convolution, depthwise_convolution
from trimtab.zoo._seeds import glorot_uniform, he_normal, layer_seed

__all__ = ["SqueezeExcite", "inverted_residual", "make_divisible"]


@dataclass(frozen=True)
class SqueezeExcite:
    """How a block weighs its channels: Hu et al. (2018).

    Args:
        channels: how many the averages are squeezed to.
        activation: that of the squeezed ones.
        gate: ``"sigmoid"`` or ``"hard_sigmoid"``, which gives each channel its weight.
    """

    channels: int
    activation: str
    gate: str


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Rounds a number of channels to a multiple of 8, which kernels like, and never down by more than 10 %.

    Howard et al. (2017) in their code: at least `divisor`.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def inverted_residual(
    x: Any,
    name: str,
    *,
    expanded: int,
    channels: int,
    kernel: int,
    stride: int,
    activation: str,
    seed: int,
    squeeze: SqueezeExcite | None = None,
    drop: float = 0.0,
) -> Any:
    """Adds a block: 1x1 convolution to many channels, depthwise convolution, 1x1 convolution to few.

    Where it changes neither size nor channels, its input is added to what comes out: the shortcut joins the
    narrow ends, and the last convolution has no activation (Sandler et al., 2018, section 3).

    Args:
        x: feature maps (n, height, width, channels).
        name: prefix of the names of the block's layers.
        expanded: channels of the depthwise convolution; those of `x`: the first 1x1 convolution is left out.
        channels: channels that come out.
        kernel: height and width of the depthwise kernel, in pixels.
        stride: 1, or 2 to halve height and width.
        activation: after the first two convolutions.
        seed: the model's seed.
        squeeze: how the channels are weighed after the depthwise convolution; None: not at all.
        drop: how often training leaves out the block, where it has a shortcut (Huang et al., 2016).
    """
    shortcut = x
    if expanded != x.shape[-1]:
        x = convolution(x, f"{name}_expand", expanded, 1, 1, seed, activation)
    x = depthwise_convolution(x, f"{name}_depthwise", kernel, stride, seed, activation)
    if squeeze is not None:
        x = _squeeze_excite(x, f"{name}_squeeze", squeeze, seed)
    x = convolution(x, f"{name}_project", channels, 1, 1, seed, None)
    if stride != 1 or shortcut.shape[-1] != channels:
        return x
    if drop:
        x = keras.layers.Dropout(
            drop, noise_shape=(None, 1, 1, 1), seed=layer_seed(seed, f"{name}_drop"), name=f"{name}_drop"
        )(x)
    return keras.layers.Add(name=f"{name}_add")([shortcut, x])


def _squeeze_excite(x: Any, name: str, squeeze: SqueezeExcite, seed: int) -> Any:
    """Adds a weight between 0 and 1 for each channel, worked out from the averages of all channels."""
    weight = keras.layers.GlobalAveragePooling2D(
        keepdims=True, data_format="channels_last", name=f"{name}_average"
    )(x)
    weight = keras.layers.Conv2D(
        squeeze.channels,
        1,
        data_format="channels_last",
        kernel_initializer=he_normal(seed, f"{name}_reduce"),
        name=f"{name}_reduce",
    )(weight)
    weight = activate(weight, f"{name}_reduce", squeeze.activation)
    weight = keras.layers.Conv2D(
        x.shape[-1],
        1,
        data_format="channels_last",
        kernel_initializer=glorot_uniform(seed, f"{name}_expand"),
        name=f"{name}_expand",
    )(weight)
    weight = activate(weight, f"{name}_expand", squeeze.gate)
    return keras.layers.Multiply(name=f"{name}_excite")([x, weight])
