"""What clustering does for the compressed int8 file, beside pruning and int8 alone.

python benchmarks/clustering.py
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from _harness import Session, say
from _results import count_row

if TYPE_CHECKING:
    from trimtab.data import ImageData

_PLAIN = "int8"
_HEADINGS = (
    "model",
    "accuracy, float model",
    "accuracy, int8 file",
    "file",
    "gzip",
    "gzip, of plain",
    "different int8 values a layer",
    "entropy of the int8 weights",
)


@dataclass(frozen=True)
class _Settings:
    """How the nets are trained.

    Args:
        data: name of the data set.
        filters: of the convolutions.
        dense: units of the hidden layer.
        epochs: of the first training.
        more: epochs of each technique, and of the control.
        batch: images in a step.
    """

    data: str = "fashion_mnist"
    filters: tuple[int, ...] = (16, 32)
    dense: int = 64
    epochs: int = 6
    more: int = 3
    batch: int = 128


_FULL = _Settings()
_QUICK = _Settings("digits", (4, 8), 8, epochs=1, more=1, batch=64)


def main() -> None:
    """Trains one net, makes it smaller in every way, and weighs the files."""
    session = Session(
        "clustering",
        "What clustering does for the compressed file",
        "How small does an int8 file get under gzip when its weights are pruned, when they share 16 values a "
        "layer, and when both was done, and what does it cost in accuracy?",
    )
    settings = _QUICK if session.quick else _FULL
    data = _data(settings)
    with tempfile.TemporaryDirectory() as scratch:
        found = _found(settings, data, Path(scratch))
    plain = found[_PLAIN]
    rows = [
        count_row(name, one["gzip_bytes"] / 1000, unit="kB", group=f"{data.name}, int8 file, gzipped")
        for name, one in found.items()
    ]
    cells = [
        (
            name,
            f"{100 * one['float_accuracy']:.2f} %",
            f"{100 * one['accuracy']:.2f} %",
            f"{one['bytes']:,.0f}",
            f"{one['gzip_bytes']:,.0f}",
            f"{one['gzip_bytes'] / plain['gzip_bytes']:.2f}x",
            f"{one['values']:.0f}",
            f"{one['bits']:.2f} bits",
        )
        for name, one in found.items()
    ]
    table = {"title": "Accuracy and size", "headings": _HEADINGS, "rows": cells}
    session.finish(rows, _method(settings, data), tables=[table], settings=settings, found=found)


def _method(settings: _Settings, data: ImageData) -> list[str]:
    """Says how it was measured."""
    filters = ", ".join(map(str, settings.filters))
    return [
        f"A CNN with {filters} filters and {settings.dense} hidden units learns the {len(data.train):,} "
        f"training images of {data.name} for {settings.epochs} epochs. Every row goes on from there for "
        f"{settings.more} more epochs (pruned and clustered: {settings.more} each); the row {_PLAIN!r} "
        "trains on plainly as long. One seed; the validation images choose the epoch.",
        "Pruned: 70 % of the weights of each layer, by magnitude. Clustered: 16 values, with k-means++ and "
        "shared gradients; where zeros are kept, zero is one of the 16.",
        f"Accuracy is that of the {len(data.test):,} test images, in the float model and in the int8 file, "
        "which is the ordinary one: one scale an output channel. Different values and entropy are counted "
        "in the file's int8 kernels (values: mean over the layers; entropy: over all weights together).",
    ]


def _data(settings: _Settings) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data(settings.data)
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _found(settings: _Settings, data: ImageData, scratch: Path) -> dict[str, dict[str, float]]:
    """Trains and weighs every model."""
    from trimtab.clustering import cluster
    from trimtab.models import clone
    from trimtab.pruning import prune
    from trimtab.training import train
    from trimtab.zoo import cnn

    begun = cnn(data.image_shape, data.classes, filters=settings.filters, dense=settings.dense)
    say("training the net")
    train(begun, data, epochs=settings.epochs, batch_size=settings.batch)
    more: dict[str, Any] = {"epochs": settings.more, "batch_size": settings.batch}

    def plain() -> Any:
        return train(clone(begun), data, **more).model

    @functools.cache
    def pruned() -> Any:
        return prune(begun, data, sparsity=0.7, **more).model

    def clustered(model: Any, per: str = "layer") -> Any:
        return cluster(model, data, clusters=16, per=per, **more).model

    made: Mapping[str, Callable[[], Any]] = {
        _PLAIN: plain,
        "pruned 70 %": pruned,
        "clustered 16": lambda: clustered(begun),
        "clustered 16, each channel by itself": lambda: clustered(begun, "channel"),
        "pruned 70 %, clustered 16": lambda: clustered(pruned()),
    }
    found = {}
    for name, make in made.items():
        if settings is _QUICK and "channel" in name:
            continue
        say(name)
        found[name] = _weighed(make(), data, scratch / "model.tflite")
    return found


def _weighed(model: Any, data: ImageData, path: Path) -> dict[str, float]:
    """Exports a model to int8; gives accuracies, bytes and what its weights are like."""
    from trimtab.benchmarking import benchmark
    from trimtab.exporting import export

    export(model, path, scheme="int8", data=data)
    measured = benchmark({"float": model, "file": path}, data, latency=False, memory=False)
    whole, file = (measured.rows[at] for at in range(2))
    values, bits = _int8_weights(path)
    return {
        "float_accuracy": _value(whole, "accuracy"),
        "accuracy": _value(file, "accuracy"),
        "bytes": _value(file, "bytes"),
        "gzip_bytes": _value(file, "gzip_bytes"),
        "values": values,
        "bits": bits,
    }


def _value(row: Any, name: str) -> float:
    """Returns a measurement that must be there."""
    return float(row.value(name))


def _int8_weights(path: Path) -> tuple[float, float]:
    """Counts the different integers in the kernels of a file (their mean), and their entropy in bits."""
    from ai_edge_litert.interpreter import Interpreter

    from trimtab.litert import inspect

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    counts, bits, size = [], 0.0, 0
    for index, tensor in enumerate(inspect(path).tensors):
        if not tensor.constant or tensor.dtype != "int8":
            continue
        _, there = np.unique(interpreter.get_tensor(index), return_counts=True)
        shares = there / there.sum()
        counts.append(len(there))
        bits -= float((shares * np.log2(shares)).sum()) * tensor.elements
        size += tensor.elements
    return float(np.mean(counts)), bits / size


if __name__ == "__main__":
    main()
