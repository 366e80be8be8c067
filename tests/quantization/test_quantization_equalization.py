"""Cross-layer equalisation: the outputs stay, the ranges come together, and what cannot be scaled is told."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.errors import ConfigError, ModelError
from trimtab.quantization import equalize

pytestmark = pytest.mark.backend

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).random((12, *SHAPE)).astype(np.float32)


def values(variable):
    return np.array(keras.ops.convert_to_numpy(variable.value))


def uneven(model, strength=1.2, seed=1):
    """Makes the channels that each kernel gives differ in size, and biases that are not 0."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if weight.name == "bias":
                weight.assign(rng.normal(0, 0.2, size=shape).astype(np.float32))
            elif len(shape) > 1:
                wide = shape[-2:] if "depthwise" in weight.path else shape[-1:]
                weight.assign(
                    (values(weight) * np.exp(rng.normal(0, strength, size=wide))).astype(np.float32)
                )
    return model


GIVES = {"stem": "A", "depthwise_1": "B", "pointwise_1": "A", "depthwise_2": "C", "pointwise_2": "D"}
TAKES = {"depthwise_1": "A", "pointwise_1": "B", "depthwise_2": "A", "pointwise_2": "C", "logits": "D"}
"""Channels of `depthwise_net` that can be scaled together."""


def disguised(model, seed=2):
    """Scales the channels of a `depthwise_net` at random, by hand, in a way that its outputs stay."""
    rng = np.random.default_rng(seed)
    factors = {name: np.exp(rng.normal(0, 1.5, size=12 if name == "D" else 8)) for name in "ABCD"}
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel, bias = (values(weight) for weight in layer.weights)
        into = factors[TAKES[layer.name]][:, None] if layer.name in TAKES else 1.0
        out = factors[GIVES[layer.name]] if layer.name in GIVES else np.ones(5)
        layer.kernel.assign(kernel * into / (out[:, None] if "depthwise" in layer.name else out))
        layer.bias.assign(bias / out)
    return model


def depthwise_net(activation=None, strength=0.3):
    """Convolution, depthwise, pointwise, twice, with a sum in between."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="images")

    def active(x, name):
        return (
            layers.ReLU(name=name)(x) if activation is None else layers.Activation(activation, name=name)(x)
        )

    x = active(layers.Conv2D(8, 3, padding="same", name="stem")(inputs), "relu_1")
    y = active(layers.DepthwiseConv2D(3, padding="same", name="depthwise_1")(x), "relu_2")
    y = layers.Conv2D(8, 1, name="pointwise_1")(y)
    x = layers.Add(name="add")([x, y])
    y = layers.ZeroPadding2D(1, name="pad")(x)
    y = active(layers.DepthwiseConv2D(3, strides=2, name="depthwise_2")(y), "relu_3")
    y = active(layers.Conv2D(12, 1, name="pointwise_2")(y), "relu_4")
    outputs = layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="pool")(y))
    return uneven(keras.Model(inputs, outputs, name="net"), strength)


def outputs(model, images=IMAGES):
    return keras.ops.convert_to_numpy(model(images, training=False))


def same(model, other, images=IMAGES):
    wanted = outputs(model, images)
    return np.abs(wanted - outputs(other, images)).max() / np.std(wanted) < 1e-4


def rounded(model, bits=8):
    """The outputs with all kernels rounded to one step a tensor, by hand."""
    copy = keras.models.clone_model(model)
    for weight, twin in zip(model.weights, copy.weights, strict=True):
        numbers = values(weight)
        step = np.abs(numbers).max() / (2 ** (bits - 1) - 1) if numbers.ndim > 1 else 1e-9
        twin.assign(np.round(numbers / step) * step)
    return outputs(copy)


def peaks(model, name, images=IMAGES):
    found = keras.Model(model.inputs[0], model.get_layer(name).output)(images)
    return np.abs(keras.ops.convert_to_numpy(found)).max(axis=(0, 1, 2))


def test_the_outputs_stay_and_rounding_costs_less():
    model = disguised(depthwise_net())
    before = [np.array(value) for value in model.get_weights()]
    found = equalize(model)
    assert same(model, found.model)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    assert [layer.name for layer in found.layers] == [
        "stem", "depthwise_1", "pointwise_1", "depthwise_2", "pointwise_2",
    ]  # fmt: skip
    assert dict(found.skipped) == {"logits": "gives the model's output"}
    assert all(0 < layer.smallest < 1 < layer.largest for layer in found.layers)
    wanted = outputs(model)
    error, left = (np.square(rounded(one) - wanted).mean() for one in (model, found.model))
    assert left < error / 4


def test_both_sides_of_a_channel_become_alike():
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = layers.LeakyReLU(name="leaky")(layers.Conv2D(6, 3, name="first")(inputs))
    model = uneven(keras.Model(inputs, layers.Flatten()(layers.Conv2D(4, 2, name="last")(x))))
    found = equalize(model).model
    first, last = (np.abs(values(found.get_layer(n).kernel)) for n in ("first", "last"))
    np.testing.assert_allclose(first.max(axis=(0, 1, 2)), last.max(axis=(0, 1, 3)), rtol=1e-3)
    one, two = (np.abs(values(model.get_layer(n).kernel)) for n in ("first", "last"))
    product = np.sqrt(one.max(axis=(0, 1, 2)) * two.max(axis=(0, 1, 3)))  # equation 11 of the paper
    np.testing.assert_allclose(first.max(axis=(0, 1, 2)), product, rtol=1e-3)


def test_with_images_feature_maps_become_alike():
    model = disguised(depthwise_net())
    found = equalize(model, IMAGES)
    assert same(model, found.model, np.random.default_rng(3).normal(size=(8, *SHAPE)).astype(np.float32))
    alive = peaks(model, "relu_2") > 1e-3
    spread = {one: np.ptp(np.log(peaks(one, "relu_1")[alive])) for one in (model, found.model)}
    assert spread[found.model] < spread[model] / 2
    assert "12 images" in found.notes[0]


def test_relu6_stays_without_images():
    model = depthwise_net("relu6")
    found = equalize(model)
    assert same(model, found.model)
    told = dict(found.skipped)
    assert told["stem"] == "clipped at 6 by 'relu_1'; equalize can look how far they go on images"
    assert found.layers == ()  # the sum ties the pointwise convolution to the stem


def test_relu6_clips_no_more_with_images():
    model = depthwise_net("relu6", strength=1.2)
    for name in ("stem", "depthwise_1"):
        model.get_layer(name).bias.assign(np.linspace(-0.5, 8, 8).astype(np.float32))
    clipped = peaks(model, "relu_2") >= 6
    assert clipped.any()
    assert not clipped.all()
    found = equalize(model, IMAGES)
    assert same(model, found.model)
    biases = [values(one.get_layer("depthwise_1").bias) for one in (model, found.model)]
    np.testing.assert_allclose(biases[0][clipped], biases[1][clipped], rtol=1e-6)
    assert not np.allclose(biases[0][~clipped], biases[1][~clipped])
    assert "may differ on others" in found.notes[1]


@pytest.mark.parametrize(
    ("between", "told"),
    [
        (layers.Activation("sigmoid", name="odd"), "followed by sigmoid, which does not scale"),
        (layers.Activation("swish", name="odd"), "which does not scale with its input"),
        (layers.ELU(name="odd"), "read by 'odd', which does not scale with its input"),
        (layers.ReLU(threshold=0.5, name="odd"), "read by 'odd', which does not scale with its input"),
        (layers.LayerNormalization(name="odd"), "read by 'odd', which does not scale with its input"),
    ],
)
def test_what_does_not_scale_is_left_alone(between, told):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = between(layers.Conv2D(6, 3, name="first")(inputs))
    model = uneven(keras.Model(inputs, layers.Dense(4, name="last")(layers.Flatten()(x))))
    found = equalize(model)
    assert same(model, found.model)
    assert found.layers == ()
    assert told in dict(found.skipped)["first"]


def _gated(x):
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(layers.GlobalMaxPooling2D(keepdims=True)(x))
    gate = layers.Activation("sigmoid")(layers.Conv2D(6, 1, name="excite")(gate))
    return layers.Flatten()(layers.Multiply()([x, gate]))


def _twice(x):
    shared = layers.Conv2D(6, 3, padding="same", name="shared")
    return layers.Flatten()(shared(layers.ReLU()(shared(x))))


BODIES = {
    "flatten": lambda x: layers.Flatten()(layers.MaxPooling2D(2)(x)),
    "reshape": lambda x: layers.GlobalAveragePooling1D()(layers.Reshape((36, 6))(x)),
    "concatenate": lambda x: layers.Flatten()(layers.Concatenate()([x, layers.Conv2D(3, 1, name="side")(x)])),
    "transposed": lambda x: layers.Flatten()(layers.Conv2DTranspose(4, 2, strides=2, name="up")(x)),
    "separable": lambda x: layers.Flatten()(layers.SeparableConv2D(4, 3, name="separable")(x)),
    "multiplier": lambda x: layers.Flatten()(
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    ),
    "gate": _gated,
    "twice": _twice,
    "prelu": lambda x: layers.Flatten()(layers.PReLU(shared_axes=(1, 2))(x)),
}


@pytest.mark.parametrize("images", [None, IMAGES], ids=["weights", "images"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_graphs_keep_their_outputs(body, images):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = layers.ReLU()(layers.Conv2D(6, 3, name="first")(inputs))
    model = uneven(keras.Model(inputs, layers.Dense(4, name="last")(body(x))))
    found = equalize(model, images)
    assert same(model, found.model)
    assert found.layers[0].name == "first"
    assert found.layers[0].largest > 1.05 * found.layers[0].smallest


def test_a_class_of_ones_own_is_left_alone():
    class Doubling(layers.Conv2D):
        def call(self, inputs):
            return super().call(inputs) ** 2

    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = Doubling(6, 3, name="squares")(layers.ReLU()(layers.Conv2D(6, 3, name="first")(inputs)))
    found = equalize(uneven(keras.Model(inputs, layers.Dense(4, name="last")(layers.Flatten()(x)))))
    assert found.layers == ()
    assert dict(found.skipped)["first"].startswith("read by 'squares'")


def test_bad_input():
    model = depthwise_net()
    with pytest.raises(ConfigError, match=r"equalize needs images as float32 \(n, height, width, channels\)"):
        equalize(model, IMAGES[0])
    with pytest.raises(ModelError, match="A Keras model is needed"):
        equalize("model")
