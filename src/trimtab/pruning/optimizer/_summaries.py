"""`PruningSummaries`: shows in TensorBoard what pruning does, while it does it."""

from __future__ import annotations

import math
import numbers
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from trimtab._atomic import make_folder
from trimtab.errors import ConfigError, OutputError, first_line
from trimtab.pruning.optimizer._optimizer import PruningOptimizer

__all__ = ["PruningSummaries"]


class PruningSummaries(keras.callbacks.Callback):
    """Writes sparsity, asked sparsity and threshold to TensorBoard, for each weight and in total.

    Works on each Keras backend, and with a `LossScaleOptimizer` around the pruning optimizer. The curves are
    ``sparsity/<weight>``, ``asked/<weight>`` and ``threshold/<weight>``, with ``sparsity/total`` and
    ``asked/total`` beside them, over the training batches that the schedule counts. What a schedule does not
    ask for, or a threshold that no update has set yet, is left out. The files lie in ``<log_dir>/pruning``,
    a run of its own beside those of `keras.callbacks.TensorBoard`. Look at them with
    ``tensorboard --logdir <log_dir>`` (TensorBoard is only needed to look, not to write).

    Args:
        log_dir: folder to write to.
        every: "epoch", or a number of training batches.

    Raises:
        ConfigError: an argument makes no sense; at the start of `fit`, the model is not compiled with a
            `PruningOptimizer`.
        OutputError: in `fit`, the folder or its file cannot be written.

    Example:
        >>> model.compile(PruningOptimizer.for_model(model, keras.optimizers.Adam(), schedule), loss)
        >>> model.fit(images, labels, callbacks=[PruningSummaries("logs", every=50)])
    """

    def __init__(self, log_dir: str | os.PathLike[str], every: str | int = "epoch") -> None:
        super().__init__()
        self.log_dir = _folder(log_dir)
        self.every = _interval(every)
        self._events: _EventFile | None = None
        self._batches = 0  # in this fit
        self._epoch_start = 0
        self._written = -1  # step of the last summary

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Opens the event file; raises where there is nothing to write of."""
        _pruning_optimizer(self.model)
        self._events = _EventFile(make_folder(self.log_dir / "pruning"))
        self._batches, self._epoch_start, self._written = 0, 0, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Remembers where the epoch begins."""
        self._epoch_start = self._batches

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Writes where `every` batches have passed."""
        # Several batches may pass between two calls (steps_per_execution), so the index counts, not the call.
        before, self._batches = self._batches, self._epoch_start + batch + 1
        if self.every is not None and self._batches // self.every > before // self.every:
            self._write()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Writes where each epoch is asked for."""
        if self.every is None:
            self._write()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Writes how the training ended, and closes the file."""
        self._write()
        if self._events is not None:
            self._events.close()
            self._events = None

    def _write(self) -> None:
        """Writes the state of now, unless that was done."""
        # Only here, not in each batch: on JAX `self.model` brings the variables up to date, which takes time.
        optimizer = _pruning_optimizer(self.model)
        step = optimizer.steps
        if self._events is not None and step != self._written:
            self._events.write(step, _scalars(optimizer.state()))
            self._written = step


def _scalars(state: Sequence[Any]) -> dict[str, float]:
    """Names the numbers to show: those of each weight, then those of all weights together."""
    found: dict[str, float] = {}
    for row, name in zip(state, _names([row.path for row in state]), strict=True):
        size = math.prod(row.shape)
        values = {"sparsity": row.zeros / size, "asked": row.asked, "threshold": row.threshold}
        found |= {f"{kind}/{name}": float(value) for kind, value in values.items() if _is_finite(value)}
    sizes = [math.prod(row.shape) for row in state]
    found["sparsity/total"] = sum(row.zeros for row in state) / sum(sizes)
    if all(_is_finite(row.asked) for row in state):
        asked = sum(row.asked * size for row, size in zip(state, sizes, strict=True))
        found["asked/total"] = float(asked) / sum(sizes)
    return found


def _names(paths: Sequence[str]) -> list[str]:
    """Returns the paths, each only once: nested models may give two weights the same."""
    names: list[str] = []
    for path in paths:
        same = paths[: len(names)].count(path)
        names.append(f"{path}_{same + 1}" if same else path)
    return names


def _is_finite(value: Any) -> bool:
    """Tells whether there is a number to draw."""
    return value is not None and math.isfinite(value)


class _EventFile:
    """Writes numbers to one TensorBoard event file.

    Not by `tf.summary.scalar`: that needs TensorBoard itself, which TensorFlow no longer installs, and would
    start TensorFlow's runtime, which takes the memory of a GPU that JAX or torch is training on. An event
    file is a log, and grows; so it is not written in one piece, but each record in it has a checksum.
    """

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._tf, self._folder = tf, folder
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(folder / name))
        self._record(file_version="brain.Event:2")

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Writes numbers by name, all for one training step; they are on disk on return."""
        summary = self._tf.compat.v1.Summary
        values = [summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._record(step=step, summary=summary(value=values))

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _record(self, **fields: Any) -> None:
        event = self._tf.compat.v1.Event(wall_time=time.time(), **fields)
        try:
            self._writer.write(event.SerializeToString())
            self._writer.flush()
        except self._tf.errors.OpError as error:
            raise OutputError(
                f"TensorBoard's events cannot be written to {self._folder}: {first_line(error)}. "
                "Free some space, or choose another folder."
            ) from error


def _pruning_optimizer(model: Any) -> PruningOptimizer:
    """Returns the pruning optimizer that a model is compiled with, looking inside of others."""
    optimizer = outermost = getattr(model, "optimizer", None)
    while optimizer is not None and not isinstance(optimizer, PruningOptimizer):
        optimizer = getattr(optimizer, "inner_optimizer", None)
    if optimizer is None:
        there = "no optimizer" if outermost is None else type(outermost).__name__
        raise ConfigError(
            f"PruningSummaries has nothing to show: the model is compiled with {there}, not with a "
            "PruningOptimizer. Compile it with PruningOptimizer.for_model(model, inner, schedule), or leave "
            "the callback out."
        )
    return optimizer


def _folder(value: Any) -> Path:
    """Returns the folder that was named."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigError(f"PruningSummaries needs a folder to write to, such as 'logs', but got {value!r}.")
    return Path(value)


def _interval(value: Any) -> int | None:
    """Returns the batches between two summaries; None: one each epoch."""
    if isinstance(value, str) and value == "epoch":
        return None
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ConfigError(
            "PruningSummaries writes every 'epoch', or every so many training batches (a whole number), but "
            f"got every={value!r}."
        )
    return int(value)
