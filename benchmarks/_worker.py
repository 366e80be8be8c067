"""The program that trains inside a worker process; `_workers.Worker` starts it and talks to it.

One line of JSON in, one line of JSON out:

    {"do": "build", "name": ..., "side": ..., "net": ..., ...}   makes a model and everything to train it
    {"do": "run", "name": ..., "steps": n}                       trains n steps: {"seconds": ...}
    {"do": "point", "kind": ..., ...}                            trains a point of a long benchmark
    {"do": "versions"}                                           what is installed here: {"versions": {...}}
    {"do": "close"}                                              ends the process

It needs NumPy and one of the two Keras generations; Trimtab only for Trimtab's own sides.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import _distillation_sides
import _mask_update
import _nets
import _qat_sides
import _steps
from _steps import Steps

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
        _limit_tensorflow(cores)
        answer: dict[str, Any] = importlib.import_module(POINTS[request["kind"]]).compute(request)
        return answer
    return {"seconds": tasks[request["name"]](int(request["steps"]))}


def _keras_3(spec: dict[str, Any]) -> Steps:
    """Plain Keras 3, as anyone would use it."""
    import keras

    model = _nets.build(keras, spec["net"], spec["scale"])
    return _steps.fit(keras, model, keras.optimizers.Adam(_RATE), spec)


def _pruning(spec: dict[str, Any]) -> Steps:
    """Keras 3 with Trimtab's pruning optimizer."""
    import keras

    from trimtab.pruning import ConstantSparsity, PruningOptimizer

    model = _nets.build(keras, spec["net"], spec["scale"])
    schedule = ConstantSparsity(_SPARSITY, frequency=spec["frequency"])
    return _steps.fit(
        keras, model, PruningOptimizer.for_model(model, keras.optimizers.Adam(_RATE), schedule), spec
    )


def _tf_keras(spec: dict[str, Any]) -> Steps:
    """Plain tf_keras."""
    import tf_keras

    model = _nets.build(tf_keras, spec["net"], spec["scale"])
    return _steps.fit(tf_keras, model, tf_keras.optimizers.Adam(_RATE), spec)


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
    return _steps.fit(tf_keras, model, tf_keras.optimizers.Adam(_RATE), spec, callbacks)


def _trimtab(spec: dict[str, Any]) -> Steps:
    """`trimtab.train`. An epoch has as many steps as a request will ask for."""
    import keras

    model = _nets.build(keras, spec["net"], spec["scale"])
    data = _nets.image_data(spec["net"], spec["steps"] * spec["batch"])

    def train(gate: Any) -> None:
        from trimtab.training import train

        train(
            model, data, epochs=_steps.LONG, batch_size=spec["batch"], learning_rate=_RATE, callbacks=[gate]
        )

    return _steps.held(keras, spec["steps"], train)


SIDES: dict[str, Callable[[dict[str, Any]], Steps]] = {
    "keras": _keras_3,
    "pruning": _pruning,
    "trimtab": _trimtab,
    "tf_keras": _tf_keras,
    "tfmot": _tfmot,
    "masks": _mask_update.trimtab,
    "tfmot_masks": _mask_update.tfmot,
    "aware": _qat_sides.aware,
    "tfmot_aware": _qat_sides.tfmot,
    **_distillation_sides.SIDES,
}

POINTS = {
    "curve": "_curve_point",
    "criterion": "_criterion_point",
    "distillation": "_distillation_point",
    "qat": "_qat_point",
    "qat_parity": "_qat_parity_point",
    "qat_tfmot": "_qat_tfmot_point",
}
"""What trains a point; all but TFMOT's need Trimtab, which peers do not have."""


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
