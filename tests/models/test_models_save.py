"""Models as files that load without us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError, OutputError
from trimtab.models import load_model, model_digest, save_model
from trimtab.zoo import cnn


def trained() -> keras.Model:
    model = cnn((8, 8, 1), 3, filters=(2,), dense=4, dropout=0.2, batch_norm=True)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.train_on_batch(np.zeros((2, 8, 8, 1), np.float32), np.zeros(2))
    return model


def test_the_file_loads_in_plain_keras_without_trimtab(tmp_path: Path) -> None:
    model = trained()
    save_model(model, tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, keras, numpy as np\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('outputs.npy', np.asarray(model(np.load('images.npy'), training=False)))\n"
        "assert not [name for name in sys.modules if name.startswith('trimtab')]\n"
        "from trimtab.models import load_model, model_digest\n"
        "print(model_digest(load_model('model.keras')))\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}  # another process and another backend
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == model_digest(model)
    assert np.allclose(np.load(tmp_path / "outputs.npy"), model(images, training=False), atol=1e-6)


def test_no_training_state_is_in_the_file_and_the_model_keeps_its_own(tmp_path: Path) -> None:
    model = trained()
    steps = int(model.optimizer.iterations)
    save_model(model, tmp_path / "model.keras")
    assert model.compiled
    assert int(model.optimizer.iterations) == steps == 1
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert not json.loads(archive.read("config.json")).get("compile_config")
        with archive.open("model.weights.h5") as file, h5py.File(file, "r") as weights:
            assert "optimizer" not in weights
    model.train_on_batch(np.zeros((2, 8, 8, 1), np.float32), np.zeros(2))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained()
    save_model(model, tmp_path / "first.keras")
    monkeypatch.setattr(time, "time", lambda: 2e9)  # a zip would tell the time
    save_model(load_model(tmp_path / "first.keras"), tmp_path / "second.keras")
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()


def test_a_layer_in_two_nested_models_comes_back_as_one(tmp_path: Path) -> None:
    shared = keras.layers.Dense(4, name="shared")
    first = keras.Sequential([keras.Input((4,)), shared], name="first")
    second = keras.Sequential([keras.Input((4,)), shared], name="second")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, second(first(inputs)))
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).random((2, 4), dtype=np.float32)
    assert len(loaded.weights) == 2
    assert np.array_equal(loaded(x), model(x))


def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    save_model(trained(), path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.saving, "save_weights", full)
    with pytest.raises(OutputError, match="disk is full"):
        save_model(trained(), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.keras\. Received: 'model.h5'"):
        save_model(trained(), tmp_path / "model.h5")


def test_an_unbuilt_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights to save"):
        save_model(keras.Sequential([keras.layers.Dense(2)]), tmp_path / "model.keras")


def test_what_could_not_be_loaded_again_is_not_saved(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x, name="trap")])
    with pytest.raises(ModelError, match="holds a Lambda layer \\('trap'\\)"):
        save_model(model, tmp_path / "model.keras")
    model = keras.Sequential(
        [keras.Input((1,), dtype="int64"), keras.layers.IntegerLookup(vocabulary=[1, 2])]
    )
    with pytest.raises(ModelError, match="keeps files of its own"):
        save_model(model, tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())
