"""Trains one point of the comparison of trainings, by Trimtab, and makes its files."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _point import seed_data
from _qat_plan import FILES, Point, Settings, file_of, handed_over, path_of, read_settings, seed_folder

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["compute"]

_PROBED, _START = 32, "float.keras"


def compute(request: dict[str, Any]) -> dict[str, Any]:
    """Trains what a request asks for, inside a worker process, and keeps its files and its result.

    Args:
        request: ``point`` and ``settings`` (the fields of each), ``folder`` (of finished points), and
            ``commit`` and ``dirty``, which are kept with the result.

    Returns:
        ``path``: the file that holds the result.
    """
    import keras

    from trimtab._atomic import write_json

    began = time.monotonic()
    point, settings = Point(**request["point"]), read_settings(request["settings"])
    folder = Path(request["folder"])
    data = seed_data(point.data, point.seed, settings.images, settings.validation)
    keras.backend.clear_session()  # dozens of models in one process
    seed_folder(folder, point).mkdir(parents=True, exist_ok=True)
    model, validation, notes = _trained(point, settings, data, folder)
    trained = time.monotonic()
    notes += _files(model, point, data, folder)
    path = path_of(folder, point)
    write_json(
        path,
        {
            **dataclasses.asdict(point),
            "validation": validation,
            "notes": notes,
            "training_seconds": trained - began,
            "seconds": time.monotonic() - began,
            "commit": request["commit"],
            "dirty": request["dirty"],
        },
    )
    return {"path": str(path)}


def _trained(
    point: Point, settings: Settings, data: ImageData, folder: Path
) -> tuple[Any, float | None, list[str]]:
    """Trains a model; gives it, its accuracy on the validation images, and notes."""
    import keras

    from trimtab import quantize_aware
    from trimtab.training import train

    start = seed_folder(folder, point) / _START
    common: dict[str, Any] = {"batch_size": settings.batch, "seed": point.seed}
    if point.role == "float":
        model = _begun(point, settings, data)
        done: Any = train(model, data, epochs=settings.epochs, learning_rate=settings.rate, **common)
        _hand_over(model, data, settings, point, folder)
        return model, done.history.best.val_accuracy, list(done.notes)
    common |= {"epochs": settings.more, "learning_rate": point.rate}
    model = keras.saving.load_model(start)
    if point.role == "control":
        done = train(model, data, **common)
    else:
        done = quantize_aware(model, data, weights_bits=8 if point.role == "aware8" else 4, **common)
        model = done.model
    return model, done.history.best.val_accuracy, list(done.notes)


def _begun(point: Point, settings: Settings, data: ImageData) -> Any:
    """Builds a net with its first weights."""
    from trimtab import zoo

    net = settings.nets[point.net]
    return zoo.build(net.name, data.image_shape, data.classes, seed=point.seed, **net.options)


def _hand_over(model: Any, data: ImageData, settings: Settings, point: Point, folder: Path) -> None:
    """Keeps the float model, and what the peer needs to go on from it in the same way."""
    from trimtab._atomic import atomic_path
    from trimtab.data import Augmentation
    from trimtab.data._batches import Plan

    with atomic_path(seed_folder(folder, point) / _START) as partial:
        model.save(partial)
    plan = Plan(data.train, settings.batch, point.seed, settings.more, 0, Augmentation())
    weights = {
        f"weights/{layer.name}/{index}": array
        for layer in model.layers
        for index, array in enumerate(layer.get_weights())
    }
    probed = data.validation.inputs(0, _PROBED)
    with atomic_path(handed_over(folder, point)) as partial, partial.open("wb") as file:
        np.savez(
            file,
            input_range=np.array(data.train.input_range, np.float32),
            architecture=np.array(model.to_json()),
            order=np.stack([plan.order(epoch) for epoch in range(settings.more)]),
            train=data.train.images,
            train_labels=data.train.labels,
            validation=data.validation.images,
            validation_labels=data.validation.labels,
            probed=probed,
            answers=model.predict_on_batch(probed),
            **weights,
        )


def _files(model: Any, point: Point, data: ImageData, folder: Path) -> list[str]:
    """Makes the files of a point; gives the notes on them."""
    from trimtab import export
    from trimtab.exporting._artifact import record_path

    notes = []
    for name in FILES[point.role]:
        path = file_of(folder, point, name)
        scheme, _, plain = name.partition("-")
        options: dict[str, Any] = {"correct_bias": False} if plain else {}
        artifact = export(model, path, scheme, data, **options)
        record_path(path).unlink()
        notes += [f"{name}: {note}" for note in artifact.notes]
    return notes
