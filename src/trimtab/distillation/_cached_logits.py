"""A teacher's answers to all training images, asked for once: in each view that the student will see."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab._version import __version__
from trimtab.data import Augmentation, batches
from trimtab.data._batches import Plan
from trimtab.distillation._answers_file import AnswersFile
from trimtab.distillation._layers import Segment
from trimtab.distillation._loss import averaged
from trimtab.distillation._options import check_temperature
from trimtab.distillation._teachers import (
    Asked,
    Teacher,
    asked_once,
    batch_size,
    checked_teachers,
    refuse_nan,
)
from trimtab.errors import ConfigError
from trimtab.models._forward import forward
from trimtab.progress import Progress, Silent, Task

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["Answers", "cached_logits"]

_TOGETHER = 65536  # rows whose mean over several teachers is taken at a time


def cached_logits(
    teacher: keras.Model | Sequence[keras.Model],
    data: ImageData,
    *,
    temperature: float = 4.0,
    augmentation: Augmentation | None = None,
    view: int = 0,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Asks a teacher for its logits for all training images, or reads them where it was asked before.

    Args:
        teacher: a built classifier, or several, whose softened probabilities are averaged. One that ends in
            softmax gives the logarithms of its probabilities, which are as good as logits.
        data: the images; `data.train` is shown.
        temperature: at which several teachers are averaged; without a meaning for one.
        augmentation: random changes to the images; None: none.
        view: which of the changes: those that a training with this seed makes in the epoch of this number,
            from 0.
        seed: of the training, decides the changes.
        folder: where the answers of each teacher are kept, in one file a teacher and view; None: nowhere.
        progress: where progress is shown; None: nowhere.

    Returns:
        float32 of shape (n, classes), in the order of `data.train`.

    Raises:
        ConfigError: an argument has a value that makes no sense.
        ModelError: a teacher does not fit the data, or gives NaN.
        OutputError: the folder cannot be written.

    Example:
        >>> logits = trimtab.distillation.cached_logits(teacher, data, folder="answers")
    """
    check_temperature(temperature)
    for name, value in (("view", view), ("seed", seed)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
            raise ConfigError(f"{name}={value!r} must be a whole number of at least 0.")
    answers = Answers(checked_teachers(teacher, data), data, temperature, augmentation, seed, folder)
    with (progress or Silent()).task("ask the teacher", answers.images(1), "images") as task:
        return answers.of_view(view, task)[0]


@dataclass(frozen=True, eq=False)
class Answers:
    """What teachers say of the training images.

    Args:
        teachers: the models; features are those of the first.
        data: the images.
        temperature: at which several teachers are averaged.
        augmentation: random changes to the images; None: none.
        seed: decides the changes.
        folder: where answers are kept; None: nowhere.
        segments: the pairs of layers that are compared.
        half: keep features as float16.
    """

    teachers: tuple[Teacher, ...]
    data: ImageData
    temperature: float
    augmentation: Augmentation | None
    seed: int
    folder: str | os.PathLike[str] | None = None
    segments: tuple[Segment, ...] = field(default=())
    half: bool = False

    def images(self, views: int) -> int:
        """Counts the images that teachers are shown."""
        return views * len(self.teachers) * len(self.data.train)

    def targets(self, views: int, progress: Progress | None, label: str) -> tuple[npt.NDArray[Any], ...]:
        """Returns the answers in so many views, as `trimtab.data.batches` takes them.

        Returns:
            float32 logits (views, n, classes), and features (views, n, width) where there are any.
        """
        with (progress or Silent()).task(label, self.images(views), "images") as task:
            first = self.of_view(0, task)
            whole = [part[np.newaxis] for part in first]  # no copy: features may fill half of the memory
            if views > 1:
                whole = [np.empty((views, *part.shape), part.dtype) for part in first]
                for view in range(views):
                    for target, part in zip(whole, self.of_view(view, task) if view else first, strict=True):
                        target[view] = part
        return tuple(whole if self.segments else whole[:1])

    def of_view(self, view: int, task: Task) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """Returns the teachers' logits (n, classes) in one view, and the features (n, width) of the first."""
        asked = [
            self._of_teacher(teacher, self.segments if number == 0 else (), view, task)
            for number, teacher in enumerate(self.teachers)
        ]
        logits = [arrays["logits"] for arrays in asked]
        if len(logits) > 1:
            starts = range(0, len(logits[0]), _TOGETHER)
            parts = [[each[start : start + _TOGETHER] for each in logits] for start in starts]
            means = [ops.convert_to_numpy(averaged(part, self.temperature)) for part in parts]
            logits = [np.concatenate(means)]
        return logits[0], asked[0]["features"]

    def _of_teacher(
        self, teacher: Teacher, segments: tuple[Segment, ...], view: int, task: Task
    ) -> dict[str, npt.NDArray[Any]]:
        """Returns one teacher's answers in one view, read or asked for."""
        count, width = len(self.data.train), sum(segment.width for segment in segments)
        shapes = {"logits": (count, self.data.classes), "features": (count, width)}
        file = None if self.folder is None else AnswersFile(self.folder, self._told(teacher, segments, view))
        arrays = None if file is None else file.read(shapes)
        if arrays is not None:
            task.advance(count, "read from the folder")
            return arrays
        arrays = self._asked(teacher, segments, view, task)
        if file is not None:
            file.write(arrays)
        return arrays

    def _asked(
        self, teacher: Teacher, segments: tuple[Segment, ...], view: int, task: Task
    ) -> dict[str, npt.NDArray[Any]]:
        """Shows one teacher all images in one view, as the very batches that a training makes."""
        split, size, augmented = self.data.train, batch_size(teacher.model), self.augmentation
        seed = self.seed if augmented else None  # without a seed, the images come in order
        stream = batches(split, size, seed=seed, first_epoch=view, augmentation=augmented)
        order = Plan(split, size, seed, 1, view, augmented or Augmentation()).order(view)
        classes, width = self.data.classes, sum(segment.width for segment in segments)
        logits = np.empty((len(split), classes), np.float32)
        features = np.empty((len(split), width), np.float16 if self.half else np.float32)
        ask = forward(Asked(teacher, segments))
        for step, (images, _) in enumerate(stream):
            rows = order[step * size : (step + 1) * size]
            said = asked_once(ask, np.asarray(images), size)
            refuse_nan(teacher.model, said)
            with np.errstate(over="ignore"):  # said below
                logits[rows], features[rows] = said[:, :classes], said[:, classes:]
            task.advance(len(rows))
        if not np.isfinite(features).all():
            raise ConfigError(
                f"The features of {teacher.model.name!r} are too large for float16, as which they are kept "
                f"here (above {np.finfo(np.float16).max:,.0f}). Give cache='off', or name fewer layers."
            )
        return {"logits": logits, "features": features}

    def _told(self, teacher: Teacher, segments: tuple[Segment, ...], view: int) -> dict[str, Any]:
        """Returns what the answers depend on, as plain data."""
        changed = {"augmentation": repr(self.augmentation), "seed": self.seed, "view": view}
        return {
            "teacher": teacher.digest,
            "data": self.data.digest,
            "part": "train",
            **(changed if self.augmentation else {}),
            "compared": [repr((segment.kind, segment.teacher, segment.size)) for segment in segments],
            "half": bool(self.half and segments),
            "batch": batch_size(teacher.model),
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "trimtab": __version__,
        }
