from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, OutputError, RunError
from trimtab.training import train
from trimtab.training._checkpoint import config_digest

if TYPE_CHECKING:
    from trimtab.data import ImageData


def _net() -> Any:
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(keras.layers.ReLU()(x)))
    return keras.Model(
        image, keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=2))(x)
    )


class _Interrupt(keras.callbacks.Callback):
    """Stops as Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._at, self._epoch = epoch, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._epoch == self._at and batch == 3:
            raise KeyboardInterrupt


_OPTIONS: dict[str, Any] = {"epochs": 5, "learning_rate": 0.01, "batch_size": 64}


def _same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def _interrupted(digits: ImageData, path: Path, epoch: int = 3, **options: Any) -> Any:
    model = _net()
    with pytest.raises(KeyboardInterrupt):
        train(model, digits, checkpoint=path, callbacks=[_Interrupt(epoch)], **{**_OPTIONS, **options})
    return model


def _wrapped(optimizer: Any) -> Any:
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0, dynamic_growth_steps=7)


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd"}, {"wrap_optimizer": _wrapped}])
def test_a_continued_training_ends_with_the_same_bits(
    digits: ImageData, tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "state.npz"
    unbroken = _net()
    whole = train(unbroken, digits, **{**_OPTIONS, **options})
    _interrupted(digits, path, **options)
    continued = _net()
    result = train(continued, digits, checkpoint=path, **{**_OPTIONS, **options})
    assert _same(unbroken, continued)
    scores = [
        [(e.loss, e.accuracy, e.val_loss, e.learning_rate) for e in r.history.epochs] for r in (whole, result)
    ]
    assert scores[0] == scores[1]
    assert result.history.best_epoch == whole.history.best_epoch
    assert result.notes[0] == "continued after epoch 3 from the checkpoint state.npz"
    assert not path.exists()


def test_the_same_model_object_may_go_on_after_ctrl_c(digits: ImageData, tmp_path: Path) -> None:
    unbroken = _net()
    train(unbroken, digits, **_OPTIONS)
    model = _interrupted(digits, tmp_path / "state.npz")
    train(model, digits, checkpoint=tmp_path / "state.npz", **_OPTIONS)
    assert _same(unbroken, model)


def test_a_checkpoint_changes_nothing_where_nothing_happens(digits: ImageData, tmp_path: Path) -> None:
    first, second = _net(), _net()
    train(first, digits, **_OPTIONS)
    train(second, digits, checkpoint=tmp_path / "new" / "state.npz", **_OPTIONS)
    assert _same(first, second)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_checkpoint_of_another_training_is_refused_and_kept(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    _interrupted(digits, path, epoch=1)
    before = path.read_bytes()
    for changed in ({"learning_rate": 0.02}, {"seed": 1}, {"wrap_optimizer": _wrapped}):
        with pytest.raises(RunError, match="belongs to another training"):
            train(_net(), digits, checkpoint=path, **{**_OPTIONS, **changed})
    other = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    with pytest.raises(RunError, match=r"\(architecture: "):
        train(other, digits, checkpoint=path, **_OPTIONS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "pickle"])
def test_a_damaged_checkpoint_is_not_used_and_that_is_said(
    digits: ImageData, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "state.npz"
    _interrupted(digits, path, epoch=1)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    if damage == "pickle":
        np.savez(path, **{"training.json": np.array([_Bomb()], dtype=object)})
    else:
        half = path.read_bytes()[: len(content) // 2]
        path.write_bytes(
            {"truncated": half, "flipped": bytes(content), "empty": b"", "text": b"hello"}[damage]
        )
    result = train(_net(), digits, checkpoint=path, **{**_OPTIONS, "epochs": 5})
    assert result.notes[0] == "the checkpoint state.npz is damaged and was not used; training began anew"
    assert len(result.history.epochs) == 5


def test_a_checkpoint_that_cannot_be_read_or_is_newer_is_refused_and_kept(
    digits: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.npz"
    _interrupted(digits, path, epoch=1)
    before = path.read_bytes()

    def no_access(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", no_access)
        with pytest.raises(RunError, match=r"cannot be read \(Permission denied\)"):
            train(_net(), digits, checkpoint=path, **_OPTIONS)
    assert path.read_bytes() == before
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = {**json.loads(arrays.pop("training.json").tobytes()), "format": 99}
    np.savez(path, **{"training.json": np.frombuffer(json.dumps(meta).encode(), np.uint8)}, **arrays)
    with pytest.raises(RunError, match="format 99, of a newer Trimtab"):
        train(_net(), digits, checkpoint=path, **_OPTIONS)
    with pytest.raises(RunError, match="cannot be read"):
        train(_net(), digits, checkpoint=tmp_path / ("n" * 300), **_OPTIONS)


def test_a_state_that_is_half_good_leaves_no_trace(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    _interrupted(digits, path, epoch=1)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays.pop("training.json").tobytes())
    meta["state"]["waited"] = "often"
    np.savez(path, **{"training.json": np.frombuffer(json.dumps(meta).encode(), np.uint8)}, **arrays)
    result = train(_net(), digits, checkpoint=path, **_OPTIONS)
    assert "is damaged" in result.notes[0]
    assert [epoch.epoch for epoch in result.history.epochs] == [1, 2, 3, 4, 5]


def test_other_starting_weights_are_refused(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    _interrupted(digits, path, epoch=1)
    before = path.read_bytes()
    other = _net()
    other.weights[0].assign(other.weights[0] + 1e-6)
    with pytest.raises(RunError, match="began from other weights"):
        train(other, digits, checkpoint=path, **_OPTIONS)
    assert path.read_bytes() == before


def test_a_model_changed_after_ctrl_c_does_not_go_on(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    model = _interrupted(digits, path, epoch=1)
    model.weights[0].assign(model.weights[0] * 2)
    with pytest.raises(RunError, match="began from other weights"):
        train(model, digits, checkpoint=path, **_OPTIONS)


def test_after_ctrl_c_a_new_checkpoint_begins_from_the_weights_as_they_are(
    digits: ImageData, tmp_path: Path
) -> None:
    model = _interrupted(digits, tmp_path / "first.npz", epoch=1)
    with pytest.raises(KeyboardInterrupt):
        train(model, digits, checkpoint=tmp_path / "second.npz", callbacks=[_Interrupt(1)], **_OPTIONS)
    with pytest.raises(RunError, match="began from other weights"):
        train(_net(), digits, checkpoint=tmp_path / "second.npz", **_OPTIONS)


class _Count(keras.callbacks.Callback):
    """Counts the epochs that are really trained, stops after some, and then changes the weights."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.epochs, self._last = 0, last

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs += 1
        self.model.stop_training = epoch + 1 >= self._last

    def on_train_end(self, logs: Any = None) -> None:
        bias = self.model.weights[-1]
        bias.assign(bias + 0.125)


@pytest.mark.parametrize("last", [3, 99])
@pytest.mark.parametrize("restore_best", [True, False])
def test_a_kept_checkpoint_gives_the_finished_result_at_once(
    digits: ImageData, tmp_path: Path, last: int, restore_best: bool
) -> None:
    path = tmp_path / "state.npz"
    options = {**_OPTIONS, "checkpoint": path, "keep_checkpoint": True, "restore_best": restore_best}
    model, count = _net(), _Count(last)
    result = train(model, digits, callbacks=[count], **options)
    before = path.read_bytes()
    for other in (_net(), model):
        again, second = other, _Count(last)
        repeated = train(again, digits, callbacks=[second], **options)
        assert count.epochs == min(last, 5)
        assert second.epochs == 0
        assert _same(model, again)
        assert repeated.history == result.history
        assert repeated.notes[1:] == result.notes
    assert path.read_bytes() == before


@keras.saving.register_keras_serializable(package="tests")
class _Subclassed(keras.Model):
    """A model that Keras cannot tell the output shape of, with an argument that is no plain data."""

    def __init__(self, told: Any = None) -> None:
        super().__init__(name="subclassed")  # the class name is no scope name
        self._told = told
        self.flat = keras.layers.Flatten()
        self.head = keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=2))

    def call(self, inputs: Any) -> Any:
        return self.head(self.flat(inputs))


def _subclassed() -> Any:
    model = _Subclassed(object())
    model(np.zeros((1, 8, 8, 1), np.float32))
    return model


def test_a_subclassed_model_continues(digits: ImageData, tmp_path: Path) -> None:
    unbroken = _subclassed()
    train(unbroken, digits, **_OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        train(_subclassed(), digits, checkpoint=tmp_path / "s.npz", callbacks=[_Interrupt(2)], **_OPTIONS)
    continued = _subclassed()
    notes = train(continued, digits, checkpoint=tmp_path / "s.npz", **_OPTIONS).notes
    assert notes[0].startswith("continued after epoch 2")
    assert _same(unbroken, continued)


def test_a_digest_of_a_config_knows_objects_by_their_type_and_numbers_by_their_value() -> None:
    assert config_digest({"a": object()}) == config_digest({"a": object()})
    assert config_digest({"a": object()}) != config_digest({"a": _Bomb()})
    assert config_digest([np.float32(0.5)]) != config_digest([np.float32(0.25)])
    assert config_digest([np.arange(2)]) != config_digest([np.arange(3)])


class _Bomb:
    """Goes off when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("a checkpoint was unpickled",)


def test_early_stopping_goes_on_counting(digits: ImageData, tmp_path: Path) -> None:
    options = {**_OPTIONS, "epochs": 12, "learning_rate": 0.1, "schedule": "constant", "patience": 2}
    whole = train(_net(), digits, **options)
    stopped = len(whole.history.epochs)
    assert stopped < 12
    _interrupted(digits, tmp_path / "state.npz", epoch=stopped - 1, **options)
    continued = train(_net(), digits, checkpoint=tmp_path / "state.npz", **options)
    assert len(continued.history.epochs) == stopped
    assert continued.history.best_epoch == whole.history.best_epoch


def test_bad_places_are_one_line(digits: ImageData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        train(_net(), digits, checkpoint=tmp_path, **_OPTIONS)
    (tmp_path / "file").write_text("")
    with pytest.raises((OutputError, RunError)):
        train(_net(), digits, checkpoint=tmp_path / "file" / "state.npz", **_OPTIONS)


_SCRIPT = """
    import sys, time, warnings
    from pathlib import Path
    import keras, numpy as np
    from trimtab.data import load_data
    from trimtab.training import train

    def net():
        image = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(image)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(keras.layers.ReLU()(x)))
        start = keras.initializers.GlorotUniform(seed=2)
        return keras.Model(image, keras.layers.Dense(10, kernel_initializer=start)(x))

    class Slow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            time.sleep(0.01)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    data, out = load_data("digits"), Path(sys.argv[1])
    def run(name, model=None, callbacks=(), checkpoint=None):
        model = model or net()
        result = train(model, data, epochs=4, learning_rate=0.01, callbacks=callbacks, checkpoint=checkpoint)
        np.savez(out / name, *[np.asarray(weight) for weight in model.weights])
        return result
"""


def _start(script: str, out: Path, backend: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if backend is not None:
        environment["KERAS_BACKEND"] = backend
    code = textwrap.dedent(_SCRIPT) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out)], env=environment, text=True, stderr=subprocess.PIPE
    )


def _finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-2000:]


def _saved(path: Path) -> list[Any]:
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_with_sigkill_and_continued_in_another_process(tmp_path: Path) -> None:
    state = tmp_path / "state.npz"
    process = _start("run('never.npz', callbacks=[Slow()], checkpoint=out / 'state.npz')", tmp_path)
    deadline = time.monotonic() + 200
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.15)  # into the next epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert state.exists()
    assert not (tmp_path / "never.npz").exists()
    _finish(
        _start(
            "result = run('continued.npz', checkpoint=out / 'state.npz')\n"
            "assert result.notes[0].startswith('continued after epoch'), result.notes\n"
            "run('unbroken.npz')",
            tmp_path,
        )
    )
    pairs = zip(_saved(tmp_path / "unbroken.npz"), _saved(tmp_path / "continued.npz"), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train_and_continue_with_the_same_bits(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    _finish(
        _start(
            """
            result = run("unbroken.npz")
            assert result.history.epochs[-1].loss < result.history.epochs[0].loss
            try:
                run("never.npz", callbacks=[Interrupt()], checkpoint=out / "state.npz")
            except KeyboardInterrupt:
                pass
            assert run("continued.npz", checkpoint=out / "state.npz").notes
            """,
            tmp_path,
            backend,
        )
    )
    pairs = zip(_saved(tmp_path / "unbroken.npz"), _saved(tmp_path / "continued.npz"), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
