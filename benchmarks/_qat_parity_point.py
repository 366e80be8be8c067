"""Whether the file is the model: one net, trained with integers in mind, beside the files made of it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _point import seed_data

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["FULL", "QUICK", "Net", "Point", "Settings", "compute", "path_of"]


@dataclass(frozen=True)
class Net:
    """One architecture of `trimtab.zoo`, and what was promised of it.

    Args:
        title: in words.
        name: of the architecture.
        data: name of the data set.
        least: promised share of the test images on which file and model name the same class.
        options: for the architecture.
    """

    title: str
    name: str
    data: str
    least: float
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How the nets are trained.

    Args:
        nets: the nets, by a short name.
        images: training images; None: all.
        validation: images that choose the epoch; None: all.
        epochs: of the float model.
        aware: epochs of `trimtab.quantize_aware`.
        batch: images in a step.
    """

    nets: Mapping[str, Net]
    images: int | None = 6_000
    validation: int | None = 1_000
    epochs: int = 4
    aware: int = 1
    batch: int = 64


FULL = Settings(
    {
        "cnn": Net(
            "CNN with batch normalisation", "cnn", "fashion_mnist", 0.999,
            {"filters": [16, 32], "batch_norm": True},
        ),
        "depthwise": Net(
            "depthwise separable CNN", "ds_cnn", "fashion_mnist", 0.999, {"filters": [24, 48, 96], "depth": 1}
        ),
        "resnet": Net("ResNet-8", "resnet", "cifar10", 0.997),
        "mobilenet_v2": Net("MobileNetV2", "mobilenet_v2", "cifar10", 0.997, {"alpha": 0.35}),
        "mobilenet_v3": Net("MobileNetV3, small", "mobilenet_v3", "cifar10", 0.997, {"alpha": 0.5}),
    }
)  # fmt: skip
QUICK = Settings(
    {
        "cnn": Net(
            "CNN with batch normalisation", "cnn", "digits", 0.999, {"filters": [4], "batch_norm": True}
        )
    },
    images=None,
    validation=None,
    epochs=2,
)


@dataclass(frozen=True)
class Point:
    """One net: a key of the settings' nets."""

    net: str


def path_of(folder: Path, point: Point) -> Path:
    """Returns where a finished point is kept."""
    return folder / f"{point.net}.json"


def compute(request: dict[str, Any]) -> dict[str, Any]:
    """Trains what a request asks for, inside a worker process, compares, and keeps the result.

    Args:
        request: ``point`` and ``settings`` (the fields of each), ``folder`` (of finished points), and
            ``commit`` and ``dirty``, which are kept with the result.

    Returns:
        ``path``: the file that holds the result.
    """
    import keras

    from trimtab import quantize_aware, zoo
    from trimtab._atomic import write_json
    from trimtab.training import train

    began = time.monotonic()
    point, settings = Point(**request["point"]), request["settings"]
    net = Net(**settings["nets"][point.net])
    data = seed_data(net.data, 0, settings["images"], settings["validation"])
    keras.backend.clear_session()
    model = zoo.build(net.name, data.image_shape, data.classes, **net.options)
    train(model, data, epochs=settings["epochs"], batch_size=settings["batch"])
    found = {}
    for bits in (8, 4):
        made = quantize_aware(
            model,
            data,
            weights_bits=bits,
            epochs=settings["aware"],
            batch_size=settings["batch"],
            learning_rate=3e-4,
        )
        found[str(bits)] = {**_compared(made.model, f"int{bits}", data), "kept_float": dict(made.kept_float)}
    path = path_of(Path(request["folder"]), point)
    result = {
        **dataclasses.asdict(point),
        "found": found,
        "parameters": model.count_params(),
        "seconds": time.monotonic() - began,
        "commit": request["commit"],
        "dirty": request["dirty"],
    }
    write_json(path, result)
    return {"path": str(path)}


def _compared(aware: Any, scheme: str, data: ImageData) -> dict[str, Any]:
    """Runs model and file on all test images."""
    from trimtab.litert import LiteRTModel, convert, inspect
    from trimtab.litert._signature import predict

    content = convert(aware, scheme)
    file, images = LiteRTModel(content), data.test.inputs()
    wanted, got = predict(aware, images), file(images)
    apart = np.rint(np.abs(wanted - got) / file.output_quantization[0])
    classes, labels = (wanted.argmax(axis=-1), got.argmax(axis=-1)), data.test.labels
    return {
        "images": len(images),
        "same": int(np.sum(classes[0] == classes[1])),
        "largest": int(apart.max()),
        "share": float(np.mean(apart > 0)),
        "model_accuracy": float(np.mean(classes[0] == labels)),
        "file_accuracy": float(np.mean(classes[1] == labels)),
        "float_tensors": len(inspect(content).float_tensors),
        "bytes": len(content),
    }
