"""How long it takes to say how accurate an int8 file is: 10,000 images, intervals included.

Beside Keras' own `evaluate` on the float model, and the loop over images that tutorials show.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from _harness import Session, interleaved, say
from _results import Row, Target, measured_row

if TYPE_CHECKING:
    from trimtab.data import ImageData

_OURS, _LOOP = "trimtab.benchmark, int8 file", "interpreter loop as in tutorials, int8 file"


def main() -> None:
    """Trains and exports a small CNN, and evaluates it in every way, in turn."""
    session = Session(
        "evaluation",
        "How long evaluating an int8 file takes",
        "How long does it take to evaluate 10,000 Fashion-MNIST test images on the int8 file of a small CNN, "
        "with accuracy, loss, size and intervals?",
    )
    data = _data(session.quick)
    with tempfile.TemporaryDirectory() as scratch:
        rows = _measure(session, data, Path(scratch))
    session.finish(rows, _METHOD)


_METHOD = (
    "All in one process, in turn, the order rotates; one interpreter thread. The net is the small CNN of the "
    "fashion-mnist recipe's baseline, trained for one pass over a part of the images.",
    "The row of Trimtab opens the file, runs every image, and gives accuracy with its interval, loss, bytes "
    "raw and gzipped, parameters, non-zeros and MACs. The loop gives accuracy alone, and so does `evaluate` "
    "with the loss.",
    "The first call is a row of its own: it also imports what it needs.",
)


def _data(quick: bool) -> ImageData:
    """Loads Fashion-MNIST; in a quick run the digits, of the same size."""
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    if quick:
        return load_data("digits", size=(28, 28))
    try:
        return load_data("fashion_mnist")
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _measure(session: Session, data: ImageData, scratch: Path) -> list[Row]:
    """Measures every way of evaluating."""
    model, path = _model_and_file(data, scratch, session.quick)
    group = f"{data.name}, {len(data.test)} images"
    sides: dict[str, Callable[[], float]] = {
        _OURS: _timed(lambda: _benchmark(path, data)),
        "trimtab.benchmark, float Keras model": _timed(lambda: _benchmark(model, data)),
        _LOOP: _timed(lambda: _tutorial_loop(path, data)),
        "model.evaluate, float Keras model": _timed(_evaluate(model, data, autotune=True)),
        "model.evaluate without autotune, float Keras model": _timed(_evaluate(model, data, autotune=False)),
    }
    target = None if session.quick else Target(1.0)
    first = measured_row(f"{_OURS}, first call", [sides[_OURS]()], "s", group=group, target=target)
    samples = interleaved(sides, session.rounds(full=10), label="evaluation")
    return [first] + [
        measured_row(
            name,
            taken,
            "s",
            group=group,
            target=target if name == _OURS else None,
            versus=None if name == _LOOP else (_LOOP, samples[_LOOP]),
        )
        for name, taken in samples.items()
    ]


def _model_and_file(data: ImageData, scratch: Path, quick: bool) -> tuple[Any, Path]:
    """Trains the net a little, and makes its int8 file."""
    import dataclasses

    from trimtab.exporting import export
    from trimtab.training import train
    from trimtab.zoo import cnn

    size = {"filters": (4, 8), "dense": 16} if quick else {"filters": (32, 64), "dense": 64}
    model = cnn(data.image_shape, data.classes, **size)  # type: ignore[arg-type]
    part = dataclasses.replace(data, train=data.train.take(np.arange(min(len(data.train), 12_800))))
    say("training and exporting a small CNN")
    train(model, part, epochs=1)
    path = scratch / "small-cnn.tflite"
    export(model, path, scheme="int8", data=data)
    return model, path


def _timed(work: Callable[[], Any]) -> Callable[[], float]:
    """Gives what does the work and returns the seconds it took."""

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return once


def _benchmark(subject: Any, data: ImageData) -> Any:
    """Trimtab's own evaluation, without timing single images."""
    from trimtab.benchmarking import benchmark

    return benchmark({"subject": subject}, data, latency=False, memory=False)


def _evaluate(model: Any, data: ImageData, autotune: bool) -> Callable[[], Any]:
    """Keras' evaluation of the float model: from arrays, as anyone would, or without tf.data's autotune."""
    x, y = data.test.inputs(), data.test.labels
    if autotune:
        return lambda: model.evaluate(x, y, batch_size=128, verbose=0)
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(128).prefetch(4)
    options = tf.data.Options()
    options.autotune.enabled = False
    batches = batches.with_options(options)
    return lambda: model.evaluate(batches, verbose=0)


def _tutorial_loop(path: Path, data: ImageData) -> float:
    """Evaluates the file as tutorials do: image by image, quantized in NumPy one at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = source["quantization"]
    correct = 0
    for image, label in zip(data.test.inputs(), data.test.labels, strict=True):
        pixels = np.clip(np.round(image / scale + zero_point), -128, 127)
        interpreter.set_tensor(source["index"], np.expand_dims(pixels, 0).astype(source["dtype"]))
        interpreter.invoke()
        correct += int(np.argmax(interpreter.get_tensor(target["index"])[0]) == label)
    return correct / len(data.test)


if __name__ == "__main__":
    main()
