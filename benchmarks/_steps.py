"""Training so many steps at a time, timed: through `fit`, or a whole training that is held between epochs.

It needs NumPy and one of the two Keras generations: peers import it too.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import _nets

__all__ = ["LONG", "Steps", "fit", "held"]

Steps = Callable[[int], float]
"""Trains so many steps, and says how many seconds they took."""

LONG = 1_000_000
"""Epochs of a training that is held between them and never comes to its end."""


def fit(keras: Any, model: Any, optimizer: Any, spec: dict[str, Any], callbacks: Sequence[Any] = ()) -> Steps:
    """Steps by `fit`, on data that costs next to nothing, timed from its first batch to its last."""

    class Clock(keras.callbacks.Callback):
        """Times an epoch without what `fit` does before and after it."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.seconds = time.perf_counter() - self.began

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    batch, clock = spec["batch"], Clock()
    on_tensorflow = keras.__name__ != "keras" or keras.backend.backend() == "tensorflow"
    pixels, labels = _nets.images(spec["net"], batch * 4)
    data = _endless(pixels, labels, batch) if on_tensorflow else None

    def run(steps: int) -> float:
        # The clock comes last at the beginning of an epoch and is not the callbacks' to pay for.
        options = {"epochs": 1, "verbose": 0, "callbacks": [clock, *callbacks]}
        if data is not None:
            model.fit(data, steps_per_epoch=steps, **options)
        else:
            x = np.resize(pixels, (steps * batch, *pixels.shape[1:]))
            model.fit(x, np.resize(labels, steps * batch), batch_size=batch, shuffle=False, **options)
        return float(clock.seconds)

    return run


def _endless(pixels: Any, labels: Any, batch: int) -> Any:
    """Makes a data set without end, with tf.data's autotune off: its thread delays the end of each `fit`."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((pixels, labels)).repeat().batch(batch).prefetch(4)
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def held(keras: Any, steps: int, train: Callable[[Any], object]) -> Steps:
    """Steps by one of Trimtab's verbs, in a thread that stops between two epochs until it is asked to go on.

    So it is the real thing that is timed, with its batches, its bookkeeping and its fused kernels.

    Args:
        keras: the package, for the class of callbacks.
        steps: of an epoch, which is what each request will ask for.
        train: calls the verb with this callback among its own, for `LONG` epochs.
    """
    gate = _gate(keras)

    def work() -> None:
        try:
            train(gate)
        except Exception as error:  # told to whoever waits for the next epoch
            gate.done.put(error)
            gate.ready.set()

    threading.Thread(target=work, daemon=True).start()
    gate.ready.wait()  # TensorFlow does not bear several threads that build models at once

    def run(asked: int) -> float:
        if asked != steps:
            raise ValueError(f"this side was built for {steps} steps at a time, not {asked}")
        gate.go.put(None)
        outcome = gate.done.get()
        if isinstance(outcome, Exception):
            raise outcome
        return float(outcome)

    return run


def _gate(keras: Any) -> Any:
    """Makes the callback that holds a training between two epochs, and times each epoch."""

    class Gate(keras.callbacks.Callback):
        """Opens for one epoch at a time; the validation after it is not timed."""

        def __init__(self) -> None:
            super().__init__()
            self.go: queue.Queue[None] = queue.Queue()
            self.done: queue.Queue[float | Exception] = queue.Queue()
            self.ready = threading.Event()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.ready.set()
            self.go.get()
            self.began = time.perf_counter()

        def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.seconds = time.perf_counter() - self.began

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.done.put(self.seconds)

    return Gate()
