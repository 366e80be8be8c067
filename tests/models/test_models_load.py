"""Models from files: good ones load, bad ones get one line, and nothing in them is run."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.models import load_model, save_model
from trimtab.zoo import cnn


@keras.saving.register_keras_serializable("trimtab_tests")
class Doubling(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def small() -> keras.Model:
    return cnn((8, 8, 1), 3, filters=(2,), dense=0)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.keras"
    save_model(small(), path)
    return path


def with_config(good: Path, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Copies a .keras file with its config changed."""
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                changed = change(config)
                content = json.dumps(config if changed is None else changed).encode()
            target.writestr(name, content)
    return path


def quietly_saved(model: keras.Model, path: Path) -> Path:
    """Saves with Keras itself, which warns of legacy formats and lambdas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def refusal(path: Path) -> str:
    """Returns the one line with which a file is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert len(message) < 600
    return message


# Good files


def test_a_keras_file_loads_with_the_same_outputs_and_uncompiled(good: Path) -> None:
    images = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
    model = load_model(str(good))
    assert np.array_equal(model(images), small()(images))
    assert not model.compiled


def test_a_file_saved_by_keras_with_a_strange_loss_loads(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("trimtab_tests")
    def strange_loss(truth: Any, guess: Any) -> Any:
        return guess

    model = small()
    model.compile("adam", strange_loss)
    path = quietly_saved(model, tmp_path / "model.keras")
    text = zipfile.ZipFile(path).read("config.json").decode()
    assert "strange_loss" in text
    with_config(path, tmp_path / "b.keras", lambda config: json.loads(text.replace("strange_loss", "lost")))
    assert not load_model(tmp_path / "b.keras").compiled


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5"])
def test_a_legacy_h5_file_loads(tmp_path: Path, name: str) -> None:
    model = small()
    path = quietly_saved(model, tmp_path / name)
    assert all(
        np.array_equal(a, b) for a, b in zip(load_model(path).get_weights(), model.get_weights(), strict=True)
    )


def test_a_depthwise_layer_with_groups_in_a_legacy_file_loads(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.DepthwiseConv2D(3, name="depthwise")])
    path = quietly_saved(model, tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    before = path.read_bytes()
    images = np.random.default_rng(0).random((1, 8, 8, 2), dtype=np.float32)
    assert np.array_equal(load_model(path)(images), model(images))
    assert path.read_bytes() == before


def test_the_format_is_told_by_the_content_not_by_the_ending(good: Path, tmp_path: Path) -> None:
    shutil.copyfile(good, tmp_path / "zip.h5")
    quietly_saved(small(), tmp_path / "model.h5").rename(tmp_path / "hdf5.keras")
    assert load_model(tmp_path / "zip.h5").name == load_model(tmp_path / "hdf5.keras").name == "cnn"


def test_a_registered_class_loads(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Doubling(), keras.layers.Dense(2)])
    save_model(model, tmp_path / "model.keras")
    assert isinstance(load_model(tmp_path / "model.keras").layers[0], Doubling)


def test_loading_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    save_model(model, tmp_path / "model.keras")
    before = random.getstate()
    load_model(tmp_path / "model.keras")
    assert random.getstate() == before


# Code in files


class Evil:
    """What a file would do if it were run: write `marker`."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "was-run"

    def model(self) -> keras.Model:
        namespace: dict[str, Any] = {}
        source = f"evil = lambda x: (open({str(self.marker)!r}, 'w').close(), x)[1]"
        exec(source, namespace)  # noqa: S102 - the path has to be a constant of the code that is stored
        return keras.Sequential(
            [keras.Input((4,)), keras.layers.Lambda(namespace["evil"], name="trap"), keras.layers.Dense(2)]
        )


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_lambda_is_refused_by_name_and_not_run(tmp_path: Path, name: str) -> None:
    evil = Evil(tmp_path)
    path = quietly_saved(evil.model(), tmp_path / name)
    evil.marker.unlink(missing_ok=True)
    assert re.search("holds a Lambda layer \\('trap'\\), which is code", refusal(path))
    assert not evil.marker.exists()
    with warnings.catch_warnings():  # the trap is real: Keras runs it when it is told to trust the file
        warnings.simplefilter("ignore")
        keras.saving.load_model(path, safe_mode=False, compile=False)
    assert evil.marker.exists()


def test_a_lambda_is_refused_even_where_keras_is_told_to_trust_everything(tmp_path: Path) -> None:
    evil = Evil(tmp_path)
    path = quietly_saved(evil.model(), tmp_path / "model.keras")
    evil.marker.unlink(missing_ok=True)
    keras.config.enable_unsafe_deserialization()
    try:
        assert "trap" in refusal(path)
    finally:
        keras.src.saving.serialization_lib.global_state.set_global_attribute("safe_mode_saving", None)
    assert not evil.marker.exists()


@pytest.mark.parametrize("kind", ["TFSMLayer", "TorchModuleWrapper", "JaxLayer"])
def test_layers_that_carry_foreign_code_are_refused(good: Path, tmp_path: Path, kind: str) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1].update(class_name=kind, module="keras.layers")

    assert f"holds a {kind} layer ('conv_1')" in refusal(with_config(good, tmp_path / "m.keras", change))


def test_a_lambda_hidden_in_an_activation_is_refused(good: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        hidden = {"class_name": "__lambda__", "config": {"value": {"code": "", "defaults": None}}}
        config["config"]["layers"][1]["config"]["activation"] = hidden

    assert "holds a lambda ('conv_1')" in refusal(with_config(good, tmp_path / "m.keras", change))


# Unknown classes


def test_an_unregistered_class_is_named_with_what_to_do(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Unregistered(name="mine"), keras.layers.Dense(2)])
    path = quietly_saved(model, tmp_path / "model.keras")
    message = refusal(path)
    assert "'Unregistered' (layer 'mine')" in message
    assert "register_keras_serializable" in message


def test_an_unregistered_class_in_a_legacy_file_is_named(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Unregistered(name="mine"), keras.layers.Dense(2)])
    assert "'Unregistered'" in refusal(quietly_saved(model, tmp_path / "model.h5"))


def test_an_unknown_function_is_named(good: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        function = {"class_name": "function", "config": "sneaky", "module": "os", "registered_name": "sneaky"}
        config["config"]["layers"][1]["config"]["activation"] = function

    assert "'sneaky' (layer 'conv_1')" in refusal(with_config(good, tmp_path / "m.keras", change))


def test_a_layer_that_keras_does_not_have_is_refused(good: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["class_name"] = "Conv9D"

    assert "'Conv9D'" in refusal(with_config(good, tmp_path / "m.keras", change))


# Damaged and mistaken files


def test_a_missing_file_gets_the_nearest_name(good: Path) -> None:
    message = refusal(good.with_name("modle.keras"))
    assert "does not exist. Did you mean 'model.keras'?" in message
    assert "nor does its folder" in refusal(good.parent / "nowhere" / "model.keras")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_archive_is_refused(good: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.keras"
    content = good.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in refusal(path)


def test_a_flipped_byte_is_noticed(good: Path, tmp_path: Path) -> None:
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "flipped.keras"
    path.write_bytes(content)
    assert "model.weights.h5 fails its checksum" in refusal(path)


def test_a_truncated_h5_file_is_refused(tmp_path: Path) -> None:
    path = quietly_saved(small(), tmp_path / "model.h5")
    path.write_bytes(path.read_bytes()[:2000])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, I am a text file", "is not a Keras model"),
        (b"\x1c\x00\x00\x00TFL3 and so on", "LiteRT"),
    ],
)
def test_something_else_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "other.keras"
    path.write_bytes(content)
    assert says in refusal(path)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.jpg", b"meow")
    assert "is a zip file but not a Keras model" in refusal(path)


def test_a_decompression_bomb_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", b"")
        with archive.open("config.json", "w") as member:
            for _ in range(70):
                member.write(bytes(1 << 20))
    assert "would unpack to" in refusal(path)


@pytest.mark.parametrize("change", [lambda config: [], lambda config: {"a": 1}, lambda config: "x"])
def test_a_config_that_describes_no_model_is_refused(good: Path, tmp_path: Path, change: Any) -> None:
    assert "is not a Keras model" in refusal(with_config(good, tmp_path / "m.keras", change))


def test_a_config_that_describes_a_layer_is_refused(good: Path, tmp_path: Path) -> None:
    path = with_config(good, tmp_path / "m.keras", lambda config: config["config"]["layers"][-1])
    refusal(path)


def test_a_config_that_nests_without_end_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep.keras"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("config.json", "[" * 200_000 + "]" * 200_000)
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    assert "damaged" in refusal(path)


def test_keras_2_files_are_named_as_such(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.keras"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        for name in ("config.json", "model.weights.h5"):
            target.writestr(name, source.read(name))
    message = refusal(path)
    assert "was saved by Keras 2.15.0" in message
    assert "model.h5" in message


def test_weights_of_another_architecture_are_refused(good: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["filters"] = 7

    assert "cannot be loaded by Keras" in refusal(with_config(good, tmp_path / "m.keras", change))


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    model = small()
    kernel = model.get_layer("logits").kernel
    kernel.assign(kernel * np.float32("nan"))
    save_model(model, tmp_path / "model.keras")
    assert "NaN or infinite weights (in " in refusal(tmp_path / "model.keras")


def test_a_weights_only_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small().save_weights(path)
    assert "holds weights only" in refusal(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    assert "is an HDF5 file but not a Keras model" in refusal(tmp_path / "other.h5")


def test_folders_get_advice(good: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").write_bytes(b"")
    assert "SavedModel folder" in refusal(saved)
    assert re.search(r"is a folder; .*Did you mean '.*model\.keras'", refusal(good.parent))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(empty).endswith("file is needed.")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.keras"
    shutil.copyfile(good, path)
    path.chmod(0)
    assert "cannot be read" in refusal(path)


def test_an_unbuilt_model_is_refused(tmp_path: Path) -> None:
    path = quietly_saved(keras.Sequential([keras.layers.Dense(2)]), tmp_path / "model.keras")
    assert "before its model was built" in refusal(path)


def test_no_file_makes_anything_but_a_model_or_one_line(good: Path, tmp_path: Path) -> None:
    """Whatever byte is changed, the answer is a model or a ModelError."""
    content = good.read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(20):
        broken = bytearray(content)
        for place in chance.integers(0, len(content), 4):
            broken[place] = chance.integers(0, 256)
        path = tmp_path / "fuzzed.keras"
        path.write_bytes(broken)
        try:
            assert isinstance(load_model(path), keras.Model)
        except ModelError as error:
            assert "\n" not in str(error)  # noqa: PT017
