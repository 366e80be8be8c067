from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.quantization import calibrated
from trimtab.quantization._calibration import Calibration, best_range, percentile_range
from trimtab.quantization._weight_ranges import best_shares

RANDOM = np.random.default_rng(0)


def histogram(numbers, bins=2048):
    counts, edges = np.histogram(numbers, bins, (numbers.min(), numbers.max()))
    return (edges[1:] + edges[:-1]) / 2, counts


def test_a_percentile_leaves_the_outermost_out():
    numbers = np.concatenate([RANDOM.uniform(-1, 2, 100_000), [50.0]])
    low, high = percentile_range(*histogram(numbers), 99.9)
    assert -1.1 < low < -0.9
    assert 1.9 < high < 2.1
    assert percentile_range(*histogram(numbers), 100)[1] > 49


def test_the_least_error_clips_an_outlier_and_only_that():
    normal = RANDOM.normal(0, 1, 200_000)
    far = np.append(normal, 20.0)
    low, high = best_range(*histogram(far), (float(far.min()), 20.0), bits=4)
    assert high < 5
    whole = (float(normal.min()), float(normal.max()))
    low, high = best_range(*histogram(normal), whole)
    assert high > 0.7 * whole[1]
    assert low < 0.7 * whole[0]


def test_four_bits_clip_more_than_eight():
    kernel = RANDOM.normal(0, 1, (3, 3, 32, 4))
    eight, four = (best_shares(kernel, (3,), bits) for bits in (8, 4))
    assert eight.shape == four.shape == (4,)
    assert four.max() < eight.min()
    assert best_shares(kernel, (), 4).shape == ()


@pytest.fixture(scope="module")
def plain():
    keras.utils.set_random_seed(0)
    images = keras.Input((6, 6, 2), name="images")
    x = keras.layers.ReLU(name="relu")(keras.layers.Conv2D(4, 3, name="conv")(images))
    x = keras.layers.Dropout(0.9, name="drop")(x)
    return keras.Model(images, keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(x)))


IMAGES = np.concatenate([RANDOM.random((99, 6, 6, 2)), np.full((1, 6, 6, 2), 9.0)]).astype("float32")


def ranges(aware):
    return {layer.name: layer.range() for layer in aware.layers if hasattr(layer, "observing")}


def test_minmax_is_what_the_float_model_gives_with_dropout_off(plain):
    found = ranges(calibrated(plain, IMAGES))
    logits = np.asarray(keras.ops.convert_to_numpy(plain(IMAGES, training=False)))
    np.testing.assert_allclose(found["logits_quantizer"], (logits.min(), logits.max()), rtol=1e-4)
    np.testing.assert_allclose(found["images_quantizer"], (0, 9))


def test_a_percentile_clips_an_image_of_its_own(plain):
    found = ranges(calibrated(plain, IMAGES, method="percentile", percentile=98.0))
    assert found["images_quantizer"][1] < 8


def test_the_least_error_clips_weights_too(plain):
    aware = calibrated(plain, IMAGES, method="mse", weights_bits=4)
    share = np.asarray(keras.ops.convert_to_numpy(aware.get_layer("conv").share))
    assert (share <= 1).all()
    assert share.min() < 1
    assert ranges(aware)["images_quantizer"][1] <= 9


@pytest.mark.parametrize(
    ("options", "said"),
    [({"method": "max"}, "calibration_method='max'"), ({"percentile": 40}, "above 50 and at most 100")],
)
def test_a_calibration_that_makes_no_sense_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        Calibration(**options)


def test_bad_images_and_models_are_refused(plain):
    with pytest.raises(ConfigError, match="NaN or infinite pixels"):
        calibrated(plain, np.full((12, 6, 6, 2), np.nan, "float32"))
    with pytest.raises(ConfigError, match="float images"):
        calibrated(plain, np.zeros((3, 6, 6, 2), "uint8"))
    with pytest.raises(ConfigError, match=r"names no layer with weights\. Did you mean 'conv'"):
        calibrated(plain, IMAGES, keep_float=["conf"])
    with pytest.raises(ConfigError, match="weights_bits=3"):
        calibrated(plain, IMAGES, weights_bits=3)
    with pytest.raises(ModelError, match="has fake-quantizers already"):
        calibrated(calibrated(plain, IMAGES), IMAGES)
    broken = keras.models.clone_model(plain)
    broken.get_layer("conv").bias.assign(np.full(4, np.inf))
    with pytest.raises(ModelError, match="NaN or infinite"):
        calibrated(broken, IMAGES)
