from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.quantization import quantize_aware
from trimtab.quantization._assembly import Settings
from trimtab.quantization._calibration import Calibration
from trimtab.quantization._prepared import prepared
from trimtab.quantization._training_form import FreezeNorms, fold_into, training_form
from trimtab.quantization.layers import Unfolding

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras

IMAGES = np.random.default_rng(3).random((64, 8, 8, 3)).astype(np.float32) * 255
LABELS = np.arange(64) % 4


def net(*, before=(), frozen=()):
    """A model with a batch normalisation behind each kind of kernel, whose numbers are no defaults."""
    keras.utils.set_random_seed(1)
    inputs = made = keras.Input((8, 8, 3), name="images")
    for layer in before:
        made = layer(made)
    for kernel in (
        layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
        layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        layers.SeparableConv2D(6, 3, padding="same", name="separable"),
        layers.Conv2DTranspose(4, 3, name="transposed"),
    ):
        norm = layers.BatchNormalization(scale=kernel.name != "separable", name=f"{kernel.name}_norm")
        made = norm(kernel(made))
        made = layers.ReLU()(made)
    made = layers.Flatten()(layers.AveragePooling2D(2)(made))
    made = layers.ReLU()(layers.BatchNormalization(epsilon=1e-2, name="dense_norm")(layers.Dense(5)(made)))
    model = keras.Model(inputs, layers.Dense(4, name="logits")(made))
    draw = np.random.default_rng(1)
    for norm in (layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)):
        for variable in norm.weights:
            low = 0.3 if variable.name in ("gamma", "moving_variance") else -0.5
            variable.assign(draw.uniform(low, 1.5, variable.shape).astype("float32"))
        norm.trainable = norm.name not in frozen
    return model


def aware_of(model, images=IMAGES, bits=8):
    whole = prepared(model, images, Settings(bits), Calibration())
    return whole.model, whole.folded.taken


def outputs(model, images=IMAGES, training=False):
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=training)))


def unfoldings(form):
    return {layer.name: layer.unfolding for layer in form.layers if getattr(layer, "unfolding", None)}


@pytest.mark.parametrize("bits", [8, 4])
def test_it_computes_the_same_and_folds_back(bits):
    aware, taken = aware_of(net(before=[layers.Rescaling(1 / 255)]), bits=bits)
    before = outputs(aware)
    form = training_form(aware, taken)
    assert len(unfoldings(form)) == 5  # all but the logits
    assert (outputs(form) != before).mean() < 0.02  # a number may come to lie on the other side of a half
    np.testing.assert_allclose(outputs(form), before, atol=np.ptp(before) / 100)
    for layer in aware.layers:
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    fold_into(form, aware)
    np.testing.assert_array_equal(outputs(aware), outputs(form))


@pytest.mark.parametrize(
    "make", [lambda: layers.Conv2D(3, 3), lambda: layers.DepthwiseConv2D(3), lambda: layers.Dense(3)]
)
def test_a_live_layer_normalises_as_the_float_one_does(make):
    keras.utils.set_random_seed(0)
    inputs, kernel = keras.Input((8, 8, 3)), make()
    images = IMAGES / 128 - 1
    norm = layers.BatchNormalization(name="norm")
    model = keras.Model(inputs, norm(kernel(inputs)))
    norm.gamma.assign([-1.0, 2.0, 1.0])
    norm.moving_variance.assign([1.0, 1.2, 0.7])
    aware, taken = aware_of(model, images)
    form = training_form(aware, taken)
    ((name, unfolding),) = unfoldings(form).items()
    unfolding.live = True
    fine = outputs(model, images, training=True)
    live = np.asarray(form.get_layer(name)(images, training=True))
    assert np.abs(live - fine).max() < np.ptp(fine) / 50  # 8 bits of each weight
    # The bias of the float layer, which batch normalisation takes away again, is no part of the mean.
    bias = np.asarray(kernel.bias) * (1 - norm.momentum)
    np.testing.assert_allclose(
        np.asarray(unfolding.norm.moving_mean), np.asarray(norm.moving_mean) - bias, rtol=0.05, atol=0.02
    )
    np.testing.assert_allclose(
        np.asarray(unfolding.norm.moving_variance), np.asarray(norm.moving_variance), rtol=0.02
    )


def test_from_some_epoch_on_the_statistics_stand_still():
    aware, taken = aware_of(net())
    form = training_form(aware, taken)
    form.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            _ = self.model
            norm = unfoldings(form)["conv"].norm
            seen.append([np.array(weight) for weight in (norm.moving_mean, norm.gamma)])

    form.fit(IMAGES, LABELS, epochs=3, verbose=0, callbacks=[FreezeNorms(form, 1), Watch()])
    assert (seen[0][0] != np.asarray(taken["conv"].norm.moving_mean)).all()
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[0][0], seen[2][0])
    assert (seen[1][1] != seen[2][1]).any()


def test_one_step_moves_a_kernel_that_scales_its_images_no_further_than_before():
    model = net(before=[layers.Rescaling(1 / 255)])
    kernel = np.array(model.get_layer("conv").kernel)
    aware, taken = aware_of(model)
    assert taken["conv"].scale == pytest.approx(1 / 255)
    form = training_form(aware, taken)
    np.testing.assert_allclose(np.asarray(form.get_layer("conv").kernel), kernel, rtol=1e-5)


def test_only_what_is_trained_right_after_its_kernel_is_unfolded():
    model = net(frozen=["conv_norm"])
    _, taken = aware_of(model)
    assert taken["conv"].norm is None
    assert taken["depthwise"].norm is not None

    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    made = layers.BatchNormalization(name="norm")
    twice = keras.Model(inputs, made(shared(made(shared(inputs)))))
    _, taken = aware_of(twice)
    assert taken["shared"].norm is None

    made = layers.MaxPooling2D()(layers.Conv2D(3, 3, name="pooled")(inputs))
    _, taken = aware_of(keras.Model(inputs, layers.BatchNormalization()(made)))
    assert taken["pooled"].norm is None

    made = layers.BatchNormalization()(layers.Conv2D(3, 3, name="scaled")(inputs))
    _, taken = aware_of(keras.Model(inputs, layers.Rescaling(2.0)(made)))
    assert taken["scaled"].norm is None


def test_kernels_that_share_values_stay_as_they_are():
    model = net()
    kernel = model.get_layer("conv").kernel
    kernel.assign(np.round(np.asarray(kernel) * 4) / 4)
    aware, taken = aware_of(model)
    assert "conv" not in unfoldings(training_form(aware, taken))


def test_a_model_without_any_is_trained_itself():
    inputs = keras.Input((8, 8, 3))
    aware, taken = aware_of(keras.Model(inputs, layers.Dense(4)(layers.Flatten()(inputs))))
    assert training_form(aware, taken) is aware


def test_a_channel_whose_gamma_is_zero_has_a_kernel_still():
    model = net()
    norm = model.get_layer("conv_norm")
    norm.gamma.assign([0.0, 1.0, 1.0, -1.0])
    aware, taken = aware_of(model)
    form = training_form(aware, taken)
    np.testing.assert_allclose(outputs(form), outputs(aware), atol=np.ptp(outputs(aware)) / 100)
    assert np.isfinite(np.asarray(form.get_layer("conv").kernel)).all()


def test_it_is_saved_in_the_middle_of_a_training(digits, tmp_path):
    from trimtab.zoo import cnn

    model = cnn(digits.image_shape, digits.classes, filters=(4,), dense=8, batch_norm=True, seed=0)
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    result = quantize_aware(model, digits, epochs=2, batch_size=128, callbacks=[saved], freeze_batch_norm=0.5)
    images = digits.test.inputs(0, 50)
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    assert any(isinstance(layer, Unfolding) for layer in unfoldings(loaded).values())
    assert not unfoldings(result.model)
    if len(result.history.epochs) == result.history.best.epoch:
        np.testing.assert_allclose(outputs(loaded, images), outputs(result.model, images), atol=1e-5)
    loss = result.model.evaluate(digits.validation.inputs(), digits.validation.labels, verbose=0)
    assert loss[1] == pytest.approx(result.history.best.val_accuracy, abs=1e-6)
