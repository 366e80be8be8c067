"""Trains one point of the curves, inside a worker process, and keeps its result."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _curves import Point, Settings, path_of
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

    began = time.monotonic()
    point = Point(**request["point"])
    settings = Settings(**{**request["settings"], "filters": tuple(request["settings"]["filters"])})
    folder = Path(request["folder"])
    data = seed_data(point.data, point.seed, settings.images, settings.validation)
    start = path_of(folder, Point(point.data, point.seed, "before")).with_suffix(".keras")
    keras.backend.clear_session()  # hundreds of models in one process
    model, notes = _begin(point, settings, data, start) if point.series == "before" else _go_on(
        point, settings, data, start
    )  # fmt: skip
    result = {
        **dataclasses.asdict(point),
        "asked": point.sparsity,
        "sparsity": _sparsity(model),
        "accuracy": accuracy(model, data.test),
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
    from trimtab.training import train
    from trimtab.zoo import cnn

    model = cnn(
        data.image_shape, data.classes, filters=settings.filters, dense=settings.dense, seed=point.seed
    )
    done = train(model, data, epochs=settings.before, batch_size=settings.batch, seed=point.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        model.save(partial)
    return model, done.notes


def _go_on(point: Point, settings: Settings, data: ImageData, path: Path) -> tuple[Any, tuple[str, ...]]:
    """Trains that model on, with pruning or, as the control, without."""
    import keras

    from trimtab.pruning import Random, prune, sparsity_table
    from trimtab.training import train

    model = keras.saving.load_model(path)
    common: dict[str, Any] = {
        "epochs": settings.epochs, "batch_size": settings.batch, "seed": point.seed
    }  # fmt: skip
    if point.series == "control":
        return model, train(model, data, **common).notes
    pruned = prune(
        model,
        data,
        sparsity=point.sparsity,
        granularity=point.granularity,
        importance=Random(seed=point.seed) if point.importance == "random" else point.importance,
        ranking=point.ranking,
        # Blocks and N:M cannot serve its one input channel; so that lines compare, none of them prunes it.
        exclude=(sparsity_table(model)[0].name,),
        **common,
    )
    return pruned.model, pruned.notes


def _sparsity(model: Any) -> float:
    """Returns the share of zeros in all kernels together, those that were left alone included."""
    from trimtab.pruning import sparsity_table

    rows = sparsity_table(model)
    return sum(row.zeros for row in rows) / sum(row.size for row in rows)
