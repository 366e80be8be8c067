"""The verb: few values a layer, trained on, resumed, with pruned zeros; and what it says."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from trimtab._records import to_plain
from trimtab.clustering import cluster, clusters_table, weights_gzip
from trimtab.errors import ConfigError, ModelError
from trimtab.models import clone
from trimtab.models._kernels import as_numpy


@pytest.fixture(scope="module")
def trained(digits):
    from trimtab.training import train
    from trimtab.zoo import cnn

    model = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, seed=0)
    train(model, digits, epochs=3, batch_size=32, learning_rate=3e-3)
    return model


@pytest.fixture(scope="module")
def pruned(trained):
    """Seven of ten weights zero, the smallest of each layer."""
    model = clone(trained)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            values = as_numpy(layer.kernel)
            layer.kernel.assign(np.where(np.abs(values) < np.quantile(np.abs(values), 0.7), 0, values))
    return model


@pytest.fixture(scope="module")
def both(pruned, digits):
    """Pruned, clustered and trained on."""
    return cluster(pruned, digits, clusters=8, epochs=2, batch_size=32, learning_rate=1e-3)


def values(model):
    return {f"{layer.name}": as_numpy(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")}


@pytest.mark.parametrize(("init", "clusters"), [("kmeans++", 16), ("linear", 5), ("density", 64)])
def test_each_layer_has_few_values(trained, init, clusters):
    before = trained.get_weights()
    result = cluster(trained, clusters=clusters, init=init)
    for one, other in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the given model is untouched
    assert [(row.name, row.weight) for row in result.layers] == [(name, "kernel") for name in values(trained)]
    for row, kernel in zip(result.layers, values(result.model).values(), strict=True):
        assert row.clusters == len(np.unique(kernel)) <= clusters
        assert 0 < row.bits <= np.log2(row.clusters) + 1e-9
        assert 0 < row.error < 0.5
        assert row.size == kernel.size
    assert not result.history.epochs
    assert any("nothing was trained on" in note for note in result.notes)
    assert result.gzip_after < result.gzip_before == weights_gzip(trained)


def test_training_moves_the_values_but_not_who_shares_them(pruned, both, digits):
    start = cluster(pruned, clusters=8)  # the same clusters, not trained
    assert len(both.history.epochs) == 2
    for name, kernel in values(both.model).items():
        first, zero = values(start.model)[name], values(pruned)[name] == 0
        assert len(np.unique(kernel)) <= 8
        np.testing.assert_array_equal(kernel == 0, zero)
        for value in np.unique(first):
            assert len(np.unique(kernel[first == value])) == 1
        assert not np.array_equal(kernel, first)
    assert sum(row.zeros for row in both.layers) == sum((k == 0).sum() for k in values(pruned).values())
    assert any(note.endswith("were zero, and stay so") for note in both.notes)
    assert both.gradients == "sum"
    assert type(both.model.optimizer) is keras.optimizers.Adam  # nothing of ours is left in it
    assert to_plain(both)["bits"] == both.bits < 3


def test_zeros_are_a_value_like_any_other_where_asked(pruned):
    result = cluster(pruned, clusters=4, keep_zeros=False)
    assert all(row.clusters == 4 for row in result.layers)
    assert not any("were zero" in note for note in result.notes)


def test_it_goes_on_from_its_checkpoint_with_the_same_bits(pruned, both, digits, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    path = tmp_path / "half.npz"
    options = {"clusters": 8, "epochs": 2, "batch_size": 32, "learning_rate": 1e-3, "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        cluster(pruned, digits, callbacks=[Stop()], **options)
    assert path.is_file()
    again = cluster(pruned, digits, **options)
    assert any("continued after epoch 1" in note for note in again.notes)
    for one, other in zip(both.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def every_kind():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, name="conv"),
            layers.DepthwiseConv2D(4, depth_multiplier=2, name="depthwise"),
            layers.SeparableConv2D(10, 2, name="separable"),
            layers.Conv2DTranspose(5, 3, name="transposed"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="dense"),
        ],
        name="every_kind",
    )


def test_a_channel_has_values_of_its_own():
    model = every_kind()
    result = cluster(model, clusters=4, per="channel", exclude=["dense"])
    found = {(row.name, row.weight): row.clusters for row in result.layers}
    layers = {layer.name: layer for layer in result.model.layers}
    channels = {
        "conv": as_numpy(layers["conv"].kernel).reshape(-1, 6).T,
        "depthwise": as_numpy(layers["depthwise"].kernel).reshape(-1, 12).T,
        "transposed": np.moveaxis(as_numpy(layers["transposed"].kernel), -2, 0).reshape(5, -1),
        "separable": as_numpy(layers["separable"].pointwise_kernel).reshape(-1, 10).T,
    }
    for rows in channels.values():
        assert all(len(np.unique(row)) == 4 for row in rows)
        assert len(np.unique(rows)) > 4
    assert found[("conv", "kernel")] == 24
    assert ("separable", "depthwise_kernel") not in found
    assert ("separable", "its depthwise_kernel has 4 numbers in a channel, not more than 4 clusters") in (
        result.skipped
    )
    assert ("dense", "excluded") in result.skipped
    assert any(name == "norm" and "may be clustered" in reason for name, reason in result.skipped)


def test_where_to_cluster_is_said_as_for_pruning(trained):
    names = [row.name for row in cluster(trained, layers=keras.layers.Conv2D).layers]
    assert names == ["conv_1", "conv_2"]
    assert [row.name for row in cluster(trained, layers=["dense"]).layers] == ["dense"]
    assert [row.name for row in cluster(trained, skip_ends=True).layers] == [*names[1:], "dense"]
    with pytest.raises(ConfigError, match=r"no layer 'dnse' with weights.*dense"):
        cluster(trained, layers=["dnse"])
    with pytest.raises(ConfigError, match=r"Nothing is left to cluster in the model"):
        cluster(trained, exclude=lambda layer: True)
    with pytest.raises(ConfigError, match=r"no clusterable layer of class LSTM"):
        cluster(trained, layers=keras.layers.LSTM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 1}, "clusters=1 must be a whole number from 2 to 256"),
        ({"clusters": 257}, "clusters=257"),
        ({"clusters": 8.0}, r"clusters=8\.0"),
        ({"init": "kmeans"}, r"init='kmeans' is not known.*kmeans\+\+"),
        ({"per": "filter"}, "per='filter' is not known"),
        ({"gradients": "avg"}, "gradients='avg' is not known"),
        ({"keep_zeros": None}, "keep_zeros=None must be True or False"),
        ({"epochs": -1}, "epochs=-1 must be a whole number of at least 0"),
        ({"learning_rate": 0}, "learning_rate=0"),
    ],
)
def test_bad_arguments_are_one_line(trained, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        cluster(trained, **options)
    assert "\n" not in str(caught.value)


def test_bad_models_are_one_line(trained):
    with pytest.raises(ModelError, match="A Keras 3 model is needed, but got str"):
        cluster("model.keras")
    broken = clone(trained)
    broken.layers[1].kernel.assign(np.full(broken.layers[1].kernel.shape, np.nan))
    with pytest.raises(ModelError, match="holds NaN"):
        cluster(broken)


def test_what_a_model_has_can_be_counted(trained, both):
    rows = clusters_table(both.model)
    assert [row.clusters for row in rows] == [row.clusters for row in both.layers]
    assert all(row.error is None for row in rows)
    free = clusters_table(trained)
    assert all(row.bits > own.bits for row, own in itertools.product(free, rows))


def test_equal_weights_are_equal_integers_in_one_scale(both):
    """What documents say: one scale a layer keeps the clusters, whatever it is; scales a channel need not."""
    for kernel in values(both.model).values():
        scale = np.abs(kernel).max() / 127
        assert len(np.unique(np.round(kernel / scale))) <= len(np.unique(kernel))
