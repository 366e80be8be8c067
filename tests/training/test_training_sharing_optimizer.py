"""Weights that share values train as one, on every backend, and go on with the same bits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.training._keep_clusters import keep_clusters
from trimtab.training._shared_weight import SharedWeight, groups_of, looks_shared
from trimtab.training._sharing_optimizer import SharingOptimizer

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(96, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
VALUES = np.float32([-0.5, -0.1, 0.0, 0.2, 0.75])


def variable(values, name="kernel"):
    return keras.Variable(np.float32(values), name=name)


def numpy(variables):
    return [np.array(ops.convert_to_numpy(one)) for one in variables]


def clustered_model(seed=0):
    """Two dense layers, whose kernels have five values, zero among them."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", name="first"),
            keras.layers.Dense(3, name="last"),
        ]
    )
    drawn = np.random.default_rng(seed)
    for layer in model.layers:
        layer.kernel.assign(drawn.choice(VALUES, size=layer.kernel.shape))
    return model


def compiled(model, inner=None, **options):
    optimizer = SharingOptimizer(inner or keras.optimizers.Adam(0.01), **options)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fit(model, start=0, stop=96):
    model.fit(X[start:stop], Y[start:stop], batch_size=8, verbose=0, shuffle=False)
    return model


def assert_shared(model, before):
    """Equal numbers are equal still, zeros are zeros, and the values have moved."""
    for layer in model.layers:
        old, new = before[layer.name], numpy([layer.kernel])[0]
        for value in VALUES:
            assert len(np.unique(new[old == value])) == 1
        assert (new[old == 0] == 0).all()
        assert not np.signbit(new[old == 0]).any()
        assert (new[old != 0] != old[old != 0]).all()


def kernels(model):
    return {layer.name: numpy([layer.kernel])[0] for layer in model.layers}


# -- the arithmetic, beside NumPy -------------------------------------------------------------------


def expected(values, gradient, groups, total, rate):
    """One step of SGD, the long way."""
    out = values.astype(np.float64)
    for group in np.unique(groups):
        inside = groups == group
        if group == 0:
            out[inside] -= rate * gradient[inside]
        elif group == 1:
            out[inside] = 0
        else:
            shared = gradient[inside].sum() if total else gradient[inside].mean()
            out[inside] = values[inside].mean() - rate * shared
    return out


@pytest.mark.parametrize("gradients", ["sum", "mean"])
@pytest.mark.parametrize("named", [True, False])
def test_a_step_is_the_sum_or_the_mean_of_the_gradients(gradients, named):
    drawn = np.random.default_rng(1)
    values = drawn.choice(VALUES, size=(6, 5, 4))
    groups = groups_of(values)
    groups[0, 0] = 0  # four that go their own way
    gradient = drawn.normal(size=values.shape).astype("float32")
    weight, bias = variable(values), variable([1.0, 2.0], "bias")
    optimizer = SharingOptimizer(
        keras.optimizers.SGD(0.1), [SharedWeight(weight, groups)], gradients=gradients
    )
    optimizer.build([bias, weight])
    grads = [ops.convert_to_tensor(np.float32([1, -1])), ops.convert_to_tensor(gradient)]
    optimizer.apply(grads, [bias, weight] if named else None)
    wanted = expected(values, gradient, groups, gradients == "sum", 0.1)
    np.testing.assert_allclose(numpy([weight])[0], wanted, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(numpy([bias])[0], [0.9, 2.1], rtol=1e-6)
    for group in range(2, groups.max() + 1):
        assert len(np.unique(numpy([weight])[0][groups == group])) == 1
    assert optimizer.groups() == {str(weight.path): 4}


def test_with_adam_it_trains_the_values_themselves():
    """Adam on shared gradients is Adam on the four values, each with the sum of its gradients."""
    drawn = np.random.default_rng(2)
    values = drawn.choice(VALUES, size=(8, 16))
    groups = groups_of(values)
    weight, alone = variable(values), variable(VALUES[VALUES != 0][None], "alone")
    ours, theirs = SharingOptimizer(keras.optimizers.Adam(0.01)), keras.optimizers.Adam(0.01)
    ours.build([weight])
    theirs.build([alone])
    for _ in range(5):
        gradient = drawn.normal(size=values.shape).astype("float32")
        sums = np.bincount(groups.reshape(-1), gradient.reshape(-1).astype("float64"), minlength=6)[2:]
        ours.apply([ops.convert_to_tensor(gradient)], [weight])
        theirs.apply([ops.convert_to_tensor(sums[None].astype("float32"))], [alone])
    after = numpy([weight])[0]
    found = [after[groups == group][0] for group in range(2, 6)]
    np.testing.assert_allclose(found, numpy([alone])[0][0], rtol=1e-5)


def test_a_step_of_nothing_changes_nothing():
    values = np.random.default_rng(3).choice(np.float32([0.1, 1 / 3, -0.7]), size=(50, 40))
    weight = variable(values)
    optimizer = SharingOptimizer(keras.optimizers.SGD(0.1))
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply([ops.zeros(values.shape)], [weight])
    np.testing.assert_array_equal(numpy([weight])[0], values)


def test_what_an_optimizer_does_to_single_numbers_is_shared():
    """Adafactor keeps second moments by row and column, so it treats the members of a group differently."""
    drawn = np.random.default_rng(4)
    values = drawn.choice(VALUES, size=(8, 16))
    weight = variable(values)
    optimizer = SharingOptimizer(keras.optimizers.Adafactor(0.01))
    optimizer.build([weight])
    optimizer.apply([ops.convert_to_tensor(drawn.normal(size=values.shape).astype("float32"))], [weight])
    after = numpy([weight])[0]
    assert len(np.unique(after)) == 5
    assert (after[values == 0] == 0).all()


def test_half_precision_adds_up_in_float():
    values = np.full((128, 64), 0.5, "float16")
    values[:, 32:] = -0.25
    weight = keras.Variable(values, dtype="float16", name="kernel")
    optimizer = SharingOptimizer(keras.optimizers.SGD(1.0), gradients="mean")
    optimizer.build([weight])
    gradient = ops.convert_to_tensor(np.full(values.shape, 0.125, "float16"))
    optimizer.apply([gradient], [weight])  # 4096 of them; in half a float their sum would stop growing
    np.testing.assert_array_equal(numpy([weight])[0], values - np.float16(0.125))


# -- which numbers belong together -----------------------------------------------------------------


def test_groups_of_equal_numbers():
    values = np.float32([[0.5, -1, 0], [-0.0, 0.5, 2]])
    np.testing.assert_array_equal(groups_of(values), [[3, 2, 1], [1, 3, 4]])
    np.testing.assert_array_equal(groups_of(values, zeros=False), [[4, 2, 3], [3, 4, 5]])
    np.testing.assert_array_equal(groups_of(values, shared=False), [[0, 0, 1], [1, 0, 0]])


def test_what_looks_shared():
    free = np.random.default_rng(0).normal(size=400)
    assert looks_shared(np.round(free))
    assert not looks_shared(free)
    assert not looks_shared(np.ones(9))  # never trained
    assert not looks_shared(np.zeros(9))
    free[::2] = 0
    assert not looks_shared(free)  # pruned is not clustered


# -- in training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "options"),
    [
        (lambda: keras.optimizers.Adam(0.01), {}),
        (
            lambda: keras.optimizers.AdamW(
                0.01, weight_decay=0.1, use_ema=True, ema_momentum=0.5, global_clipnorm=1.0
            ),
            {"gradients": "mean"},
        ),
        (
            lambda: keras.optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=2),
            {"gradients": "mean"},
        ),
    ],
    ids=["adam", "averaged", "accumulated"],
)
def test_fit_keeps_clusters(inner, options):
    model = clustered_model()
    before = kernels(model)
    fit(compiled(model, inner(), **options))
    assert_shared(model, before)


def test_a_training_that_was_saved_goes_on_with_the_same_bits(tmp_path):
    whole = fit(compiled(clustered_model()), 0, 40)
    whole.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    assert isinstance(loaded.optimizer, SharingOptimizer)
    before = kernels(loaded)
    for model in (whole, loaded):
        fit(model, 40, 96)
    ours, theirs = (numpy([*model.weights, *model.optimizer.variables]) for model in (whole, loaded))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    for name, old in before.items():
        assert len(np.unique(kernels(loaded)[name])) == len(np.unique(old)) == 5


def test_what_was_not_loaded_holds_nothing():
    """Built from its config alone it must not take all numbers for one group."""
    model = clustered_model()
    optimizer = SharingOptimizer(keras.optimizers.SGD(0.1))
    optimizer.build(model.trainable_variables)
    copy = SharingOptimizer.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
    weight = variable(np.random.default_rng(0).normal(size=(8, 16)))
    others = numpy(model.trainable_variables)[1:]
    variables = [weight, *(variable(values, f"v{number}") for number, values in enumerate(others))]
    copy.build(variables)
    before = numpy(variables)
    copy.apply([ops.ones(one.shape) for one in before], variables)
    for old, new in zip(before, numpy(variables), strict=True):
        np.testing.assert_allclose(new, old - 0.1, atol=1e-6)


def test_only_weights_that_are_trained_are_held():
    model = clustered_model()
    model.layers[0].trainable = False
    before = kernels(model)["first"]
    optimizer = compiled(model).optimizer
    fit(model, 0, 16)
    assert list(optimizer.groups()) == [model.layers[1].kernel.path]
    np.testing.assert_array_equal(kernels(model)["first"], before)


def test_keep_clusters_and_zeros():
    model = clustered_model()
    pruned = np.random.default_rng(5).normal(size=(16, 3)).astype("float32")
    pruned[::2] = 0
    model.layers[1].kernel.assign(pruned)
    both = keep_clusters(model)(keras.optimizers.Adam(0.01))
    both.build(model.trainable_variables)
    assert list(both.groups().values()) == [4, 0]
    only = keep_clusters(model, zeros=False)(keras.optimizers.Adam(0.01))
    only.build(model.trainable_variables)
    assert list(only.groups().values()) == [5]
    model.compile(both, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, 0, 32)
    after = kernels(model)["last"]
    assert (after[::2] == 0).all()
    assert len(np.unique(after[1::2])) == after[1::2].size
    assert len(np.unique(kernels(model)["first"])) == 5


# -- bad input --------------------------------------------------------------------------------------


def test_what_cannot_be_wrapped():
    adam = keras.optimizers.Adam()
    with pytest.raises(ConfigError, match=r"Put it around instead"):
        SharingOptimizer(keras.optimizers.LossScaleOptimizer(adam))
    with pytest.raises(ConfigError, match="cannot hold another one"):
        SharingOptimizer(SharingOptimizer(adam))
    with pytest.raises(ConfigError, match=r"needs a Keras 3 optimizer to train with.* but got str"):
        SharingOptimizer("adam")
    with pytest.raises(ConfigError, match=r"gradients='summ' is not known.*sum"):
        SharingOptimizer(adam, gradients="summ")


def test_what_cannot_be_kept_or_loaded():
    keras.utils.set_random_seed(0)
    free = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    with pytest.raises(ConfigError, match="has no clusters to keep"):
        keep_clusters(free)
    weight = free.layers[0].kernel
    unbuilt = SharingOptimizer(keras.optimizers.SGD(), [SharedWeight(weight, np.zeros((8, 4), np.int32))])
    with pytest.raises(ConfigError, match="can be saved once it is built"):
        unbuilt.get_config()
    unbuilt.build(free.trainable_variables)
    with pytest.raises(ModelError, match="saved state of shared weights has 1 variables"):
        unbuilt.load_own_variables({"0": 0})
    other = SharingOptimizer.from_config(unbuilt.get_config())
    with pytest.raises(ConfigError, match=r"weight of shape \(8, 4\) as variable 0 to train"):
        other.build([variable(np.zeros((3, 3)))])
