"""ONNX, OpenVINO, PyTorch and C files: written, proved, refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert, models
from trimtab.errors import (
    ConfigError,
    ConversionError,
    MissingExtraError,
    ModelError,
    OutputError,
    ParityError,
)
from trimtab.exporting import Artifact, export
from trimtab.exporting import _export_format as formats
from trimtab.exporting._formats import EXPORTERS, Answers

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def installed(name: str) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in EXPORTERS[name].packages)


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not installed(name), reason=f"the extra {name!r} is not installed")


EACH = [pytest.param(name, marks=needs(name)) for name in EXPORTERS]


@pytest.fixture(scope="module")
def net():
    """A net with batch norm that has seen something, a residual, a depthwise layer and an odd layer name."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same", name="depth wise")(x)])
    x = layers.Dropout(0.5)(layers.Flatten()(layers.MaxPooling2D()(x)))
    model = keras.Model(inputs, layers.Dense(10)(x), name="net")
    norm = model.layers[2]
    norm.set_weights([np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8), np.full(8, 0.1), np.full(8, 0.3)])
    return model


@pytest.fixture(scope="module")
def made(net, digits, tmp_path_factory):
    """Every format that can be written here, each once."""
    folder = tmp_path_factory.mktemp("formats")
    return {
        name: export(net, folder / f"a net{exporter.ending}", data=digits)
        for name, exporter in EXPORTERS.items()
        if installed(name)
    }


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", EACH)
def test_a_file_with_its_record(made, net, digits, name):
    artifact, exporter = made[name], EXPORTERS[name]
    files = exporter.files(artifact.path)
    assert all(path.is_file() for path in files)
    assert artifact.file_format == name
    assert artifact.scheme == "float32"
    assert Artifact.read(artifact.path) == artifact
    assert artifact.bytes == sum(path.stat().st_size for path in files)
    assert artifact.parts == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path != artifact.path
    }
    assert artifact.parity.passed
    assert artifact.parity.images == len(digits.validation)
    assert artifact.parity_images == "validation"
    assert artifact.parity.top1_agreement == 1
    assert artifact.parity.max_error < 1e-4 * artifact.parity.spread
    assert artifact.model_digest == models.model_digest(net)
    assert artifact.data == {"name": digits.name, "digest": digits.digest}
    assert set(exporter.packages) < set(artifact.versions)
    assert None not in artifact.versions.values()
    # Batch norm may be folded, and constants may be added: most of it is the kernels.
    assert 0.9 * net.count_params() < artifact.parameters < 1.2 * net.count_params() + 100


@pytest.mark.parametrize("name", EACH[:2])
def test_it_answers_any_number_of_images_at_once(made, net, digits, name):
    images = digits.test.inputs(0, 7)
    wanted = litert._signature.predict(net, images)
    for some in (1, 7):
        answers = EXPORTERS[name].run(made[name].path, images[:some])
        np.testing.assert_allclose(answers.scores, wanted[:some], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", EACH)
def test_only_what_belongs_together_is_written(made, name):
    path = made[name].path
    wanted = [*EXPORTERS[name].files(path), path.with_name(path.name + ".json")]
    there = [one for one in path.parent.iterdir() if one.name.startswith(("a net", ".", "job", "model"))]
    others = {p for n, a in made.items() for p in EXPORTERS[n].files(a.path)} - set(wanted)
    others |= {a.path.with_name(a.path.name + ".json") for n, a in made.items() if n != name}
    assert set(there) - others == set(wanted)


@pytest.mark.parametrize("name", EACH)
def test_a_file_says_nothing_of_the_machine_it_was_made_on(made, name):
    import zipfile

    for path in EXPORTERS[name].files(made[name].path):
        content = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                content = b"".join(packed.read(one) for one in packed.namelist())
        for place in (sys.prefix, str(Path.home()), str(path.parent), "site-packages"):
            assert place.encode() not in content, f"{path.name} holds {place}"


@needs("openvino")
def test_openvino_tells_nobody(made):
    """Its package reports each import and each conversion, unless the one that does so is missing."""
    from trimtab.exporting._formats._openvino import openvino_library

    assert "openvino" in sys.modules
    assert openvino_library() is sys.modules["openvino"]
    assert openvino_library().convert_model
    assert [name for name in sys.modules if name.startswith("openvino_telemetry")] == []


def test_a_package_is_missing_for_a_while():
    import colorsys

    from trimtab.exporting._formats._openvino import missing_package

    with missing_package("colorsys"):
        assert sys.modules["colorsys"] is colorsys
    with missing_package("no_such_package"), pytest.raises(ImportError):
        importlib.import_module("no_such_package")
    with missing_package("this"), pytest.raises(ImportError):
        importlib.import_module("this")
    assert "this" not in sys.modules


@needs("openvino")
def test_a_missing_or_changed_part_is_noticed(made, tmp_path):
    artifact = made["openvino"]
    for path in (*EXPORTERS["openvino"].files(artifact.path), Path(f"{artifact.path}.json")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    part = (tmp_path / artifact.path.name).with_suffix(".bin")
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"a net.bin is not the file that was checked"):
        Artifact.read(tmp_path / artifact.path.name)
    part.unlink()
    with pytest.raises(ModelError, match=r"a net.bin cannot be read"):
        Artifact.read(tmp_path / artifact.path.name)


@pytest.mark.parametrize("name", ["../a.bin", "", ".."])
def test_a_record_names_no_other_folder(made, tmp_path, name):
    if not made:
        pytest.skip("no extra is installed")
    artifact = next(iter(made.values()))
    record = json.loads(Path(f"{artifact.path}.json").read_text())
    record["parts"] = {name: "0"}
    (tmp_path / artifact.path.name).write_bytes(artifact.path.read_bytes())
    Path(f"{tmp_path / artifact.path.name}.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="is no file name"):
        Artifact.read(tmp_path / artifact.path.name)


@pytest.fixture
def fake(monkeypatch):
    """A format that needs nothing: its file is text, its answers are the model's, or what a test says."""
    import dataclasses

    seen: dict[str, object] = {}

    def write(model, path, shape):
        seen["model"], seen["shape"] = model, shape
        path.write_text("a file")

    def run(path, images):
        change = seen.get("change", lambda scores: scores)
        scores = change(litert._signature.predict(seen["model"], images))
        floats = sum(w.numpy().size for w in seen["model"].weights)
        return Answers(scores, floats, floats, seen.get("weight_bytes", 4 * floats))

    exporter = dataclasses.replace(
        EXPORTERS["onnx"], packages=("numpy",), backend=keras.config.backend(), write=write, run=run
    )
    monkeypatch.setattr(formats, "EXPORTERS", {"onnx": exporter})
    return seen


def _without_images(scores):
    return scores[:-1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scores: -scores, r"largest error of its outputs"),
        (lambda scores: scores + 0.01 * scores.std(), r"0.1% is allowed"),
        (lambda scores: scores * np.nan, r"the file gives NaN|The file gives NaN"),
        (lambda scores: scores[:, :-1], r"It gives scores of shape \(144, 9\), the model \(144, 10\)"),
        (_without_images, r"It gives scores of shape \(143, 10\)"),
    ],
)
def test_a_file_that_differs_is_refused_and_nothing_is_written(net, digits, tmp_path, fake, change, reason):
    fake["change"] = change
    (tmp_path / "a.onnx").write_text("an older file")
    with pytest.raises(ParityError, match=r"a.onnx was refused, and not written: ") as caught:
        export(net, tmp_path / "a.onnx", data=digits)
    assert re.search(reason, str(caught.value))
    assert "\n" not in str(caught.value)
    assert _names(tmp_path) == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_text() == "an older file"


@pytest.mark.parametrize("share", [0.1, 100])
def test_weights_that_are_missing_or_double(net, tmp_path, fake, share):
    fake["weight_bytes"] = int(share * 4 * net.count_params())
    with pytest.raises(ParityError, match=r"Its numbers take [\d,]+ bytes; the model's weights need"):
        export(net, tmp_path / "a.onnx")


def test_without_data_and_compressed(net, tmp_path, fake):
    import gzip

    artifact = export(net, tmp_path / "a.onnx", compress=True)
    assert artifact.parity_images == "random"
    assert any("random images" in note for note in artifact.notes)
    assert gzip.decompress(artifact.compressed.read_bytes()) == b"a file"
    assert _names(tmp_path) == ["a.onnx", "a.onnx.gz", "a.onnx.json"]
    assert export(net, tmp_path / "a.onnx").compressed is None
    assert _names(tmp_path) == ["a.onnx", "a.onnx.json"]
    assert fake["shape"] == (8, 8, 1)


def test_the_softmax_is_kept_or_stripped(net, digits, tmp_path, fake):
    probable = keras.Sequential([keras.Input((8, 8, 1)), *models.clone(net).layers[1:2], layers.Flatten(),
                                 layers.Dense(10), layers.Softmax()])  # fmt: skip
    assert export(probable, tmp_path / "a.onnx", data=digits).softmax == "kept"
    assert models.has_softmax(fake["model"])
    stripped = export(probable, tmp_path / "a.onnx", data=digits, softmax="strip")
    assert stripped.softmax == "stripped"
    assert not models.has_softmax(fake["model"])
    assert any("softmax was taken off" in note for note in stripped.notes)


def test_an_exporter_that_fails_is_one_line(net, tmp_path, monkeypatch, fake):
    def fail(*_):
        raise RuntimeError("no such operator\nat line 7")

    import dataclasses

    broken = dataclasses.replace(formats.EXPORTERS["onnx"], write=fail)
    monkeypatch.setattr(formats, "EXPORTERS", {"onnx": broken})
    with pytest.raises(ConversionError, match=r"'net' cannot be written as ONNX: no such operator\. Try"):
        export(net, tmp_path / "a.onnx")
    broken = dataclasses.replace(formats.EXPORTERS["onnx"], write=lambda *_: None, run=fail)
    monkeypatch.setattr(formats, "EXPORTERS", {"onnx": broken})
    with pytest.raises(ConversionError, match=r"ONNX file of model 'net' does not run: no such operator"):
        export(net, tmp_path / "a.onnx")
    assert _names(tmp_path) == []


def test_a_package_that_is_missing(net, tmp_path, monkeypatch):
    import dataclasses

    missing = dataclasses.replace(EXPORTERS["openvino"], packages=("no_such_package",))
    monkeypatch.setattr(formats, "EXPORTERS", {"openvino": missing})
    with pytest.raises(MissingExtraError, match=r"no_such_package is not installed.*trimtab\[openvino\]"):
        export(net, tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.onnx", {"scheme": "int8"}, r"ONNX files are written in float32.*Received: scheme='int8'"),
        ("a.onnx", {"format": "onx"}, r"No format is called 'onx'.*Did you mean 'onnx'\?"),
        ("a.onnx", {"format": "torch"}, r"torch file ends in .pt2. Received: .*a.onnx"),
        ("a.tflite", {"format": "c"}, r"c file ends in \.c\."),
        ("a.bin", {}, r"LiteRT file ends in .tflite. Received: .*\.onnx, \.xml, \.pt2, \.c"),
        ("a.xml", {"compress": True}, r"OpenVINO takes 2"),
        ("a.onnx", {"softmax": "stripe"}, r"Did you mean 'strip'\?"),
        ("a.onnx", {"seed": -1}, r"seed must be a whole number"),
    ],
)
def test_senseless_arguments(net, digits, tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        export(net, tmp_path / name, data=digits, **options)
    assert _names(tmp_path) == []


def test_ranges_for_int8_are_not_lost_in_silence(tmp_path, fake):
    class Ranges(layers.Layer):
        carries_ranges = True

        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), Ranges(), layers.Dense(2)])
    with pytest.raises(ModelError, match=r"carries ranges for int8.*strip"):
        export(model, tmp_path / "a.onnx")


def test_a_full_disk_is_one_line(net, tmp_path, fake, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    import dataclasses

    monkeypatch.setattr(
        formats, "EXPORTERS", {"onnx": dataclasses.replace(formats.EXPORTERS["onnx"], write=full)}
    )
    with pytest.raises(OutputError, match="No space left"):
        export(net, tmp_path / "a.onnx")


@pytest.fixture
def elsewhere(monkeypatch, fake):
    """A format whose process of its own is this one; `fake["process"]` is what it does otherwise."""
    import dataclasses

    from trimtab.exporting._formats import _own_process

    def run(words, **options):
        fake["environment"] = options["env"]
        done = fake.get("process", lambda folder: _own_process._work(folder))(Path(words[-1]))
        return done or subprocess.CompletedProcess(words, 0, "", "")

    exporter = dataclasses.replace(formats.EXPORTERS["onnx"], backend="another")
    monkeypatch.setattr(formats, "EXPORTERS", {"onnx": exporter})
    monkeypatch.setattr("trimtab.exporting._formats.EXPORTERS", {"onnx": exporter})
    monkeypatch.setattr(_own_process.subprocess, "run", run)
    return fake


def test_another_process_does_it(net, digits, tmp_path, elsewhere):
    artifact = export(net, tmp_path / "a.onnx", data=digits)
    assert artifact.parity.max_error == 0
    assert artifact.parity.weight_bytes == 4 * artifact.parameters
    assert elsewhere["environment"]["KERAS_BACKEND"] == "another"
    assert elsewhere["model"] is not net
    assert _names(tmp_path) == ["a.onnx", "a.onnx.json"]


def test_another_process_says_what_is_wrong(digits, tmp_path, elsewhere):
    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), Mine(), layers.Dense(10)])
    with pytest.raises(ModelError, match=r"layers that only the calling process knows") as caught:
        export(model, tmp_path / "a.onnx", data=digits)
    assert "\n" not in str(caught.value)
    assert _names(tmp_path) == []


def test_another_process_that_dies(net, tmp_path, elsewhere):
    elsewhere["process"] = lambda folder: subprocess.CompletedProcess([], -9, "", "warming up\nkilled\n")
    with pytest.raises(ConversionError, match=r"'net' as ONNX ended with code -9: killed\."):
        export(net, tmp_path / "a.onnx")


def test_c_is_the_int8_file_in_another_wrapping(net, digits, tmp_path):
    artifact = export(net, tmp_path / "net.c", "int8", digits, calibration=20)
    plain = export(net, tmp_path / "net.tflite", "int8", digits, calibration=20)
    text = artifact.path.read_text()
    array = bytes(int(value, 16) for value in re.findall(r"0x([0-9a-f]{2})", text[text.index("= {") :]))
    assert array == plain.path.read_bytes()
    assert (artifact.file_format, artifact.scheme) == ("c", "int8")
    assert artifact.bytes == plain.bytes == len(array)
    assert artifact.parity == plain.parity
    assert list(artifact.parts) == ["net.h"]
    assert Artifact.read(artifact.path) == artifact
    assert "#define NET_MODEL_INPUT_SCALE" in (tmp_path / "net.h").read_text()
    assert _names(tmp_path) == ["net.c", "net.c.json", "net.h", "net.tflite", "net.tflite.json"]
    with pytest.raises(ConfigError, match="compress"):
        export(net, tmp_path / "net.c", "int8", digits, compress=True)


@pytest.mark.parametrize("name", EACH)
def test_the_page_runs(made, name, tmp_path, monkeypatch):
    import trimtab

    (block,) = re.findall(rf"^```python {name}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    if name == "torch":  # one process of its own is enough: the block is given what it made
        monkeypatch.setattr(trimtab, "export", lambda *_, **__: made["torch"], raising=False)
    left: dict[str, object] = {}
    exec(compile(block, f"{PAGE.name}, {name}", "exec"), left)  # noqa: S102 - our own page
    scores = left["scores"].detach().numpy() if name == "torch" else left["scores"]
    assert scores.shape == (32, 10)
