"""Each check by itself, on a model that has what it looks for and on one that has not, unconverted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert, zoo
from trimtab.doctor import Examined, Finding
from trimtab.doctor.checks import (
    _activation,
    _batch_normalization,
    _channels,
    _conversion,
    _custom_layers,
    _dense,
    _float_layers,
    _inputs,
    _precision,
    _rewriting,
    _scaling,
    _scheme,
    _softmax,
)
from trimtab.progress import Silent

INT8 = (litert.SCHEMES["int8"],)


def examined(model: keras.Model, schemes: Any = INT8, data: Any = None) -> Examined:
    return Examined(model, schemes, data, 0, Silent())


def net(*middle: Any, shape: tuple[int | None, ...] = (8, 8, 3), ending: Any = ()) -> keras.Model:
    """A small classifier around some layers."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, name="logits"), *ending]
    return keras.Sequential([keras.Input(shape), *middle, *head])


def only(found: Any) -> Finding:
    (finding,) = list(found)
    return finding


@pytest.fixture(scope="module")
def sound() -> Examined:
    """A model that is as it should be."""
    model = zoo.cnn((8, 8, 1), 10, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    return examined(model)


@pytest.mark.parametrize(
    "check",
    [
        _activation.costly_activations,
        _batch_normalization.unfoldable_batch_normalization,
        _channels.odd_channels,
        _custom_layers.graph,
        _custom_layers.lambda_layers,
        _custom_layers.custom_layers,
        _dense.large_dense,
        _float_layers.float_layers,
        _inputs.inputs_and_outputs,
        _inputs.image_size,
        _precision.low_precision,
        _precision.quantized_already,
        _scaling.image_scaling,
        _softmax.softmax,
    ],
)
def test_a_sound_model_has_no_findings(sound: Examined, check: Callable[..., Any]) -> None:
    assert list(check(sound)) == []


def test_a_model_with_several_inputs_and_outputs() -> None:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    flat = layers.GlobalAveragePooling2D()(layers.Add()([one, two]))
    found = list(
        _inputs.inputs_and_outputs(
            examined(keras.Model([one, two], [layers.Dense(3)(flat), layers.Dense(2)(flat)]))
        )
    )
    assert [(finding.name, finding.severity) for finding in found] == [
        ("several-inputs", "problem"),
        ("several-outputs", "problem"),
    ]


def test_an_open_image_size() -> None:
    finding = only(_inputs.image_size(examined(net(layers.Conv2D(8, 3), shape=(None, None, 3)))))
    assert finding.name == "dynamic-shape"
    assert "(None, None, 3)" in finding.what


def test_activations_with_a_cheaper_twin() -> None:
    model = net(
        layers.Conv2D(8, 3, activation="silu", name="a"),
        layers.Conv2D(8, 1, name="b"),
        layers.Activation("gelu", name="c"),
        layers.ELU(name="d"),
        layers.Activation("hard_silu", name="e"),
        layers.ReLU(6.0, name="f"),
    )
    found = {finding.layers: finding for finding in _activation.costly_activations(examined(model))}
    assert set(found) == {("a",), ("c",), ("d",)}
    assert "swish" in found["a",].what
    assert "hard_silu" in found["a",].remedy
    image = keras.Input((8, 8, 3))
    x = keras.ops.silu(layers.Conv2D(8, 3)(image))
    spelt = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    assert only(_activation.costly_activations(examined(spelt))).name == "costly-activation"


def test_batch_normalization_that_stays() -> None:
    model = net(
        layers.Conv2D(8, 3, activation="relu", name="conv"),
        layers.BatchNormalization(name="late"),
        layers.Activation("tanh"),
        layers.Conv2D(8, 1, name="other"),
        layers.BatchNormalization(name="right"),
    )
    finding = only(_batch_normalization.unfoldable_batch_normalization(examined(model)))
    assert finding.layers == ("late",)
    assert finding.severity == "warning"
    assert "before the activation" in finding.remedy


def test_channels_that_are_no_multiple_of_eight() -> None:
    model = net(layers.Conv2D(20, 3, name="odd"), layers.Conv2D(16, 3, name="even"))
    finding = only(_channels.odd_channels(examined(model)))
    assert finding.layers == ("odd",)  # the ten classes are given
    assert "the 20 of odd cost about what 24 (32) do" in finding.cost


def test_softmax_at_the_end_and_inside() -> None:
    model = net(layers.Conv2D(8, 3, activation="softmax", name="inner"), ending=[layers.Softmax(name="end")])
    found = {finding.name: finding for finding in _softmax.softmax(examined(model))}
    assert found["softmax-at-the-end"].layers == ("end",)
    assert found["softmax-inside"].layers == ("inner",)
    assert found["softmax-inside"].severity == "warning"


def test_lambda_and_custom_layers() -> None:
    class Own(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    class Named(layers.Conv2D):
        """Computes as Keras' own does."""

    model = net(
        Named(8, 3, name="named"), Own(name="own"), layers.Lambda(lambda x: x, lambda s: s, name="code")
    )
    seen = examined(model)
    assert only(_custom_layers.custom_layers(seen)).layers == ("own",)
    finding = only(_custom_layers.lambda_layers(seen))
    assert (finding.severity, finding.layers) == ("problem", ("code",))
    floats = {path for finding in _float_layers.float_layers(seen) for path in finding.layers}
    assert floats == {"own", "code"}
    assert list(_float_layers.float_layers(examined(model, (litert.SCHEMES["float16"],)))) == []


def test_a_model_without_a_graph() -> None:
    class Whole(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.dense(keras.ops.mean(inputs, axis=(1, 2)))

    model = Whole()
    model(np.zeros((1, 8, 8, 3), "float32"))
    seen = examined(model)
    assert only(_custom_layers.graph(seen)).name == "no-graph"
    assert seen.calls == ()
    assert (seen.channels, seen.folded, seen.kept_float) == (None, None, {})


def test_a_dense_layer_that_holds_most() -> None:
    tail = [layers.Flatten(), layers.Dropout(0.1), layers.Dense(64, name="big"), layers.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(8, 3, name="conv"), *tail])
    finding = only(_dense.large_dense(examined(model)))
    assert finding.layers == ("big",)
    assert "36 times fewer" in finding.remedy


def test_number_types() -> None:
    mixed = net(layers.Conv2D(8, 3, dtype="mixed_float16"))
    finding = only(_precision.low_precision(examined(mixed)))
    assert "mixed_float16" in finding.what
    quantized = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(4, name="d")])
    quantized.get_layer("d").quantize("int8")
    assert only(_precision.quantized_already(examined(quantized))).layers == ("d",)


def test_a_scheme_that_is_a_trap() -> None:
    class Summary:
        ops = {"DEPTHWISE_CONV_2D": 1, "CONV_2D": 1}  # noqa: RUF012

    model = net(layers.DepthwiseConv2D(3, name="deep"))
    seen = examined(model, [litert.SCHEMES[name] for name in ("float32", "dynamic-int8", "int8")])
    seen.files._summary = Summary()  # type: ignore[assignment]
    seen.files._made["float32"] = b""
    finding = only(_scheme.scheme_cautions(seen))
    assert finding.layers == ("deep",)
    assert "dynamic-int8" in finding.what
    assert "0.5 to 0.6" in finding.cost


def test_what_does_not_convert_names_the_keras_layer() -> None:
    model = net(layers.Conv2D(8, 3, name="bell"))
    seen = examined(model)
    seen.files._made["float32"] = (
        "LiteRT has no builtin operator for Erf (at sequential_1/bell_1), which model 'sequential' uses."
    )
    finding = only(_conversion.conversion(seen))
    assert (finding.name, finding.layers) == ("flex-operator", ("bell",))
    assert "Erf" in finding.what
    seen.files._made["float32"] = "Layer 'x' is broken."
    assert only(_conversion.conversion(seen)).name == "does-not-convert"
    seen.files._made["float32"] = b"a file"
    assert list(_conversion.conversion(seen)) == []


def test_a_model_that_was_trained_for_integers_is_no_problem() -> None:
    """Its float file is refused on purpose, and its own layers are not strangers."""
    from trimtab.quantization import calibrated

    model = net(layers.Conv2D(8, 3, activation="relu"))
    aware = calibrated(model, np.random.default_rng(0).random((10, *model.input_shape[1:]), np.float32))
    seen = examined(aware)
    assert only(_precision.quantized_already(seen)).name == "carries-ranges"
    assert list(_conversion.conversion(seen)) == []
    assert list(_float_layers.float_layers(seen)) == []
    assert seen.macs == examined(model).macs


def test_images_that_are_scaled_otherwise(digits: Any) -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)]
    )
    finding = only(_scaling.image_scaling(examined(model, data=digits)))
    assert finding.name == "images-scaled-otherwise"
    assert "0..255" in finding.what


def test_what_could_be_simpler() -> None:
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(8, 3), layers.BatchNormalization()], name="inner"
    )
    finding = only(_rewriting.rewriting(examined(net(layers.Rescaling(1 / 255), inner))))
    assert "1 batch normalisation became part of the layers beside it" in finding.what
    assert "1 nested model opened" in finding.what
    assert "The scaling of the images became part" in finding.what
    padded = net(layers.Rescaling(1 / 255, offset=-1.0), layers.Conv2D(8, 3, padding="same"))
    assert "images became a depthwise" in only(_rewriting.rewriting(examined(padded))).what
    assert list(_rewriting.rewriting(examined(net(layers.Conv2D(8, 3, activation="relu"))))) == []
