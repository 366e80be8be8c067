from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import PruningOptimizer, keep_zeros

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


def sparse_model(name="student", share=0.6):
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(hidden), name=name)
    random = np.random.default_rng(0)
    for layer in model.layers[1:]:
        kernel = np.array(layer.kernel)
        layer.kernel.assign(np.where(random.random(kernel.shape) < share, 0, kernel))
    return model


def images():
    random = np.random.default_rng(1)
    return random.normal(size=(64, 6)).astype("float32"), random.integers(0, 3, 64)


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def kernels(model):
    return [np.array(layer.kernel) for layer in model.layers[1:]]


def check(before, model):
    for old, new in zip(before, kernels(model), strict=True):
        assert not new[old == 0].any()
        assert (new[old != 0] != old[old != 0]).any()


def test_a_fit_keeps_the_zeros_and_trains_the_rest():
    model = sparse_model()
    before = kernels(model)
    model.compile(keep_zeros(model)(keras.optimizers.Adam(0.01)), loss())
    model.fit(*images(), epochs=2, verbose=0)
    check(before, model)
    assert np.array(model.layers[1].bias).any()  # began at zero, and is no kernel


def test_without_it_the_zeros_grow_again():
    model = sparse_model()
    before = kernels(model)
    model.compile(keras.optimizers.Adam(0.01), loss())
    model.fit(*images(), epochs=2, verbose=0)
    assert any(new[old == 0].any() for old, new in zip(before, kernels(model), strict=True))


def test_the_student_of_a_distillation_keeps_its_zeros():
    student, teacher = sparse_model(), sparse_model("teacher", share=0.0)
    before = kernels(student)
    distiller = keras.distillation.Distiller(
        teacher=teacher,
        student=student,
        distillation_losses=keras.distillation.LogitsDistillation(temperature=2.0),
    )
    distiller.compile(optimizer=keep_zeros(student)(keras.optimizers.Adam(0.01)), loss=loss())
    distiller.fit(*images(), epochs=2, verbose=0)
    check(before, student)


def test_mixed_precision_keeps_them_too():
    model = sparse_model()
    before = kernels(model)
    outer = keras.optimizers.LossScaleOptimizer(keep_zeros(model)(keras.optimizers.SGD(0.1)))
    model.compile(outer, loss())
    model.fit(*images(), epochs=2, verbose=0)
    check(before, model)


def test_frozen_zeros_need_no_help():
    model = sparse_model()
    model.get_layer("hidden").trainable = False
    assert isinstance(keep_zeros(model)(keras.optimizers.SGD()), PruningOptimizer)
    model.get_layer("logits").trainable = False
    inner = keras.optimizers.SGD()
    assert keep_zeros(model)(inner) is inner


def test_what_has_no_zeros_is_refused():
    with pytest.raises(ConfigError, match="'student' has no zeros to keep in the 2 weights"):
        keep_zeros(sparse_model(share=0.0))
    with pytest.raises(ModelError, match="A Keras 3 model is needed"):
        keep_zeros("model.keras")
