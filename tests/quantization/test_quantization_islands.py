"""Patterns that are known to leave a piece of an int8 file in float, and whether the file is the model."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.litert import LiteRTModel, convert, inspect
from trimtab.models import clone, load_model
from trimtab.quantization import calibrated
from trimtab.quantization._switches import bits_of_weights

layers = keras.layers
RANDOM = np.random.default_rng(0)
IMAGES = (RANDOM.random((200, 12, 12, 3)) * RANDOM.random((200, 1, 1, 1)) * 2).astype("float32")


def conv(x, filters=6, kernel=3, **options):
    return layers.Conv2D(filters, kernel, padding="same", **options)(x)


def norm(x):
    return layers.BatchNormalization()(x)


def norm_after_convolution(x):
    return layers.ReLU()(norm(conv(x, use_bias=False)))


def norm_further_on(x):
    """Batch normalisation that does not come right after its convolution, or before one."""
    x = norm(layers.MaxPooling2D()(layers.Dropout(0.1)(conv(x))))
    x = layers.ReLU()(norm(layers.ReLU()(conv(x))))
    return layers.Flatten()(x)


def dense_then_norm(x):
    x = layers.Flatten()(layers.MaxPooling2D(3)(conv(x)))
    x = layers.ReLU()(norm(layers.Dense(16)(x)))
    return layers.Dense(5)(x)  # nothing comes after the last one


def sums(x):
    """Sums with a projection on one side, of three, and of what is read twice."""
    x = layers.ReLU()(conv(x))
    y = layers.ReLU()(layers.Add()([norm(conv(x)), norm(conv(x, kernel=1))]))
    y = layers.Add()([x, y, conv(y)])
    return layers.Flatten()(layers.AveragePooling2D(4)(y))


def side_by_side(x):
    one, other = layers.ReLU()(conv(x, 4)), layers.Activation("sigmoid")(conv(x, 3))
    x = layers.Concatenate()([one, layers.MaxPooling2D(3, 1, "same")(conv(x, 4)), other])
    x = layers.Concatenate()([x, layers.ReLU()(norm(conv(x, 4)))])
    return layers.GlobalAveragePooling2D()(x)


def mobile(x):
    """A block of MobileNetV3, with each activation that such nets have."""
    x = layers.Activation("hard_silu")(norm(conv(x, 8)))
    y = layers.ZeroPadding2D(1)(x)
    y = layers.ReLU(6.0)(norm(layers.DepthwiseConv2D(3, 2, use_bias=False)(y)))
    gate = layers.ReLU()(conv(layers.GlobalAveragePooling2D(keepdims=True)(y), 4, 1))
    y = layers.Multiply()([y, layers.Activation("hard_sigmoid")(conv(gate, 8, 1))])
    y = layers.Activation("swish")(layers.SeparableConv2D(8, 3, depth_multiplier=2, padding="same")(y))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(y))


def others(x):
    """Transposed and one-dimensional convolutions, layers that only move numbers about, other activations."""
    x = layers.LeakyReLU()(layers.Conv2DTranspose(4, 3, strides=2, padding="same")(conv(x, 4)))
    x = layers.Permute((2, 1, 3))(layers.Cropping2D(2)(x))
    x = layers.ReLU(6.0)(layers.AveragePooling2D(2)(layers.ReLU()(layers.MaxPooling2D(1)(x))))
    x = layers.Activation("tanh")(layers.Reshape((10, 40))(x))
    x = layers.ReLU()(layers.Conv1D(6, 3, padding="causal")(x))
    x = layers.Subtract()([layers.Conv1D(4, 3, 2)(x), layers.Conv1D(4, 3, 2)(x)])
    return layers.GlobalAveragePooling1D()(x)


def nested(x):
    inner = keras.Input((12, 12, 3))
    base = keras.Model(inner, norm_after_convolution(inner), name="base")
    return layers.Softmax()(
        layers.Dense(5)(layers.GlobalMaxPooling2D()(base(layers.Rescaling(0.5, -0.5)(x))))
    )


PATTERNS = [
    norm_after_convolution, norm_further_on, dense_then_norm, sums, side_by_side, mobile, others, nested
]  # fmt: skip


def stirred(pattern):
    keras.utils.set_random_seed(1)
    images = keras.Input((12, 12, 3), name="images")
    outputs = pattern(images)
    if len(outputs.shape) > 2:
        outputs = layers.Flatten()(outputs)
    model = keras.Model(images, outputs, name=pattern.__name__)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(RANDOM.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "bias", "moving_mean"):
            weight.assign(RANDOM.normal(0, 0.2, weight.shape))
    return model


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_tensor_is_float_and_the_integers_are_the_models(pattern, wrong_steps):
    aware = calibrated(stirred(pattern), IMAGES[:60])
    content = convert(aware, "int8")
    assert inspect(content).float_tensors == ()
    wrong = wrong_steps(aware, content, IMAGES)
    assert wrong.max() <= 2
    assert (wrong > 0).mean() < 0.01


def test_a_layer_kept_float_is_float_alone(wrong_steps):
    aware = calibrated(stirred(dense_then_norm), IMAGES[:60], keep_float=["dense*"])
    content = convert(aware, "int8")
    found = inspect(content)
    kinds = {tensor.dtype for tensor in found.tensors if tensor.constant and len(tensor.shape) == 2}
    assert kinds == {"float32"}
    assert {tensor.dtype for tensor in found.tensors if tensor.constant and len(tensor.shape) == 4} == {
        "int8"
    }
    assert (wrong_steps(aware, content, IMAGES) > 1).mean() == 0


@keras.saving.register_keras_serializable("islands")
class Gated(keras.layers.Layer):
    """A layer without a rule, whose input meets more than its kernel; `kernel_size` is no kernel."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, inputs):
        return inputs * keras.ops.sigmoid(inputs @ self.kernel)


@keras.saving.register_keras_serializable("islands")
class Windowed(keras.layers.Layer):
    """A layer whose `kernel` is a number."""

    kernel = 3

    def call(self, inputs):
        return keras.ops.sin(inputs * self.kernel)


@pytest.mark.parametrize("kind", [Gated, Windowed])
def test_a_layer_of_ones_own_that_stays_float_computes_as_it_does(kind):
    inputs = keras.Input((12, 12, 3), name="images")
    made = keras.layers.Conv2D(6, 3, name="conv")(inputs)
    made = kind(name="own")(made)
    model = keras.Model(inputs, keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(made)))
    aware = calibrated(model, IMAGES[:60])
    found = LiteRTModel(convert(aware, "int8"))(IMAGES)
    wanted = np.asarray(keras.ops.convert_to_numpy(aware(IMAGES, training=False)))
    assert np.abs(found - wanted).max() < np.ptp(wanted) / 20


@pytest.mark.parametrize("pattern", [sums, mobile, others])
def test_four_bits_are_packed_and_rounded_as_the_kernels_that_unpack_them_do(pattern, wrong_steps):
    aware = calibrated(stirred(pattern), IMAGES[:60], weights_bits=4)
    content = convert(aware, "int4")
    found = inspect(content)
    assert found.float_tensors == ()
    assert "int4" in {t.dtype for t in found.tensors if t.constant and len(t.shape) == 4}
    wrong = wrong_steps(aware, content, IMAGES)
    assert wrong.max() <= 1
    assert (wrong > 0).mean() < 0.003
    assert bits_of_weights(aware) == {4}  # whatever a transposed convolution keeps


@pytest.mark.parametrize("how", ["saved", "copied"])
@pytest.mark.parametrize("name", ["softplus", "a softplus"])
def test_a_layer_without_weights_stays_float_in_a_copy_of_its_model(how, name, tmp_path):
    """Softplus has no kernel of integers: its file was refused once the aware model had been saved."""
    images = keras.Input((12, 12, 3), name="images")
    x = layers.GlobalAveragePooling2D()(layers.Activation("softplus", name=name)(conv(images)))
    aware = calibrated(keras.Model(images, layers.Dense(5)(x), name="floating"), IMAGES[:20])
    if how == "copied":
        again = clone(aware)
    else:
        aware.save(tmp_path / "aware.keras")
        again = load_model(tmp_path / "aware.keras")
    content = convert(again, "int8")
    assert inspect(content).float_tensors
    assert content == convert(aware, "int8")
