"""A simpler model that gives the same, or the reason why there is none."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import models, zoo
from trimtab.doctor import _rewrite, rewrite
from trimtab.errors import ConfigError, ModelError
from trimtab.quantization import Folded


@pytest.fixture(scope="module")
def normalized() -> keras.Model:
    """A small network with batch normalisation that has seen something, and a softmax."""
    model = zoo.cnn((8, 8, 1), 10, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight.numpy() + 0.1 * random.random(weight.shape))
    return keras.Sequential([keras.Input((8, 8, 1)), model, layers.Softmax(name="scores")], name="whole")


def test_the_rewritten_model_gives_the_same(normalized: keras.Model) -> None:
    before = normalized.get_weights()
    images = np.random.default_rng(1).normal(size=(5, 8, 8, 1)).astype("float32")
    found = rewrite(normalized, images)
    assert found.reason is None
    assert found.difference is not None
    assert 0 <= found.difference <= 1e-5
    assert any("2 batch normalisations" in sentence for sentence in found.done)
    assert any("1 nested model opened" in sentence for sentence in found.done)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in found.model.layers)
    assert models.has_softmax(found.model)
    np.testing.assert_allclose(found.model(images), normalized(images), rtol=0, atol=1e-5)
    for one, other in zip(before, normalized.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    again = rewrite(found.model)
    assert again.model is None
    assert again.done == ()
    assert "nothing to fix" in str(again.reason)


def test_a_model_that_would_not_give_the_same_is_not_handed_out(
    normalized: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _rewrite.fold

    def crooked(model: keras.Model) -> Folded:
        folded = real(model)
        kernel = next(weight for weight in folded.model.weights if len(weight.shape) == 4)
        kernel.assign(kernel.numpy() * 1.1)
        return folded

    monkeypatch.setattr(_rewrite, "fold", crooked)
    found = rewrite(normalized)
    assert found.model is None
    assert found.difference is not None
    assert found.difference > 1e-5
    assert "at most 1e-05" in str(found.reason)


@pytest.mark.parametrize(
    ("first", "brightest"),
    [
        (layers.Rescaling(1 / 255), 255),
        (layers.Rescaling(2.0, offset=-1.0), 1),
        (layers.Normalization(mean=128.0, variance=4000.0), 255),
        (layers.Normalization(mean=0.4, variance=0.1), 1),
        (layers.ReLU(), 1),
    ],
)
def test_models_are_compared_on_images_that_they_are_made_for(first: Any, brightest: float) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), first, layers.Flatten(), layers.Dense(2)])
    assert _rewrite._brightest(model) == brightest


def test_an_open_image_size_is_no_obstacle() -> None:
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    assert rewrite(model).model.input_shape == (None, None, None, 3)


def test_what_cannot_be_rewritten_is_refused(normalized: keras.Model) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        rewrite(normalized, tolerance=0)
    with pytest.raises(ModelError, match="images are"):
        rewrite(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    own: Any = "a.keras"
    with pytest.raises(ModelError, match="load_model"):
        rewrite(own)
