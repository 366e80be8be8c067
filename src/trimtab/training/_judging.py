"""How a classifier does on some images with the weights that it has now: batches of one size, a judgement."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab.data import ImageData
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.models._forward import Outputs
from trimtab.training._losses import gives_logits

if TYPE_CHECKING:
    from trimtab.data import Split

__all__ = [
    "Batch",
    "Judgement",
    "check_arguments",
    "judge",
    "judged",
    "logits_given",
    "padded_batches",
    "scores_of",
    "some_images",
]

_LEAST_PROBABILITY = 1e-7  # Keras' epsilon
_PROBED = 8  # images that show whether the model gives logits
_STREAM = 0x7461796C


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that fill a batch, the last ones repeated where too few were left.

    Args:
        images: (n, height, width, channels) float32, as the model takes them.
        labels: (n,) int32.
        weights: (n,) float32, 1 for an image and 0 for one that only fills the batch.
    """

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Judgement:
    """How a model does on some images: which it gets right, and the mean cross-entropy in nats."""

    right: npt.NDArray[np.bool_]
    loss: float


def check_arguments(data: Any, images: Any, batch_size: Any, from_logits: Any, seed: Any) -> None:
    """Raises `ConfigError` where what a pass over some images is told makes no sense; looks at no image."""
    if not isinstance(data, ImageData):
        hint = f" Give trimtab.load_data({data!r})." if isinstance(data, str) else ""
        raise ConfigError(f"data must be what trimtab.load_data gave, but got {type(data).__name__}.{hint}")
    for name, value, least in (("images", images, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise ConfigError(f"{name}={value!r} must be a whole number of at least {least}.")
    if not (from_logits is None or isinstance(from_logits, bool)):
        raise ConfigError(f"from_logits={from_logits!r} must be True, False, or None: look at the model.")


def logits_given(model: keras.Model, from_logits: bool | None, split: Split) -> bool:
    """Returns whether the model gives logits; what it gives for the first images tells, where it must."""
    return gives_logits(model, from_logits, split.inputs(0, _PROBED))


def padded_batches(model: keras.Model, split: Split, batch_size: int) -> Iterator[Batch]:
    """Cuts images into batches of one size, so that one compilation serves all.

    Args:
        model: the model they are for; one that insists on a batch size gets it.
        split: the images.
        batch_size: images in a batch, where the model leaves it open.
    """
    inputs = getattr(model, "inputs", None) or ()
    size = int(inputs[0].shape[0] or 0) if inputs else 0
    size = size or min(batch_size, len(split))
    for start in range(0, len(split), size):
        images, labels = split.inputs(start, start + size), split.labels[start : start + size]
        missing = size - len(labels)
        weights = np.ones(len(labels), np.float32)
        yield Batch(
            np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images,
            np.concatenate([labels, np.repeat(labels[-1:], missing)]).astype(np.int32),
            np.concatenate([weights, np.zeros(missing, np.float32)]),
        )


def judge(outputs: Outputs, model: keras.Model, split: Split, batch_size: int, logits: bool) -> Judgement:
    """Says how well a model does on some images.

    Args:
        outputs: what `trimtab.models._forward.forward` gave for the model.
        model: the model.
        split: the images, with their labels.
        batch_size: images in a batch.
        logits: whether the model gives logits (else probabilities).

    Raises:
        ModelError: an output is NaN or infinite.
    """
    return judged(scores_of(outputs, model, split, batch_size), split, logits)


def scores_of(outputs: Outputs, model: keras.Model, split: Split, batch_size: int) -> npt.NDArray[np.float64]:
    """Returns what a model gives for some images, (n, classes); the arguments are those of `judge`.

    Raises:
        ModelError: an output is NaN or infinite.
    """
    found = []
    for batch in padded_batches(model, split, batch_size):
        scores = outputs(batch.images)[batch.weights > 0].astype(np.float64)
        if not np.isfinite(scores).all():
            raise ModelError(
                f"The model {model.name!r} gives NaN or infinite outputs on the validation images, so that "
                "nothing can be compared. Train it with a lower learning rate, or load an earlier state."
            )
        found.append(scores)
    return np.concatenate(found)


def judged(scores: npt.NDArray[np.float64], split: Split, logits: bool) -> Judgement:
    """Judges the outputs (n, classes) that a model gave for some images by their labels."""
    labels = split.labels.astype(np.int32)
    return Judgement(scores.argmax(axis=1) == labels, float(_cross_entropy(scores, labels, logits).mean()))


def some_images(split: Split, images: int, seed: int, none: str) -> Split:
    """Returns some images of a split, chosen by the seed, or all where there are not more.

    Raises:
        DataError: there are no images; `none` says so.
    """
    if not len(split):
        raise DataError(f"{none}, and they are needed here. Load the data with a share for them.")
    if len(split) <= images:
        return split
    chosen = np.random.default_rng([_STREAM, seed]).choice(len(split), size=int(images), replace=False)
    return split.take(np.sort(chosen))


def _cross_entropy(
    scores: npt.NDArray[np.float64], labels: npt.NDArray[np.int32], logits: bool
) -> npt.NDArray[np.float64]:
    """Returns the cross-entropy of each image in nats."""
    chosen = np.arange(len(labels)), labels
    if not logits:
        return np.asarray(-np.log(np.maximum(scores[chosen], _LEAST_PROBABILITY)))
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[chosen])
