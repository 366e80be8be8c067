from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import trimtab
from trimtab import litert, models
from trimtab.errors import ConfigError, ConversionError, ModelError, OutputError, ParityError
from trimtab.exporting import Artifact, export
from trimtab.exporting._images import calibration_images
from trimtab.exporting._writing import write_set
from trimtab.progress import PlainLines


@pytest.fixture(scope="module")
def net(digits):
    """A CNN trained for 15 steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(),
         layers.ReLU(), layers.Flatten(), layers.Dense(10)], name="net",
    )  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)
    images = digits.train.inputs(0, 960)
    for at in range(0, 960, 64):
        model.train_on_batch(images[at : at + 64], digits.train.labels[at : at + 64])
    return model


@pytest.fixture(scope="module")
def probable(net):
    """The same net with a softmax at its end."""
    return keras.Sequential(
        [keras.Input((8, 8, 1)), *models.clone(net).layers, layers.Softmax()], name="probable"
    )


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_int8_file_with_its_record(net, digits, tmp_path):
    artifact = export(net, tmp_path / "deep" / "net.tflite", "int8", digits, calibration=60, compress=True)
    content = artifact.path.read_bytes()
    assert _names(tmp_path / "deep") == ["net.tflite", "net.tflite.gz", "net.tflite.json"]
    assert Artifact.read(artifact.path) == artifact
    assert artifact.bytes == len(content)
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.gzip_bytes == len(artifact.compressed.read_bytes())
    assert gzip.decompress(artifact.compressed.read_bytes()) == content
    assert artifact.parity.passed
    assert artifact.parity_images == "validation"
    assert artifact.parity.images == len(digits.validation)
    assert artifact.calibration["images"] == 60
    assert artifact.softmax == "none"
    assert artifact.model_digest == models.model_digest(net)
    assert artifact.model_parameters == net.count_params()
    assert artifact.data == {"name": digits.name, "digest": digits.digest}
    assert set(artifact.versions) == {"trimtab", "keras", "tensorflow", "ai-edge-litert"}
    assert artifact.route == "converter"
    assert artifact.calibration["method"] == "minmax"
    assert sum(artifact.calibration["per_class"]) == 60
    assert min(artifact.calibration["per_class"]) > 0
    again = export(net, tmp_path / "again.tflite", "int8", digits, calibration=60, compress=True)
    assert again.path.read_bytes() == content
    assert again.compressed.read_bytes() == artifact.compressed.read_bytes()
    scores = litert.LiteRTModel(artifact.path)(digits.validation.inputs())
    accuracy = (scores.argmax(-1) == digits.validation.labels).mean()
    assert accuracy > 0.5


def test_a_file_loses_its_ballast_and_no_answer(net, digits, tmp_path):
    artifact = export(net, tmp_path / "a.tflite", "int8", digits, calibration=60)
    images, _, _ = calibration_images(digits, 60, 0)
    whole = litert.convert(net, "int8", images)
    assert artifact.undieted_bytes == len(whole)
    assert artifact.bytes == artifact.parity.bytes < 0.9 * len(whole)
    proof = digits.validation.inputs()
    np.testing.assert_array_equal(litert.LiteRTModel(artifact.path)(proof), litert.LiteRTModel(whole)(proof))


def test_a_diet_that_changes_answers_is_refused(net, tmp_path, monkeypatch):
    other = models.clone(net)
    other.layers[-1].bias.assign(other.layers[-1].bias + 1)
    monkeypatch.setattr(litert, "diet", lambda content: litert.convert(other))
    with pytest.raises(ConversionError, match="other scores without its names"):
        export(net, tmp_path / "a.tflite")
    assert _names(tmp_path) == []


def test_a_trap_is_told_with_the_file(net, digits, tmp_path):
    artifact = export(net, tmp_path / "a.tflite", "int16x8", digits, calibration=20)
    assert litert.scheme("int16x8").caution in artifact.notes
    loose = export(net, tmp_path / "b.tflite", "dynamic-int8", digits)
    assert not any("depthwise" in note for note in loose.notes)  # it has no such layer


def test_images_scaled_otherwise_than_in_training_are_refused(digits, tmp_path):
    import dataclasses

    net = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.BatchNormalization(momentum=0.5), layers.Flatten(), layers.Dense(10)]
    )
    for _ in range(8):
        net(digits.train.inputs(0, 64), training=True)
    bytes_ = dataclasses.replace(digits.train, input_range=(0.0, 255.0))
    with pytest.raises(ConfigError, match="not scaled as those of the training"):
        export(net, tmp_path / "a.tflite", "int8", dataclasses.replace(digits, train=bytes_))
    assert _names(tmp_path) == []


def test_the_test_images_are_never_touched(net, digits, tmp_path, monkeypatch):
    import dataclasses

    class Untouchable:
        def __getattr__(self, name):
            raise AssertionError(f"the test part was asked for {name}")

    sealed = dataclasses.replace(digits, test=Untouchable())
    assert export(net, tmp_path / "a.tflite", "int8", sealed, calibration=20).parity.passed


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic-int8"])
def test_schemes_that_need_no_data(net, tmp_path, scheme):
    artifact = export(net, tmp_path / "a.tflite", scheme)
    assert artifact.scheme == scheme
    assert artifact.calibration is None
    assert artifact.parity_images == "random"
    assert any("random images" in note for note in artifact.notes)
    assert _names(tmp_path) == ["a.tflite", "a.tflite.json"]


def test_zeros_are_counted_and_noted(net, digits, tmp_path):
    pruned = models.clone(net)
    dense = pruned.layers[-1]
    kernel = dense.kernel.numpy()
    kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.8)] = 0
    dense.kernel.assign(kernel)
    artifact = export(pruned, tmp_path / "a.tflite", "int8", digits, calibration=20)
    assert artifact.model_non_zeros == models.non_zeros(pruned)
    assert artifact.non_zeros < 0.4 * artifact.parameters
    assert any("are 0" in note for note in artifact.notes)


def test_int8_refuses_a_softmax_and_says_what_to_do(probable, digits, tmp_path):
    with pytest.raises(ModelError, match=r"ends in softmax.*softmax='strip'.*softmax='keep'"):
        export(probable, tmp_path / "a.tflite", "int8", digits)
    assert _names(tmp_path) == []


def test_a_softmax_is_stripped_or_kept(probable, digits, tmp_path):
    stripped = export(probable, tmp_path / "s.tflite", "int8", digits, calibration=20, softmax="strip")
    assert (stripped.softmax, litert.inspect(stripped.path).ends_in_softmax) == ("stripped", False)
    assert stripped.model_digest == models.model_digest(probable)
    kept = export(probable, tmp_path / "k.tflite", "int8", digits, calibration=20, softmax="keep")
    assert (kept.softmax, litert.inspect(kept.path).ends_in_softmax) == ("kept", True)
    floating = export(probable, tmp_path / "f.tflite", "float32", digits)
    assert (floating.softmax, litert.inspect(floating.path).ends_in_softmax) == ("kept", True)
    assert models.has_softmax(probable)


def test_a_file_that_differs_is_refused_and_nothing_is_written(net, digits, tmp_path, monkeypatch):
    other = models.clone(net)
    for variable in other.trainable_weights:
        variable.assign(-variable.numpy())
    wrong = litert.convert(other)
    monkeypatch.setattr(litert, "convert", lambda *args, **options: wrong)
    (tmp_path / "a.tflite").write_bytes(b"an older file")
    with pytest.raises(
        ParityError, match=r"a.tflite \(float32\) was refused, and not written: .*first layer that"
    ) as caught:
        export(net, tmp_path / "a.tflite", "float32", digits, compress=True)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConversionError)
    assert _names(tmp_path) == ["a.tflite"]
    assert (tmp_path / "a.tflite").read_bytes() == b"an older file"


def test_an_open_image_size_is_taken_from_the_data(digits, tmp_path):
    inputs = keras.Input((None, None, 1))
    hidden = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(10)(hidden))
    with pytest.raises(ConfigError, match=r"images of any size.*Give data="):
        export(model, tmp_path / "a.tflite")
    artifact = export(model, tmp_path / "a.tflite", data=digits)
    assert litert.LiteRTModel(artifact.path).input_shape == (8, 8, 1)


def test_senseless_arguments(net, digits, tmp_path):
    path = tmp_path / "a.tflite"
    with pytest.raises(ConfigError, match=r"Did you mean 'int8'\?"):
        export(net, path, "int_8", digits)
    with pytest.raises(ConfigError, match=r"Received: 'stripe'. Did you mean 'strip'\?"):
        export(net, path, "int8", digits, softmax="stripe")
    with pytest.raises(ConfigError, match=r"ends in .tflite. Received: .*a.bin"):
        export(net, tmp_path / "a.bin")
    with pytest.raises(ConfigError, match="needs training images"):
        export(net, path, "int8")
    with pytest.raises(ConfigError, match="calibration is a number"):
        export(net, path, "int8", digits, calibration=0)
    small = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ModelError, match="3 outputs"):
        export(small, path, data=digits)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("seed", [-1, True, 0.5])
def test_senseless_seeds(net, tmp_path, seed):
    with pytest.raises(ConfigError, match="seed must be a whole number of 0 or more"):
        export(net, tmp_path / "a.tflite", seed=seed)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_disk_that_is_full_leaves_the_old_set(net, digits, tmp_path, monkeypatch, at):
    old = export(net, tmp_path / "a.tflite", "float32", digits, compress=True)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) >= at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        export(net, tmp_path / "a.tflite", "float16", digits, compress=True)
    assert len(calls) >= at
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert Artifact.read(tmp_path / "a.tflite") == old


def test_the_record_is_named_last(tmp_path, monkeypatch):
    renamed = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda a, b: renamed.append(Path(b).name) or replace(a, b))
    write_set({tmp_path / name: name.encode() for name in ("file", "packed", "record")})
    assert renamed == ["file", "packed", "record"]
    assert (tmp_path / "packed").read_bytes() == b"packed"


def test_a_compressed_file_of_the_previous_export_does_not_stay(net, tmp_path):
    export(net, tmp_path / "a.tflite", compress=True)
    (tmp_path / "b.tflite.gz").write_bytes(b"of somebody else")
    assert export(net, tmp_path / "a.tflite", "float16").compressed is None
    export(net, tmp_path / "b.tflite")
    assert _names(tmp_path) == ["a.tflite", "a.tflite.json", "b.tflite", "b.tflite.gz", "b.tflite.json"]


def test_versions_where_tensorflow_goes_by_another_name(net, tmp_path, monkeypatch):
    import importlib.metadata

    real = importlib.metadata.version

    def version(package):
        if package == "tensorflow":
            raise importlib.metadata.PackageNotFoundError(package)
        return "2.0.cpu" if package == "tensorflow-cpu" else real(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert export(net, tmp_path / "a.tflite").versions["tensorflow"] == "2.0.cpu"


def test_a_look_for_the_layer_that_fails_does_not_hide_the_refusal(net, digits, tmp_path, monkeypatch):
    from trimtab.litert import _divergence

    def fail(*_):
        raise TypeError("unhashable")

    wrong = litert.convert(keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)]))
    monkeypatch.setattr(litert, "convert", lambda *args, **options: wrong)
    monkeypatch.setattr(_divergence, "_layer_outputs", fail)
    with pytest.raises(ParityError, match="was refused"):
        export(net, tmp_path / "a.tflite", "float32", digits)


def test_a_folder_that_is_a_file_is_one_line(net, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="in the way"):
        export(net, tmp_path / "file" / "a.tflite")


def test_progress_is_told(net, tmp_path):
    said = io.StringIO()
    export(net, tmp_path / "a.tflite", progress=PlainLines(said))
    assert "export a.tflite" in said.getvalue()
    assert "written" in said.getvalue()


def test_it_is_the_verb():
    assert trimtab.export is export
    assert trimtab.Artifact is Artifact
