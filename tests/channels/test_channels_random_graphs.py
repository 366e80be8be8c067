"""Random graphs: whatever the groups are, channels of zeros can go."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from trimtab.testing import check_channels

SHAPE = (6, 6, 3)
STEPS = (
    "conv",
    "grouped",
    "depthwise",
    "norm",
    "act",
    "add",
    "gated",
    "concat",
    "excite",
    "pool",
    "shuffle",
    "turn",
    "same layer",
)


def conv(x: Any, filters: int, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, padding="same", **options)(x)


def step(kind: str, x: Any, before: Any, number: int) -> Any:
    """One more layer; `before` is an earlier tensor of the same height and width, `number` 0, 1 or 2."""
    channels = x.shape[-1]
    match kind:
        case "conv":
            return conv(x, 2 * number + 2, 3)
        case "grouped":
            return conv(x, 2 * channels, 3, groups=2) if channels % 2 == 0 else x
        case "depthwise":
            return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1 + number % 2)(x)
        case "norm":
            return layers.BatchNormalization()(x)
        case "act":
            return layers.PReLU(shared_axes=(1, 2))(x) if number else ops.sigmoid(x + 1.0)
        case "add":
            return layers.Add()([x, before if before.shape == x.shape else conv(before, channels)])
        case "gated":
            return x * conv(before, channels if number else 1, activation="sigmoid")
        case "concat":
            return layers.Concatenate()([before, x])
        case "excite":
            gate = layers.Reshape((1, 1, channels))(layers.GlobalAveragePooling2D()(x))
            return layers.Multiply()([x, conv(gate, channels, activation="sigmoid")])
        case "shuffle":
            if channels % 2:
                return x
            x = ops.reshape(x, (-1, *x.shape[1:3], 2, channels // 2))
            return ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, *x.shape[1:3], channels))
        case "turn":
            return x + x[..., ::-1]
        case "same layer":
            layer = layers.Conv2D(channels, 1)
            return layer(layer(x)) + layer(x)
    return layers.MaxPooling2D(1)(x)


def built(steps: list[tuple[str, int, int]], flat: bool) -> keras.Model:
    inputs = keras.Input(SHAPE)
    tensors = [inputs, conv(inputs, 4)]
    for kind, before, number in steps:
        x = step(kind, tensors[-1], tensors[before % len(tensors)], number)
        if x.shape[-1] <= 24:
            tensors.append(x)
    x = layers.Flatten()(tensors[-1]) if flat else ops.mean(tensors[-1], axis=(1, 2))
    return keras.Model(inputs, layers.Dense(2)(layers.Dense(4, activation="elu")(x)))


@settings(deadline=None, max_examples=6, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=7),
    st.booleans(),
    st.integers(0, 5),
)
def test_channels_of_zeros_can_go_from_any_graph(
    steps: list[tuple[str, int, int]], flat: bool, seed: int
) -> None:
    images = np.random.default_rng(seed).normal(0, 3, (4, *SHAPE)).astype("float32")
    found = check_channels(built(steps, flat), images=images, seed=seed)
    assert found.removed > 0
