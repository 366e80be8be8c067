"""The sensitivity scan: what it measures, what it leaves untouched, and what is made of it."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest

from trimtab import pruning
from trimtab._records import to_plain
from trimtab.data import ImageData, Split
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.models._forward import forward
from trimtab.pruning import Sensitivity, sensitivity

pytestmark = pytest.mark.backend

LEVELS = (0.5, 0.9)


def build(digits, filters=8):
    """A small CNN with batch normalisation and dropout."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(filters, 3, strides=2, name="conv"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3, seed=0),
        keras.layers.Dense(24, activation="relu", name="hidden"),
        keras.layers.Dense(digits.classes, name="logits"),
    ]
    return keras.Sequential([keras.layers.Input(digits.image_shape), *layers])


@pytest.fixture(scope="module")
def model(digits):
    """The same, trained."""
    made = build(digits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(5e-3), loss)
    images, labels = digits.train.inputs(), digits.train.labels
    order = np.random.default_rng(0).permutation(len(labels))
    for _ in range(6):
        for start in range(0, len(labels) - 64, 64):
            batch = order[start : start + 64]
            made.train_on_batch(images[batch], labels[batch])
    return made


@pytest.fixture(scope="module")
def scan(model, digits):
    return sensitivity(model, digits, levels=LEVELS, batch_size=50)


def bits(model):
    """Every number of the model, bit for bit."""
    return b"".join(np.asarray(weight).tobytes() for weight in model.get_weights())


def by_hand(model, digits, layer, level, images=None):
    """Accuracy and loss with one layer pruned by magnitude, by Keras' own means."""
    weights = model.get_weights()
    kernel = model.get_layer(layer).kernel
    keep = keras.ops.convert_to_numpy(pruning.magnitude_mask(kernel, level))
    copy = build(digits)
    copy.set_weights(weights)
    copy.get_layer(layer).kernel.assign(np.where(keep, keras.ops.convert_to_numpy(kernel.value), 0))
    scores = np.asarray(copy.predict_on_batch(digits.validation.inputs()), np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    labels = digits.validation.labels
    return (scores.argmax(axis=1) == labels).mean(), -logs[np.arange(len(labels)), labels].mean(), keep


def test_each_layer_alone_at_each_level(scan, model, digits):
    assert [layer.name for layer in scan.layers] == ["conv", "hidden", "logits"]
    assert scan.images == len(digits.validation)
    assert scan.accuracy > 0.85
    for layer in scan.layers:
        assert [point.sparsity for point in layer.points] == list(LEVELS)
        for point in layer.points:
            accuracy, loss, keep = by_hand(model, digits, layer.name, point.sparsity)
            assert point.accuracy == pytest.approx(accuracy, abs=1.01 / scan.images)
            assert point.loss == pytest.approx(loss, rel=1e-4)
            assert point.zeros == keep.size - keep.sum()
            assert layer.size == keep.size
            assert point.change == pytest.approx(point.accuracy - scan.accuracy)
            assert point.low <= point.accuracy <= point.high
            assert point.change_low <= point.change <= point.change_high
    assert min(layer.points[1].change for layer in scan.layers) < -0.1  # something hurts
    assert all(layer.points[1].loss > layer.points[0].loss for layer in scan.layers)
    assert scan.skipped == (("norm", "BatchNormalization has no kernel that may be pruned"),)


def test_the_model_is_untouched(model, digits):
    before = bits(model)
    sensitivity(model, digits, levels=(0.9,), images=20)
    assert bits(model) == before


class Stops:
    """Progress that stops the scan after some measurements, as Ctrl-C would."""

    def __init__(self, after, error):
        self.left, self.error, self.notes = after, error, []

    def task(self, label, total=None, unit=""):
        self.told = label, total, unit
        return self

    def advance(self, steps=1, note=""):
        self.notes.append(note)
        self.left -= 1
        if self.left == 0:
            raise self.error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")])
def test_weights_are_put_back_when_it_is_stopped(model, digits, error, monkeypatch):
    before = bits(model)
    with pytest.raises(type(error)):
        sensitivity(model, digits, levels=LEVELS, images=20, progress=Stops(3, error))
    assert bits(model) == before

    from trimtab.pruning.scanning import _sensitivity

    real, calls = _sensitivity.judge, []

    def stopped(*arguments):
        calls.append(bits(model))
        if len(calls) == 3:  # in the middle of a measurement, with a layer pruned
            raise error
        return real(*arguments)

    monkeypatch.setattr(_sensitivity, "judge", stopped)
    with pytest.raises(type(error)):
        sensitivity(model, digits, levels=LEVELS, images=20)
    assert calls[0] == before != calls[2]
    assert bits(model) == before


def test_progress_is_told_of_each_measurement(model, digits):
    progress = Stops(-1, None)
    sensitivity(model, digits, levels=LEVELS, images=20, progress=progress, label="scan")
    assert progress.told == ("scan", 7, "measurements")
    assert len(progress.notes) == 7
    assert progress.notes[0].startswith("whole model ")
    assert progress.notes[1].startswith("conv at 50 %: ")


def test_one_compilation_serves_the_whole_scan(digits):
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(None)  # torch runs this each time; a compiled function only when it is traced
            return inputs

        def compute_output_shape(self, input_shape):
            return input_shape

    inputs = keras.Input(digits.image_shape)
    counted = Counting()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10)(counted))
    sensitivity(model, digits, levels=(0.5,), images=100, batch_size=32)
    first = len(traces)
    traces.clear()
    sensitivity(model, digits, levels=(0.2, 0.4, 0.6, 0.8, 0.9), images=100, batch_size=32)
    if keras.backend.backend() != "torch":
        assert len(traces) == first


def test_the_forward_pass_sees_new_weights(model, digits):
    outputs = forward(model)
    images = digits.test.inputs(0, 16)
    before = outputs(images)
    kernel = model.get_layer("logits").kernel
    kept = np.array(keras.ops.convert_to_numpy(kernel.value))
    kernel.assign(np.zeros_like(kept))
    bare = outputs(images)
    kernel.assign(kept)
    assert np.ptp(bare, axis=0).max() < 1e-6  # the bias alone
    np.testing.assert_array_equal(outputs(images), before)


def test_only_validation_images_judge(model, digits):
    poisoned = Split(digits.test.images[:0], digits.test.labels[:0])
    nothing_else = ImageData(
        "validation only", Split(digits.train.images[:8], digits.train.labels[:8]), digits.validation,
        poisoned, digits.class_names, "", "",
    )  # fmt: skip
    one = sensitivity(model, nothing_else, levels=(0.9,), layers=["hidden"])
    other = sensitivity(model, digits, levels=(0.9,), layers=["hidden"])
    assert one.layers == other.layers


def test_fewer_images_are_chosen_by_the_seed(model, digits):
    one, same, other = (
        sensitivity(model, digits, levels=(0.9,), layers=["conv"], images=60, seed=seed) for seed in (0, 0, 1)
    )
    assert one == same
    assert one.images == 60
    assert one.loss != other.loss


@pytest.mark.parametrize(
    ("granularity", "levels", "zeros"), [("4x1", (0.5,), 0.5), ("2:4", (0.25, 0.5, 0.9), 0.5)]
)
def test_granularities(model, digits, granularity, levels, zeros):
    found = sensitivity(model, digits, levels=levels, granularity=granularity, images=50)
    assert found.granularity == granularity
    hidden = next(layer for layer in found.layers if layer.name == "hidden")
    assert hidden.points[-1].zeros / hidden.size == pytest.approx(zeros, abs=0.02)
    if granularity == "2:4":
        assert found.notes == ("not tried: 90 %, since 2:4 makes at most 50 % of a layer zero",)
        with pytest.raises(ConfigError, match=r"makes at most 0\.5 of a layer zero, but the lowest level"):
            sensitivity(model, digits, levels=(0.9,), granularity=granularity, images=50)
        assert max(found.targets(0.45).values()) <= 0.5


def test_importances(model, digits):
    losses = {
        name: sensitivity(model, digits, levels=(0.5,), importance=name).layers[1].points[0].loss
        for name in ("magnitude", "taylor", "random")
    }
    assert losses["taylor"] < losses["random"]
    assert losses["magnitude"] < losses["random"]
    assert len(set(losses.values())) == 3


def test_layers_may_be_chosen(model, digits):
    names = [
        [layer.name for layer in sensitivity(model, digits, levels=(0.5,), images=9, **options).layers]
        for options in ({"layers": ["hidden"]}, {"exclude": ["hidden"]}, {"skip_ends": True})
    ]
    assert names == [["hidden"], ["conv", "logits"], ["hidden"]]


def test_a_layer_with_two_weights_is_one_layer(digits):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.SeparableConv2D(6, 3, name="separable"), keras.layers.GlobalAveragePooling2D()]
    stack = [keras.layers.Input(digits.image_shape), *layers, keras.layers.Dense(10, activation="softmax")]
    found = sensitivity(keras.Sequential(stack), digits, levels=(0.5,), images=30)
    assert (found.layers[0].name, found.layers[0].size) == ("separable", 9 + 6)
    assert found.layers[0].points[0].zeros == pytest.approx(7.5, abs=1)


def test_the_record_makes_it_again(scan):
    record = json.loads(json.dumps(to_plain(scan)))
    assert Sensitivity.from_record(record) == scan
    for damage in ({"layers": 3}, {"layers": [{"name": "a"}]}, {"nonsense": 1}):
        with pytest.raises(DataError, match="not that of a sensitivity scan"):
            Sensitivity.from_record({**record, **damage})
    del record["layers"][0]["points"][0]["loss"]
    with pytest.raises(DataError, match="not that of a sensitivity scan"):
        Sensitivity.from_record(record)


def test_targets_make_the_total_and_spare_what_hurts(scan):
    targets = scan.targets(0.8, floor=0.1, ceiling=0.95)
    assert list(targets) == ["conv", "hidden", "logits"]
    size = sum(layer.size for layer in scan.layers)
    reached = sum(layer.size * targets[layer.name] for layer in scan.layers) / size
    assert reached == pytest.approx(0.8)
    assert all(0.1 <= target <= 0.95 for target in targets.values())
    tolerated = []
    for layer in scan.layers:
        levels, losses = [0, *LEVELS], [scan.loss, *(point.loss for point in layer.points)]
        if 0.1 < targets[layer.name] < LEVELS[-1]:
            tolerated.append(np.interp(targets[layer.name], levels, np.maximum.accumulate(losses)))
    assert len(tolerated) >= 2
    assert tolerated == pytest.approx([tolerated[0]] * len(tolerated))  # all are hurt alike


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sparsity": 1.0}, "sparsity must be a share of zeros"),
        ({"sparsity": 0.5, "floor": 0.9, "ceiling": 0.8}, "needs floor <= ceiling"),
        ({"sparsity": 0.5, "ceiling": True}, "ceiling must be a share of zeros"),
        ({"sparsity": 0.985}, "cannot be shared out"),
    ],
)
def test_targets_refuse_what_makes_no_sense(scan, options, told):
    with pytest.raises(ConfigError, match=told):
        scan.targets(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"levels": ()}, "levels needs shares of zeros"),
        ({"levels": (0.5, 1.0)}, "but got 1.0 among them"),
        ({"levels": (True,)}, "but got True among them"),
        ({"images": 0}, "images=0 must be a whole number"),
        ({"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"batch_size": 2.5}, "batch_size=2.5 must be a whole number"),
        ({"from_logits": "no"}, "from_logits='no' must be True, False, or None"),
        ({"layers": ["hiden"]}, "Did you mean 'hidden'"),
        ({"granularity": "9:4"}, "9"),
    ],
)
def test_bad_input(model, digits, options, told):
    with pytest.raises(ConfigError, match=told):
        sensitivity(model, digits, **options)


def test_layers_of_one_name_are_kept_apart(digits):
    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat = keras.layers.Flatten()
            self.hidden = keras.layers.Dense(8, activation="relu", name="same")
            self.out = keras.layers.Dense(digits.classes, name="same")

        def call(self, inputs, training=None):
            return self.out(self.hidden(self.flat(inputs)))

    keras.utils.set_random_seed(0)
    twins = Twins()
    twins(digits.train.inputs(0, 1))
    found = sensitivity(twins, digits, levels=(0.5,), images=20)
    assert [(layer.name, layer.size) for layer in found.layers] == [("same#1", 512), ("same#2", 80)]
    assert set(found.targets(0.5)) == {"same#1", "same#2"}


def test_data_by_its_name_is_refused(model):
    with pytest.raises(ConfigError, match=r"but got str. Give trimtab.load_data\('digits'\)"):
        sensitivity(model, "digits")


def test_bad_data_and_models(model, digits):
    empty = Split(digits.train.images[:0], digits.train.labels[:0])
    bare = dataclasses.replace(digits, validation=empty, name="bare")
    with pytest.raises(DataError, match="bare has no validation images"):
        sensitivity(model, bare)
    broken = build(digits)
    broken.get_layer("logits").bias.assign(np.full(digits.classes, np.inf, "float32"))
    with pytest.raises(ModelError, match="gives NaN or infinite outputs on the validation images"):
        sensitivity(broken, digits, from_logits=True, images=8)
