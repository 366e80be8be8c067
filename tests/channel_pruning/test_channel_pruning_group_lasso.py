from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.channel_pruning import GroupLasso
from trimtab.channel_pruning._lasso_groups import LassoGroup, LassoPiece
from trimtab.channels import ChannelGroup, find_groups
from trimtab.errors import ConfigError

X = np.random.default_rng(0).normal(size=(64, 6, 6, 2)).astype("float32")
Y = (X.mean(axis=(1, 2, 3)) > 0).astype("int32")


def net() -> keras.Model:
    """A convolution whose channels go into two others, one of which is added to it."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.Conv2D(4, 3, padding="same", name="second")(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(2, name="logits")(x))


def free_group(model: keras.Model) -> ChannelGroup:
    (group,) = (group for group in find_groups(model).groups if group.locked is None)
    return group


def penalty(group: ChannelGroup) -> float:
    """The sum that the lasso adds to the loss for one group, from its definition."""
    total = 0.0
    for unit in range(group.size):
        parts = [
            np.compress(member.units == unit, np.asarray(ops.convert_to_numpy(member.variable)), member.axis)
            for member in group.members
            if member.role in ("in", "out") and member.weight == "kernel"
        ]
        size = sum(part.size for part in parts)
        total += np.sqrt(size) * np.sqrt(sum(np.square(part, dtype=np.float64).sum() for part in parts))
    return total


def stepped(model: keras.Model, kind: str, strength: float, rate: float = 1.0) -> list[np.ndarray]:
    """What one step without any gradient of a loss takes away from each weight."""
    before = [np.array(ops.convert_to_numpy(v)) for v in model.trainable_variables]
    optimizer = GroupLasso.for_model(model, keras.optimizers.SGD(rate), kind, strength)
    optimizer.build(model.trainable_variables)
    optimizer.apply([ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    after = [np.array(ops.convert_to_numpy(v)) for v in model.trainable_variables]
    return [(a - b) / rate for a, b in zip(before, after, strict=True)]


@pytest.mark.backend
def test_the_pull_is_the_gradient_of_the_penalty():
    model = net()
    pulled = stepped(model, "kernels", 1.0)
    for variable in model.trainable_variables:  # back to where it was
        index = [id(v) for v in model.trainable_variables].index(id(variable))
        variable.assign(ops.convert_to_numpy(variable) + pulled[index])
    kernel = model.get_layer("second").kernel
    index = [id(v) for v in model.trainable_variables].index(id(kernel))
    value = np.array(ops.convert_to_numpy(kernel))
    group = free_group(model)
    for place in ((0, 0, 0, 0), (2, 1, 3, 2)):
        changed = []
        for step in (1e-2, -1e-2):
            moved = value.copy()
            moved[place] += step
            kernel.assign(moved)
            changed.append(penalty(group))
        kernel.assign(value)
        assert pulled[index][place] == pytest.approx((changed[0] - changed[1]) / 2e-2, rel=1e-2)


def test_on_one_scale_it_is_the_sign_as_in_network_slimming():
    model = net()
    model.get_layer("norm").gamma.assign([2.0, -0.5, 0.1, 0.0])
    pulled = dict(zip((v.path for v in model.trainable_variables), stepped(model, "bn", 0.25), strict=True))
    (gamma,) = (value for path, value in pulled.items() if path.endswith("norm/gamma"))
    np.testing.assert_allclose(gamma, [0.25, -0.25, 0.25, 0.0], atol=1e-6)
    assert not any(value.any() for path, value in pulled.items() if not path.endswith("norm/gamma"))


@pytest.mark.backend
def test_it_trains_compiled_and_leaves_only_weak_channels_near_zero():
    weights = {}
    for strength in (1e-9, 0.02):
        model = net()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        inner = keras.optimizers.Adam(0.01)
        names = [variable.path for variable in model.variables]
        model.compile(GroupLasso.for_model(model, inner, "kernels", strength), loss)
        model.fit(X, Y, epochs=6, batch_size=16, verbose=0, shuffle=False)
        assert int(inner.iterations) == int(model.optimizer.iterations) == 24
        assert [variable.path for variable in model.variables] == names
        weights[strength] = penalty(free_group(model))
    assert weights[0.02] < 0.7 * weights[1e-9]


@pytest.mark.backend
def test_units_that_are_several_positions_and_positions_of_no_unit():
    weight = keras.Variable(np.arange(1.0, 7.0, dtype="float32").reshape(1, 6))
    group = LassoGroup(2, (LassoPiece(0, 1, (0, 1, 0, 1, -1, -1)),))
    optimizer = GroupLasso(keras.optimizers.SGD(1.0), [group], 1.0)
    optimizer.build([weight])
    optimizer.apply([ops.zeros(weight.shape)], [weight])
    first, second = np.sqrt(2) / np.sqrt(1 + 9), np.sqrt(2) / np.sqrt(4 + 16)
    left = [1 - first, 2 - 2 * second, 3 - 3 * first, 4 - 4 * second, 5, 6]
    np.testing.assert_allclose(ops.convert_to_numpy(weight)[0], left, rtol=1e-5)


def test_variables_in_another_order_are_found_again():
    model = net()
    optimizer = GroupLasso.for_model(model, keras.optimizers.SGD(1.0), "bn", 0.5)
    variables = [keras.Variable(np.ones((3, 4), "float32")), *reversed(model.trainable_variables)]
    optimizer.build(variables)
    optimizer.apply([ops.zeros(v.shape) for v in variables], variables)
    np.testing.assert_allclose(ops.convert_to_numpy(model.get_layer("norm").gamma), [0.5] * 4)
    np.testing.assert_allclose(ops.convert_to_numpy(variables[0]), 1.0)


def test_a_fixed_loss_scale_does_not_change_the_pull():
    model = net()
    inner = keras.optimizers.SGD(1.0, loss_scale_factor=64.0)
    optimizer = GroupLasso.for_model(model, inner, "bn", 0.5)
    optimizer.build(model.trainable_variables)
    optimizer.apply([ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    np.testing.assert_allclose(ops.convert_to_numpy(model.get_layer("norm").gamma), [0.5] * 4)


def test_saved_in_the_middle_and_loaded_it_goes_on_the_same(tmp_path):
    model = net()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(GroupLasso.for_model(model, keras.optimizers.Adam(0.01), "kernels", 0.01), loss)
    model.fit(X[:32], Y[:32], batch_size=16, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, GroupLasso)
    for one in (model, loaded):
        one.fit(X[32:], Y[32:], batch_size=16, verbose=0, shuffle=False)
    for mine, its in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_what_cannot_be_pulled_is_refused():
    inputs = keras.Input((8,))
    plain = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(8, name="hidden")(inputs)))
    with pytest.raises(ConfigError, match="needs batch normalisation with a scale"):
        GroupLasso.for_model(plain, keras.optimizers.SGD(), "bn")
    for strength in (-1, "strong", None, float("nan")):
        with pytest.raises(ConfigError, match=f"strength={strength!r}"):
            GroupLasso.for_model(plain, keras.optimizers.SGD(), "kernels", strength)
    other = GroupLasso(keras.optimizers.SGD(), [LassoGroup(3, (LassoPiece(9, 0, (0, 1, 2)),))], 1.0)
    with pytest.raises(ConfigError, match="belong to another model"):
        other.build(plain.trainable_variables)
    named = GroupLasso.for_model(plain, keras.optimizers.SGD(), "kernels")
    with pytest.raises(ConfigError, match="are not among the variables to train"):
        named.build(plain.trainable_variables[2:])
