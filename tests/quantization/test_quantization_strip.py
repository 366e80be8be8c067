from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.quantization import calibrated, strip
from trimtab.quantization.layers import QuantizedWeights

layers = keras.layers


@pytest.fixture(scope="module")
def aware():
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 2), name="images")
    x = layers.Activation("swish", name="swish")(layers.Conv2D(4, 3, name="conv")(images))
    x = layers.Activation("hard_silu", name="hard")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    x = layers.Activation("hard_sigmoid", name="gate")(layers.AveragePooling2D(2, name="pool")(x))
    x = layers.Dense(3, name="logits")(layers.Flatten(name="flat")(x))
    pictures = np.random.default_rng(0).random((50, 8, 8, 2), dtype="float32")
    return calibrated(keras.Model(images, x, name="net"), pictures), pictures


def test_what_is_left_are_plain_layers(aware, tmp_path):
    model, pictures = aware
    plain = strip(model)
    assert {type(layer).__module__.split(".")[0] for layer in plain.layers} == {"keras"}
    wanted = ["images", "conv", "swish", "depthwise", "hard", "pool", "gate", "flat", "logits"]
    assert [layer.name for layer in plain.layers] == wanted
    plain.save(tmp_path / "plain.keras")
    rounded, exact = (np.asarray(m(pictures, training=False)) for m in (model, plain))
    assert 0 < np.abs(rounded - exact).max() < 0.05 * np.ptp(exact)


def test_weights_lie_on_the_grid_if_asked(aware):
    model, _ = aware
    snapped, trained = strip(model), strip(model, snap=False)
    for layer in model.layers:
        if not isinstance(layer, QuantizedWeights):
            continue
        kernel = np.asarray(trained.get_layer(layer.name).kernel)
        np.testing.assert_array_equal(kernel, np.asarray(layer.kernel))
        step = np.asarray(layer.kernel_step())
        steps = np.asarray(snapped.get_layer(layer.name).kernel) / step
        np.testing.assert_allclose(steps, layer.integers(), atol=1e-3)
        assert np.abs(layer.integers()).max() == 127


def test_a_plain_model_has_nothing_to_take_out():
    with pytest.raises(ModelError, match=r"strip\(\) needs a model with quantizers"):
        strip(keras.Sequential([keras.Input((2,)), layers.Dense(2)]))
