"""Trains one point of the comparison of criteria, inside a worker process, and keeps its result."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _criteria import Point, Settings, path_of
from _point import accuracy, seed_data

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["compute"]


def compute(request: dict[str, Any]) -> dict[str, Any]:
    """Trains what a request asks for.

    Args:
        request: ``point`` and ``settings`` (the fields of each), ``folder`` (of finished points), and
            ``commit`` and ``dirty``, which are kept with the result.

    Returns:
        ``path``: the file that holds the result.
    """
    import keras

    from trimtab._atomic import write_json
    from trimtab.models import macs

    began = time.monotonic()
    point, settings = Point(**request["point"]), Settings(**request["settings"])
    folder = Path(request["folder"])
    data = seed_data(settings.data, point.seed, settings.images, settings.validation)
    start = path_of(folder, Point(point.seed, "before")).with_suffix(".keras")
    keras.backend.clear_session()  # dozens of models in one process
    if point.criterion == "before":
        model, notes = _begin(point, settings, data, start)
        raw = accuracy(model, data.validation)
    else:
        model, notes = _pruned(point, settings, data, keras.saving.load_model(start))
        raw = accuracy(model, data.validation)
        notes += _trained(model, point, settings, data, settings.epochs)
    result = {
        **dataclasses.asdict(point),
        "raw": raw,
        "accuracy": accuracy(model, data.test),
        "macs": macs(model),
        "parameters": model.count_params(),
        "notes": list(notes),
        "seconds": time.monotonic() - began,
        "commit": request["commit"],
        "dirty": request["dirty"],
    }
    path = path_of(folder, point)
    write_json(path, result)
    return {"path": str(path)}


def _begin(point: Point, settings: Settings, data: ImageData, path: Path) -> tuple[Any, tuple[str, ...]]:
    """Trains the model that all points of a seed begin from, and keeps it."""
    from trimtab._atomic import atomic_path
    from trimtab.zoo import resnet

    model = resnet(
        data.image_shape, data.classes, depth=settings.depth, width=settings.width, seed=point.seed
    )
    notes = _trained(model, point, settings, data, settings.before)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        model.save(partial)
    return model, notes


def _pruned(point: Point, settings: Settings, data: ImageData, model: Any) -> tuple[Any, tuple[str, ...]]:
    """Removes channels and estimates batch normalisation's averages anew; the control stays as it is."""
    if point.criterion == "control":
        return model, ()
    from trimtab import prune_channels
    from trimtab.channel_pruning import ChannelRandom

    done = prune_channels(
        model,
        data,
        macs=settings.macs,
        importance=ChannelRandom(point.seed) if point.criterion == "random" else point.criterion,
        ranking=point.ranking,
        round_to=1,  # so that all come to the same MACs, whatever they choose
        least=1,
        epochs=0,
        seed=point.seed,
    )
    return done.model, tuple(done.notes)


def _trained(model: Any, point: Point, settings: Settings, data: ImageData, epochs: int) -> tuple[str, ...]:
    """Trains a model in place, each in the same way."""
    from trimtab.data import Augmentation
    from trimtab.training import train

    augmentation = Augmentation(flip=True, shift=settings.shift) if settings.shift else None
    done = train(
        model, data, epochs=epochs, batch_size=settings.batch, augmentation=augmentation, seed=point.seed
    )
    return done.notes
