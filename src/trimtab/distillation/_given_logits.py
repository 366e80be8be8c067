"""Learning from a teacher's answers without the teacher: they were asked for beforehand."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.distillation._loss import DistillationLoss, StudentAccuracy
from trimtab.distillation._options import check_temperature
from trimtab.errors import ConfigError
from trimtab.training._losses import gives_logits
from trimtab.training._objective import Objective

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.data._batches import Draws

__all__ = ["given_logits"]

_PROBED = 4  # images to look at the outputs of a model with


def given_logits(
    student: Any,
    logits: npt.NDArray[np.float32],
    data: ImageData,
    *,
    temperature: float = 4.0,
    alpha: float = 0.1,
    draws: Draws | None = None,
    name: str = "",
) -> Objective:
    """Returns what `trimtab.train` learns where a teacher's logits are at hand.

    Args:
        student: the model that will be trained.
        logits: (views, n, classes), as `cached_logits` gives them. One view: of the images as they are.
            Several: of the changes that `draws` makes in the first epochs, which all epochs take in turn.
        data: the images.
        temperature: softens the answers.
        alpha: share of the labels themselves.
        draws: what the changes were drawn for when the teacher was asked; None: for these images, with the
            seed of the training.
        name: of the answers, for the checkpoint; empty: the digest of the numbers.

    Raises:
        ConfigError: the logits are not those of these images, or the temperature is none.
    """
    check_temperature(temperature)
    shape = (len(data.train), data.classes)
    if logits.ndim != 3 or logits.shape[1:] != shape or not len(logits):
        raise ConfigError(
            f"logits have the shape {logits.shape}; (views, {shape[0]}, {shape[1]}) was needed: a row for "
            "each training image, in each view."
        )
    told = name or hashlib.sha256(np.ascontiguousarray(logits).tobytes()).hexdigest()
    given = gives_logits(student, None, data.train.inputs(0, _PROBED))
    return Objective(
        student,
        DistillationLoss(data.classes, temperature, alpha, given),
        lambda: StudentAccuracy(data.classes),
        lambda: (logits,),
        len(logits),
        draws,
        belongs_to={
            "given logits": told,
            "temperature": float(temperature),
            "alpha": float(alpha),
            **({} if draws is None else {"drawn with": draws.seed, "drawn for": draws.count}),
        },
    )
