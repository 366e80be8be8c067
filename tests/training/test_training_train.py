from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.training import train

if TYPE_CHECKING:
    from trimtab.data import ImageData


def _net(*, softmax: bool = False, dropout: float = 0.0, seed: int = 0) -> Any:
    image = keras.Input((8, 8, 1))
    start = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Conv2D(8, 3, padding="same", kernel_initializer=start)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Flatten()(x)
    if dropout:
        x = keras.layers.Dropout(dropout)(x)
    start = keras.initializers.GlorotUniform(seed=seed + 1)
    head = keras.layers.Dense(10, kernel_initializer=start, activation="softmax" if softmax else None)
    return keras.Model(image, head(x))


def _same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


class _Tally:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.label, self.total, self.unit, self.done = "", 0.0, "", 0.0
        self.notes: list[str] = []
        self.open = 0

    def task(self, label: str, total: float | None = None, unit: str = "") -> Any:
        self.label, self.total, self.unit = label, total or 0.0, unit
        return self

    def advance(self, steps: float = 1, note: str = "") -> None:
        self.done += steps
        self.notes += [note] if note else []

    def __enter__(self) -> Any:
        self.open += 1
        return self

    def __exit__(self, *error: object) -> None:
        self.open -= 1


def test_it_learns_the_digits_and_tells_what_happened(digits: ImageData) -> None:
    model, progress = _net(), _Tally()
    result = train(model, digits, epochs=5, batch_size=64, learning_rate=0.01, progress=progress)
    assert result.model is model
    assert [epoch.epoch for epoch in result.history.epochs] == [1, 2, 3, 4, 5]
    assert result.history.best.val_accuracy > 0.85
    assert result.history.epochs[-1].loss < result.history.epochs[0].loss
    assert all(0 < epoch.validation_seconds < epoch.seconds for epoch in result.history.epochs)
    steps = -(-len(digits.train) // 64)
    assert (progress.label, progress.total, progress.unit) == ("train", 5 * steps, "batches")
    assert progress.done == progress.total
    assert progress.open == 0
    assert progress.notes[-1].startswith("epoch 5/5, validation accuracy 0.")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras' saving
def test_the_model_handed_back_is_ordinary_and_evaluates_as_recorded(
    digits: ImageData, tmp_path: Path
) -> None:
    model = _net()
    history = train(model, digits, epochs=3, learning_rate=0.01, label_smoothing=0.1).history
    assert type(model.layers[2]) is keras.layers.BatchNormalization
    images, labels = digits.validation.inputs(), digits.validation.labels
    _, accuracy = model.evaluate(images, labels, verbose=0)
    assert accuracy == pytest.approx(history.best.val_accuracy, abs=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images[:5]), model(images[:5]))
    assert "trimtab" not in str(model.get_compile_config())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns(digits: ImageData, optimizer: str) -> None:
    result = train(
        _net(), digits, epochs=2, optimizer=optimizer, learning_rate=0.01, schedule="constant",
        weight_decay=1e-4,
    )  # fmt: skip
    assert result.history.epochs[1].loss < result.history.epochs[0].loss
    assert {round(epoch.learning_rate, 6) for epoch in result.history.epochs} == {0.01}


def test_cosine_falls_from_the_rate_to_zero(digits: ImageData) -> None:
    rates = [e.learning_rate for e in train(_net(), digits, epochs=4, learning_rate=0.01).history.epochs]
    expected = [0.005 * (1 + np.cos(np.pi * done / 4)) for done in range(4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(digits: ImageData) -> None:
    models = [_net(dropout=0.3) for _ in range(3)]
    for model, seed in zip(models, (4, 4, 5), strict=True):
        train(model, digits, epochs=2, seed=seed)
    assert _same(models[0], models[1])
    assert not _same(models[0], models[2])


def test_a_softmax_head_is_seen_and_a_wrong_claim_is_refused(digits: ImageData) -> None:
    result = train(_net(softmax=True), digits, epochs=4, learning_rate=0.01, label_smoothing=0.05)
    assert result.history.best.accuracy > 0.7
    with pytest.raises(ModelError, match="ends in a softmax"):
        train(_net(softmax=True), digits, epochs=1, from_logits=True)


def _pooled_softmax() -> Any:
    """Probabilities from a graph that does not end in its softmax."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(10, 3, activation="softmax")(image)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


def test_outputs_that_are_probabilities_are_seen_whatever_the_last_layer(digits: ImageData) -> None:
    model = _pooled_softmax()
    train(model, digits, epochs=1)
    assert model.loss.get_config()["from_logits"] is False
    train(model, digits, epochs=1, from_logits=False)
    with pytest.raises(ModelError, match=r"gives probabilities .* but from_logits=True"):
        train(model, digits, epochs=1, from_logits=True)


def test_logits_are_not_taken_for_probabilities(digits: ImageData) -> None:
    with pytest.raises(ModelError, match=r"does not give probabilities .* but from_logits=False"):
        train(_net(), digits, epochs=1, from_logits=False)


def test_a_model_saved_in_mid_training_with_smoothing_loads(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "mid.keras"
    train(_net(), digits, epochs=1, label_smoothing=0.1, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    loss = keras.models.load_model(path).loss
    assert (loss.smoothing, loss.from_logits, loss.name) == (0.1, True, "smoothed_crossentropy")
    other = type(loss)(True, 0.2, name="mine", reduction="none")
    again = type(loss).from_config(other.get_config())
    assert (again.smoothing, again.name, again.reduction) == (0.2, "mine", "none")


def test_smoothing_equals_keras_own_on_one_hot_labels() -> None:
    from trimtab.training._losses import crossentropy

    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = float(own(np.eye(4, dtype="float32")[labels], logits))
    assert float(crossentropy(True, 0.2)(labels, logits)) == pytest.approx(expected, rel=1e-6)
    loss = crossentropy(True, 0.2)
    assert type(loss).from_config(loss.get_config()).smoothing == 0.2


class _Spoil(keras.callbacks.Callback):
    """Makes the model worse from an epoch on, so that an earlier one is the best."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self.before: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self._epoch:
            self.before = self.model.get_weights()
        if epoch >= self._epoch:
            for weight in self.model.trainable_weights:
                weight.assign(np.zeros(weight.shape, "float32"))


def test_the_best_weights_come_back_and_training_stops_early(digits: ImageData) -> None:
    model, spoil, progress = _net(), _Spoil(3), _Tally()
    result = train(
        model, digits, epochs=9, learning_rate=0.01, patience=2, callbacks=[spoil], progress=progress
    )
    best = result.history.best_epoch
    assert best == 3
    assert len(result.history.epochs) == 5
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), spoil.before, strict=True))
    assert result.notes[0].startswith("stopped after epoch 5 of 9: validation had not improved for 2 epochs")
    assert "the weights are those of epoch 3" in result.notes[1]
    assert progress.notes[-1].endswith("stopped early")


def test_without_restoring_the_last_weights_stay(digits: ImageData) -> None:
    model, spoil = _net(), _Spoil(2)
    result = train(model, digits, epochs=3, learning_rate=0.01, callbacks=[spoil], restore_best=False)
    assert result.history.best_epoch == 2
    assert not any(np.array_equal(a, b) for a, b in zip(model.get_weights(), spoil.before, strict=True))
    assert result.notes == ()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_one_line_and_leaves_an_ordinary_model(digits: ImageData, tmp_path: Path) -> None:
    model, checkpoint = _net(), tmp_path / "state.npz"
    with pytest.raises(ModelError) as caught:
        train(
            model, digits, epochs=5, optimizer="sgd", learning_rate=1e30, schedule="constant",
            checkpoint=checkpoint,
        )  # fmt: skip
    message = str(caught.value)
    assert "learning_rate=1e+30" in message
    assert "training diverged in epoch 1" in message
    assert "\n" not in message
    assert not checkpoint.exists()
    assert type(model.layers[2]) is keras.layers.BatchNormalization


def test_bad_arguments_and_data_are_refused_before_anything_is_done(digits: ImageData) -> None:
    model = _net()
    with pytest.raises(ConfigError, match="Did you mean 'sgd'"):
        train(model, digits, optimizer="sdg")
    with pytest.raises(ModelError):
        train(
            keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]), digits
        )
    empty = type(digits)(**{**vars(digits), "validation": digits.validation.take([])})
    with pytest.raises(DataError, match="no validation images"):
        train(model, empty)
    assert not model.compiled


def test_a_users_own_optimizer_state_is_replaced_and_that_is_said(digits: ImageData) -> None:
    model = _net()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(digits.train.inputs(0, 8), digits.train.labels[:8])
    assert train(model, digits, epochs=1).notes == (
        "the model's own optimizer (SGD) and its state were replaced",
    )
    assert train(model, digits, epochs=1).notes == ()
