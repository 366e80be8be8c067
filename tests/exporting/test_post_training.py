"""Quantizing without training: which way is taken, and that repairs are taken only where they help."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert
from trimtab.errors import ConfigError, ModelError
from trimtab.exporting import Artifact, export
from trimtab.exporting._post_training import PostTraining
from trimtab.quantization import calibrated


@pytest.fixture(scope="module")
def net(digits):
    """A depthwise CNN trained for 30 steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, use_bias=False, name="stem"),
         layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3, use_bias=False, name="deep"),
         layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(10, name="scores")],
        name="net",
    )  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)
    images = digits.train.inputs(0, 960)
    for _ in range(2):
        for at in range(0, 960, 64):
            model.train_on_batch(images[at : at + 64], digits.train.labels[at : at + 64])
    return model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "kl"}, "calibration_method is one of minmax, percentile, mse"),
        ({"method": "ms"}, r"Did you mean 'mse'\?"),
        ({"percentile": 0.99}, "percentile is above 50"),
        ({"percentile": 101}, "percentile is above 50"),
        ({"keep_float": "conv"}, r"Write \['conv'\]"),
        ({"equalize": True}, "equalize is False, or 'auto'"),
        ({"correct_bias": "yes"}, "correct_bias is False, or 'auto'"),
    ],
)
def test_senseless_options(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        PostTraining(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["float32", "dynamic-int8", "int16x8"])
def test_options_that_a_scheme_has_no_use_for(net, digits, tmp_path, scheme):
    with pytest.raises(ConfigError, match=rf"keep_float: for the schemes of int8.*scheme='{scheme}'"):
        export(net, tmp_path / "a.tflite", scheme, digits, keep_float=["deep"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("int8", {"calibration_method": "percentile", "percentile": 99.9}),
        ("int8-float-io", {"calibration_method": "mse"}),
        ("int4", {}),
        ("int4", {"correct_bias": False}),
    ],
)
def test_what_the_converter_cannot_be_told_goes_through_ranges(net, digits, tmp_path, scheme, options):
    artifact = export(net, tmp_path / "a.tflite", scheme, digits, calibration=60, **options)
    assert artifact.route == "fake-quantized"
    assert artifact.calibration["method"] == options.get("calibration_method", "minmax")
    assert artifact.parity.float_tensors == ()
    assert artifact.parity.top1_agreement > 0.95
    assert Artifact.read(artifact.path) == artifact
    kernels = {tensor.dtype for tensor in litert.inspect(artifact.path).tensors if tensor.constant}
    assert ("int4" in kernels) == (scheme == "int4")
    if scheme == "int4":
        assert any("before its weights are rounded" in note for note in artifact.notes)
        assert any("download and storage only" in note for note in artifact.notes)
    corrected = scheme == "int4" and not options  # without a word, it is tried at 4 bits alone
    assert ("correct_bias" in artifact.calibration.get("repairs", {})) == corrected


def test_layers_by_name_stay_float(net, digits, tmp_path):
    artifact = export(net, tmp_path / "a.tflite", "int8", digits, calibration=60, keep_float=["sco*"])
    tensors = litert.inspect(artifact.path).tensors
    kernels = {tensor.shape: tensor.dtype for tensor in tensors if tensor.constant and tensor.elements > 70}
    assert kernels[10, 128] == "float32"
    assert artifact.parity.passed
    assert artifact.calibration["keep_float"] == ["sco*"]


def test_repairs_are_taken_only_where_they_help(net, digits, tmp_path):
    artifact = export(
        net, tmp_path / "a.tflite", "int8", digits, calibration=60, equalize="auto", correct_bias="auto"
    )
    repairs = artifact.calibration["repairs"]
    assert set(repairs) == {"equalize", "correct_bias"}
    for name, entry in repairs.items():
        assert entry["taken"] == (entry["error_after"] < 0.95 * entry["error_before"])
        assert any(
            note.startswith(f"{name}: {'taken' if entry['taken'] else 'not'}") for note in artifact.notes
        )
    last = [entry["error_after"] for entry in repairs.values() if entry["taken"]]
    assert artifact.parity.mean_error == pytest.approx(
        last[-1] if last else repairs["equalize"]["error_before"], rel=1e-5
    )
    assert artifact.parity.top1_agreement > 0.95


def test_a_model_that_carries_ranges_needs_no_images(net, digits, tmp_path):
    from trimtab import quantization

    aware = quantization.calibrated(net, digits.train.inputs(0, 100))
    artifact = export(aware, tmp_path / "a.tflite", "int8")
    assert (artifact.route, artifact.calibration, artifact.parity_images) == (
        "fake-quantized",
        None,
        "random",
    )
    with_data = export(aware, tmp_path / "b.tflite", "int8", digits)
    assert with_data.calibration is None
    assert with_data.parity.top1_agreement > 0.99
    assert with_data.path.read_bytes() == artifact.path.read_bytes()
    with pytest.raises(
        ConfigError, match=r"carries its ranges, so nothing is calibrated: leave out keep_float"
    ):
        export(aware, tmp_path / "c.tflite", "int8", digits, keep_float=["deep"])
    with pytest.raises(ConfigError, match="carries its ranges already"):
        export(aware, tmp_path / "c.tflite", "float32")
    assert np.array_equal(
        litert.LiteRTModel(artifact.path)(digits.test.inputs(0, 20)),
        litert.LiteRTModel(with_data.path)(digits.test.inputs(0, 20)),
    )


def test_layers_stay_float_by_their_own_names_in_an_equalised_model_too(digits, tmp_path):
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.SeparableConv2D(6, 3, name="sep"), layers.BatchNormalization(),
         layers.ReLU(), layers.Conv2D(6, 3, name="conv")],
        name="base",
    )  # fmt: skip
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), inner, layers.Flatten(), layers.Dense(10, name="scores")]
    )
    made = export(
        model, tmp_path / "a.tflite", "int8", digits, calibration=20, keep_float=["base/conv", "sep"],
        equalize="auto",
    )  # fmt: skip
    floats = [each for each in litert.inspect(made.path).tensors if each.constant and each.dtype == "float32"]
    kernels = sum(len(each.shape) == 4 for each in floats)
    assert kernels == 3  # both halves of the separable one, and the other
    assert any(note.startswith("equalize: ") for note in made.notes)


def test_a_softmax_before_a_quantizer_is_refused_too(net, digits, tmp_path):
    probable = keras.Sequential([keras.Input((8, 8, 1)), net, layers.Softmax()])
    aware = calibrated(probable, digits.train.inputs(0, 50))
    with pytest.raises(ModelError, match=r"ends in softmax.*quantizers behind it.*without_softmax"):
        export(aware, tmp_path / "a.tflite", "int8", digits)
    assert list(tmp_path.iterdir()) == []
    assert export(aware, tmp_path / "b.tflite", "int8", digits, softmax="keep").softmax == "kept"
