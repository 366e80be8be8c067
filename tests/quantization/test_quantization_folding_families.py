"""Families of keras.applications, and random graphs: the flat model gives the same."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops


@pytest.mark.parametrize(
    ("name", "options", "brightest", "left"),
    [
        ("MobileNetV2", {"alpha": 0.35}, 1.0, 0),
        ("MobileNetV3Small", {"alpha": 0.35, "minimalistic": False}, 255.0, 1),
    ],
)
def test_family(
    name: str, options: dict[str, Any], brightest: float, left: int, same_outputs: Any, kinds: Any
) -> None:
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None, **options)
    folded = same_outputs(model, brightest=brightest)
    found = kinds(folded.model)
    assert "BatchNormalization" not in found
    assert sum("became a depthwise" in note for note in folded.notes) == left
    assert all(isinstance(one, keras.Layer) for one in folded.model.operations)
    assert not folded.kept


STEPS = (
    "conv",
    "grouped",
    "depthwise",
    "separable",
    "norm",
    "act",
    "add",
    "gated",
    "concat",
    "pool",
    "shift",
)


def step(kind: str, x: Any, before: Any, number: int) -> Any:
    """One more layer; `before` is an earlier tensor, `number` 0, 1 or 2."""
    channels = x.shape[-1]
    match kind:
        case "conv":
            return layers.Conv2D(2 * number + 2, 3, padding="same", use_bias=number > 0)(x)
        case "grouped":
            return layers.Conv2D(2 * channels, 1, groups=2)(x) if channels % 2 == 0 else x
        case "depthwise":
            return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1 + number % 2)(x)
        case "separable":
            return layers.SeparableConv2D(4, 3, padding="same", activation=("relu", "relu6", None)[number])(x)
        case "norm":
            return layers.BatchNormalization(scale=number < 2)(x)
        case "act":
            return (layers.ReLU()(x), layers.Dropout(0.2)(x), ops.sigmoid(x + 1.0))[number]
        case "add":
            return layers.Add()([x, before]) if before.shape == x.shape else x * 0.5
        case "gated":
            return x * layers.Conv2D(channels if number else 1, 1, activation="hard_sigmoid")(before)
        case "concat":
            return layers.Concatenate()([before, x])
        case "pool":
            return (layers.MaxPooling2D, layers.AveragePooling2D)[number % 2](2, strides=1, padding="same")(x)
    return 1.0 - x / 3.0


@settings(deadline=None, max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 2)), min_size=3, max_size=9
    ),
    seed=st.integers(0, 5),
)
def test_random_graphs(steps: list[tuple[str, int, int]], seed: int, same_outputs: Any, kinds: Any) -> None:
    inputs = keras.Input((6, 6, 3))
    tensors = [inputs]
    for kind, before, number in steps:
        x = step(kind, tensors[-1], tensors[before % len(tensors)], number)
        if x.shape[-1] <= 24:
            tensors.append(x)
    if tensors[-1] is inputs:
        return
    folded = same_outputs(keras.Model(inputs, tensors[-1]), seed=seed)
    assert "BatchNormalization" not in kinds(folded.model)
