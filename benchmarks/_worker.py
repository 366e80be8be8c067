"""The program that trains inside a worker process; `_workers.Worker` starts it and talks to it.

One line of JSON in, one line of JSON out:

    {"do": "build", "name": ..., "side": ..., "net": ..., ...}   makes a model and everything to train it
    {"do": "run", "name": ..., "steps": n}                       trains n steps: {"seconds": ...}
    {"do": "point", ...}                                         trains a point of the sparsity curves
    {"do": "versions"}                                           what is installed here: {"versions": {...}}
    {"do": "close"}                                              ends the process

It needs NumPy and one of the two Keras generations; Trimtab only for Trimtab's own sides.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import numpy as np

import _mask_update
import _nets

Steps = Callable[[int], float]
"""Trains so many steps, and says how many seconds they took."""

_PACKAGES = ("keras", "tf-keras", "tensorflow", "tensorflow-model-optimization", "jax", "torch", "numpy")
_RATE, _SPARSITY = 1e-3, 0.8


def main() -> None:
    """Answers requests until the other side has no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--first-core", type=int, default=0)
    options = parser.parse_args()
    cores = options.cores
    answers = _own_stdout()
    _use_cores(options.first_core, cores)
    tasks: dict[str, Steps] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "close":
            break
        try:
            answer = _answer(request, tasks, cores)
        except Exception as error:  # whatever went wrong belongs to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # threads of paused trainings would hold up an ordinary end


def _answer(request: dict[str, Any], tasks: dict[str, Steps], cores: int) -> dict[str, Any]:
    """Does what one request asks."""
    if request["do"] == "versions":
        return {"versions": {name: found for name in _PACKAGES if (found := _version(name))}}
    if request["do"] == "build":
        _limit_tensorflow(cores)
        tasks[request["name"]] = SIDES[request["side"]](request)
        return {}
    if request["do"] == "point":
        import _curve_point  # needs Trimtab, which peers do not have

        _limit_tensorflow(cores)
        return _curve_point.compute(request)
    return {"seconds": tasks[request["name"]](int(request["steps"]))}


def _keras_3(spec: dict[str, Any]) -> Steps:
    """Plain Keras 3, as anyone would use it."""
    import keras

    model = _nets.build(keras, spec["net"], spec["scale"])
    return _fit(keras, model, keras.optimizers.Adam(_RATE), spec)


def _pruning(spec: dict[str, Any]) -> Steps:
    """Keras 3 with Trimtab's pruning optimizer."""
    import keras

    from trimtab.pruning import ConstantSparsity, PruningOptimizer

    model = _nets.build(keras, spec["net"], spec["scale"])
    schedule = ConstantSparsity(_SPARSITY, frequency=spec["frequency"])
    return _fit(keras, model, PruningOptimizer.for_model(model, keras.optimizers.Adam(_RATE), schedule), spec)


def _tf_keras(spec: dict[str, Any]) -> Steps:
    """Plain tf_keras."""
    import tf_keras

    model = _nets.build(tf_keras, spec["net"], spec["scale"])
    return _fit(tf_keras, model, tf_keras.optimizers.Adam(_RATE), spec)


def _tfmot(spec: dict[str, Any]) -> Steps:
    """tf_keras with TFMOT's wrappers around the layers and its callback."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    pruning = tfmot.sparsity.keras
    schedule = pruning.ConstantSparsity(_SPARSITY, begin_step=0, frequency=spec["frequency"])
    model = pruning.prune_low_magnitude(
        _nets.build(tf_keras, spec["net"], spec["scale"]), pruning_schedule=schedule
    )
    callbacks = [pruning.UpdatePruningStep()]
    return _fit(tf_keras, model, tf_keras.optimizers.Adam(_RATE), spec, callbacks)


def _fit(
    keras: Any, model: Any, optimizer: Any, spec: dict[str, Any], callbacks: Sequence[Any] = ()
) -> Steps:
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


def _trimtab(spec: dict[str, Any]) -> Steps:
    """`trimtab.train` itself, in a thread that stops between two epochs until it is asked to go on.

    So it is the real thing that is timed, with its batches, its bookkeeping and its fused kernels. An
    epoch has as many steps as a request will ask for.
    """
    import keras

    model = _nets.build(keras, spec["net"], spec["scale"])
    gate = _gate(keras)
    data = _image_data(spec["net"], spec["steps"] * spec["batch"])

    def train() -> None:
        from trimtab.training import train

        try:
            train(
                model, data, epochs=1_000_000, batch_size=spec["batch"], learning_rate=_RATE, callbacks=[gate]
            )
        except Exception as error:  # told to whoever waits for the next epoch
            gate.done.put(error)

    threading.Thread(target=train, daemon=True).start()

    def run(steps: int) -> float:
        if steps != spec["steps"]:
            raise ValueError(f"this side was built for {spec['steps']} steps at a time, not {steps}")
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

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.go.get()
            self.began = time.perf_counter()

        def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.seconds = time.perf_counter() - self.began

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.done.put(self.seconds)

    return Gate()


def _image_data(net: str, count: int) -> Any:
    """Makes random images as `trimtab.load_data` would hand them over, with next to no validation."""
    from trimtab.data import ImageData, Split

    pixels, labels = _nets.images(net, count)
    train = Split((pixels * 255).astype(np.uint8), labels.astype(np.int64))
    few = train.take(slice(0, 8))
    names = tuple(str(number) for number in range(_nets.CLASSES))
    return ImageData("random", train, few, few, names, "random pixels", "none")


SIDES: dict[str, Callable[[dict[str, Any]], Steps]] = {
    "keras": _keras_3,
    "pruning": _pruning,
    "trimtab": _trimtab,
    "tf_keras": _tf_keras,
    "tfmot": _tfmot,
    "masks": _mask_update.trimtab,
    "tfmot_masks": _mask_update.tfmot,
}


def _own_stdout() -> TextIO:
    """Keeps standard output for answers; what frameworks print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _use_cores(first: int, count: int) -> None:
    """Keeps this process on so many cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[(first + turn) % len(cores)] for turn in range(count)})


def _limit_tensorflow(count: int) -> None:
    """Gives TensorFlow so many threads; only before its first operation, so a second time changes nothing."""
    if "tensorflow" in sys.modules or os.environ.get("KERAS_BACKEND") != "tensorflow":
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
