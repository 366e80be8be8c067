"""The student with what it needs while it learns: projections of its features, and the teacher beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.distillation._layers import Reading, Segment

__all__ = ["Pupil"]

_STREAM = 0x70726F6A


class Pupil(keras.Model):
    """A student in training: for each image one row, [outputs | features of each pair | the teacher's row].

    In training it gives what the loss compares; otherwise it is the student alone, so that validation costs
    no more than the student's own. The teacher is held where Keras does not look: its weights are no weights
    of this model, in no checkpoint and no optimizer.

    Args:
        student: the model that learns; its own layers and variables are used, and nothing is added to them.
        segments: the pairs of layers that are compared.
        seed: of the projections' initial weights.
        teaching: gives the teacher's row for images; None: it comes with the labels.
    """

    def __init__(
        self,
        student: Any,
        segments: Sequence[Segment],
        seed: int,
        teaching: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(name=f"{student.name}_pupil", dtype="float32")
        self.student = student
        self.projections = [
            _projection(segment, number, seed) for number, segment in enumerate(segments) if segment.projected
        ]
        reading = Reading(student, tuple(segment.student for segment in segments))
        self._learnt: Callable[[Any], list[Any]] = lambda images: _learnt(
            reading, segments, self.projections, images
        )
        self._taught = teaching
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Returns float32 (batch, outputs)."""
        if not training:
            return self.student(images, training=False)
        row = self._learnt(images)
        if self._taught is not None:
            row.append(self._taught(images))
        return ops.concatenate(row, axis=-1)


def _learnt(
    reading: Reading, segments: Sequence[Segment], projections: Sequence[Any], images: Any
) -> list[Any]:
    """Runs the student as in training: its outputs, and what is compared of each pair."""
    output, maps = reading(images, training=True)
    row, left = [ops.cast(output, "float32")], iter(projections)
    for segment, each in zip(segments, maps, strict=True):
        row.append(segment.taken(each, next(left) if segment.projected else None))
    return row


def _projection(segment: Segment, number: int, seed: int) -> Any:
    """Makes the learned map from the student's channels to the teacher's, the same at each place.

    A 1x1 convolution: A. Romero et al., "FitNets: hints for thin deep nets", ICLR 2015, section 2.2, have the
    regressor convolutional too, so that it has few weights of its own.
    """
    drawn = int(np.random.SeedSequence((_STREAM, seed, number)).generate_state(1)[0]) >> 1
    layer = keras.layers.Dense(
        segment.teacher.shape[2],
        kernel_initializer=keras.initializers.GlorotUniform(seed=drawn),
        dtype="float32",
        name=f"projection_{number}",
    )
    layer.build((None, *segment.size, segment.student.shape[2]))
    return layer
