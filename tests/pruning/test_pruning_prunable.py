from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import input_axis, prunable_weights
from trimtab.pruning.where._prunable import check_model, find_weights
from trimtab.pruning.where._where import choose_weights

layers = keras.layers


class Sub(layers.Dense):
    """A subclass prunes as its parent does."""


class Mine(layers.Layer):
    """A layer with a weight of its own."""

    def build(self, shape):
        self.projection = self.add_weight(shape=(shape[-1], 4), name="projection")
        self.scale = self.add_weight(shape=(4,), name="scale")

    def call(self, inputs):
        return inputs @ self.projection * self.scale


class AsInTfmot(Mine):
    """A layer that says it as TensorFlow Model Optimization wants it said."""

    def get_prunable_weights(self):
        return [self.projection]


def found(model):
    return [f"{weight.layer}.{weight.name}" for weight in find_weights(model)[0]]


def holding(layer):
    return keras.Sequential([keras.Input((4,)), layer, layers.Dense(2, name="head")])


@pytest.mark.parametrize(
    ("layer", "shape", "names", "axes"),
    [
        (layers.Dense(3), (4,), ["kernel"], [-2]),
        (Sub(3), (4,), ["kernel"], [-2]),
        (layers.EinsumDense("ab,bc->ac", 3), (4,), ["kernel"], [-2]),
        (layers.EinsumDense("...x,yx->...y", 3), (4,), ["kernel"], [-1]),
        (layers.EinsumDense("abcd,cde->abe", (None, 6)), (2, 3, 4), ["kernel"], [-2]),
        (layers.EinsumDense("ab,b->ab", 4), (4,), ["kernel"], [None]),
        (layers.Conv1D(3, 2), (8, 4), ["kernel"], [-2]),
        (layers.Conv2D(3, 2), (8, 8, 4), ["kernel"], [-2]),
        (layers.Conv2D(4, 2, groups=2), (8, 8, 4), ["kernel"], [-2]),
        (layers.Conv3D(3, 2), (8, 8, 8, 4), ["kernel"], [-2]),
        (layers.Conv1DTranspose(3, 2), (8, 4), ["kernel"], [-1]),
        (layers.Conv2DTranspose(3, 2), (8, 8, 4), ["kernel"], [-1]),
        (layers.Conv3DTranspose(3, 2), (8, 8, 8, 4), ["kernel"], [-1]),
        (layers.DepthwiseConv1D(2), (8, 4), ["kernel"], [None]),
        (layers.DepthwiseConv2D(2), (8, 8, 4), ["kernel"], [None]),
        (layers.SeparableConv1D(3, 2), (8, 4), ["depthwise_kernel", "pointwise_kernel"], [None, -2]),
        (layers.SeparableConv2D(3, 2), (8, 8, 4), ["depthwise_kernel", "pointwise_kernel"], [None, -2]),
        (layers.GRUCell(3), (4,), ["kernel", "recurrent_kernel"], [-2, -2]),
        (layers.LSTMCell(3), (4,), ["kernel", "recurrent_kernel"], [-2, -2]),
        (layers.BatchNormalization(), (4,), [], []),
        (layers.Embedding(5, 3), (4,), [], []),
        (Mine(), (4,), [], []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_kernels_may_be_pruned_and_nothing_else(layer, shape, names, axes):
    layer.build((None, *shape))
    weights = prunable_weights(layer)
    assert [weight.name for weight in weights] == names
    assert [input_axis(layer, weight) for weight in weights] == axes
    for weight, axis in zip(weights, axes, strict=True):
        if axis is not None and not isinstance(layer, layers.EinsumDense) and "recurrent" not in weight.name:
            assert weight.shape[axis] == shape[-1] // getattr(layer, "groups", 1)


def test_layers_inside_layers_are_found():
    class Holder(keras.Model):
        """Holds layers without calling them: on JAX tracing these takes long."""

        def __init__(self):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 2, name="attention")
            self.both = layers.Bidirectional(layers.LSTM(2, name="lstm"), name="both")
            self.head = layers.Dense(2, name="head")

    model = Holder()
    model.attention.build((None, 3, 4), (None, 3, 4))
    model.both.build((None, 3, 4))
    model.head.build((None, 4))
    names = found(model)
    assert [name for name in names if name.startswith("attention/")] == [
        f"attention/{part}.kernel" for part in ("query", "key", "value", "attention_output")
    ]
    assert sum(name.endswith(".recurrent_kernel") for name in names) == 2
    assert names[-1] == "head.kernel"


@pytest.mark.backend
def test_a_registered_class_counts_and_its_subclasses_inherit():
    class Registered(Mine):
        pass

    class Child(Registered):
        pass

    prunable_weights.register(Registered, lambda layer: (layer.projection,))
    input_axis.register(Registered, lambda layer, weight: 0)
    for kind in (Registered, Child):
        weights, skipped = find_weights(holding(kind(name="mine")))
        assert [(w.layer, w.name, w.axis) for w in weights] == [
            ("mine", "projection", -2),
            ("head", "kernel", -2),
        ]
        assert skipped == []


@pytest.mark.backend
def test_the_method_of_tfmot_is_honoured_before_the_registry():
    class Both(AsInTfmot):
        pass

    prunable_weights.register(Both, lambda layer: (layer.scale,))
    for kind in (AsInTfmot, Both):
        assert found(holding(kind(name="mine"))) == ["mine.projection", "head.kernel"]

    class NotMe(layers.Dense):
        def get_prunable_weights(self):
            return []

    weights, skipped = find_weights(holding(NotMe(4, name="not_me")))
    assert [weight.layer for weight in weights] == ["head"]
    assert skipped == [("not_me", "NotMe has no kernel that may be pruned")]


class OwnModel(keras.Model):
    """A model that makes a weight itself, beside a layer."""

    def __init__(self):
        super().__init__(name="whole")
        self.head = layers.Dense(2, name="head")

    def build(self, shape):
        self.projection = self.add_weight(shape=(shape[-1], 4), name="projection")
        self.head.build((None, 4))
        self.built = True

    def call(self, inputs):
        return self.head(inputs @ self.projection)


def built(kind):
    model = kind()
    model(np.zeros((1, 4), "float32"))
    return model


@pytest.mark.backend
def test_a_model_is_asked_for_weights_of_its_own():
    class Registered(OwnModel):
        pass

    class AsTfmot(OwnModel):
        def get_prunable_weights(self):
            return [self.projection]

    prunable_weights.register(Registered, lambda model: (model.projection,))
    for kind in (Registered, AsTfmot):
        model = built(kind)
        assert found(model) == ["whole.projection", "head.kernel"]
        assert find_weights(model)[1] == []
        assert [w.layer for w in choose_weights(model, ["whole"])[0]] == ["whole"]


@pytest.mark.backend
def test_weights_beside_layers_that_nobody_registered_are_told():
    weights, skipped = find_weights(built(OwnModel))
    assert [weight.layer for weight in weights] == ["head"]
    why = "OwnModel makes weights of its own (projection) that prunable_weights knows nothing of"
    assert skipped == [("whole", why)]

    class Alone(OwnModel):
        def __init__(self):
            super().__init__()
            self.head = layers.ReLU()

    with pytest.raises(ConfigError, match=r"Nothing is left to prune .*whole: Alone makes") as caught:
        choose_weights(built(Alone))
    assert "no weights" not in str(caught.value)


@pytest.mark.backend
def test_the_layers_inside_a_registered_block_count_too():
    class Gate(Mine):
        def build(self, shape):
            super().build(shape)
            self.inside = layers.Dense(4, name="inside")
            self.inside.build((None, 4))

        def call(self, inputs):
            return self.inside(super().call(inputs))

    class Both(Gate):
        pass

    class Wide(layers.Dense):
        def build(self, shape):
            super().build(shape)
            self.more = layers.Dense(4, name="more")
            self.more.build(shape)

    prunable_weights.register(Gate, lambda layer: (layer.projection,))
    assert found(holding(Gate(name="gate"))) == ["gate.projection", "gate/inside.kernel", "head.kernel"]
    prunable_weights.register(Both, lambda layer: (layer.projection, layer.inside.kernel))
    weights, skipped = find_weights(holding(Both(name="both")))
    assert [(w.layer, w.name) for w in weights] == [
        ("both", "projection"),
        ("both", "kernel"),
        ("head", "kernel"),
    ]
    assert skipped == []
    assert found(holding(Wide(4, name="wide"))) == ["wide.kernel", "wide/more.kernel", "head.kernel"]


def test_one_variable_in_place_of_a_list_is_understood():
    class One(Mine):
        def get_prunable_weights(self):
            return self.projection

    assert found(holding(One(name="mine"))) == ["mine.projection", "head.kernel"]


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda layer: [keras.Variable(np.zeros(3, "float32"), name="other")], "gave 'other', which is none"),
        (lambda layer: [layer.projection.value], "which is none of the layer's weights .projection, scale"),
        (lambda layer: ["projection"], "gave 'str', which is none"),
        (lambda layer: None, "must return a list of the layer's weights, but gave NoneType"),
        (lambda layer: 3, "but gave int"),
    ],
)
def test_weights_that_are_not_the_layers_own_are_refused(gives, message):
    class Wrong(Mine):
        def get_prunable_weights(self):
            return gives(self)

    with pytest.raises(ConfigError, match=message) as caught:
        find_weights(holding(Wrong(name="mine")))
    assert "layer 'mine' (Wrong)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_axis_that_the_weight_does_not_have_is_refused():
    class Askew(AsInTfmot):
        pass

    input_axis.register(Askew, lambda layer, weight: 2)
    with pytest.raises(ConfigError, match=r"must give an axis of its projection of shape \(4, 4\)"):
        find_weights(holding(Askew(name="mine")))


@pytest.mark.backend
def test_quantized_layers_are_left_alone_with_the_reason():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")])
    model.get_layer("a").quantize("int8")
    weights, skipped = find_weights(model)
    assert [weight.layer for weight in weights] == ["b"]
    assert skipped == [("a", "its kernel is int8: prune before quantizing")]


@pytest.mark.backend
def test_a_tied_weight_is_pruned_once():
    class Tied(layers.Layer):
        def __init__(self, other, **kwargs):
            super().__init__(**kwargs)
            self.other = other

        def get_prunable_weights(self):
            return [self.other.kernel]

        def call(self, inputs):
            return inputs @ self.other.kernel

    first = layers.Dense(4, name="first")
    model = keras.Sequential([keras.Input((4,)), first, Tied(first, name="tied")])
    model(np.zeros((1, 4), "float32"))
    weights, skipped = find_weights(model)
    assert [weight.layer for weight in weights] == ["first"]
    assert skipped == [("tied", "shares its kernel with layer 'first'")]


@pytest.mark.backend
def test_mixed_precision_keeps_float32_kernels():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a", dtype="mixed_bfloat16")])
    assert found(model) == ["a.kernel"]
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, "relu", kernel_initializer="ones", dtype="bfloat16")]
    )
    (weight,), _ = find_weights(model)
    assert weight.zeros() == 0
    assert (weight.shape, weight.size) == ((4, 4), 16)


def test_a_keras_2_model_is_called_by_its_name():
    class Old:
        pass

    class Mine(Old):
        pass

    Old.__module__ = "tf_keras.src.engine.training"
    for model in (Old(), Mine()):  # a user's own subclass lives in a module of the user's
        with pytest.raises(ModelError, match=r"is a Keras 2 model .tf_keras.*TF_USE_LEGACY_KERAS"):
            check_model(model)


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match="got dict"):
        check_model({})
    with pytest.raises(ModelError, match=r"got str. Load the file with trimtab.load_model"):
        check_model("model.keras")
