from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import trimtab
from trimtab._records import to_plain
from trimtab.channel_pruning import GroupChange, _fine_tuning, prune_channels
from trimtab.channels import remove
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.models import clone, macs, parameters
from trimtab.training import train
from trimtab.training._checkpoint import weights_digest

FAST = {"epochs": 2, "batch_size": 64, "round_to": 4, "least": 4}
SURGERY = {"epochs": 0, "round_to": 4, "least": 4}


@pytest.fixture(scope="module")
def digits():
    """Few of the digits: much is trained here."""
    return trimtab.load_data("digits", limit=256)


@pytest.fixture(scope="module")
def trained(digits):
    """A small CNN with batch normalisation."""
    model = trimtab.zoo.cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, batch_norm=True)
    train(model, digits, epochs=4, batch_size=64, learning_rate=3e-3)
    return model


@pytest.fixture
def untrainable(monkeypatch):
    """Fails where anything is trained."""

    def fail(*_, **__):
        raise AssertionError("something was trained")

    monkeypatch.setattr(_fine_tuning, "train", fail)
    monkeypatch.setattr("trimtab.distillation.distill", fail)


def test_the_result_is_a_smaller_ordinary_model_and_the_original_is_untouched(trained, digits, tmp_path):
    before = weights_digest(trained), [layer.name for layer in trained.layers]
    result = prune_channels(trained, digits, ratio=0.4, **FAST)
    model = result.model
    assert (weights_digest(trained), [layer.name for layer in trained.layers]) == before
    assert type(model) is type(trained)
    assert [layer.name for layer in model.layers] == before[1]
    assert result.parameters == (parameters(trained), parameters(model))
    assert result.macs == (macs(trained), macs(model))
    assert result.parameters[1] < 0.75 * result.parameters[0]
    assert result.ratio == pytest.approx(0.4, abs=0.06)
    assert sum(g.before for g in result.groups) * (1 - result.ratio) == pytest.approx(
        sum(g.after for g in result.groups)
    )
    assert len(result.history.epochs) == 2
    assert result.rounds[0].best_epoch == result.history.best_epoch
    assert any("measured anew" in note for note in result.notes)
    assert dict(result.skipped)["logits"]
    model.save(tmp_path / "smaller.keras")
    again = keras.saving.load_model(tmp_path / "smaller.keras")
    images = digits.test.inputs(0, 8)
    np.testing.assert_allclose(again.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-5)


@pytest.mark.backend
def test_all_of_it_works_on_each_backend():
    few = trimtab.load_data("digits", limit=96)
    model = trimtab.zoo.cnn(few.image_shape, few.classes, filters=(8,), dense=0, batch_norm=True)
    before = weights_digest(model)
    result = prune_channels(
        model, few, ratio=0.5, sparsity_learning="bn", sparsity_epochs=1, epochs=1, round_to=1, least=1
    )
    assert weights_digest(model) == before
    assert [group.after for group in result.groups] == [4]
    assert len(result.history.epochs) == 2
    assert any("1 batch normalisation were measured anew" in note for note in result.notes)
    assert np.isfinite(result.model.predict(few.test.inputs(0, 4), verbose=0)).all()


def test_it_tells_plainly_what_was_done(trained, digits):
    result = prune_channels(trained, digits, macs="60%", recalibrate=False, **SURGERY)
    text = str(result)
    assert text.startswith("macs=60%: ")
    assert f"{result.parameters[0]:,} -> {result.parameters[1]:,} parameters" in text
    assert f"{result.macs[0]:,} -> {result.macs[1]:,} MACs" in text
    assert "left alone: logits: " in text
    assert result.reached == result.macs[1] <= 0.6 * result.macs[0]
    assert result.missed == ()
    plain = json.loads(json.dumps(to_plain(result)))
    assert plain["groups"] == [list(group) for group in result.groups]
    assert plain["asked"] == "macs=60%"
    assert "model" not in plain
    assert "keep" not in plain


def test_without_data_it_is_just_the_surgery(trained):
    result = prune_channels(trained, parameters="50%", **SURGERY)
    assert result.history is None
    assert result.parameters[1] <= 0.5 * result.parameters[0]
    same = remove(trained, result.keep)
    for mine, its in zip(result.model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert result.rounds[0].val_accuracy is None


def test_recalibration_wins_accuracy_back_before_any_training(trained, digits):
    right = {}
    for recalibrate in (False, True):
        model = prune_channels(trained, digits, ratio=0.4, recalibrate=recalibrate, **SURGERY).model
        guesses = model.predict(digits.validation.inputs(), verbose=0).argmax(axis=1)
        right[recalibrate] = (guesses == digits.validation.labels).mean()
    assert right[True] >= right[False]
    kept = prune_channels(trained, digits, ratio=0.4, recalibrate=False, **SURGERY)
    assert not any("measured anew" in note for note in kept.notes)


def test_what_floors_do_not_allow_is_said_to_be_missed(trained):
    result = prune_channels(trained, ratio=0.9, ranking="group", epochs=0)
    assert [group.after for group in result.groups] == [8, 8, 8]
    (sentence,) = result.missed
    assert sentence.startswith("40.0% of the channels were removed, 90.0% were asked for")
    assert sentence in result.notes
    assert f"missed: {sentence}" in str(result)
    assert "all of its 8 units are needed" in dict(result.skipped)["conv_1"]


def test_residual_nets_and_taylor(digits):
    model = trimtab.zoo.resnet(digits.image_shape, digits.classes, width=8)
    result = prune_channels(model, digits, ratio=0.3, importance="taylor", **SURGERY)
    assert result.importance == "taylor"
    assert result.model.predict(digits.test.inputs(0, 4), verbose=0).shape == (4, 10)
    tied = [layers for layers in result.tied.values() if len(layers) > 3]
    assert tied, "a stage of residual blocks is one group"


def test_a_teacher_helps_and_none_is_changed(trained, digits):
    before = weights_digest(trained)
    result = prune_channels(trained, digits, ratio=0.5, teacher="itself", temperature=3, alpha=0.2, **FAST)
    assert weights_digest(trained) == before
    assert "a teacher was learnt from beside the labels" in result.notes
    plain = prune_channels(trained, digits, ratio=0.5, **FAST)
    assert plain.groups == result.groups
    assert weights_digest(plain.model) != weights_digest(result.model)
    same = prune_channels(
        trained, digits, ratio=0.5, teacher=clone(trained), temperature=3, alpha=0.2, **FAST
    )
    assert weights_digest(same.model) == weights_digest(result.model)


def test_what_the_model_gives_is_told_with_a_teacher_too(monkeypatch):
    told = {}

    def taught(model, teacher, data, **options):
        told.update(options)
        return SimpleNamespace(history=None, notes=())

    monkeypatch.setattr("trimtab.distillation.distill", taught)
    tuning = _fine_tuning.FineTuning(None, {}, teacher=object(), from_logits=True)
    tuning.train(None, _fine_tuning.Phase(1, 1, "prune channels", last=True))
    assert told["from_logits"] is True


def test_attention_loses_heads_without_being_asked_for_single_ones():
    inputs = keras.Input((6, 16))
    x = keras.layers.MultiHeadAttention(4, 8, name="heads")(inputs, inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    result = prune_channels(model, ratio=0.5, epochs=0)
    assert GroupChange("heads", 4, 2) in result.groups
    assert result.model.get_layer("heads").num_heads == 2


def test_sparsity_learning_comes_first(trained, digits):
    options = {**FAST, "epochs": 1, "sparsity_epochs": 2, "strength": 1e-2}
    result = prune_channels(trained, digits, ratio=0.4, sparsity_learning="kernels", **options)
    assert [epoch.epoch for epoch in result.history.epochs] == [1, 2, 3]
    assert result.history.best_epoch == result.rounds[-1].best_epoch == 3
    assert any("a group lasso on kernels (strength 0.01, epochs: 2)" in note for note in result.notes)
    alone = prune_channels(trained, digits, ratio=0.4, sparsity_learning="bn", **{**options, "epochs": 0})
    assert len(alone.history.epochs) == 2
    assert alone.rounds[0].val_accuracy is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "Give one target"),
        ({"ratio": 0.5, "macs": "50%"}, ConfigError, "Give one target"),
        ({"ratio": 1.0}, ConfigError, "ratio=1.0"),
        ({"ratio": 0}, ConfigError, "ratio=0"),
        ({"parameters": 10}, ConfigError, "cannot be met"),
        ({"parameters": 10, "sparsity_learning": "kernels"}, ConfigError, "cannot be met"),
        ({"ratio": 0.001}, ConfigError, "removes nothing"),
        ({"ratio": 0.5, "importance": "l3"}, ConfigError, "Did you mean"),
        ({"ratio": 0.5, "ranking": "layer"}, ConfigError, "ranking"),
        ({"ratio": 0.5, "exclude": ["conv1"]}, ConfigError, "Did you mean"),
        ({"ratio": 0.5, "layers": []}, ConfigError, "layers is an empty list"),
        ({"ratio": 0.5, "schedule": "often"}, ConfigError, "schedule='often'"),
        ({"ratio": 0.5, "optimizer": "adm"}, ConfigError, "Did you mean 'adam'"),
        ({"ratio": 0.5, "learning_rate": -1}, ConfigError, "learning_rate=-1"),
        ({"ratio": 0.5, "seed": -1}, ConfigError, "seed=-1"),
        ({"ratio": 0.5, "teacher": "themselves"}, ConfigError, "Did you mean 'itself'"),
        ({"ratio": 0.5, "teacher": "itself", "alpha": 2}, ConfigError, "alpha=2"),
        ({"ratio": 0.5, "alpha": 0.5}, ConfigError, "alpha belongs to"),
        ({"ratio": 0.5, "rounds": 2}, ConfigError, "rounds belongs to"),
        ({"ratio": 0.5, "least": 1000, "round_to": 1}, ConfigError, "No channel may go"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(
    trained, digits, untrainable, options, error, message
):
    with pytest.raises(error) as refused:
        prune_channels(trained, digits, **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_models_and_data_that_do_not_suit_are_refused(trained, digits, untrainable):
    with pytest.raises(ConfigError, match="needs images to train on"):
        prune_channels(trained, ratio=0.5)
    with pytest.raises(ConfigError, match="Sparsity learning needs images"):
        prune_channels(trained, ratio=0.5, epochs=0, sparsity_learning="bn")
    with pytest.raises(ConfigError, match="needs training images for its gradients"):
        prune_channels(trained, ratio=0.5, epochs=0, importance="taylor")
    with pytest.raises(DataError, match="no validation images"):
        prune_channels(trained, trimtab.load_data("digits", limit=64, validation=0), ratio=0.5)
    with pytest.raises(ModelError):
        prune_channels("model.keras", digits, ratio=0.5)
    wrong = trimtab.zoo.cnn(digits.image_shape, 7, filters=(8, 16), dense=16)
    with pytest.raises(ModelError, match="7 outputs"):
        prune_channels(wrong, digits, ratio=0.5)
    with pytest.raises(ModelError, match="cannot teach"):
        prune_channels(trained, digits, ratio=0.5, teacher=wrong)
    flat = keras.Sequential(
        [keras.Input(digits.image_shape), keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
    )
    with pytest.raises(ModelError, match="No channel of the model"):
        prune_channels(flat, digits, ratio=0.5)
    broken = clone(trained)
    broken.layers[1].set_weights([np.full_like(w, np.nan) for w in broken.layers[1].get_weights()])
    with pytest.raises(ModelError, match="holds NaN"):
        prune_channels(broken, digits, ratio=0.5)


def test_a_teacher_that_is_worse_than_chance_is_refused(trained, untrainable):
    digits = trimtab.load_data("digits")  # enough images to be sure
    contrary = clone(trained)
    logits = contrary.layers[-1]
    logits.set_weights([-weight for weight in logits.get_weights()])
    with pytest.raises(ModelError, match="worse than chance"):
        prune_channels(trained, digits, ratio=0.5, teacher=contrary)


def test_a_subclassed_model_has_no_graph(digits, untrainable):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(10)

        def call(self, inputs):
            return self.dense(self.flat(inputs))

    model = Own()
    model(digits.test.inputs(0, 1))
    with pytest.raises(ModelError) as refused:
        prune_channels(model, digits, ratio=0.5)
    assert "\n" not in str(refused.value)
