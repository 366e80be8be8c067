"""Which layers learn: the head, the last ones, the named ones; all else stands still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.training import train
from trimtab.training._trainable import checked_trainable, learning_layers

if TYPE_CHECKING:
    from trimtab.data import ImageData


def _base(name: str = "base") -> Any:
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv_1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn_1")(x))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="conv_2")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn_2")(x))
    return keras.Model(image, x, name=name)


def _nested() -> Any:
    image = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(_base()(image))
    x = keras.layers.Dense(8, activation="relu", name="hidden")(x)
    return keras.Model(image, keras.layers.Dense(10, name="logits")(keras.layers.Dropout(0.1)(x)))


def _names(model: Any, trainable: Any) -> list[str]:
    learning = learning_layers(model, checked_trainable(trainable))
    return [layer.name for layer in learning.layers or ()]


def _squeezed() -> Any:
    """A net whose logits are a convolution before the pooling, with squeeze-and-excite in its middle."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = keras.layers.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)
    x = keras.layers.Conv2D(10, 1, name="logits")(keras.layers.Multiply()([x, gate]))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


def _mobile() -> Any:
    """A net that goes on with 1x1 convolutions after its pooling, and flattens last."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Conv2D(8, 1, activation="relu", name="expand")(x)
    return keras.Model(image, keras.layers.Flatten()(keras.layers.Conv2D(10, 1, name="logits")(x)))


def _plain(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((8, 8, 1)), *layers])


def test_where_the_head_begins() -> None:
    dense = keras.layers.Dense
    assert _names(_nested(), "head") == ["hidden", "logits"]
    assert _names(_squeezed(), "head") == ["logits"]
    assert _names(_mobile(), "head") == ["expand", "logits"]
    mlp = _plain(keras.layers.Flatten(), dense(5, name="first"), dense(10, name="last"))
    assert _names(mlp, "head") == ["last"]
    tiny = _plain(
        keras.layers.Conv2D(4, 8, name="to_one_place"),
        keras.layers.Conv2D(4, 1, name="point"),
        keras.layers.GlobalAveragePooling2D(),
        dense(10, name="logits"),
    )
    assert _names(tiny, "head") == ["logits"]


def test_numbers_and_names_come_with_the_head() -> None:
    model = _nested()
    assert _names(model, 1) == ["bn_2", "hidden", "logits"]
    assert _names(model, 3) == ["bn_1", "conv_2", "bn_2", "hidden", "logits"]
    assert _names(model, ["conv_*"]) == ["conv_1", "conv_2", "hidden", "logits"]
    assert _names(model, ["base/bn_1"]) == ["bn_1", "hidden", "logits"]
    assert _names(model, ["base"]) == ["conv_1", "bn_1", "conv_2", "bn_2", "hidden", "logits"]
    assert learning_layers(model, "all").layers is None


@pytest.mark.parametrize(
    ("trainable", "says"),
    [
        ("heads", "Did you mean 'head'"),
        ("conv_1", r"such as \['conv_1'\]"),
        (0, "trainable=0 must be"),
        (True, "trainable=True must be"),
        ([], "must be"),
        ([""], "must be"),
        (1.5, "must be"),
        (None, "must be"),
        (5, "has 4 with weights before its head"),
        (["conv_3"], "Did you mean 'conv_"),
    ],
)
def test_what_makes_no_sense_is_one_line_before_anything_is_trained(
    digits: ImageData, trainable: Any, says: str
) -> None:
    model = _nested()
    before = model.get_weights()
    with pytest.raises(ConfigError, match=says) as caught:
        train(model, digits, epochs=1, trainable=trainable)
    assert "\n" not in str(caught.value)
    assert not model.compiled
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@keras.saving.register_keras_serializable(package="test_trainable")
class Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.first = keras.layers.Flatten(), keras.layers.Dense(5, name="first")
        self.last = keras.layers.Dense(10, name="last")

    def call(self, images: Any) -> Any:
        return self.last(self.first(self.flat(images)))


def test_a_model_with_code_of_its_own_wants_names(digits: ImageData) -> None:
    model = Own()
    model(digits.train.inputs(0, 1))
    with pytest.raises(ModelError, match="Name those that shall learn"):
        train(model, digits, epochs=1, trainable="head")
    first, last = model.first.kernel.numpy(), model.last.kernel.numpy()
    train(model, digits, epochs=1, trainable=["last"])
    np.testing.assert_array_equal(model.first.kernel.numpy(), first)
    assert not np.array_equal(model.last.kernel.numpy(), last)


def _values(model: Any, name: str) -> list[np.ndarray]:
    layer = model.get_layer("base").get_layer(name) if name.endswith(("_1", "_2")) else model.get_layer(name)
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in layer.weights]


def _moved(before: list[np.ndarray], after: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def test_only_they_learn_and_batch_normalisation_stands_still(digits: ImageData) -> None:
    model = _nested()
    model.get_layer("base").trainable = False  # as one is taught to; what is asked for here goes before it
    model.get_layer("base").get_layer("conv_1").trainable = True
    names = ("conv_1", "bn_1", "conv_2", "bn_2", "hidden", "logits")
    before = {name: _values(model, name) for name in names}
    result = train(model, digits, epochs=1, trainable=2, learning_rate=0.01)
    moved = {name: _moved(before[name], _values(model, name)) for name in names}
    assert not any(moved["conv_1"] + moved["bn_1"])
    assert all(moved["conv_2"] + moved["bn_2"] + moved["hidden"] + moved["logits"])
    assert "4 of 6 layers with weights learned (conv_2, bn_2, hidden, logits)" in " ".join(result.notes)
    base = model.get_layer("base")
    flags = [base.trainable, base.get_layer("conv_1").trainable, base.get_layer("conv_2").trainable]
    assert flags == [False, True, False]
    assert model.trainable
    assert model.get_layer("logits").trainable
    assert len(model.optimizer.variables) > 2  # compiled anew, for what the flags say now


def test_the_flags_of_single_variables_come_back(digits: ImageData) -> None:
    model = _nested()
    model.get_layer("hidden").bias.trainable = False
    train(model, digits, epochs=1, trainable="head")
    assert [weight.trainable for weight in model.get_layer("hidden").weights] == [True, False]


class _KilledError(Exception):
    pass


class _KillAfter(keras.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._last = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self._last:
            raise _KilledError


def test_it_goes_on_from_its_checkpoint_bit_for_bit(digits: ImageData, tmp_path: Path) -> None:
    def fresh() -> Any:
        keras.utils.set_random_seed(0)
        return _nested()

    common: dict[str, Any] = {"epochs": 3, "trainable": 2, "batch_size": 256}
    whole = train(fresh(), digits, **common).model
    path = tmp_path / "training.npz"
    killed = fresh()
    with pytest.raises(_KilledError):
        train(killed, digits, checkpoint=path, callbacks=[_KillAfter(2)], **common)
    assert all(layer.trainable for layer in killed.layers)
    again = train(fresh(), digits, checkpoint=path, **common)
    assert any("continued after epoch 2" in note for note in again.notes)
    for one, other in zip(whole.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
