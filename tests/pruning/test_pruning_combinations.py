"""Zeros stay through what may follow pruning, and masks work in each float type."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.pruning import KeepZeros, PolynomialSparsity, PruningOptimizer, keep_zeros

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(96, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
HALF = PolynomialSparsity(0.0, 0.5, begin=2, end=8, frequency=3)


@keras.saving.register_keras_serializable(package="trimtab_tests")
class FakeQuantDense(keras.layers.Dense):
    """Trains with the kernel as int8 would have it, as in quantization-aware training."""

    def call(self, inputs):
        reach = ops.stop_gradient(ops.max(ops.abs(self.kernel)))
        kernel = keras.quantizers.fake_quant_with_min_max_vars(
            self.kernel, -reach, reach, num_bits=8, narrow_range=True
        )
        return self.activation(ops.matmul(inputs, kernel) + self.bias)


def small(layer=keras.layers.Dense):
    return keras.Sequential(
        [keras.Input((8,)), layer(16, activation="relu", name="first"), layer(3, name="last")]
    )


def pruned(layer=keras.layers.Dense):
    """A model with half its weights zero, not where they are smallest."""
    keras.utils.set_random_seed(0)
    model = small(layer)
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if len(variable.shape) == 2:
            values = np.array(ops.convert_to_numpy(variable))
            values[random.random(values.shape) < 0.5] = 0
            variable.assign(values)
    return model


def numpy(variables):
    return [np.array(ops.convert_to_numpy(ops.cast(variable, "float32"))) for variable in variables]


def kernels(model):
    return [v for v in numpy(model.trainable_variables) if v.ndim == 2]


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fit(model, **options):
    model.fit(X, Y, batch_size=8, verbose=0, shuffle=False, **options)
    return model


def assert_same_zeros(before, after):
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
        assert (one != other).any()


@pytest.mark.parametrize("by_hand", [True, False])
def test_fine_tuning_keeps_each_zero(by_hand):
    model = pruned()
    before = kernels(model)
    adam = keras.optimizers.Adam(0.01)
    model.compile(
        PruningOptimizer.for_model(model, adam, KeepZeros()) if by_hand else keep_zeros(model)(adam), loss()
    )
    assert_same_zeros(before, kernels(fit(model)))


def test_distillation_keeps_each_zero_of_the_student():
    student = pruned()
    before = kernels(student)
    teacher = small()
    logits = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    distiller = keras.distillation.Distiller(teacher, student, distillation_losses=logits)
    distiller.compile(keep_zeros(student)(keras.optimizers.Adam(0.01)), loss=loss())
    fit(distiller)
    assert_same_zeros(before, kernels(student))


def test_quantization_aware_training_keeps_each_zero():
    model = pruned(FakeQuantDense)
    before = kernels(model)
    model.compile(keep_zeros(model)(keras.optimizers.Adam(0.01)), loss())
    assert_same_zeros(before, kernels(fit(model)))


def test_pruning_goes_along_with_quantization_aware_training():
    keras.utils.set_random_seed(0)
    model = small(FakeQuantDense)
    model.compile(
        PruningOptimizer.for_model(model, keras.optimizers.Adam(0.01), HALF, granularity="2:4"), loss()
    )
    assert [np.mean(kernel == 0) for kernel in kernels(fit(model))] == [0.5, 0.5]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_each_float_type_trains(policy):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        model = small()
        inner = keras.optimizers.SGD(0.05)
        optimizer = PruningOptimizer.for_model(model, inner, HALF, granularity="2:4", importance="taylor")
        model.compile(optimizer, loss())
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    # The first steps may be skipped until the loss scale has come down; a skipped step is none.
    fit(model, epochs=3)
    assert [np.mean(kernel == 0) for kernel in kernels(model)] == [0.5, 0.5]
    weights = "bfloat16" if policy == "bfloat16" else "float32"
    assert {v.dtype for v in model.trainable_variables} == {weights}
    masks = [v for v in optimizer.variables if v.name.endswith("mask")]
    memories = [v for v in optimizer.variables if v.name.endswith("memory")]
    assert ({v.dtype for v in masks}, {v.dtype for v in memories}) == ({weights}, {"float32"})
    assert all(np.isfinite(memory).all() and memory.any() for memory in numpy(memories))
    assert [row.zeros for row in optimizer.state()] == [64, 24]


def test_a_moving_average_of_the_weights_has_their_zeros():
    keras.utils.set_random_seed(0)
    model = small()
    inner = keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9)
    model.compile(PruningOptimizer.for_model(model, inner, HALF, granularity="4x1"), loss())
    last = kernels(fit(model))  # fit ends by putting the averages in place
    assert [np.mean(kernel == 0) for kernel in last] == [0.5, 0.5]
