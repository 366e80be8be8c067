"""How accurate a student becomes, with and without a teacher: what is trained, and where it is kept."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _point import accuracy, seed_data

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["FULL", "QUICK", "TITLES", "Point", "Settings", "compute", "path_of"]

TITLES = {"teacher": "the teacher", "alone": "the student alone", "taught": "the student with its teacher"}


@dataclass(frozen=True)
class Settings:
    """How teacher and student are trained.

    Args:
        data: name of the data set.
        images: training images, drawn anew for each seed; None: all.
        validation: images that choose the epoch; None: all.
        teacher: width of the teacher, a residual network of depth 8.
        student: width of the student, of the same depth.
        epochs: of either.
        batch: images in a step.
        shift: pixels by which augmentation moves an image; it mirrors half of them too. 0: neither.
    """

    data: str = "cifar10"
    images: int | None = 20_000
    validation: int | None = 5_000
    teacher: int = 16
    student: int = 6
    epochs: int = 20
    batch: int = 128
    shift: int = 4


FULL = Settings()
QUICK = Settings("digits", None, None, teacher=8, student=4, epochs=2, batch=64, shift=0)


@dataclass(frozen=True)
class Point:
    """One model: a key of `TITLES`, and its seed."""

    seed: int
    role: str


def path_of(folder: Path, point: Point) -> Path:
    """Returns where a finished point is kept."""
    return folder / f"seed-{point.seed}" / f"{point.role}.json"


def compute(request: dict[str, Any]) -> dict[str, Any]:
    """Trains what a request asks for, inside a worker process, and keeps its result.

    Args:
        request: ``point`` and ``settings`` (the fields of each), ``folder`` (of finished points), and
            ``commit`` and ``dirty``, which are kept with the result.

    Returns:
        ``path``: the file that holds the result.
    """
    import keras

    from trimtab._atomic import write_json

    began = time.monotonic()
    point, settings = Point(**request["point"]), Settings(**request["settings"])
    path = path_of(Path(request["folder"]), point)
    data = seed_data(settings.data, point.seed, settings.images, settings.validation)
    keras.backend.clear_session()
    model, notes = _trained(point, settings, data, path.with_name("teacher.keras"))
    result = {
        **dataclasses.asdict(point),
        "accuracy": accuracy(model, data.test),
        "parameters": model.count_params(),
        "notes": list(notes),
        "seconds": time.monotonic() - began,
        "commit": request["commit"],
        "dirty": request["dirty"],
    }
    write_json(path, result)
    return {"path": str(path)}


def _trained(point: Point, settings: Settings, data: ImageData, teacher: Path) -> tuple[Any, tuple[str, ...]]:
    """Trains the teacher, which is kept beside the results, or the student."""
    import keras

    from trimtab import distill
    from trimtab._atomic import atomic_path
    from trimtab.data import Augmentation
    from trimtab.training import train
    from trimtab.zoo import resnet

    width = settings.teacher if point.role == "teacher" else settings.student
    model = resnet(data.image_shape, data.classes, depth=8, width=width, seed=point.seed)
    common: dict[str, Any] = {
        "epochs": settings.epochs,
        "batch_size": settings.batch,
        "seed": point.seed,
        "augmentation": Augmentation(flip=True, shift=settings.shift) if settings.shift else None,
    }
    if point.role == "taught":
        return model, tuple(distill(model, keras.saving.load_model(teacher), data, **common).notes)
    notes = train(model, data, **common).notes
    if point.role == "teacher":
        teacher.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(teacher) as partial:
            model.save(partial)
    return model, notes
