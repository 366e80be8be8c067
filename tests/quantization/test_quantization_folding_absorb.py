"""Which layers take a batch normalisation in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.quantization import fold

SHAPE = (8, 8, 3)
bn = layers.BatchNormalization
conv = layers.Conv2D


def graph(body, shape=SHAPE):
    inputs = keras.Input(shape)
    return keras.Model(inputs, body(inputs))


def two_readers(x):
    return layers.Add()([conv(4, 1)(x), conv(4, 1)(x)])


def counted(folded, kinds):
    names = kinds(folded.model)
    return names.count("BatchNormalization"), sum(name.startswith("Depthwise") for name in names)


FOLDED = {
    "conv": lambda x: bn()(conv(4, 3)(x)),
    "conv without bias": lambda x: bn()(conv(4, 3, use_bias=False)(x)),
    "no gamma": lambda x: bn(scale=False)(conv(4, 3)(x)),
    "no beta": lambda x: bn(center=False)(conv(4, 3)(x)),
    "grouped": lambda x: bn()(conv(6, 3, groups=2)(conv(4, 1)(x))),
    "transposed": lambda x: bn()(layers.Conv2DTranspose(4, 3, strides=2)(x)),
    "separable": lambda x: bn()(layers.SeparableConv2D(4, 3, depth_multiplier=2)(x)),
    "dropout between": lambda x: bn()(layers.Dropout(0.5)(conv(4, 3)(x))),
    "mean pooling between": lambda x: bn()(layers.AveragePooling2D(2, padding="same")(conv(4, 3)(x))),
    "global pooling between": lambda x: bn()(layers.GlobalAveragePooling2D()(conv(4, 3)(x))),
    "twice": lambda x: bn()(bn()(conv(4, 3)(x))),
    "concatenation": lambda x: bn()(layers.Concatenate()([conv(4, 3)(x), conv(2, 3)(x)])),
    "sum": lambda x: bn()(layers.Add()([conv(4, 3)(x), conv(4, 3)(x)])),
    "dense": lambda x: bn()(layers.Dense(5)(layers.Flatten()(x))),
    "dense on maps": lambda x: bn()(layers.Dense(5)(x)),
    "reshape between": lambda x: bn()(layers.Reshape((4, 16, 5))(layers.Dense(5)(x))),
    "before a valid convolution": lambda x: conv(4, 3)(bn()(x)),
    "before a pointwise convolution": lambda x: conv(4, 1, strides=2, padding="same")(bn()(x)),
    "before one that need not pad": lambda x: conv(4, 2, strides=2, padding="same")(bn()(x)),
    "before two": lambda x: two_readers(bn()(layers.ReLU()(x))),
    "before dense": lambda x: layers.Dense(5)(layers.Flatten()(layers.Dropout(0.5)(bn()(x)))),
    "before pooled dense": lambda x: layers.Dense(5)(layers.GlobalAveragePooling2D()(bn()(x))),
    "between relu and grouped": lambda x: conv(6, 3, groups=2)(bn()(layers.ReLU()(conv(4, 1)(x)))),
}


@pytest.mark.parametrize("name", FOLDED)
def test_taken_in(name, same_outputs, kinds):
    folded = same_outputs(graph(FOLDED[name]))
    assert counted(folded, kinds) == (0, 1 if name == "separable" else 0)
    assert not folded.kept


LEFT = {
    "others see the convolution": lambda x: [(y := conv(4, 3)(x)), bn(name="bn")(y)],
    "after relu": lambda x: bn(name="bn")(layers.ReLU()(conv(4, 3)(x))),
    "before padding": lambda x: conv(4, 3, padding="same")(bn(name="bn")(x)),
    "after zeros around": lambda x: layers.ReLU()(bn(name="bn")(layers.ZeroPadding2D()(conv(4, 3)(x)))),
    "before transposed": lambda x: layers.Conv2DTranspose(4, 3)(bn(name="bn")(x)),
    "after flattened maps": lambda x: layers.ReLU()(bn(name="bn")(layers.Flatten()(conv(4, 3)(x)))),
    "output in between": lambda x: [(y := bn(name="bn")(layers.ReLU()(x))), conv(2, 1)(y)],
    "vectors": lambda x: bn(name="bn")(layers.ReLU()(layers.Dense(4)(layers.Flatten()(x)))),
    "sequences": lambda x: bn(name="bn")(layers.ReLU()(layers.Reshape((64, 3))(x))),
}


@pytest.mark.parametrize("name", LEFT)
def test_left_as_a_depthwise_convolution(name, same_outputs, kinds):
    folded = same_outputs(graph(LEFT[name]))
    assert counted(folded, kinds) == (0, 1)
    assert folded.origin["bn"] == ("bn",)
    assert any("bn became a depthwise convolution" in note for note in folded.notes)
    assert len(folded.model.get_layer("bn").trainable_variables) == 2


def test_a_shared_convolution_takes_in_only_what_all_calls_meet(same_outputs, kinds):
    def one_of_two(x):
        shared = conv(3, 3, padding="same")
        return bn()(shared(layers.ReLU()(shared(x))))

    def different(x):
        shared = conv(3, 3, padding="same")
        return bn()(shared(layers.ReLU()(bn()(shared(x)))))

    def same(x):
        shared, norm = conv(3, 3, padding="same"), bn()
        return norm(shared(layers.ReLU()(norm(shared(x)))))

    assert counted(same_outputs(graph(one_of_two)), kinds) == (0, 1)
    assert counted(same_outputs(graph(different)), kinds) == (0, 2)
    assert counted(same_outputs(graph(same)), kinds) == (0, 0)


def test_maximum_needs_positive_factors(kinds):
    model = graph(lambda x: bn(name="bn")(layers.MaxPooling2D()(conv(4, 3, name="conv")(x))))
    images = np.random.default_rng(0).random((2, *SHAPE)).astype("float32")
    for gamma, left in (([0.5, 1, 2, 3], 0), ([0.5, -1, 2, 3], 1)):
        model.get_layer("bn").gamma.assign(gamma)
        folded = fold(model)
        assert counted(folded, kinds) == (0, left)
        np.testing.assert_allclose(folded.model(images), model(images), rtol=1e-4, atol=1e-6)


def test_one_that_always_trains_stays(kinds):
    folded = fold(graph(lambda x: bn(name="bn")(conv(4, 3)(x), training=True)))
    assert "training=True" in folded.kept["bn"]
    assert kinds(folded.model) == ["Conv2D", "BatchNormalization"]


def test_pulls_on_a_kernel_go_only_where_it_changed():
    pulled = {"kernel_regularizer": "l2", "kernel_constraint": "non_neg", "bias_regularizer": "l1"}
    model = graph(lambda x: conv(4, 3, name="plain", **pulled)(bn()(conv(4, 3, name="folded", **pulled)(x))))
    folded = fold(model).model
    changed, plain = folded.get_layer("folded"), folded.get_layer("plain")
    assert changed.kernel_regularizer is changed.kernel_constraint is changed.bias_regularizer is None
    assert None not in (plain.kernel_regularizer, plain.kernel_constraint, plain.bias_regularizer)


IMAGES = {
    "rescaling": lambda x: conv(4, 3, padding="same")(layers.Rescaling(1 / 255)(x)),
    "rescaling and padding": lambda x: conv(4, 3)(layers.ZeroPadding2D()(layers.Rescaling(1 / 255)(x))),
    "shifted": lambda x: conv(4, 3)(layers.Rescaling(1 / 127.5, -1)(x)),
    "per channel": lambda x: conv(4, 3)(layers.Rescaling([0.1, 0.2, 0.3], [1, 2, 3])(x)),
    "normalization": lambda x: conv(4, 3)(layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6])(x)),
    "adapted": lambda x: conv(4, 3)(layers.Normalization()(x)),
    "both": lambda x: layers.Dense(4)(layers.Flatten()(layers.Normalization()(layers.Rescaling(0.1)(x)))),
}


@pytest.mark.parametrize("name", IMAGES)
def test_scaling_of_images(name, same_outputs, kinds):
    model = graph(IMAGES[name])
    folded = same_outputs(model, brightest=255.0)
    assert not set(kinds(folded.model)) & {"Rescaling", "Normalization", "DepthwiseConv2D"}
    apart = same_outputs(model, brightest=255.0, images=False)
    assert "DepthwiseConv2D" in kinds(apart.model)
    assert not apart.model.layers[1].trainable_variables


def test_scaling_that_padding_keeps_apart(same_outputs, kinds):
    model = graph(lambda x: conv(4, 3, padding="same")(layers.Rescaling(1 / 127.5, -1, name="scale")(x)))
    folded = same_outputs(model, brightest=255.0)
    assert kinds(folded.model) == ["DepthwiseConv2D", "Conv2D"]
    assert not folded.model.get_layer("scale").trainable_variables


def test_integers_stay_with_the_layer_that_reads_them():
    inputs = keras.Input(SHAPE, dtype="uint8")
    model = keras.Model(inputs, conv(4, 3)(layers.Rescaling(1 / 255)(inputs)))
    images = np.random.default_rng(0).integers(0, 255, (2, *SHAPE)).astype("uint8")
    folded = fold(model).model
    np.testing.assert_allclose(folded(images), model(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "causal"])
def test_sequences(padding, same_outputs, kinds):
    def body(x):
        x = bn()(layers.Conv1D(4, 3, padding=padding, activation=None)(x))
        x = layers.Conv1D(4, 3, padding=padding)(bn()(layers.ReLU()(x)))
        return bn()(layers.SeparableConv1D(4, 3)(x))

    folded = same_outputs(graph(body, (12, 3)))
    left = 1 if padding == "causal" else 0
    assert counted(folded, kinds) == (0, 1 + left)
