"""What learns from a teacher, and what learns without one, for as many steps as are asked for.

Both nets are the library's own; the images are random, since a step costs the same whatever they show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import _nets
import _steps
from _steps import Steps

__all__ = ["SIDES", "TITLES"]

_RATE, _TEMPERATURE, _HARD = 1e-3, 4.0, 0.1

TITLES = {
    "cnn": "small CNN taught by ResNet-8, 28x28x1",
    "resnet8": "ResNet-8 taught by ResNet-20, 32x32x3",
}
"""The pairs, by the key of the student's net in `_nets.NETS`."""


def _pair(spec: dict[str, Any]) -> tuple[Any, Any]:
    """Builds student and teacher with their first weights."""
    from trimtab import zoo

    shape = _nets.NETS[spec["net"]][1]
    width = max(round(16 * spec["scale"]), 1)
    if spec["net"] == "cnn":
        student = zoo.cnn(shape, _nets.CLASSES, filters=(2 * width, 4 * width), dense=4 * width)
        return student, zoo.resnet(shape, _nets.CLASSES, depth=8, width=width, seed=1)
    return (
        zoo.resnet(shape, _nets.CLASSES, depth=8, width=width),
        zoo.resnet(shape, _nets.CLASSES, depth=20, width=width, seed=1),
    )


def _options(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that training and distilling have in common."""
    from trimtab.data import Augmentation

    return {
        "epochs": _steps.LONG,
        "batch_size": spec["batch"],
        "learning_rate": _RATE,
        "augmentation": Augmentation(flip=True, shift=2) if spec["augmented"] else None,
    }


def _alone(spec: dict[str, Any]) -> Steps:
    """`trimtab.train` on the student."""
    import keras

    from trimtab.training import train

    student, _ = _pair(spec)
    data = _nets.image_data(spec["net"], spec["steps"] * spec["batch"])
    options = _options(spec)
    return _steps.held(keras, spec["steps"], lambda gate: train(student, data, callbacks=[gate], **options))


def _distilled(spec: dict[str, Any]) -> Steps:
    """`trimtab.distill`, with the teacher's logits from a cache or from the teacher itself."""
    import keras

    from trimtab import distill

    student, teacher = _pair(spec)
    data = _nets.image_data(spec["net"], spec["steps"] * spec["batch"])
    options = {
        **_options(spec), "cache": spec["cache"], "temperature": _TEMPERATURE, "alpha": _HARD
    }  # fmt: skip
    return _steps.held(
        keras, spec["steps"], lambda gate: distill(student, teacher, data, callbacks=[gate], **options)
    )


def _keras_alone(spec: dict[str, Any]) -> Steps:
    """Plain Keras' `fit` on the student."""
    import keras

    student, _ = _pair(spec)
    return _steps.fit(keras, student, keras.optimizers.Adam(_RATE), spec)


def _keras_distiller(spec: dict[str, Any]) -> Steps:
    """`keras.distillation.Distiller`, with the loss by name of which it would do something else."""
    import keras

    student, teacher = _pair(spec)
    learned = keras.distillation.LogitsDistillation(
        temperature=_TEMPERATURE, loss=keras.losses.KLDivergence()
    )
    distiller = keras.distillation.Distiller(teacher, student, learned, student_loss_weight=_HARD)
    return _steps.fit(keras, distiller, keras.optimizers.Adam(_RATE), spec)


def _teacher(spec: dict[str, Any]) -> Steps:
    """The teacher's one pass over the images of so many steps, which the cache is paid for with."""
    from trimtab.distillation import cached_logits

    _, teacher = _pair(spec)
    data = _nets.image_data(spec["net"], spec["steps"] * spec["batch"])

    def run(steps: int) -> float:  # noqa: ARG001 - those that it was built for
        began = time.perf_counter()
        cached_logits(teacher, data)
        return time.perf_counter() - began

    return run


SIDES: dict[str, Callable[[dict[str, Any]], Steps]] = {
    "student": _alone,
    "distilled": _distilled,
    "keras_student": _keras_alone,
    "keras_distiller": _keras_distiller,
    "teacher": _teacher,
}
