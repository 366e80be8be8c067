"""The models that teach: checked before anything is trained, and what they say as one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab._statistics import wilson_interval
from trimtab.distillation._layers import Reading, Segment
from trimtab.distillation._loss import as_logits, averaged
from trimtab.errors import ConfigError, ModelError
from trimtab.models import check_fits
from trimtab.models._forward import forward
from trimtab.training._checkpoint import architecture_digest, weights_digest
from trimtab.training._losses import gives_logits

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = [
    "Asked",
    "Teacher",
    "TeacherAccuracy",
    "answers",
    "asked_once",
    "batch_size",
    "checked_teachers",
    "examined",
    "refuse_nan",
    "teaching",
]

_BATCH = 256  # images that a teacher is asked at a time, where it leaves that open
_PROBED = 4  # images to look at the outputs of a model with


@dataclass(frozen=True)
class TeacherAccuracy:
    """How well a teacher does on the validation images.

    Args:
        name: of the model.
        accuracy: share of them that it classifies rightly, 0 to 1.
        low: lower end of the 95 % interval (Wilson).
        high: upper end.
        images: how many there were.
    """

    name: str
    accuracy: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, eq=False)
class Teacher:
    """A model that teaches; it is never changed.

    Args:
        model: the model.
        logits: whether it gives logits (else probabilities).
        digest: of its architecture and weights, the same in every process.
    """

    model: Any = field(repr=False)
    logits: bool
    digest: str


def checked_teachers(teacher: Any, data: ImageData, student: Any = None) -> tuple[Teacher, ...]:
    """Returns the teachers, after looking whether they can teach this student these images.

    Args:
        teacher: a built model, or several.
        data: the images.
        student: the model that learns; None: nobody yet.

    Raises:
        ConfigError: there is no teacher, or the student is one, or shares weights with one.
        ModelError: a teacher takes other images or tells other classes apart.
    """
    models = list(teacher) if isinstance(teacher, Sequence) and not isinstance(teacher, str) else [teacher]
    if not models:
        raise ConfigError("teacher is an empty list; give one built Keras model, or several.")
    for model in models:
        try:
            check_fits(model, data)
        except ModelError as error:
            whom = "" if student is None else f" {student.name!r}"
            raise ModelError(
                f"This teacher cannot teach{whom}: both must take the same images and tell the same classes "
                f"apart. {error}"
            ) from error
        own = set() if student is None else {id(variable) for variable in student.variables}
        if model is student or any(id(variable) in own for variable in model.variables):
            raise ConfigError(
                f"The teacher {model.name!r} shares weights with the student, and would change while it "
                "teaches. Give a copy: trimtab.models.clone(teacher)."
            )
    images = data.train.inputs(0, _PROBED)
    return tuple(
        Teacher(model, gives_logits(model, None, images), architecture_digest(model) + weights_digest(model))
        for model in models
    )


class Asked(keras.Model):
    """What one teacher says of images, as one row each: [logits | features of each pair]."""

    def __init__(self, teacher: Teacher, segments: Sequence[Segment] = ()) -> None:
        super().__init__(name=f"{teacher.model.name}_asked", dtype="float32")
        self.teacher = teacher.model  # tracked, so that its variables reach compiled functions
        self._answer: Callable[[Any], list[Any]] = lambda images: answers(teacher, segments, images)
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:  # noqa: ARG002 - a teacher never trains
        """Returns (batch, classes + widths of the segments) float32."""
        return ops.concatenate(self._answer(images), axis=-1)


def answers(teacher: Teacher, segments: Sequence[Segment], images: Any) -> list[Any]:
    """Returns a teacher's logits for images, and after them what is compared of each pair of layers."""
    reading = Reading(teacher.model, tuple(segment.teacher for segment in segments))
    output, maps = reading(images, training=False)
    taken = [segment.taken(each) for segment, each in zip(segments, maps, strict=True)]
    return [as_logits(output, teacher.logits), *taken]


def teaching(
    teachers: Sequence[Teacher], segments: Sequence[Segment], temperature: float
) -> Callable[[Any], Any]:
    """Returns a function from images to what the teachers say together, as part of a larger computation.

    Their softened answers are averaged; features are those of the first. No gradient reaches them, and they
    run as they do when they predict: no dropout, no change to the statistics of batch normalisation.
    """

    def taught(images: Any) -> Any:
        first, *others = (
            answers(teacher, segments if number == 0 else (), images)
            for number, teacher in enumerate(teachers)
        )
        logits = averaged([first[0], *(other[0] for other in others)], temperature)
        return ops.stop_gradient(ops.concatenate([logits, *first[1:]], axis=-1))

    return taught


def examined(teacher: Teacher, data: ImageData) -> TeacherAccuracy:
    """Says how well a teacher does on the validation images.

    Raises:
        ModelError: it gives NaN or infinite numbers, or is worse than chance.
    """
    model, split = teacher.model, data.validation
    ask, size = forward(Asked(teacher)), batch_size(model)
    right = 0
    for start in range(0, len(split), size):
        images, labels = split.inputs(start, start + size), split.labels[start : start + size]
        logits = asked_once(ask, images, size)
        refuse_nan(model, logits)
        right += int((logits.argmax(axis=1) == labels).sum())
    value, low, high = wilson_interval(right, len(split))
    chance = 1 / data.classes
    if high is not None and high < chance:
        raise ModelError(
            f"The teacher {model.name!r} is worse than chance: it classifies {value:.1%} of the {len(split)} "
            f"validation images rightly (95 % interval up to {high:.1%}, chance {chance:.1%}). Check that it "
            f"learned these classes in this order ({', '.join(data.class_names[:3])}, ...), and takes pixels "
            f"in {data.validation.input_range}."
        )
    return TeacherAccuracy(model.name, value, float(low or 0.0), float(high or 0.0), len(split))


def batch_size(model: Any) -> int:
    """Returns how many images a model is asked at a time: as many as it insists on, where it does."""
    inputs = getattr(model, "inputs", None) or ()
    return int(inputs[0].shape[0] or _BATCH) if inputs else _BATCH


def asked_once(ask: Any, images: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Asks for a batch that is filled up to one size, so that one compilation serves all."""
    missing = size - len(images)
    if not missing:
        return np.asarray(ask(images))
    filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
    return np.asarray(ask(filled))[: len(images)]


def refuse_nan(model: Any, values: npt.NDArray[Any]) -> None:
    """Raises `ModelError` where a teacher gives anything but finite numbers."""
    if not np.isfinite(values).all():
        raise ModelError(
            f"The teacher {model.name!r} gives NaN or infinite numbers, from which nothing can be learned. "
            "Train it with a lower learning rate, or load an earlier state."
        )
