"""Channels of zeros can be removed from models of every kind of layer, and the outputs stay as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers, ops

from trimtab.testing import check_channels

LEADS_OUT = "leads to the model's output"
MAP, VECTOR, SERIES = (8, 8, 3), (12,), (8, 5)


def conv(filters: int = 6, size: int = 3, **options: Any) -> Any:
    return layers.Conv2D(filters, size, padding="same", **options)


def squeeze_excite(x: Any, shape: bool) -> Any:
    gate = layers.GlobalAveragePooling2D(keepdims=not shape)(x)
    if shape:
        gate = layers.Reshape((1, 1, x.shape[-1]))(gate)
    gate = conv(4, 1, activation="relu")(gate)
    return layers.Multiply()([x, conv(x.shape[-1], 1, activation="sigmoid")(gate)])


def nested_model(name: str) -> Any:
    inputs = keras.Input((8, 8, 6))
    return keras.Model(inputs, layers.ReLU()(conv(6, name="inside")(inputs)), name=name)


def two_nested(x: Any) -> Any:
    x = conv()(x)
    return layers.Add()([nested_model("one")(x), nested_model("two")(layers.ReLU()(x))])


def called_twice(x: Any) -> Any:
    model, tail = nested_model("twice"), conv(4, name="inside")
    return tail(model(model(conv()(x))))


def nested_sequential(x: Any) -> Any:
    model = keras.Sequential([keras.Input((8, 8, 6)), conv(5), layers.BatchNormalization()], name="inner")
    return layers.ReLU()(model(conv()(x)))


def shared(x: Any) -> Any:
    layer = conv(6, name="shared")
    return layers.Concatenate()([layer(conv(6)(x)), layer(conv(6)(x))])


def operators(x: Any) -> Any:
    x = ops.relu(conv()(x)) * 0.5 + 0.25
    other = ops.sigmoid(conv()(x))
    x = ops.concatenate([x - other, ops.maximum(x, other)], axis=-1)
    gate = ops.reshape(ops.mean(x, axis=(1, 2)), (-1, 1, 1, 12))
    return x * ops.transpose(ops.transpose(gate, (0, 3, 1, 2)), (0, 2, 3, 1))


def attention(x: Any) -> Any:
    x = layers.Dense(8)(x)
    return layers.Dense(4)(layers.MultiHeadAttention(4, 3)(x, x))


def attention_of_own_size(x: Any) -> Any:
    return layers.Dense(4)(layers.MultiHeadAttention(3, 2, value_dim=5, output_shape=7)(x, x))


def grouped_attention(x: Any) -> Any:
    return layers.Dense(4)(layers.GroupQueryAttention(3, 4, 2)(x, x))


MAPS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda x: conv(5)(layers.ReLU()(layers.BatchNormalization()(conv()(x)))),
    "groups": lambda x: conv(8)(conv(12, groups=2)(conv(6)(x))),
    "a group for each channel": lambda x: conv(4)(conv(12, groups=6)(conv(6)(x))),
    "transposed": lambda x: conv(4)(layers.Conv2DTranspose(5, 3, strides=2)(conv()(x))),
    "depthwise": lambda x: conv(4)(layers.DepthwiseConv2D(3, depth_multiplier=2)(conv()(x))),
    "separable": lambda x: conv(4)(layers.SeparableConv2D(7, 3, depth_multiplier=2)(conv()(x))),
    "instance normalisation": lambda x: layers.GroupNormalization(6)(conv()(x)),
    "instance normalisation without weights": lambda x: layers.GroupNormalization(
        -1, center=False, scale=False
    )(conv()(x)),
    "prelu": lambda x: layers.PReLU()(conv()(layers.PReLU(shared_axes=(1, 2))(conv()(x)))),
    "squeeze-excite by shape": lambda x: squeeze_excite(conv(8)(x), shape=True),
    "squeeze-excite": lambda x: squeeze_excite(conv(8)(x), shape=False),
    "merging": lambda x: layers.Average()(
        [layers.Add()([conv()(x), conv()(x)]), layers.Maximum()([conv()(x), conv()(x)])]
    ),
    "concatenation": lambda x: layers.BatchNormalization()(layers.Concatenate()([conv(5)(x), conv(7)(x)])),
    "reshape": lambda x: layers.Reshape((4, 2, 48))(layers.Reshape((8, 48))(conv()(x))),
    "permute": lambda x: layers.Permute((3, 2, 1))(layers.Permute((3, 2, 1))(conv()(x))),
    "pixels": lambda x: layers.UpSampling2D()(
        layers.Cropping2D(1)(layers.ZeroPadding2D(1)(layers.MaxPooling2D()(conv()(x))))
    ),
    "operators": operators,
    "two nested": two_nested,
    "called twice": called_twice,
    "nested sequential": nested_sequential,
    "shared": shared,
}
SERIES_OF: dict[str, Callable[[Any], Any]] = {
    "conv 1d": lambda x: layers.Conv1D(4, 3)(layers.Conv1D(6, 3, groups=2)(layers.Conv1D(4, 1)(x))),
    "transposed 1d": lambda x: layers.Conv1D(4, 1)(layers.Conv1DTranspose(6, 3)(layers.Conv1D(4, 1)(x))),
    "depthwise 1d": lambda x: layers.SeparableConv1D(5, 3)(layers.DepthwiseConv1D(3)(layers.Conv1D(6, 1)(x))),
    "dense": lambda x: layers.Dense(4)(layers.Dense(6, activation="gelu")(x)),
    "einsum": lambda x: layers.EinsumDense("bth,hd->btd", (8, 5), bias_axes="d")(
        layers.EinsumDense("...i,ij->...j", 6)(x)
    ),
    "attention": attention,
    "attention of its own size": attention_of_own_size,
    "grouped attention": grouped_attention,
}
INEXACT: dict[str, Callable[[Any], Any]] = {
    "layer normalisation": lambda x: conv(4)(layers.LayerNormalization()(conv()(x))),
    "group normalisation": lambda x: conv(4)(layers.GroupNormalization(2)(conv()(x))),
    "rms normalisation": lambda x: conv(4)(layers.RMSNormalization()(conv()(x))),
}


def build(shape: tuple[int, ...], body: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input(shape)
    x = body(inputs)
    x = layers.Flatten(name="flat")(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name="toy")


@pytest.mark.parametrize("name", MAPS)
def test_maps(name: str) -> None:
    found = check_channels(build(MAP, MAPS[name]))
    assert found.removed > 0
    assert set(found.locked) == {LEADS_OUT}
    assert found.parameters[1] < found.parameters[0]


@pytest.mark.parametrize("name", SERIES_OF)
def test_series(name: str) -> None:
    found = check_channels(build(SERIES, SERIES_OF[name]))
    assert found.removed > 0
    assert LEADS_OUT in found.locked


@pytest.mark.parametrize("name", INEXACT)
def test_what_counts_channels_can_be_made_smaller_all_the_same(name: str) -> None:
    found = check_channels(build(MAP, INEXACT[name]))
    assert found.groups < 2


def test_sequential() -> None:
    model = keras.Sequential(
        [
            keras.Input(MAP),
            conv(),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(9, "relu"),
            layers.Dense(3, name="logits"),
        ]
    )
    found = check_channels(model)
    assert type(found.smaller) is keras.Sequential
    assert found.groups == 2


def test_a_base_in_front_of_a_head() -> None:
    inputs = keras.Input(MAP)
    base = keras.Model(inputs, layers.BatchNormalization()(conv(name="conv")(inputs)), name="base")
    found = check_channels(keras.Sequential([base, layers.Flatten(), layers.Dense(3)]))
    assert found.groups == 1


def test_nested_models_with_named_inputs() -> None:
    left, right = keras.Input((8, 8, 5), name="z"), keras.Input((8, 8, 7), name="a")
    both = layers.Concatenate()([conv(4)(left), conv(4)(right)])
    inner = keras.Model({"z": left, "a": right}, both, name="inner")
    first, second = keras.Input(MAP, name="first"), keras.Input(MAP, name="second")
    x = layers.Flatten()(inner({"z": conv(5)(first), "a": conv(7)(second)}))
    found = check_channels(keras.Model([first, second], layers.Dense(3)(x)))
    assert found.groups == 4


def test_images_of_any_size() -> None:
    inputs = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(conv(8)(conv()(inputs)))
    assert check_channels(keras.Model(inputs, layers.Dense(3)(x))).groups == 2


def test_what_is_not_understood_stays_whole() -> None:
    inputs = keras.Input(SERIES)
    x = layers.TimeDistributed(layers.Dense(8), name="each")(layers.Dense(7)(inputs))
    x = layers.Dense(8)(layers.LSTM(6, name="memory")(layers.Conv1D(9, 2)(x)))
    found = check_channels(keras.Model(inputs, layers.Dense(3)(x)))
    assert found.groups == 1
    assert len(found.locked) == 3
    assert found.smaller.get_layer("memory").units == 6


def test_a_model_that_ignores_its_images_proves_nothing() -> None:
    model = build(MAP, lambda x: conv()(layers.Rescaling(0.0)(x)))
    with pytest.raises(AssertionError, match="same for every image"):
        check_channels(model)


def test_a_mistake_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.channels import _slicing

    take = _slicing.Slicing.take

    def wrong(self: Any, weight: Any, value: Any) -> Any:
        return take(self, weight, value[::-1] if weight.name == "gamma" else value)

    monkeypatch.setattr(_slicing.Slicing, "take", wrong)
    with pytest.raises(AssertionError, match="differ by"):
        check_channels(build(MAP, MAPS["plain"]))
