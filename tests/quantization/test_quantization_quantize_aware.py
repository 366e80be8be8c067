from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from trimtab import load_model, save_model, train
from trimtab._records import to_plain
from trimtab.errors import ConfigError, DataError
from trimtab.litert import convert, inspect
from trimtab.models import model_digest
from trimtab.quantization import calibrated, quantize_aware, strip

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras


@pytest.fixture(scope="module")
def trained(digits):
    """A small CNN with batch normalisation that knows the digits, with a third of its weights pruned away."""
    from trimtab.zoo import cnn

    model = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    train(model, digits, epochs=6, batch_size=32, learning_rate=5e-3)
    kernel = model.get_layer("conv_2").kernel
    values = np.array(keras.ops.convert_to_numpy(kernel))
    values[np.abs(values) < np.quantile(np.abs(values), 1 / 3)] = 0
    kernel.assign(values)
    return model


@pytest.fixture(scope="module")
def result(trained, digits):
    before = [np.array(weight) for weight in trained.get_weights()]
    made = quantize_aware(trained, digits, epochs=3, batch_size=64, freeze_ranges=0.5, calibration=100)
    for one, other in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the given model is untouched
    return made


def scores(model, images):
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))


def accuracy(model, split):
    return float(np.mean(scores(model, split.inputs()).argmax(-1) == split.labels))


def test_it_is_as_good_as_the_float_model(trained, result, digits):
    assert accuracy(result.model, digits.validation) > accuracy(trained, digits.validation) - 0.03
    assert result.kept_float == {}
    assert result.frozen_from == 3
    assert result.calibration_images == 100


def test_the_file_is_the_model(result, digits, wrong_steps):
    content = convert(result.model, "int8")
    assert inspect(content).float_tensors == ()
    wrong = wrong_steps(result.model, content, digits.test.inputs())
    assert wrong.max() <= 1
    assert (wrong > 0).mean() < 0.005


def test_zeros_stay_zeros_and_the_rest_is_trained(trained, result):
    before = np.asarray(trained.get_layer("conv_2").kernel)
    after = np.asarray(result.model.get_layer("conv_2").kernel)
    np.testing.assert_array_equal(after == 0, before == 0)
    start = quantize_aware(trained, images=np.zeros((10, 8, 8, 1), "float32"), epochs=0)
    assert (np.asarray(start.model.get_layer("conv_2").kernel) != after).any()
    assert (start.model.get_layer("conv_2").integers()[before == 0] == 0).all()


def test_the_record_is_plain_data(result):
    record = json.loads(json.dumps(to_plain(result)))
    assert set(record) == {
        "history", "weights_bits", "ranges_method", "calibration_method", "calibration_images", "frozen_from",
        "kept_float", "ranges", "teacher", "notes",
    }  # fmt: skip
    assert record["ranges"][0]["name"] == "images_quantizer"
    assert record["ranges"][0]["step"] == pytest.approx(1 / 255, rel=1e-3)


def test_it_is_saved_and_loaded(result, digits, tmp_path):
    result.model.save(tmp_path / "aware.keras")
    loaded = load_model(tmp_path / "aware.keras")
    images = digits.test.inputs(0, 100)
    np.testing.assert_array_equal(scores(loaded, images), scores(result.model, images))
    assert accuracy(strip(loaded), digits.test) == pytest.approx(accuracy(loaded, digits.test), abs=0.02)


def test_it_trains_with_plain_fit(trained, digits):
    made = quantize_aware(trained, digits, epochs=0, ranges="learned", weights_bits=4)
    assert made.history is None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    before = made.model.evaluate(digits.train.inputs(), digits.train.labels, verbose=0)
    first = made.model.get_layer("images_quantizer").range()
    made.model.fit(digits.train.inputs(), digits.train.labels, epochs=2, verbose=0)
    assert made.model.evaluate(digits.train.inputs(), digits.train.labels, verbose=0) < before
    assert made.model.get_layer("logits_quantizer").learned
    assert made.model.get_layer("images_quantizer").range() != first


def test_what_shares_a_value_goes_on_sharing(trained, digits):
    clustered = keras.models.clone_model(trained)
    clustered.set_weights(trained.get_weights())
    kernel = clustered.get_layer("logits").kernel
    kernel.assign(np.round(np.asarray(kernel) * 4) / 4)
    made = quantize_aware(clustered, digits, epochs=1, batch_size=64, teacher="itself")
    values = np.asarray(made.model.get_layer("logits").kernel)
    before = np.asarray(kernel)
    assert all(len(np.unique(values[before == value])) == 1 for value in np.unique(before))
    assert (values != before).any()
    assert made.teacher == "itself"
    assert any("go on sharing" in note for note in made.notes)


def test_a_training_goes_on_where_it_was_stopped(trained, digits, tmp_path):
    options = {"epochs": 2, "batch_size": 128, "calibration": 50, "freeze_ranges": 0.5}
    whole = quantize_aware(trained, digits, **options)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_aware(trained, digits, **options, checkpoint=tmp_path / "c.npz", callbacks=[Stop()])
    # The callback comes before the checkpoint is written, so that the first epoch is run again.
    again = quantize_aware(trained, digits, **options, checkpoint=tmp_path / "c.npz")
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_softmax_is_taken_off(trained, digits):
    ending = keras.Sequential([trained, keras.layers.Softmax()])
    made = quantize_aware(ending, digits, epochs=0)
    assert "the softmax at the end was taken off" in made.notes[0]
    assert scores(made.model, digits.test.inputs(0, 5)).sum(-1) != pytest.approx(np.ones(5))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": -1}, "epochs must be a whole number of at least 0"),
        ({"freeze_ranges": 1.5}, "freeze_ranges is the share"),
        ({"calibration": 0}, "calibration is a number of training images, 10 or more"),
        ({"calibration_method": "minmx"}, "Did you mean 'minmax'"),
        ({"ranges": "fixed"}, "ranges='fixed' is not known"),
        ({"weights_bits": 2}, "weights_bits is 8 or 4"),
        ({"teacher": "me"}, "teacher is 'itself'"),
        ({"keep_float": ["conv_9"]}, "names no layer with weights"),
    ],
)
def test_what_makes_no_sense_is_refused(trained, digits, options, said):
    with pytest.raises(ConfigError, match=said):
        quantize_aware(trained, digits, **options)


def test_there_must_be_something_to_train_with(trained):
    with pytest.raises(DataError, match="needs data="):
        quantize_aware(trained)


def test_an_aware_model_loads_where_nothing_else_was_imported(trained, digits, tmp_path):
    """A command that is given one has a process of its own, which has not met its layers yet."""
    aware = quantize_aware(trained, digits, epochs=0).model
    save_model(aware, tmp_path / "aware.keras")
    code = (
        f"import trimtab\nmodel = trimtab.load_model({str(tmp_path / 'aware.keras')!r})\n"
        "print(type(model).__name__, trimtab.models.model_digest(model))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["QuantizeAwareModel", model_digest(aware)]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((9, 8, 8, 1), "float32"), "9 image.s. cannot calibrate ranges; at least 10"),
        (np.zeros((20, 8, 8, 3), "float32"), r"have shape \(8, 8, 3\), and the model takes \(8, 8, 1\)"),
        (np.zeros((20, 64), "float32"), r"have shape \(64,\)"),
        ([[0.0]], "calibrated with float images.*Received: list"),
        (np.zeros((20, 8, 8, 1), "uint8"), "Received: uint8"),
    ],
)
def test_images_that_cannot_calibrate_are_refused(trained, images, said):
    with pytest.raises(ConfigError, match=said):
        quantize_aware(trained, images=images, epochs=0)
    with pytest.raises(ConfigError, match=said):
        calibrated(trained, images)


def test_ranges_that_never_froze_are_not_said_to(trained, digits):
    options = {"epochs": 4, "freeze_ranges": 0.5, "calibration": 50, "batch_size": 256}
    made = quantize_aware(trained, digits, patience=1, learning_rate=1.0, **options)
    assert len(made.history.epochs) == 2
    assert made.frozen_from is None
