"""The scores of a model's groups; Taylor's against the loss itself, on each backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.channel_pruning import channel_importance, scores, unscored
from trimtab.channels import find_groups
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.training._judging import some_images

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


def perceptron(digits):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inner = [
        layers.Flatten(),
        layers.Dense(12, activation="relu", name="hidden"),
        layers.Dense(10, name="logits"),
    ]
    return keras.Sequential([layers.Input(digits.image_shape), *inner])


def loss(weights, images, labels):
    """Mean cross-entropy of the perceptron, in float64."""
    kernel, bias, out, shift = weights
    hidden = np.maximum(images.reshape(len(images), -1) @ kernel + bias, 0)
    logits = hidden @ out + shift
    logits = logits - logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(labels)), labels]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


def test_taylor_is_the_slope_of_the_loss_along_a_unit(digits):
    """Gradient times weight, summed over a unit, is how the loss changes as all its weights are scaled."""
    model = perceptron(digits)
    found = scores(find_groups(model), "taylor", digits, images=40, batch_size=16, seed=5)
    assert list(found) == ["hidden"]
    few = some_images(digits.train, 40, 5, "none")
    images, weights = few.inputs().astype(np.float64), [w.astype(np.float64) for w in model.get_weights()]

    def slope(unit, start, step=1e-4):
        ends = []
        for scale in (1 + step, 1 - step):
            kernel, bias, out, shift = (w.copy() for w in weights)
            kernel[:, unit], bias[unit], out[unit] = (
                kernel[:, unit] * scale,
                bias[unit] * scale,
                out[unit] * scale,
            )
            ends.append(
                loss([kernel, bias, out, shift], images[start : start + 16], few.labels[start : start + 16])
            )
        return (ends[0] - ends[1]) / (2 * step)

    # Batches of 16, 16 and 8: the last one is filled up, and what fills it does not count.
    wanted = [sum(slope(unit, start) ** 2 for start in (0, 16, 32)) for unit in range(12)]
    np.testing.assert_allclose(found["hidden"], wanted, rtol=2e-3, atol=1e-9)


def test_all_groups_that_may_be_pruned_are_scored(digits, small_cnn):
    graph = find_groups(small_cnn)
    before = [weight.copy() for weight in small_cnn.get_weights()]
    for name in ("l1", "l2", "fpgm", "random", "taylor"):
        found = scores(graph, name, digits, images=32)
        assert list(found) == [group.name for group in graph.groups if group.locked is None]
        assert all(found[group.name].shape == (group.size,) for group in graph.groups if group.name in found)
    for old, new in zip(before, small_cnn.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_groups_that_cannot_be_scored_are_left_out(small_cnn, digits):
    graph = find_groups(small_cnn)
    left = dict(unscored(graph, channel_importance("bn_scale")))
    found = scores(graph, "bn_scale") if len(left) < 3 else {}
    assert not set(left) & set(found)
    with pytest.raises(ConfigError, match=r"The importance 'bn_scale' can score no group .*Choose another"):
        scores(find_groups(perceptron(digits)), "bn_scale")


def test_what_is_frozen_has_no_gradients_and_stays_whole(digits, small_cnn):
    graph = find_groups(small_cnn)
    small_cnn.get_layer("conv_1").trainable = small_cnn.get_layer("conv_2").trainable = False
    assert dict(unscored(graph, channel_importance("taylor"))) == {
        "conv_1": "it is frozen, so it has no gradients, which 'taylor' ranks by"
    }
    assert set(scores(graph, "taylor", digits, images=16)) == {"conv_2", "dense"}
    assert "conv_1" in scores(graph, "l2")


def test_bad_input(digits, small_cnn):
    graph = find_groups(small_cnn)
    with pytest.raises(
        ConfigError, match="'taylor' needs training images for its gradients, and none were given"
    ):
        scores(graph, "taylor")
    with pytest.raises(ConfigError, match=r"data must be what trimtab.load_data gave, but got str"):
        scores(graph, "taylor", "digits")
    with pytest.raises(ConfigError, match="images=0 must be a whole number"):
        scores(graph, "taylor", digits, images=0)
    with pytest.raises(
        ConfigError, match=r"must give one number for each of the 8 units of group .* shape \(1,\)"
    ):
        scores(graph, lambda group, weights: np.ones(1))
    with pytest.raises(ConfigError, match=r"gives -1 for a unit of group"):
        scores(graph, lambda group, weights: np.full(group.size, -1.0))
    small_cnn.trainable = False
    with pytest.raises(ConfigError, match=r"'taylor' can score no group .*conv_1: it is frozen"):
        scores(graph, "taylor", digits)
    small_cnn.trainable = True
    small_cnn.layers[1].kernel.assign(np.full(small_cnn.layers[1].kernel.shape, np.nan, "float32"))
    with pytest.raises(ModelError, match="'l2' gives NaN or infinity for group"):
        scores(graph, "l2")


def test_data_without_training_images(digits, small_cnn):
    from trimtab.data import ImageData, Split

    empty = Split(digits.train.images[:0], digits.train.labels[:0])
    bare = ImageData("bare", empty, digits.validation, digits.test, digits.class_names, "", "")
    with pytest.raises(DataError, match="bare has no training images"):
        scores(find_groups(small_cnn), "taylor", bare)
