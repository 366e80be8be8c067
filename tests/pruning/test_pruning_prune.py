from __future__ import annotations

import importlib
import json

import keras
import numpy as np
import pytest

from trimtab import pruning
from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import (
    ConstantSparsity,
    Criterion,
    KeepZeros,
    PolynomialSparsity,
    TabulatedSparsity,
    prune,
    sparsity_table,
)
from trimtab.pruning._plan import first_best_epoch, hold_rate, named_schedule
from trimtab.pruning._result import Asked
from trimtab.pruning.where._where import choose_weights
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
    assert set(record) == {
        "layers", "skipped", "history", "notes", "granularity", "importance", "ranking", "asked", "sparsity",
        "missed", "rounds",
    }  # fmt: skip
    assert (record["granularity"], record["importance"], record["ranking"]) == (
        "unstructured",
        "magnitude",
        "layer",
    )
    assert record["notes"][0].startswith("schedule: PolynomialSparsity(initial=0.0, final=0.6, begin=0")


def test_fine_tuning_keeps_the_zeros(trained, digits):
    _, result = trained
    tuned = prune(result.model, digits, schedule=KeepZeros(), epochs=1, batch_size=64)
    assert [row.zeros for row in tuned.layers] == [row.zeros for row in result.layers]
    moved = zip(result.model.get_weights(), tuned.model.get_weights(), strict=True)
    assert any((one != other).any() for one, other in moved)


def test_what_a_policy_has_to_say_is_noted(trained, digits):
    class Dense(pruning.Policy):
        def choose(self, model):
            return pruning.PolicyChoice(("dense",), useful_above=0.7, notes=("good on ARM",))

    options = {"layers": Dense(), "schedule": "one-shot", "epochs": 1}
    notes = prune(trained[0], digits, sparsity=0.5, **options).notes
    assert "good on ARM" in notes
    assert any("gains nothing there: more than 0.7 is needed" in note for note in notes)
    notes = prune(trained[0], digits, sparsity=0.8, **options).notes
    assert "good on ARM" in notes
    assert not any("gains nothing" in note for note in notes)


def test_a_layer_with_a_target_that_is_left_alone_is_noted(trained, digits):
    targets = {"conv_1": 0.5, "dense": 0.5}
    result = prune(trained[0], digits, sparsity=targets, granularity="2:4", schedule="one-shot", epochs=1)
    assert [row.name for row in result.layers] == ["dense"]
    (note,) = (note for note in result.notes if "left alone" in note)
    assert note.startswith("layer 'conv_1' was asked for, but is left alone: 2:4 needs at least 4")


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

    monkeypatch.setattr(importlib.import_module("trimtab.pruning._run"), "train", no_training)
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
    found = named_schedule("polynomial", 0.8, None, epochs, steps)
    assert found == expected
    assert first_best_epoch(found, epochs, steps) == max(2 * epochs // 3, 1)


def test_the_rate_falls_once_the_sparsity_is_reached(trained, digits):
    result = trained[1]
    rates = [epoch.learning_rate for epoch in result.history.epochs]
    assert rates[0] == rates[1] == pytest.approx(1e-3)
    assert rates[2] == pytest.approx(1e-3, rel=1e-3)
    assert rates[3] == pytest.approx(0.5e-3, rel=0.05)


@pytest.mark.parametrize(("hold", "held"), [(0, False), (5, True), (75, True), (76, False)])
def test_a_climb_that_leaves_no_time_falls_as_usual(hold, held):
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100))
    hold_rate(optimizer, 0.1, hold, 100)
    optimizer.iterations.assign(3)
    assert (float(optimizer.learning_rate) == pytest.approx(0.1)) == held
    optimizer.iterations.assign(100)
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-7)


def test_constant_prunes_before_the_first_step():
    found = named_schedule("constant", 0.5, 7, 3, 10)
    assert found == ConstantSparsity(0.5, begin=1, end=20, frequency=7)
    assert first_best_epoch(found, 3, 10) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "sparsity must be a share .* got 1.0"),
        ({"sparsity": -0.1}, "got -0.1"),
        ({"sparsity": True}, "got True"),
        ({"sparsity": "0.5"}, "got '0.5'"),
        ({"sparsity": float("nan")}, "got nan"),
        ({"sparsity": {}}, "names no layer"),
        ({"sparsity": {"dens": 0.5}}, "Did you mean 'dense'"),
        ({"sparsity": {"dense": 1.5}}, "sparsity of layer 'dense' must be .* got 1.5"),
        ({"sparsity": {"dense": 0.5}, "layers": ["dense"]}, "Leave layers out"),
        ({"sparsity": {"dense": 0.5}, "ranking": "global"}, "ranking='global' finds out by itself"),
        ({"sparsity": {"dense": 0.5}, "schedule": KeepZeros()}, "a schedule that climbs"),
        ({"sparsity": 0.5, "schedule": ConstantSparsity(0.6)}, "ends at 0.6. Leave sparsity out"),
        ({"sparsity": 0.5, "schedule": KeepZeros()}, "asks for no sparsity of its own"),
        ({"sparsity": 0.75, "granularity": "2:4"}, "2:4 makes a share of 0.5 .* sparsity of 0.75"),
        ({"sparsity": {"dense": 0.75}, "granularity": "2:4"}, "2:4 makes a share of 0.5"),
        ({"schedule": ConstantSparsity(0.6, 1), "granularity": "2:4"}, "2:4 makes a share of 0.5"),
        ({"granularity": "4:4"}, "4:4"),
        ({"granularity": "400x400"}, "Nothing is left to prune .*does not fit"),
        ({"granularity": "fine"}, "A granularity is"),
        ({"importance": "magnitud"}, "Did you mean 'magnitude'"),
        ({"ranking": "local"}, "'layer' or 'global'"),
        ({"schedule": lambda step: 2.0}, "got 2.0 at step 0"),
        ({"schedule": lambda step: 0.5 - step / 1e4}, "may not fall"),
        ({"schedule": lambda: 0.5}, "function fails for a step"),
        ({"schedule": "one-shot", "frequency": 3}, "has no updates in between"),
        ({"schedule": "iterative", "frequency": 3}, "has no updates in between"),
        ({"schedule": "iterative", "rounds": 0}, "rounds=0"),
        ({"schedule": "iterative", "rounds": 2.5}, "rounds=2.5"),
        ({"schedule": "iterative", "rewind": "weight"}, "Did you mean 'weights'"),
        ({"rounds": 5}, "rounds belongs to schedule='iterative'"),
        ({"rewind": "weights"}, "rewind belongs to schedule='iterative'"),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"patience": 0}, "patience=0"),
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
def test_what_makes_no_sense_is_refused_before_training(trained, digits, options, message, monkeypatch):
    run = importlib.import_module("trimtab.pruning._prune")
    monkeypatch.setattr(run, "clone", lambda model: pytest.fail("the model was copied"))
    with pytest.raises(ConfigError, match=message):
        prune(trained[0], digits, **options)


def test_what_is_no_keras_3_model_is_refused(digits):
    with pytest.raises(ModelError, match="A Keras 3 model is needed"):
        prune("model.keras", digits)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"granularity": "2:4", "ranking": "global"}, 0.5),
        ({"granularity": "4x1", "sparsity": 0.75}, 0.75),
        ({"granularity": "2x2", "sparsity": 0.6, "ranking": "global"}, 0.6),
        ({"importance": "taylor", "sparsity": 0.6, "schedule": "constant"}, 0.6),
        ({"importance": "random", "sparsity": 0.6, "schedule": "one-shot"}, 0.6),
        ({"importance": np.square, "sparsity": 0.5, "ranking": "global"}, 0.5),
        ({"schedule": lambda step: min(0.5, step / 10)}, 0.5),
        ({"schedule": TabulatedSparsity([0.2, 0.55], begin=1, frequency=5), "frequency": None}, 0.55),
    ],
)
def test_each_kind_reaches_what_was_asked(trained, digits, options, asked):
    if options.get("importance") is np.square:
        options = {**options, "importance": keras.ops.square}
    result = prune(trained[0], digits, epochs=1, batch_size=128, **options)
    assert result.missed == ()
    assert result.asked == pytest.approx(asked, abs=0.01)
    zeros, size = sum(row.zeros for row in result.layers), sum(row.size for row in result.layers)
    assert result.sparsity == zeros / size >= result.asked
    assert zeros / size == pytest.approx(asked, abs=0.01)
    by_layer = options.get("ranking", "layer") == "layer"
    assert {row.asked for row in result.layers} == ({asked} if by_layer else {None})
    assert result.ranking == ("layer" if by_layer else "global")
    json.dumps(to_plain(result))


def test_layers_have_targets_of_their_own(trained, digits):
    result = prune(
        trained[0], digits, sparsity={"dense": 0.9, "conv_2": 0.3, "logits": 0.0}, epochs=1, batch_size=128
    )
    assert [(row.name, row.asked) for row in result.layers] == [("conv_2", 0.3), ("dense", 0.9)]
    shares = {row.name: row.sparsity for row in sparsity_table(result.model)}
    assert shares == pytest.approx({"conv_1": 0, "conv_2": 0.3, "dense": 0.9, "logits": 0}, abs=0.002)


def test_what_the_ranking_of_all_together_missed_is_said():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, kernel_initializer="ones")])
    weights = choose_weights(model)[0]
    asked = Asked.of(weights, Criterion(ranking="global"), [0.5])
    assert asked.missed() == (
        "all weights together have 0 zeros, 12 fewer than asked: weights of equal magnitude stay or go "
        "together",
    )


def test_zeros_are_plain_zeros(trained):
    for row in trained[1].layers:
        kernel = np.array(trained[1].model.get_layer(row.name).kernel)
        assert not np.signbit(kernel[kernel == 0]).any()  # minus zeros would not compress


@pytest.mark.parametrize(
    ("sparsity", "schedule", "ranking"),
    [
        (0.8, "polynomial", "layer"),
        (0.8, "polynomial", "global"),
        (0.3, "one-shot", "layer"),
        (0.5, "polynomial", "layer"),
        ({"dense": 0.8, "conv_1": 0.2}, "polynomial", "layer"),
    ],
)
def test_a_sparse_model_is_pruned_on_from_the_zeros_it_has(trained, digits, sparsity, schedule, ranking):
    given = trained[1].model
    before = {row.name: row.zeros for row in sparsity_table(given)}
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(
            {row.name: row.zeros for row in sparsity_table(watch.model)}
        )
    )
    result = prune(
        given,
        digits,
        sparsity=sparsity,
        schedule=schedule,
        ranking=ranking,
        epochs=2,
        batch_size=128,
        callbacks=[watch],
    )
    assert result.missed == ()
    pruned = [row.name for row in result.layers]
    least = [sum(zeros[name] for name in pruned) for zeros in seen]
    assert min(least) >= sum(before[name] for name in pruned)
    if ranking == "layer":
        assert all(zeros[name] >= before[name] for zeros in seen for name in pruned)
    if schedule == "polynomial":
        final = result.schedule.final
        assert result.schedule.initial == pytest.approx(min(0.6, final), abs=0.01)


def test_a_weight_that_is_all_zeros_still_learns(digits):
    inputs = keras.Input(digits.image_shape)
    hidden = keras.layers.Dense(16, activation="relu", name="hidden")(keras.layers.Flatten()(inputs))
    outputs = keras.layers.Dense(digits.classes, name="logits", kernel_initializer="zeros")(hidden)
    model = keras.Model(inputs, outputs)
    for schedule in ("polynomial", "iterative"):
        rounds = {"rounds": 2} if schedule == "iterative" else {}
        result = prune(model, digits, sparsity=0.5, schedule=schedule, epochs=2, batch_size=128, **rounds)
        assert {row.name: round(row.sparsity, 1) for row in result.layers} == {"hidden": 0.5, "logits": 0.5}
