"""Layers that are watched: found by name, wherever they are, and left as they are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from trimtab.distillation._layers import Reading, matched
from trimtab.errors import ConfigError, ModelError

SHAPE = (8, 8, 1)


def found(student: Any, teacher: Any, *features: tuple[str, str], attention: Any = ()) -> Any:
    return matched(student, teacher, SHAPE, (features, 2.0), (attention, 3.0))


def nested(net: Any) -> Any:
    image = keras.Input(SHAPE)
    inner = net(name="base")
    body = keras.Model(inner.input, inner.get_layer("relu_2").output, name="base")
    x = keras.layers.GlobalAveragePooling2D(name="average")(body(image))
    return keras.Model(image, keras.layers.Dense(10, name="head")(x), name="nested")


def test_sizes_channels_and_weights(net: Any) -> None:
    first, second, third = found(
        net(), net(width=6), ("relu_1", "relu_2"), ("relu_2", "relu_2"), attention=[("conv_1", "conv_2")]
    )
    assert (first.size, first.width, first.projected) == ((4, 4), 4 * 4 * 12, True)
    assert (second.size, second.student.shape, second.teacher.shape) == ((4, 4), (4, 4, 8), (4, 4, 12))
    assert (third.kind, third.size, third.width, third.projected) == ("attention", (4, 4), 16, False)
    assert (first.weight, third.weight) == (2.0, 3.0)
    (vector,) = found(net(), net(width=6), ("head", "relu_2"))
    assert (vector.size, vector.width) == ((1, 1), 12)
    assert found(net(), net()) == ()


def test_nested_models_and_their_layers(net: Any) -> None:
    model = nested(net)
    for name in ("base", "relu_2", "base/relu_2"):
        (segment,) = found(net(), model, ("relu_2", name))
        assert segment.teacher.shape == (4, 4, 8)
    assert found(net(), model, ("relu_2", "conv_1"))[0].teacher.path == ("base", "conv_1")


def test_sequential_models(net: Any) -> None:
    model = keras.Sequential([keras.Input(SHAPE), *net().layers[1:]])
    images = np.random.default_rng(0).random((3, *SHAPE)).astype(np.float32)
    (segment,) = found(model, net(), ("relu_2", "relu_2"))
    output, (maps,) = Reading(model, (segment.student,))(keras.ops.convert_to_tensor(images), training=False)
    np.testing.assert_array_equal(output, model(images))
    wanted = keras.Sequential([keras.Input(SHAPE), *model.layers[:4]])(images)
    np.testing.assert_allclose(maps, wanted, rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_reading_computes_what_the_model_computes_and_adds_nothing_to_it(net: Any, training: bool) -> None:
    image = keras.Input(SHAPE)
    inner = net(normalized=True, name="base")
    model = keras.Model(image, keras.layers.Dense(10, name="end")(inner(image)))
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    images = keras.ops.convert_to_tensor(np.random.default_rng(0).random((3, *SHAPE)).astype(np.float32))
    (segment,) = found(model, model, ("bn_1", "bn_1"))
    config, calls = model.get_config(), len(inner.get_layer("bn_1")._inbound_nodes)
    output, _ = Reading(model, (segment.student,))(images, training=training)
    np.testing.assert_allclose(output, twin(images, training=training), rtol=1e-5, atol=1e-6)
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)
    assert model.get_config() == config
    assert len(inner.get_layer("bn_1")._inbound_nodes) == calls


def test_a_channels_first_layer_is_turned() -> None:
    image = keras.Input(SHAPE)
    x = keras.layers.Permute((3, 1, 2))(image)
    x = keras.layers.MaxPooling2D(2, data_format="channels_first", name="pool")(x)
    model = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(x)))
    assert found(model, model, ("pool", "pool"))[0].student.shape == (4, 4, 1)


def test_what_cannot_be_compared_is_refused_in_one_line(net: Any) -> None:
    student, teacher = net(), net(width=6, name="teacher")

    def message(kind: type, *arguments: Any, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            found(*arguments, **options)
        text = str(caught.value)
        assert "\n" not in text
        return text

    told = message(ConfigError, student, teacher, ("relu_1", "relu_9"))
    assert "'teacher' has no layer 'relu_9'" in told
    assert "Did you mean 'relu_" in told
    assert "'student' has no layer" in message(ConfigError, student, teacher, ("con_1", "relu_1"))
    assert "nowhere to look" in message(ConfigError, student, teacher, attention=[("head", "relu_1")])
    image = keras.Input(SHAPE)
    shared = keras.layers.Dense(4, name="shared")
    x = keras.layers.Flatten()(shared(keras.layers.ReLU()(shared(keras.layers.Conv2D(4, 3)(image)))))
    twice = keras.Model(image, keras.layers.Dense(10)(x))
    assert "is called 2 times" in message(ConfigError, student, twice, ("relu_1", "shared"))
    halves = [net(name="left"), net(name="right")]
    both = keras.Model(image, keras.layers.Add()([half(image) for half in halves]))
    assert "2 layers called 'relu_1'; say which: left/relu_1" in message(
        ConfigError, student, both, ("relu_1", "relu_1")
    )

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.inner = net()

        def call(self, images: Any, training: Any = None) -> Any:
            return self.inner(images, training=training)

    own = Own()
    own(np.zeros((1, *SHAPE), np.float32))
    assert "teacher 'own' runs code of its own (Own)" in message(
        ModelError, student, own, ("relu_1", "relu_1")
    )
