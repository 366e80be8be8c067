"""The fewest layers kept float: what the search promises, and that the file's model keeps the promise."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from trimtab.errors import ConfigError
from trimtab.quantization import calibrated, mixed, sensitivity
from trimtab.quantization._fewest import fewest
from trimtab.quantization._quantize_aware import _images as calibration_images
from trimtab.training._judging import some_images

pytestmark = pytest.mark.backend

OPTIONS = {"images": 120, "calibration": 40, "batch_size": 60}


@pytest.fixture(scope="module")
def model(digits):
    """A trained net in which two dense layers have a weight that spoils the steps of all others."""
    keras.utils.set_random_seed(0)
    stack = [
        layers.Input(digits.image_shape, name="images"),
        layers.Conv2D(8, 3, activation="relu", name="conv"),
        layers.Flatten(name="flat"),
        layers.Dense(24, activation="relu", name="wide"),
        layers.Dense(24, activation="relu", name="deep"),
        layers.Dense(digits.classes, name="logits"),
    ]
    made = keras.Sequential(stack, name="net")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(1e-2), loss)
    images, labels = digits.train.inputs(), digits.train.labels
    for start in [*range(0, len(labels) - 64, 64)] * 4:
        made.train_on_batch(images[start : start + 64], labels[start : start + 64])
    for name, after in (("wide", "deep"), ("deep", "logits")):
        layer = made.get_layer(name)
        kernel, reader = np.array(layer.kernel), np.array(made.get_layer(after).kernel)
        unused = int(np.abs(reader).sum(axis=1).argmin())
        reader[unused] = 0
        made.get_layer(after).kernel.assign(reader)
        kernel[0, unused] = -80.0  # what comes in is not negative, so that ReLU lets nothing of it through
        layer.kernel.assign(kernel)
    return made


@pytest.fixture(scope="module")
def found(model, digits):
    return mixed(model, digits, max_drop=0.01, **OPTIONS)


def test_the_spoilt_layers_stay_float(found):
    assert found.keep_float == ("wide", "deep")
    assert found.met
    assert found.drop <= 0.01
    assert found.drop == pytest.approx(found.float_accuracy - found.accuracy)
    assert found.drop_low <= found.drop <= found.drop_high
    assert found.tried[0].keep_float == ()
    assert found.tried[0].drop > 0.01
    assert found.parameters == 24 * 36 * 8 + 24 + 24 * 24 + 24
    assert found.parameters < found.total_parameters
    assert (found.scheme, found.images) == ("int8", 120)


def test_the_model_with_them_float_is_as_accurate_as_said(found, model, digits):
    images = calibration_images(digits, None, OPTIONS["calibration"], 0)
    real = calibrated(model, images, keep_float=found.keep_float)
    split = some_images(digits.validation, OPTIONS["images"], 0, "")
    scores = keras.ops.convert_to_numpy(real(split.inputs(), training=False))
    assert (scores.argmax(axis=1) == split.labels).mean() == found.accuracy


def test_nothing_stays_float_where_nothing_hurts(model, digits):
    scan = sensitivity(model, digits, **OPTIONS)
    found = mixed(model, digits, max_drop=0.99, sensitivity=scan, **OPTIONS)
    assert found.keep_float == ()
    assert len(found.tried) == 1
    assert found.accuracy == scan.quantized.accuracy


def test_bad_input(model, digits, found):
    with pytest.raises(ConfigError, match=r"max_drop is a share of accuracy, such as 0\.005. Received: 5"):
        mixed(model, digits, max_drop=5)
    scan = sensitivity(model, digits, images=20, calibration=20, batch_size=20)
    with pytest.raises(ConfigError, match="a scan of scheme 'int8', but this is 'int4'"):
        mixed(model, digits, "int4", sensitivity=scan, images=20, calibration=20, batch_size=20)


@settings(deadline=None, max_examples=60)
@given(
    st.permutations("abcdef"),
    st.lists(st.sets(st.sampled_from("abcdef"), min_size=1), min_size=1, max_size=3),
)
def test_none_of_the_fewest_can_be_left_out(ranked, needs):
    """What is enough: one of several sets is spared whole."""

    def enough(names):
        return any(need <= set(names) for need in needs)

    chosen = fewest(ranked, enough)
    assert chosen is not None
    assert enough(chosen)
    for name in chosen:
        assert not enough(tuple(other for other in chosen if other != name))
    assert list(chosen) == [name for name in ranked if name in chosen]


def test_fewest_tries_none_and_single_names_first():
    asked = []

    def enough(names):
        asked.append(names)
        return "c" in names

    assert fewest(["a", "b", "c"], enough, ["c"]) == ("c",)
    assert asked == [(), ("c",)]
    assert fewest(["a", "b"], enough) is None
    assert fewest(["a"], lambda names: True) == ()
