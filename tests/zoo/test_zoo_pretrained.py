"""Weights from files, by layer."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.zoo._pretrained import checked_weights, layer_weights


def net(nested: bool = False) -> keras.Model:
    """Two layers with weights, and an optimizer with arrays of the same names."""
    images = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(images)
    x = keras.layers.BatchNormalization(name="bn")(x)
    if nested:
        images_outside = keras.Input((6, 6, 3))
        x = keras.Model(images, x, name="inner")(images_outside)
        images = images_outside
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, keras.layers.Dense(2, name="logits")(x))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    model.compile("adam", "mse", jit_compile=False)
    return model


def wanted() -> dict[str, keras.layers.Layer]:
    model = net()
    return {name: model.get_layer(name) for name in ("conv", "bn", "logits")}


def values(model: keras.Model) -> dict[str, list[np.ndarray]]:
    layers = (
        model.layers
        if "inner" not in {layer.name for layer in model.layers}
        else [*model.layers, *model.get_layer("inner").layers]
    )
    return {layer.name: layer.get_weights() for layer in layers if layer.name in ("conv", "bn", "logits")}


def write(model: keras.Model, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of every .h5 file
        model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return path


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras", "a.h5"])
def test_every_kind_of_file_is_read_by_the_names_of_the_layers(
    name: str, nested: bool, tmp_path: Path
) -> None:
    model = net(nested)
    model.train_on_batch(np.ones((2, 6, 6, 3)), np.ones((2, 2)))
    read = layer_weights(write(model, tmp_path / name), wanted())
    expected = values(model)
    assert read.keys() == expected.keys()
    for layer, arrays in expected.items():
        assert all(np.array_equal(a, b) for a, b in zip(read[layer], arrays, strict=True))


def test_weights_alone_of_keras_2_are_read(tmp_path: Path) -> None:
    """As the published .h5 files hold them: no architecture, names that end in :0."""
    expected = values(net())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = list(expected)
        for layer, arrays in expected.items():
            for weight, array in zip(wanted()[layer].weights, arrays, strict=True):
                file[f"{layer}/{layer}_1/{weight.name}:0"] = array
    read = layer_weights(tmp_path / "a.h5", wanted())
    assert all(np.array_equal(read[name][0], expected[name][0]) for name in expected)


def test_frozen_layers_are_read_in_their_own_order(tmp_path: Path) -> None:
    model = net()
    model.trainable = False
    read = layer_weights(write(model, tmp_path / "a.weights.h5"), wanted())
    assert all(np.array_equal(a, b) for a, b in zip(read["bn"], values(model)["bn"], strict=True))


def test_what_the_file_lacks_is_left_out(tmp_path: Path) -> None:
    path = write(net(), tmp_path / "a.weights.h5")
    assert set(layer_weights(path, {"conv": wanted()["conv"], "other": wanted()["conv"]})) == {"conv"}


def test_another_shape_is_refused_or_where_it_may_be_left_out(tmp_path: Path) -> None:
    path = write(net(), tmp_path / "a.weights.h5")
    other = keras.layers.Dense(3, name="logits")
    other.build((None, 4))
    assert layer_weights(path, {"logits": other}, optional=("logits",)) == {}
    with pytest.raises(ModelError, match=r"'logits' has weights of shape \(4, 2\), and \(4, 3\) are needed"):
        layer_weights(path, {"logits": other})


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = net()
    model.get_layer("bn").gamma.assign(np.full(4, np.nan))
    with pytest.raises(ModelError, match=r"NaN or infinite weights \(in bn\)"):
        layer_weights(write(model, tmp_path / "a.keras"), wanted())


def test_two_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    images = keras.Input((6, 6, 3))
    halves = [keras.Model(images, keras.layers.Conv2D(4, 3, name="conv")(images), name=n) for n in "ab"]
    model = keras.Model(images, keras.layers.Add()([half(images) for half in halves]))
    with pytest.raises(ModelError, match="two layers called 'conv'"):
        layer_weights(write(model, tmp_path / "a.weights.h5"), wanted())


def _cut(path: Path) -> None:
    write(net(), path)
    path.write_bytes(path.read_bytes()[:3000])


def _not_a_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 nothing more")


def _npz(path: Path) -> None:
    write(net(), path.with_suffix(".keras"))
    with zipfile.ZipFile(path.with_suffix(".keras")) as there, zipfile.ZipFile(path, "w") as here:
        for name in ("metadata.json", "config.json"):
            here.writestr(name, there.read(name))
        here.writestr("model.weights.npz", b"")


def _code(path: Path) -> None:
    images = keras.Input((4,))
    keras.Model(images, keras.layers.Lambda(lambda x: x + 1, output_shape=(4,))(images)).save(
        path.with_suffix(".keras")
    )
    path.with_suffix(".keras").rename(path)


def _elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv/vars")
        group.attrs["name"] = "conv"
        group.create_dataset("0", (3, 3, 3, 4), "float32", external=[("/etc/passwd", 0, 432)])
        group.create_dataset("1", (4,), "float32")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("hello"), "holds no weights of a Keras model"),
        (lambda path: path.write_bytes(b""), "holds no weights of a Keras model"),
        (_cut, "is damaged: its weights cannot be read"),
        (_not_a_zip, "is damaged: the archive cannot be read"),
        (_npz, "keeps its weights in another way"),
        (_code, "holds a Lambda layer|holds a lambda"),
        (_elsewhere, "points at other files"),
    ],
    ids=["text", "empty", "cut off", "no zip", "npz", "code", "external"],
)
def test_a_file_that_holds_no_weights_is_refused_in_one_line(spoil, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    spoil(path)
    with pytest.raises(ModelError, match=message) as caught:
        layer_weights(path, wanted())
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    write(net(), tmp_path / "b.weights.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers"] = h5py.ExternalLink("b.weights.h5", "/layers")
    assert layer_weights(tmp_path / "a.h5", wanted()) == {}


def test_where_weights_may_come_from(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"")
    assert checked_weights(None) is checked_weights("none") is None
    assert checked_weights("imagenet") == "imagenet"
    assert checked_weights(str(path)) == checked_weights(path) == path


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("imagnet", "'imagnet', a file that does not exist; .*Did you mean 'imagenet'"),
        ("missing.weights.h5", "a file that does not exist; it must be 'imagenet', 'none' or"),
        (".", "'.', a folder"),
        ("", "weights must be 'imagenet', 'none' or a .weights.h5, .keras or .h5 file"),
        (3, "Received: weights=3"),
        (True, "Received: weights=True"),
    ],
)
def test_weights_from_nowhere_are_refused(weights: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked_weights(weights)
