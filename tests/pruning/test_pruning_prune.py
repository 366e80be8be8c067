from __future__ import annotations

import importlib
import json

import keras
import numpy as np
import pytest

from trimtab import pruning
from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import ConstantSparsity, KeepZeros, PolynomialSparsity, prune, sparsity_table
from trimtab.pruning._prune import _first_best_epoch, _schedule
from trimtab.training import Epoch, History, TrainingResult, train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras


@pytest.fixture(scope="module")
def trained(digits):
    """A small CNN that knows the digits, and a pruned copy of it."""
    from trimtab.zoo import cnn

    model = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, seed=0)
    train(model, digits, epochs=12, batch_size=32, learning_rate=3e-3)
    before = [np.array(weight) for weight in model.get_weights()]
    result = prune(model, digits, sparsity=0.6, epochs=4, batch_size=32)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the given model is untouched
    return model, result


def accuracy(model, split):
    logits = model.predict_on_batch(split.inputs())
    return float(np.mean(np.argmax(logits, axis=-1) == split.labels))


def test_the_asked_sparsity_is_reached_in_an_ordinary_model(trained, digits, tmp_path):
    model, result = trained
    assert [row.asked for row in result.layers] == [0.6] * 4
    for row in result.layers:
        assert row.zeros == row.size - int(max(np.round(np.float32(row.size) * np.float32(0.4)), 1))
    assert [type(layer) for layer in result.model.layers] == [type(layer) for layer in model.layers]
    assert not isinstance(result.model.optimizer, pruning.PruningOptimizer)
    result.model.save(tmp_path / "pruned.keras")
    loaded = keras.saving.load_model(tmp_path / "pruned.keras", compile=False)
    assert [row.zeros for row in sparsity_table(loaded)] == [row.zeros for row in result.layers]
    assert accuracy(result.model, digits.validation) > accuracy(model, digits.validation) - 0.1


def test_the_best_epoch_is_one_at_the_final_sparsity(trained):
    _, result = trained
    assert result.history.best_epoch >= 2
    assert "the final sparsity is reached in epoch 2; only epochs from there on count" in result.notes


def test_the_record_is_plain_data(trained):
    record = json.loads(json.dumps(to_plain(trained[1])))
    assert set(record) == {"layers", "skipped", "history", "notes"}
    assert record["notes"][0].startswith("schedule: PolynomialSparsity(initial=0.0, final=0.6, begin=0")


def test_fine_tuning_keeps_the_zeros(trained, digits):
    _, result = trained
    tuned = prune(result.model, digits, schedule=KeepZeros(), epochs=1, batch_size=64)
    assert [row.zeros for row in tuned.layers] == [row.zeros for row in result.layers]
    moved = zip(result.model.get_weights(), tuned.model.get_weights(), strict=True)
    assert any((one != other).any() for one, other in moved)


def test_named_layers_only(trained, digits):
    model, _ = trained
    result = prune(
        model, digits, sparsity=0.5, schedule="constant", layers=["dense"], epochs=1, batch_size=64, seed=1
    )
    assert [row.name for row in result.layers] == ["dense"]
    assert {name for name, _ in result.skipped} == {"conv_1", "conv_2", "logits"}
    assert [row.sparsity for row in sparsity_table(result.model)] == [0.0, 0.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("epochs_done", "reason"),
    [
        (2, "weights of equal magnitude stay or go together"),
        (1, "training ended after epoch 1, before the schedule's end in epoch 2"),
    ],
)
def test_zeros_that_are_missing_are_reported_with_the_reason(digits, monkeypatch, epochs_done, reason):
    inputs = keras.Input(digits.image_shape)
    outputs = keras.layers.Dense(digits.classes, name="logits", kernel_initializer="ones")(
        keras.layers.Flatten()(inputs)
    )
    model = keras.Model(inputs, outputs)

    def no_training(model, data, *, wrap_optimizer, **options):
        wrap_optimizer(keras.optimizers.SGD(0.1)).build(model.trainable_variables)
        epoch = Epoch(1, 1.0, 0.1, 1.0, 0.1, 0.1, 1.0)
        return TrainingResult(model, History((epoch,) * epochs_done, 1, 0.0))

    monkeypatch.setattr(importlib.import_module("trimtab.pruning._prune"), "train", no_training)
    steps = -(-len(digits.train) // 128)
    plan = PolynomialSparsity(0.0, 0.5, begin=0, end=2 * steps, frequency=steps)
    result = prune(model, digits, schedule=plan, epochs=2)
    assert f"logits/kernel has 0 zeros, 320 fewer than asked: {reason}" in result.notes


def test_a_kept_checkpoint_gives_the_pruned_model_at_once(trained, digits, tmp_path):
    model, path = trained[0], tmp_path / "state.npz"
    options = {"sparsity": 0.5, "epochs": 2, "seed": 1}
    first = prune(model, digits, checkpoint=path, keep_checkpoint=True, **options)
    before = path.read_bytes()
    again = prune(model, digits, checkpoint=path, keep_checkpoint=True, **options)
    pairs = zip(first.model.get_weights(), again.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert again.history == first.history
    assert again.layers == first.layers
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("epochs", "steps", "expected"),
    [
        (5, 100, PolynomialSparsity(0.0, 0.8, 0, 300, frequency=9)),
        (2, 1000, PolynomialSparsity(0.0, 0.8, 0, 1000, frequency=31)),
        (1, 90, PolynomialSparsity(0.0, 0.8, 0, 60, frequency=1)),
        (1, 1, PolynomialSparsity(0.0, 0.8, 0, 1, frequency=1)),
        (30, 1000, PolynomialSparsity(0.0, 0.8, 0, 20000, frequency=100)),
    ],
)
def test_the_default_schedule_leaves_a_third_to_fine_tune(epochs, steps, expected):
    found = _schedule("polynomial", 0.8, None, epochs, steps)
    assert found == expected
    assert _first_best_epoch(found, epochs, steps) == max(2 * epochs // 3, 1)


def test_constant_prunes_before_the_first_step():
    found = _schedule("constant", 0.5, 7, 3, 10)
    assert found == ConstantSparsity(0.5, begin=1, end=20, frequency=7)
    assert _first_best_epoch(found, 3, 10) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "final=1.0"),
        ({"schedule": "polinomial"}, "Did you mean 'polynomial'"),
        ({"schedule": 3}, "schedule=3"),
        ({"schedule": KeepZeros(), "frequency": 3}, "Leave frequency out"),
        ({"schedule": PolynomialSparsity(0, 0.5, 0, 10_000)}, "step 10000, but the training ends after"),
        ({"frequency": 0}, "frequency=0"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"layers": ["dens"]}, "Did you mean 'dense'"),
        ({"exclude": ["conv_1", "conv_2", "dense", "logits"]}, "Nothing is left to prune"),
    ],
)
def test_what_makes_no_sense_is_refused_before_training(trained, digits, options, message):
    with pytest.raises(ConfigError, match=message):
        prune(trained[0], digits, **options)


def test_what_is_no_keras_3_model_is_refused(digits):
    with pytest.raises(ModelError, match="A Keras 3 model is needed"):
        prune("model.keras", digits)
