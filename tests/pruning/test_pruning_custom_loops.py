"""The pruning optimizer in a loop of one's own, as each backend writes it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.pruning import ConstantSparsity, OneShotSparsity, PolynomialSparsity, PruningOptimizer, Taylor

pytestmark = pytest.mark.backend

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(96, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CLIMB = PolynomialSparsity(0.0, 0.75, begin=0, end=8, frequency=3)
HALF = PolynomialSparsity(0.0, 0.5, begin=2, end=8, frequency=3)


def small():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    left = keras.layers.Dense(16, activation="relu", name="left")(inputs)
    right = keras.layers.Dense(16, name="right")(inputs)
    outputs = keras.layers.Dense(3, name="last")(
        keras.layers.BatchNormalization()(keras.layers.add([left, right]))
    )
    return keras.Model(inputs, outputs)


def tensorflow_loop(model, optimizer, batches):
    import tensorflow as tf

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = optimizer.scale_loss(LOSS(y, model(x, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for x, y in batches:
        step(tf.constant(x), tf.constant(y))


def jax_loop(model, optimizer, batches):
    import jax

    def compute(trainable, fixed, scaled_by, x, y):
        outputs, fixed = model.stateless_call(trainable, fixed, x, training=True)
        return LOSS(y, outputs) * scaled_by, fixed

    @jax.jit
    def step(trainable, fixed, state, x, y):
        gradients, fixed = jax.grad(compute, has_aux=True)(trainable, fixed, optimizer.scale_loss(1.0), x, y)
        trainable, state = optimizer.stateless_apply(state, gradients, trainable)
        return trainable, fixed, state

    trainable = [v.value for v in model.trainable_variables]
    fixed = [v.value for v in model.non_trainable_variables]
    state = [v.value for v in optimizer.variables]
    for x, y in batches:
        trainable, fixed, state = step(trainable, fixed, state, x, y)
    for variables, values in (
        (model.trainable_variables, trainable),
        (model.non_trainable_variables, fixed),
        (optimizer.variables, state),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def torch_loop(model, optimizer, batches):
    import torch

    for x, y in batches:
        model.zero_grad()
        optimizer.scale_loss(LOSS(y, model(x, training=True))).backward()
        gradients = [v.value.grad for v in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_variables)


LOOPS = {"tensorflow": tensorflow_loop, "jax": jax_loop, "torch": torch_loop}


def loop(model, optimizer, steps=12):
    """The plain loop of the backend."""
    optimizer.build(model.trainable_variables)
    batches = [(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8]) for i in range(steps)]
    LOOPS[keras.backend.backend()](model, optimizer, batches)
    return model


def numpy(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def zeros(model):
    return [int(np.sum(v == 0)) for v in numpy(model.trainable_variables) if v.ndim == 2]


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": CLIMB},
        {"schedule": HALF, "granularity": "2:4", "importance": "taylor"},
        {"schedule": HALF, "granularity": "2x2", "ranking": "global"},
    ],
    ids=["plain", "2:4+taylor", "2x2+global"],
)
def test_a_loop_of_ones_own_gives_what_fit_gives(options):
    def optimizer(model):
        return PruningOptimizer.for_model(model, keras.optimizers.Adam(0.01), **options)

    looped = small()
    loop(looped, optimizer(looped))
    fitted = small()
    fitted.compile(optimizer(fitted), LOSS)
    fitted.fit(X, Y, batch_size=8, verbose=0, shuffle=False)
    assert zeros(looped) == zeros(fitted)
    assert sum(zeros(looped)) >= 304 * options["schedule"].final - 4
    for one, other in zip(numpy(fitted.weights), numpy(looped.weights), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_loop_with_a_fixed_loss_scale_remembers_unscaled_gradients():
    def memories(scale):
        model = small()
        inner = keras.optimizers.SGD(0.1, loss_scale_factor=scale)
        never = OneShotSparsity(0.5, step=100)
        optimizer = PruningOptimizer.for_model(model, inner, never, importance="taylor")
        loop(model, optimizer, 4)
        return [v for v in numpy(optimizer.variables) if v.ndim == 2][1::2]

    for one, other in zip(memories(None), memories(256.0), strict=True):
        assert one.any()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)


def eager(optimizer, gradients, variables):
    optimizer.apply([None if g is None else ops.convert_to_tensor(g) for g in gradients], variables)


def test_memories_are_the_averages_of_gradient_times_weight():
    kernel = keras.Variable(np.array([[1.0, -2.0]], "float32"), name="kernel")
    bias = keras.Variable(np.zeros(2, "float32"), name="bias")
    optimizer = PruningOptimizer(
        keras.optimizers.SGD(1.0), OneShotSparsity(0.5, step=9), importance=Taylor(decay=0.5)
    )
    optimizer.build([bias, kernel])
    memory = next(v for v in optimizer.variables if v.name == "kernel_memory")
    nothing = np.zeros(2, "float32")
    eager(optimizer, [nothing, np.array([[0.5, 0.5]], "float32")], None)  # by place
    np.testing.assert_array_equal(numpy([memory])[0], [[0.25, 0.5]])
    np.testing.assert_array_equal(numpy([kernel])[0], [[0.5, -2.5]])
    eager(optimizer, [np.array([[1.0, 0.0]], "float32"), nothing], [kernel, bias])  # in another order
    np.testing.assert_array_equal(numpy([memory])[0], [[0.125 + 0.25, 0.25]])
    eager(optimizer, [nothing], [bias])  # without the weight
    np.testing.assert_array_equal(numpy([memory])[0], [[0.375, 0.25]])


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")  # in Keras
def test_a_weight_without_a_gradient_keeps_its_memory():
    used, unused = (keras.Variable(np.ones((2, 2), "float32"), name="kernel") for _ in range(2))
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), OneShotSparsity(0.5, step=9), importance="taylor")
    eager(optimizer, [np.ones((2, 2), "float32"), None], [used, unused])
    memories = [v for v in optimizer.variables if v.name == "kernel_memory"]
    assert [bool(m.any()) for m in numpy(memories)] == [True, False]


def test_eager_apply_builds_by_itself():
    model = small()
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), ConstantSparsity(0.5, frequency=1))
    gradients = [RANDOM.normal(size=v.shape).astype("float32") for v in model.trainable_variables]
    for _ in range(3):
        eager(optimizer, gradients, model.trainable_variables)
    assert zeros(model) == [64, 64, 24]
    assert optimizer.built
    optimizer.apply([])  # nothing to do, as with any Keras optimizer
    assert int(optimizer.iterations) == optimizer.steps == 3


def test_taylor_before_any_gradient_is_refused_in_a_loop_before_a_weight_changes():
    model = small()
    before = numpy(model.weights)
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), OneShotSparsity(0.5), importance="taylor")
    with pytest.raises(ValueError, match="has seen no gradients by then"):
        loop(model, optimizer)
    for one, other in zip(before, numpy(model.weights), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_without_any_effect_do_not_hold_up_taylor():
    # 10 of 16 inputs are dead: their weights score zero, and must not all stay for that.
    kernel = keras.Variable(RANDOM.normal(size=(16, 4)).astype("float32"), name="kernel")
    before = np.array(ops.convert_to_numpy(kernel.value))
    optimizer = PruningOptimizer(
        keras.optimizers.SGD(1e-3), PolynomialSparsity(0.0, 0.5, 2, 4, frequency=1), importance="taylor"
    )
    gradient = RANDOM.normal(size=(16, 4)).astype("float32") * (np.arange(16) >= 10)[:, None]
    for _ in range(5):
        eager(optimizer, [gradient], [kernel])
    after = np.array(ops.convert_to_numpy(kernel.value))
    assert np.sum(after == 0) == 32
    assert np.abs(before[:10][after[:10] == 0]).max() <= np.abs(before[:10][after[:10] != 0]).min()
    assert np.all(after[10:])
