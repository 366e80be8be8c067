"""The nets that are timed, written once for Keras 3 and for tf_keras: the layers have the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["CLASSES", "NETS", "build", "image_data", "images"]

CLASSES = 10
NETS: dict[str, tuple[str, tuple[int, int, int]]] = {
    "cnn": ("small CNN, 28x28x1", (28, 28, 1)),
    "cnn_bn": ("small CNN with batch normalisation, 28x28x1", (28, 28, 1)),
    "resnet8": ("ResNet-8 with batch normalisation, 32x32x3", (32, 32, 3)),
    "ds_cnn": ("depthwise separable CNN, 32x32x3", (32, 32, 3)),
    "mobilenet_v2": ("MobileNetV2 with half the channels, 96x96x3", (96, 96, 3)),
    "mlp": ("two hidden layers, 28x28x1", (28, 28, 1)),
}
"""Title and image shape of each net.

`cnn`, `cnn_bn` and `resnet8` are the library's own with their defaults, `ds_cnn` is with one block a stage
and fewer channels, `mobilenet_v2` is that of Keras.
"""
_MOBILENET_ALPHA = 0.5


def build(keras: Any, net: str, scale: float = 1.0) -> Any:
    """Builds a net that ends in logits.

    Args:
        keras: the package to build it with: ``keras`` or ``tf_keras``.
        net: a key of `NETS`.
        scale: factor on the number of channels, for quick runs.
    """
    shape = NETS[net][1]
    if net == "mobilenet_v2":
        return keras.applications.MobileNetV2(
            shape, _MOBILENET_ALPHA * scale, weights=None, classes=CLASSES, classifier_activation=None
        )
    inputs = keras.Input(shape)
    if net == "mlp":
        outputs = _mlp(keras.layers, inputs, scale)
    elif net == "resnet8":
        outputs = _resnet(keras.layers, inputs, scale)
    elif net == "ds_cnn":
        outputs = _ds_cnn(keras.layers, inputs, scale)
    else:
        outputs = _cnn(keras.layers, inputs, net, scale)
    return keras.Model(inputs, outputs, name=net)


def images(net: str, count: int) -> tuple[Any, Any]:
    """Makes random images (count, height, width, channels) float32 and labels (count,) int64.

    A step costs the same whatever the pixels show.
    """
    generator = np.random.default_rng(0)
    pixels = generator.random((count, *NETS[net][1]), dtype=np.float32)
    return pixels, generator.integers(0, CLASSES, count)


def image_data(net: str, count: int) -> Any:
    """Makes random images as `trimtab.load_data` would hand them over, with next to no validation."""
    from trimtab.data import ImageData, Split

    pixels, labels = images(net, count)
    train = Split((pixels * 255).astype(np.uint8), labels.astype(np.int64))
    few = train.take(slice(0, 8))
    names = tuple(str(number) for number in range(CLASSES))
    return ImageData("random", train, few, few, names, "random pixels", "none")


def _mlp(layers: Any, x: Any, scale: float) -> Any:
    x = layers.Flatten()(x)
    for units in (128, 64):
        x = layers.Dense(_scaled(units, scale), activation="relu")(x)
    return layers.Dense(CLASSES)(x)


def _cnn(layers: Any, x: Any, net: str, scale: float) -> Any:
    normalised = net == "cnn_bn"
    for channels in (32, 64):
        x = layers.Conv2D(_scaled(channels, scale), 3, padding="same", use_bias=not normalised)(x)
        if normalised:
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D()(layers.ReLU()(x))
    x = layers.Dense(_scaled(64, scale), activation="relu")(layers.Flatten()(x))
    return layers.Dense(CLASSES)(x)


def _ds_cnn(layers: Any, x: Any, scale: float) -> Any:
    def normalised(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    stages = [_scaled(channels, scale) for channels in (24, 48, 96)]
    x = normalised(layers.Conv2D(stages[0], 3, padding="same", use_bias=False)(x))
    for stage, channels in enumerate(stages):
        stride = 2 if stage else 1
        x = normalised(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = normalised(layers.Conv2D(channels, 1, use_bias=False)(x))
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def _resnet(layers: Any, x: Any, scale: float) -> Any:
    def convolved(x: Any, channels: int, stride: int) -> Any:
        x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(convolved(x, _scaled(16, scale), 1))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        channels, shortcut = _scaled(channels, scale), x
        x = layers.ReLU()(convolved(x, channels, stride))
        x = convolved(x, channels, 1)
        if stride != 1:
            shortcut = layers.Conv2D(channels, 1, strides=stride, padding="same")(shortcut)
        x = layers.ReLU()(layers.Add()([x, shortcut]))
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def _scaled(channels: int, scale: float) -> int:
    return max(1, round(channels * scale))
