"""The scan of quantization: which layer hurts, by its Keras name, judged as its file computes."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers

from trimtab._records import to_plain
from trimtab.data import ImageData, Split
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.quantization import QuantizationSensitivity, calibrated, sensitivity
from trimtab.quantization._quantize_aware import _images as calibration_images
from trimtab.quantization._rows import Rows
from trimtab.training._judging import some_images

pytestmark = pytest.mark.backend

IMAGES, CALIBRATION = 120, 40
TRACES = []


@keras.saving.register_keras_serializable("tests")
class Counting(layers.Layer):
    """Counts how often it is traced; nobody knows how to quantize it."""

    def call(self, inputs):
        TRACES.append(0)
        return inputs * 1.0


def trained(digits):
    """A nested net with a depthwise layer, whose hidden layer has one weight that spoils its steps."""
    keras.utils.set_random_seed(0)
    inner = keras.Input((8, 8, 6))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(inner)
    y = layers.ReLU(6.0, name="relu6")(layers.BatchNormalization(name="norm")(y))
    y = layers.Conv2D(6, 1, name="pointwise")(y)
    body = keras.Model(inner, layers.Add(name="add")([y, inner]), name="body")
    inputs = keras.Input(digits.image_shape, name="images")
    x = body(layers.ReLU(name="relu")(layers.Conv2D(6, 3, padding="same", name="stem")(inputs)))
    x = layers.MaxPooling2D(2, name="pool")(layers.ReLU(name="relu_2")(x))
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(20, activation="relu", name="hidden")(x)
    model = keras.Model(inputs, layers.Dense(digits.classes, name="logits")(x), name="net")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    images, labels = digits.train.inputs(), digits.train.labels
    order = np.random.default_rng(0).permutation(len(labels))
    for _ in range(4):
        for start in range(0, len(labels) - 64, 64):
            batch = order[start : start + 64]
            model.train_on_batch(images[batch], labels[batch])
    kernel = np.array(model.get_layer("hidden").kernel)
    unused = int(np.abs(np.array(model.get_layer("logits").kernel)).sum(axis=1).argmin())
    kernel[0, unused] = -60.0  # all others vanish in its steps; ReLU lets nothing of it through
    model.get_layer("hidden").kernel.assign(kernel)
    return model


@pytest.fixture(scope="module")
def model(digits):
    return trained(digits)


@pytest.fixture(scope="module")
def scan(model, digits):
    return sensitivity(model, digits, images=IMAGES, calibration=CALIBRATION, batch_size=60)


def outputs(model, images):
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), np.float64)


def test_rows_have_the_names_of_the_model(scan):
    assert [(layer.name, layer.parameters) for layer in scan.layers] == [
        ("images", 0),
        ("stem", 60),
        ("body/depthwise", 60),  # with the bias that folding gives it
        ("body/pointwise", 42),
        ("body/add", 0),
        ("hidden", 96 * 20 + 20),
        ("logits", 210),
    ]
    assert (scan.images, scan.calibration, scan.scheme) == (IMAGES, CALIBRATION, "int8")
    assert scan.kept_float == ()


def test_the_layer_that_hurts_is_found(scan):
    assert scan.ranked[0].name == "hidden"
    assert scan.accuracy > 0.5  # a short training, other on each backend
    assert scan.quantized.change < -0.02
    hidden = next(layer for layer in scan.layers if layer.name == "hidden")
    assert hidden.without.change > -0.03
    assert hidden.without.sqnr_db > scan.quantized.sqnr_db + 10
    for layer in scan.layers:
        for point in (layer.alone, layer.without):
            assert point.low <= point.accuracy <= point.high
            assert point.change_low <= point.change <= point.change_high
            assert point.change == pytest.approx(point.accuracy - scan.accuracy)
            assert 0 <= point.agreement <= 1
        if layer.name != "hidden":
            assert layer.alone.sqnr_db > 20
            assert layer.without.sqnr_db == pytest.approx(scan.quantized.sqnr_db, abs=3)


@pytest.mark.parametrize(
    "spared", [("hidden",), ("stem", "body/depthwise"), ("body/pointwise", "hidden", "logits")]
)
def test_sparing_layers_is_what_a_model_with_them_float_computes(model, digits, spared):
    images = calibration_images(digits, None, CALIBRATION, 0)
    real = calibrated(model, images, keep_float=spared)
    aware = calibrated(model, images)
    rows = Rows(aware)
    on = {id(layer) for layer in rows.on(spared)}
    for layer in rows.every:
        layer.enabled.assign(float(id(layer) in on))
    probe = digits.validation.inputs(0, 64)
    wanted, got, there = (outputs(one, probe) for one in (model, aware, real))
    noise = np.abs(there - wanted).mean()
    assert np.abs(got - there).mean() < 0.03 * noise  # but for a tie that is rounded the other way
    assert noise > 1e-4 * np.std(wanted)


def test_the_points_are_those_of_the_models(scan, model, digits):
    split = some_images(digits.validation, IMAGES, 0, "")
    real = calibrated(model, calibration_images(digits, None, CALIBRATION, 0))
    wanted, got = outputs(model, split.inputs()), outputs(real, split.inputs())
    assert scan.accuracy == (wanted.argmax(axis=1) == split.labels).mean()
    assert scan.quantized.accuracy == (got.argmax(axis=1) == split.labels).mean()
    assert scan.quantized.agreement == (got.argmax(axis=1) == wanted.argmax(axis=1)).mean()
    noise = 10 * np.log10(np.square(wanted).mean() / np.square(got - wanted).mean())
    assert scan.quantized.sqnr_db == pytest.approx(noise, abs=0.05)


def test_the_model_is_untouched_and_traced_once(digits):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(digits.image_shape, name="images")
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = layers.Dense(8, name="hidden")(Counting(name="counting")(layers.Flatten(name="flat")(x)))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="logits")(x))
    before = [np.array(weight) for weight in model.get_weights()]
    found = []
    for images in (32, 64):
        TRACES.clear()
        found.append(sensitivity(model, digits, "int4", images=images, calibration=16, batch_size=32))
        traces = len(TRACES)
    TRACES.clear()
    names = [layer.name for layer in found[1].layers]
    assert names == [
        "images",
        "conv",
        "counting",
        "hidden",
        "logits",
    ]  # what floats is rounded for who reads it
    if keras.backend.backend() != "torch":  # which traces nothing
        assert traces < 12  # building, calibrating and one trace; not one for each of 10 measurements
    assert dict(found[1].kept_float) == {"counting": "Counting has no rule"}
    assert "softmax at the end was taken off" in found[1].notes[0]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_only_validation_images_judge(model, digits):
    nothing = Split(digits.test.images[:0], digits.test.labels[:0])
    blind = dataclasses.replace(digits, test=nothing)
    assert isinstance(blind, ImageData)
    options = {"images": 30, "calibration": 20, "batch_size": 30}
    assert sensitivity(model, blind, **options) == sensitivity(model, digits, **options)


def test_a_model_with_ranges_is_scanned_as_it_is(model, digits):
    aware = calibrated(model, calibration_images(digits, None, CALIBRATION, 0), weights_bits=4)
    found = sensitivity(aware, digits, "int4", images=30, batch_size=30)
    assert found.calibration == 0
    assert found.ranked[0].name == "hidden"
    with pytest.raises(ConfigError, match=r"has quantizers for weights of 4 bits. Received: scheme='int8'"):
        sensitivity(aware, digits, images=30)


def test_the_record_makes_it_again_and_it_is_a_table(scan):
    record = json.loads(json.dumps(scan.to_data()))
    assert record == json.loads(json.dumps(to_plain(scan)))
    assert QuantizationSensitivity.from_record(record) == scan
    for damage in ({"layers": 3}, {"quantized": {}}, {"nonsense": 1}):
        with pytest.raises(DataError, match="not that of a quantization scan"):
            QuantizationSensitivity.from_record({**record, **damage})
    lines = str(scan).splitlines()
    assert len(lines) == 3 + len(scan.layers)
    assert lines[0].startswith("int8: ")
    assert lines[-1].split()[:2] == ["logits", "210"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scheme": "int16x8"}, "one by one in schemes of int8 activations: 'int8' or 'int4'"),
        ({"scheme": "dynamic-int8"}, "in schemes of int8 activations"),
        ({"scheme": "int9"}, "No scheme is called 'int9'"),
        ({"images": 0}, "images=0 must be a whole number"),
        ({"calibration": 0}, "calibration is a number of training images"),
        ({"calibration_method": "median"}, "'median' is not known"),
        ({"seed": -1}, "seed=-1 must be a whole number"),
    ],
)
def test_bad_input(model, digits, options, told):
    with pytest.raises(ConfigError, match=told):
        sensitivity(model, digits, **options)


def test_bad_data_and_models(model, digits):
    with pytest.raises(ConfigError, match=r"Give trimtab.load_data\('digits'\)"):
        sensitivity(model, "digits")
    empty = Split(digits.train.images[:0], digits.train.labels[:0])
    with pytest.raises(DataError, match="has no validation images"):
        sensitivity(model, dataclasses.replace(digits, validation=empty))
    with pytest.raises(ModelError, match="A Keras model is needed"):
        sensitivity("model", digits)


def test_a_layer_that_has_taken_another_in_has_its_own_name(digits):
    inputs = keras.Input((8, 8, 1))
    made = keras.layers.Rescaling(0.5, name="rescaling")(inputs)
    made = keras.layers.Flatten()(keras.layers.ReLU()(keras.layers.Conv2D(4, 3, name="conv1")(made)))
    made = keras.layers.BatchNormalization(name="norm")(made)
    model = keras.Model(inputs, keras.layers.Dense(10, name="logits")(made))
    found = sensitivity(model, digits, "int8", calibration=20)
    assert {layer.name for layer in found.layers if layer.parameters} == {"conv1", "logits"}
