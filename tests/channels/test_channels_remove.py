"""`remove`: an ordinary model of the same make, with fewer channels, or one clear error."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import Site, find_groups, register, remove
from trimtab.errors import ConfigError, ModelError

pytestmark = pytest.mark.backend


def toy(**options: object) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, name="conv", **options),
            layers.BatchNormalization(name="bn"),
            layers.Dropout(0.5, seed=7, name="drop"),
            layers.Conv2D(4, 3, name="last", kernel_regularizer="l2"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="logits"),
        ],
        name="toy",
    )


def outputs(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs)))


def test_weights_are_those_of_what_stays() -> None:
    model = toy()
    model.layers[1].gamma.assign(np.arange(6.0))
    smaller = remove(model, {"conv": [4, 1]})
    assert smaller.get_layer("conv").filters == 2
    np.testing.assert_array_equal(smaller.get_layer("bn").gamma, [1, 4])
    np.testing.assert_array_equal(
        smaller.get_layer("last").kernel, np.asarray(model.get_layer("last").kernel)[:, :, [1, 4]]
    )
    assert model.get_layer("conv").filters == 6


def test_the_model_stays_what_it_was_in_all_else() -> None:
    model = toy(dtype="mixed_bfloat16")
    model.get_layer("bn").trainable = False
    model.compile("adam", "mse")
    smaller = remove(model, {"conv": np.arange(6) < 3})
    assert type(smaller) is keras.Sequential
    assert smaller.name == "toy"
    assert not smaller.compiled
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]
    assert [layer.trainable for layer in smaller.layers] == [layer.trainable for layer in model.layers]
    assert smaller.get_layer("conv").dtype_policy.name == "mixed_bfloat16"
    assert smaller.get_layer("last").kernel_regularizer is not None
    assert smaller.get_layer("drop").seed == 7


def test_keeping_all_gives_a_copy() -> None:
    model = toy()
    copy = remove(model, {})
    images = np.ones((2, 8, 8, 3), "float32")
    np.testing.assert_allclose(outputs(copy, images), outputs(model, images), rtol=1e-6)
    assert copy.get_layer("conv").kernel is not model.get_layer("conv").kernel


def test_names_may_repeat_in_nested_models() -> None:
    def inner(name: str) -> keras.Model:
        inputs = keras.Input((4,))
        return keras.Model(inputs, layers.Dense(4, name="same")(inputs), name=name)

    inputs = keras.Input((5,))
    x = inner("two")(inner("one")(layers.Dense(4, name="same")(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x))
    names = [group.name for group in find_groups(model).groups if group.locked is None]
    assert names == ["same", "one/same", "two/same"]
    smaller = remove(model, {"same": [0], "one/same": [1, 2], "two/same": [0, 1, 3]})
    shapes = [tuple(weight.shape) for weight in smaller.weights if weight.name == "kernel"]
    assert shapes == [(5, 1), (1, 2), (2, 3), (3, 2)]
    kept = np.asarray(model.get_layer("one").get_layer("same").kernel)[[0]][:, [1, 2]]
    np.testing.assert_array_equal(smaller.get_layer("one").get_layer("same").kernel, kept)


def test_a_layer_shared_by_two_nested_models_stays_shared() -> None:
    shared = layers.Dense(5, name="shared")
    first, second = (
        keras.Sequential([keras.Input((5,)), shared, layers.ReLU()], name=name) for name in ("one", "two")
    )
    inputs = keras.Input((5,))
    x = second(first(layers.Dense(5, name="dense")(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x))
    smaller = remove(model, {"dense": [0, 3]})
    assert smaller.get_layer("one").layers[0] is smaller.get_layer("two").layers[0]
    kernel = np.asarray(model.get_layer("one").layers[0].kernel)[[0, 3]][:, [0, 3]]
    np.testing.assert_array_equal(smaller.get_layer("one").layers[0].kernel, kernel)


def test_adapted_layers_keep_what_they_have_seen() -> None:
    standard = layers.Normalization(name="standard")
    standard.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)).astype("float32"))
    model = keras.Sequential([keras.Input((4,)), standard, layers.Dense(6, name="hidden"), layers.Dense(2)])
    smaller = remove(model, {"hidden": range(6)})
    points = np.ones((3, 4), "float32")
    np.testing.assert_allclose(outputs(smaller, points), outputs(model, points), rtol=1e-5)


def test_it_loads_in_keras_alone(tmp_path: Path) -> None:
    smaller = remove(toy(), {"conv": [0, 1], "last": [3]})
    smaller.save(tmp_path / "smaller.keras")
    loaded = keras.saving.load_model(tmp_path / "smaller.keras")
    images = np.ones((2, 8, 8, 3), "float32")
    np.testing.assert_allclose(outputs(loaded, images), outputs(smaller, images), rtol=1e-6)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        ({"con": [0]}, "Did you mean 'conv'"),
        ({"logits": [0]}, "cannot be removed: leads to the model's output"),
        ({"conv": []}, "leaves no unit"),
        ({"conv": np.zeros(6, bool)}, "leaves no unit"),
        ({"conv": [True, False]}, "2 booleans"),
        ({"conv": [6]}, "0 to 5"),
        ({"conv": [-1]}, "0 to 5"),
        ({"conv": [1, 1]}, "each once"),
        ({"conv": [0.5]}, "Received"),
        ({"conv": 3}, "Received: 3"),
        ([0, 1], "mapping"),
    ],
)
def test_what_makes_no_sense_is_refused(keep: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        remove(toy(), keep)  # type: ignore[arg-type]


def test_all_of_a_locked_group_may_be_kept() -> None:
    assert remove(toy(), {"logits": range(3)}).output_shape == (None, 3)


@keras.saving.register_keras_serializable("test_channels_remove")
class Wide(layers.Layer):
    """A layer whose width is a setting that its rule forgets."""

    def __init__(self, width: int, **options: object) -> None:
        super().__init__(**options)
        self.width = width

    def build(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.width), name="kernel")

    def call(self, x: object) -> object:
        return keras.ops.matmul(x, self.kernel)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "width": self.width}


def follow(layer: Wide, site: Site) -> object:
    site.take(layer.kernel, 0, site.input.along(-1))
    return site.give({-1: site.make(layer.kernel, 1)})


def test_a_rule_without_its_sizes_gives_an_error_and_no_broken_model() -> None:
    model = keras.Sequential([keras.Input((4,)), Wide(6, name="wide"), layers.Dense(2, name="logits")])
    register(Wide, follow)
    with pytest.raises(ModelError, match="'wide'"):
        remove(model, {"wide": [0, 1]})
    register(Wide, follow, resize=lambda layer, new: {"width": new.weights["kernel"][1]})
    assert remove(model, {"wide": [0, 1]}).get_layer("wide").width == 2


def test_a_part_that_cannot_be_rebuilt_is_named() -> None:
    class Fixed(layers.Dense):
        def __init__(self, units: int = 6, **options: object) -> None:
            super().__init__(units, **options)

        def build(self, shape: tuple[int, ...]) -> None:
            if shape[-1] != 5:
                raise ValueError(f"needs 5 numbers, not {shape[-1]}")
            super().build(shape)

    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, name="first"), Fixed(name="fixed"), layers.Dense(2)]
    )
    with pytest.raises(ModelError, match=r"'first'.*needs 5 numbers"):
        remove(model, {"fixed": range(6), "first": [0, 1]})
