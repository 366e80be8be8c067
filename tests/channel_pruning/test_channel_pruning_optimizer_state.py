from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.channel_pruning import carry_optimizer, prune_channels
from trimtab.channels import find_groups, remove
from trimtab.errors import ConfigError
from trimtab.pruning import keep_zeros

X = np.random.default_rng(0).normal(size=(32, 5, 5, 2)).astype("float32")
Y = np.arange(32) % 3
KEEP = {"first": [0, 2, 3], "second": [1, 4]}
LOSS = keras.losses.SparseCategoricalCrossentropy


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            layers.Conv2D(6, 3, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Conv2D(5, 2, name="second"),
            layers.Flatten(),
            layers.Dense(3, name="logits"),
        ]
    )


def trained(optimizer) -> keras.Model:
    model = net()
    # Eagerly: a step of so small a net takes less time than its tracing.
    model.compile(optimizer, LOSS(from_logits=True), metrics=["accuracy"], run_eagerly=True)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    return model


def numpy(value) -> np.ndarray:
    return np.array(ops.convert_to_numpy(value))


@pytest.mark.parametrize(
    ("make", "states"),
    [
        (lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100), amsgrad=True), 3),
        (lambda: keras.optimizers.AdamW(0.01, use_ema=True), 3),
        pytest.param(
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
            2,
            marks=pytest.mark.backend,
        ),
    ],
)
def test_state_is_that_of_the_channels_that_stay(make, states):
    model = trained(make())
    optimizer = model.optimizer
    before = [numpy(variable) for variable in optimizer.variables]
    smaller = remove(model, KEEP)
    carried = carry_optimizer(optimizer, model, smaller, KEEP)
    assert type(carried) is type(optimizer)
    assert int(carried.iterations) == int(optimizer.iterations) == 8
    seen = 0
    for old, new in zip(optimizer.variables, carried.variables, strict=True):
        value = numpy(old)
        if value.shape == (3, 3, 2, 6):
            np.testing.assert_array_equal(numpy(new), value[..., [0, 2, 3]])
            seen += 1
        elif value.shape == (2, 2, 6, 5):
            np.testing.assert_array_equal(numpy(new), value[:, :, [0, 2, 3]][..., [1, 4]])
        elif value.shape == tuple(new.shape):
            np.testing.assert_array_equal(numpy(new), value)
    assert seen == states
    for old, value in zip(optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(old), value)
    smaller.compile(carried, LOSS(from_logits=True), run_eagerly=True)
    smaller.fit(X, Y, batch_size=8, verbose=0)
    assert int(carried.iterations) == 12


def test_factors_of_another_shape_begin_anew():
    model = trained(keras.optimizers.Adafactor(0.01))
    smaller = remove(model, KEEP)
    carried = carry_optimizer(model.optimizer, model, smaller, KEEP)
    assert int(carried.iterations) == 8


def test_what_cannot_be_carried_is_refused():
    model = net()
    smaller = remove(model, KEEP)
    with pytest.raises(ConfigError, match="has no state yet"):
        carry_optimizer(keras.optimizers.Adam(), model, smaller, KEEP)
    other = keras.optimizers.Adam()
    other.build(net().trainable_variables)
    with pytest.raises(ConfigError, match="trains 8 weights that are not of the model"):
        carry_optimizer(other, model, smaller, KEEP)


def test_pruning_without_training_stays_compiled_and_goes_on():
    model = trained(keras.optimizers.Adam(0.01))
    result = prune_channels(model, ratio=0.5, epochs=0, round_to=1, least=1)
    assert result.model.compiled
    assert int(result.model.optimizer.iterations) == 8
    assert "Adam, 8 steps" in " ".join(result.notes)
    history = result.model.fit(X, Y, batch_size=8, verbose=0)
    assert "accuracy" in history.history
    assert int(result.model.optimizer.iterations) == 12
    assert int(model.optimizer.iterations) == 8


def test_a_loss_without_a_config_is_carried_over_too():
    model = net()
    model.compile("adam", loss=lambda truth, guess: ops.mean(ops.square(guess), axis=-1))
    model.fit(X, Y, batch_size=16, verbose=0)
    smaller = prune_channels(model, ratio=0.5, epochs=0, round_to=1, least=1).model
    assert smaller.compiled
    assert int(smaller.optimizer.iterations) == 2


def test_an_optimizer_that_cannot_be_made_again_is_left_behind_and_said():
    class Own(keras.optimizers.SGD):
        def __init__(self, rate, momenta):
            super().__init__(rate, momentum=momenta[0])

    model = net()
    model.compile(Own(0.1, [0.9]), LOSS(from_logits=True))
    result = prune_channels(model, ratio=0.5, epochs=0, round_to=1, least=1)
    assert not result.model.compiled
    assert any("is not compiled: The optimizer" in note for note in result.notes)


def test_a_wrapped_optimizer_that_belongs_to_its_shapes_is_left_behind_and_said():
    model = net()
    model.get_layer("second").kernel.assign(numpy(model.get_layer("second").kernel) * (np.arange(5) > 1))
    model.compile(keep_zeros(model)(keras.optimizers.SGD(0.01)), LOSS(from_logits=True))
    model.fit(X, Y, batch_size=16, verbose=0)
    result = prune_channels(model, ratio=0.5, epochs=0, round_to=1, least=1)
    assert find_groups(result.model).groups
    assert result.model.compiled or any("is not compiled" in note for note in result.notes)
