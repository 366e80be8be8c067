from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import ForXNNPACK
from trimtab.pruning.where._where import choose_weights

layers = keras.layers


def mobile(stem="valid", down="valid", middle=None, end="mean", size=32, channels=3, pad=1, first=None):
    """A small MobileNetV2: residual blocks of 1x1, depthwise 3x3 and 1x1 convolutions."""
    tensor = inputs = keras.Input((size, size, channels))
    tensor = tensor if first is None else first(tensor)
    if stem == "valid":
        tensor = layers.ZeroPadding2D(pad, name="pad")(tensor)
    tensor = layers.Conv2D(8, 3, 2, padding=stem, use_bias=False, name="stem")(tensor)
    tensor = layers.ReLU(6.0)(layers.BatchNormalization()(tensor))
    for index, stride in enumerate((1, 2)):
        inner = layers.Conv2D(16, 1, use_bias=False, name=f"expand{index}")(tensor)
        inner = layers.ReLU(6.0)(layers.BatchNormalization()(inner))
        if stride == 2 and down == "valid":
            inner = layers.ZeroPadding2D(1)(inner)
        same = "same" if stride == 1 else down
        inner = layers.DepthwiseConv2D(3, stride, padding=same, use_bias=False, name=f"depth{index}")(inner)
        inner = layers.ReLU(6.0)(layers.BatchNormalization()(inner))
        inner = inner if middle is None else middle(inner)
        inner = layers.Conv2D(8, 1, use_bias=False, name=f"project{index}")(inner)
        inner = layers.BatchNormalization()(inner)
        tensor = layers.Add()([tensor, inner]) if stride == 1 else inner
    if end == "mean":
        tensor = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(tensor))
    elif end == "operation":
        tensor = keras.ops.mean(tensor, axis=(1, 2))
    else:
        tensor = layers.Flatten(name="flat")(tensor)
    return keras.Model(inputs, layers.Dense(5, name="head")(tensor), name="mobile")


POINTWISE = ("expand0", "project0", "expand1", "project1")


def squeeze(tensor):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    gate = layers.Conv2D(16, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    return layers.Multiply()([tensor, gate])


def test_the_1x1_convolutions_of_a_fitting_net_are_chosen():
    choice = ForXNNPACK().choose(mobile())
    assert choice.layers == POINTWISE
    told = dict(choice.reasons)
    assert set(told) == {"stem", "depth0", "depth1", "head"}
    assert "1x1 convolutions only, and this is DepthwiseConv2D 3x3" in told["depth0"]
    assert told["head"].endswith("this is Dense")
    assert choice.useful_above == pytest.approx(2 / 3)
    assert "never on x86 with AVX" in " ".join(choice.notes)


@pytest.mark.backend
def test_choose_weights_takes_the_policy_with_its_reasons():
    weights, skipped = choose_weights(mobile(), ForXNNPACK(), exclude=["expand0"])
    assert tuple(weight.layer for weight in weights) == POINTWISE[1:]
    assert ("expand0", "excluded") in skipped
    assert any(name == "head" and "1x1" in reason for name, reason in skipped)


@pytest.mark.parametrize(
    "options",
    [
        {"end": "operation"},
        {"middle": squeeze},
        {"middle": layers.Activation("silu")},
        {"middle": layers.LeakyReLU()},
        {"middle": keras.activations.relu},
        {"middle": lambda tensor: tensor + tensor},
        {"middle": layers.Dropout(0.1)},
        {"middle": layers.DepthwiseConv2D(5, padding="same")},
        {"first": layers.Rescaling(1 / 255)},
    ],
    ids=lambda options: "-".join(options),
)
def test_what_xnnpack_takes_may_stand_between(options):
    if isinstance(options.get("middle"), layers.Layer):
        kind = options["middle"]
        options = {
            "middle": lambda tensor: kind.__class__.from_config({**kind.get_config(), "name": None})(tensor)
        }
    assert set(POINTWISE) <= set(ForXNNPACK().choose(mobile(**options)).layers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"stem": "same"},
            r"stem \(Conv2D\): its padding='same' with stride 2 pads unequally.*ZeroPadding2D\(1\)",
        ),
        ({"pad": ((0, 1), (0, 1))}, r"stem \(Conv2D\): it has a padding of \(0, 1, 0, 1\) before it"),
        ({"channels": 1}, r"stem \(Conv2D\): it is a convolution of 3x3, stride 2x2, on 1 channel;"),
        ({"down": "same"}, r"depth1 \(DepthwiseConv2D\) stands in the way: its padding='same'"),
        ({"end": "flatten"}, r"flat \(Flatten\) stands in the way"),
        ({"middle": lambda tensor: layers.PReLU()(tensor)}, r"\(PReLU\) stands in the way"),
        ({"middle": lambda tensor: tensor * 2.0}, r"\(Multiply\) stands in the way: .* by a constant"),
        ({"middle": lambda tensor: layers.BatchNormalization()(tensor)}, "cannot be folded"),
        ({"middle": lambda tensor: layers.Conv2D(16, 3, padding="same")(tensor)}, "all others must be 1x1"),
        ({"middle": lambda tensor: layers.Conv2D(16, 1, groups=2)(tensor)}, "it has 2 groups"),
        ({"middle": lambda tensor: layers.Conv2D(16, 1, activation="tanh")(tensor)}, "activation 'tanh'"),
        ({"middle": lambda tensor: layers.ReLU(3.0)(tensor)}, "not a plain ReLU"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_a_net_that_cannot_run_sparse_is_refused_with_what_stands_in_the_way(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        ForXNNPACK().choose(mobile(**options))
    assert "XNNPACK can use zeros nowhere in the model 'mobile'" in str(caught.value)
    assert "Prune without a policy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_mobilenet_of_keras_applications_is_not_eligible():
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)
    with pytest.raises(ConfigError, match=r"Conv1 \(Conv2D\): its padding='same'"):
        ForXNNPACK().choose(model)


def test_nested_and_sequential_models_are_looked_into():
    outer = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), mobile()])
    assert ForXNNPACK().choose(outer).layers == tuple(f"mobile/{name}" for name in POINTWISE)
    plain = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, 2, activation="relu", name="stem"),
            layers.Conv2D(8, 1, name="one"),
            layers.Conv2D(8, 1, strides=2, name="two"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    with pytest.raises(ConfigError, match=r"two \(Conv2D\) stands in the way: its stride is 2x2"):
        ForXNNPACK().choose(plain)


@pytest.mark.backend
def test_only_the_part_that_can_run_sparse_is_chosen():
    """One branch ends in a mean, the other, from the input on, in a Flatten."""
    inputs = keras.Input((16, 16, 3))
    tensor = layers.Conv2D(4, 3, 2, activation="relu", name="stem")(layers.ZeroPadding2D(1)(inputs))
    tensor = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 1, name="good")(tensor))
    other = layers.Flatten()(layers.Conv2D(8, 1, name="bad")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([tensor, other])))
    choice = ForXNNPACK().choose(model)
    assert choice.layers == ("good",)
    assert "bad (Conv2D) takes the model's input" in dict(choice.reasons)["bad"]


def test_a_layer_called_twice_must_fit_at_both_places():
    inputs = keras.Input((16, 16, 3))
    stem = layers.Conv2D(4, 3, 2, name="stem")(layers.ZeroPadding2D(1)(inputs))
    shared = layers.Conv2D(4, 1, name="shared")
    first = layers.Conv2D(4, 1, name="first")(stem)
    mean = layers.GlobalAveragePooling2D()(shared(first))
    other = layers.AveragePooling2D(2, name="pool")(layers.Conv2D(4, 3, name="wide")(inputs))
    again = layers.Flatten()(shared(other))
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([mean, again])))
    choice = ForXNNPACK().choose(model)
    assert choice.layers == ("first",)
    assert "pool (AveragePooling2D) stands in the way" in dict(choice.reasons)["shared"]


def test_a_tensor_that_leaves_the_stretch_forbids_it():
    inputs = keras.Input((16, 16, 3))
    stem = layers.Conv2D(4, 3, 2, name="stem")(layers.ZeroPadding2D(1)(inputs))
    one = layers.Conv2D(4, 1, name="one")(stem)
    mean = layers.GlobalAveragePooling2D()(one)
    with pytest.raises(ConfigError, match=r"one \(Conv2D\) is an output"):
        ForXNNPACK().choose(keras.Model(inputs, [mean, one]))
    pooled = layers.Flatten()(layers.MaxPooling2D(name="pool")(one))
    with pytest.raises(ConfigError, match=r"pool \(MaxPooling2D\) stands in the way"):
        ForXNNPACK().choose(keras.Model(inputs, [mean, pooled]))


def test_separable_convolutions_are_left_alone_but_may_be_passed():
    inputs = keras.Input((16, 16, 3))
    tensor = layers.Conv2D(4, 3, 2, name="stem")(layers.ZeroPadding2D(1)(inputs))
    tensor = layers.SeparableConv2D(4, 3, padding="same", name="both")(tensor)
    tensor = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="one")(tensor))
    choice = ForXNNPACK().choose(keras.Model(inputs, tensor))
    assert choice.layers == ("one",)
    assert "pointwise half" in dict(choice.reasons)["both"]


def test_what_cannot_be_looked_into_is_said():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.one = layers.Conv2D(4, 1)

        def call(self, inputs):
            return self.one(inputs)

    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.one = layers.Conv2D(4, 1, name="one")

        def build(self, shape):
            self.one.build(shape)

        def call(self, inputs):
            return self.one(inputs)

        def compute_output_shape(self, shape):
            return (*shape[:3], 4)

    own = Own()
    own(np.zeros((1, 8, 8, 3), "float32"))
    with pytest.raises(ConfigError, match="'own' is a Own, whose own code runs"):
        ForXNNPACK().choose(own)
    with pytest.raises(ModelError, match="has no weights yet"):
        ForXNNPACK().choose(keras.Sequential([layers.Conv2D(4, 1)]))
    inputs = keras.Input((16, 16, 3))
    stem = layers.Conv2D(4, 3, 2, name="stem")(layers.ZeroPadding2D(1)(inputs))
    mean = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="good")(stem))
    hidden = layers.Flatten()(Block(name="block")(inputs))
    choice = ForXNNPACK().choose(keras.Model(inputs, layers.Concatenate()([mean, hidden])))
    assert choice.layers == ("good",)
    assert "own code of Block" in dict(choice.reasons)["block/one"]


def test_a_dense_net_has_nothing_for_it():
    with pytest.raises(ConfigError, match="no 1x1 convolution"):
        ForXNNPACK().choose(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
