"""ResNet50 for transfer learning."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trimtab import litert, zoo
from trimtab.errors import ConfigError, ModelError
from trimtab.zoo import resnet50
from trimtab.zoo._resnet50 import _preprocessed

Build = Callable[..., keras.Model]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return resnet50((32, 32, 3), 10, weights=None, seed=3)


@pytest.fixture(scope="module")
def theirs() -> keras.Model:
    """Keras' ResNet50 with weights in which no two numbers are alike, as if they had been trained."""
    base = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    rng = np.random.default_rng(0)
    for weight in base.weights:
        if len(weight.shape) == 1:
            weight.assign(weight.numpy() + rng.uniform(0, 0.2, weight.shape))
    return base


@pytest.fixture
def imagenet(theirs: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets Keras find weights where it would download them."""

    def applications(include_top: bool, weights: str, **_: Any) -> keras.Model:
        assert (include_top, weights) == (False, "imagenet")
        return theirs

    monkeypatch.setattr(keras.applications, "ResNet50", applications)


def layers_with_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_it_has_the_layers_of_keras_applications_in_one_flat_graph(
    model: keras.Model, theirs: keras.Model
) -> None:
    assert model.name == "resnet50"
    assert model.count_params() == theirs.count_params() + 2048 * 10 + 10 == 23_608_202
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    ours = [layer.name for layer in model.layers if layer.weights]
    expected = [layer.name for layer in theirs.layers if layer.weights]
    assert sorted(ours) == sorted(["conv1_rgb_conv", *expected[1:], "logits"])
    assert model.get_layer("conv5_block3_out").output.shape == (None, 1, 1, 2048)


def test_it_gives_logits(model: keras.Model) -> None:
    logits = keras.ops.convert_to_numpy(model(np.zeros((2, 32, 32, 3), np.float32)))
    assert logits.shape == (2, 10)
    assert logits.dtype == np.float32
    assert model.layers[-1].activation is keras.activations.linear


def test_weights_depend_on_the_seed_alone(model: keras.Model) -> None:
    before = random.getstate()
    again = resnet50((32, 32, 3), 10, weights="none", seed=3, dropout=0.2)
    assert random.getstate() == before
    first, second = layers_with_weights(model), layers_with_weights(again)
    assert all(same(first[name], second[name]) for name in first)
    assert first["conv2_block1_1_conv"][0].std() > 0


@pytest.mark.usefixtures("imagenet")
def test_with_imagenet_weights_it_sees_what_keras_sees(theirs: keras.Model) -> None:
    """Preprocessing inside and the first kernel turned round: the same features from 0..1 images."""
    before = random.getstate()
    ours = resnet50((32, 32, 3), 7, input_range=(-1, 1))
    assert random.getstate() == before
    pixels = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    features = keras.Model(ours.input, ours.get_layer("conv5_block3_out").output)
    wanted = theirs(keras.applications.resnet50.preprocess_input(pixels.copy()))
    seen = features(pixels / np.float32(127.5) - np.float32(1))
    wanted, seen = (keras.ops.convert_to_numpy(each) for each in (wanted, seen))
    assert wanted.std() > 0
    assert np.abs(seen - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_its_own_weights_come_back_from_a_file(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "teacher.weights.h5"
    model.save_weights(path)
    mine = layers_with_weights(model)
    again = layers_with_weights(resnet50((32, 32, 3), 10, weights=path, seed=4))
    assert all(same(mine[name], again[name]) for name in mine)
    fewer = layers_with_weights(resnet50((32, 32, 1), 4, weights=str(path), seed=4))
    assert all(same(mine[name], fewer[name]) for name in mine if name != "logits")
    assert fewer["logits"][0].shape == (2048, 4)


def test_keras_weights_come_from_a_file(theirs: keras.Model, model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "base.keras"
    theirs.save(path)
    ours, base = (
        layers_with_weights(resnet50((32, 32, 3), 10, weights=path, seed=3)),
        layers_with_weights(theirs),
    )
    assert np.array_equal(ours["conv1_rgb_conv"][0][:, :, ::-1], base["conv1_conv"][0])
    assert all(same(ours[name], base[name]) for name in base if name != "conv1_conv")
    assert same(ours["logits"], layers_with_weights(model)["logits"])


def test_what_is_saved_loads_in_plain_keras(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    assert np.array_equal(*(keras.ops.convert_to_numpy(each(images)) for each in (loaded, model)))


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cnn.keras"
    zoo.cnn((8, 8, 1), 3, filters=(4,), dense=4).save(path)
    with pytest.raises(
        ModelError, match="no weights for 106 of the 106 layers of a ResNet50, 'conv1_rgb_conv'"
    ):
        resnet50((32, 32, 3), 10, weights=path)


def test_without_a_network_it_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(*_: Any, **__: Any) -> None:
        print("Downloading data from somewhere")
        raise Exception("URL fetch failure on https://example.org: None -- [Errno -3]\nand more")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", download)
    before = random.getstate()
    with pytest.raises(ConfigError) as caught:
        resnet50((32, 32, 3), 10)
    assert str(caught.value) == (
        "The ImageNet weights of ResNet50 cannot be downloaded (URL fetch failure on https://example.org: "
        "None -- [Errno -3]). Say weights: none for random ones, or name a file that holds them "
        "(.weights.h5, .keras or .h5)."
    )
    assert random.getstate() == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((31, 40, 3), {}, r"at least 32x32 pixels. Received: 31x40. Give image_size=96"),
        ((32, 32, 4), {}, "images of 1 or 3 channels"),
        ((32, 32), {}, "image_shape"),
        ((8, 8, 3), {"image_size": 16}, "image_size must be a whole number of at least 32"),
        ((8, 8, 3), {"image_size": "large"}, "image_size must be"),
        ((8, 8, 3), {"image_size": (64, 64, 3)}, r"image_size must be pixels or \(height, width\)"),
        ((32, 32, 3), {"input_range": (1, 0)}, "input_range must be two numbers"),
        ((32, 32, 3), {"input_range": 255}, "input_range must be two numbers"),
        ((32, 32, 3), {"weights": "imagnet"}, "Did you mean 'imagenet'"),
        ((32, 32, 3), {"dropout": 1}, "dropout must be"),
        ((32, 32, 3), {"seed": -1}, "seed must be"),
    ],
)
def test_nonsense_is_refused(shape: tuple[int, ...], options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resnet50(shape, 10, **{"weights": None, **options})


def preprocessing(shape: tuple[int, int, int], size: tuple[int, int] | None) -> keras.Model:
    images = keras.Input(shape)
    return keras.Model(images, _preprocessed(images, shape, size, 0.0, 1.0))


def test_grey_images_get_three_channels_and_small_ones_are_resized() -> None:
    model = preprocessing((8, 8, 1), (32, 48))
    assert model.output_shape == (None, 32, 48, 3)
    given = keras.ops.convert_to_numpy(model(np.full((1, 8, 8, 1), 0.5, np.float32)))
    assert given[0, 16, 20].tolist() == pytest.approx(
        [127.5 - 123.68, 127.5 - 116.779, 127.5 - 103.939], abs=1e-3
    )
    names = [layer.name for layer in model.layers[1:]]
    assert names == ["resize", "preprocess_red", "preprocess_green", "preprocess_blue", "preprocess"]


@pytest.mark.parametrize("channels", [1, 3])
def test_preprocessing_converts_to_int8_whole(channels: int) -> None:
    front = preprocessing((8, 8, channels), (16, 16))
    x = keras.layers.Conv2D(4, 3, name="conv")(front.output)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(front.input, keras.layers.Dense(3, name="logits")(x))
    images = np.random.default_rng(0).random((24, 8, 8, channels), dtype=np.float32)
    images *= np.linspace(0, 1, 24, dtype=np.float32)[:, None, None, None]  # some dark, some bright
    content = litert.convert(model, "int8", images)
    assert litert.inspect(content).float_tensors == ()
    assert litert.check_parity(model, content, images, "int8").reason is None
