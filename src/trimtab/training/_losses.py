"""Cross-entropy on whole-number labels, for logits or probabilities, smoothed or not."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.errors import ModelError
from trimtab.models import has_softmax
from trimtab.models._softmax import gives_probabilities

__all__ = ["SmoothedCrossentropy", "crossentropy", "gives_logits"]


def gives_logits(model: Any, from_logits: bool | None, images: Any) -> bool:
    """Returns whether the model's outputs are logits.

    Where its last layers do not tell, as in a softmax before a global average pooling, what it gives for
    a few images does.

    Args:
        model: the classifier.
        from_logits: what the user says it is; None: look.
        images: float32 (n, height, width, channels), a few.

    Raises:
        ModelError: what the user says is not so.
    """
    softmax = has_softmax(model)
    if from_logits and softmax:
        raise ModelError(
            f"model {model.name!r} ends in a softmax, but from_logits=True expects logits. "
            "Leave from_logits out, or take the softmax off with trimtab.models.without_softmax(model)."
        )
    probabilities = softmax or gives_probabilities(model, images)
    if from_logits and probabilities:
        raise ModelError(
            f"model {model.name!r} gives probabilities (rows that sum to 1), but from_logits=True expects "
            "logits. Leave from_logits out, or build the model without its softmax."
        )
    if from_logits is False and not probabilities:
        raise ModelError(
            f"model {model.name!r} does not give probabilities (rows of numbers from 0 on that sum to 1), "
            "but from_logits=False expects them. Leave from_logits out, or end the model in a softmax."
        )
    return not probabilities


def crossentropy(from_logits: bool, smoothing: float = 0.0) -> Any:
    """Returns the loss that fits the model's outputs.

    Args:
        from_logits: whether the model's outputs are logits (else probabilities).
        smoothing: share of each label spread evenly over all classes (Szegedy et al. 2015, sec. 7).
    """
    if smoothing:
        return SmoothedCrossentropy(from_logits, smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


@keras.saving.register_keras_serializable(package="trimtab")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy that takes whole-number labels and smooths them; Keras' own takes one-hot only."""

    def __init__(
        self, from_logits: bool, smoothing: float, name: str = "smoothed_crossentropy", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        self.from_logits = from_logits
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image: labels (batch,), outputs (batch, classes)."""
        ops = keras.ops
        classes = y_pred.shape[-1]
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        wanted = ops.one_hot(labels, classes, dtype=y_pred.dtype)
        wanted = wanted * (1.0 - self.smoothing) + self.smoothing / classes
        return ops.categorical_crossentropy(wanted, y_pred, from_logits=self.from_logits)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that a model that is saved in mid-training can be read back."""
        return {**super().get_config(), "from_logits": self.from_logits, "smoothing": self.smoothing}
