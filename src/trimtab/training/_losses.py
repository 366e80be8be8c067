"""Cross-entropy on whole-number labels, for logits or probabilities, smoothed or not."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.errors import ModelError
from trimtab.models import has_softmax

__all__ = ["SmoothedCrossentropy", "crossentropy", "gives_logits"]


def gives_logits(model: Any, from_logits: bool | None) -> bool:
    """Returns whether the model's outputs are logits; `from_logits=None` looks at its last layer.

    Raises:
        ModelError: logits are expected, but the model ends in a softmax.
    """
    softmax = has_softmax(model)
    if from_logits and softmax:
        raise ModelError(
            f"model {model.name!r} ends in a softmax, but from_logits=True expects logits. "
            "Leave from_logits out, or take the softmax off with trimtab.models.without_softmax(model)."
        )
    return not softmax if from_logits is None else bool(from_logits)


def crossentropy(from_logits: bool, smoothing: float = 0.0) -> Any:
    """Returns the loss that fits the model's outputs.

    Args:
        from_logits: whether the model's outputs are logits (else probabilities).
        smoothing: share of each label spread evenly over all classes (Szegedy et al. 2015, sec. 7).
    """
    if smoothing:
        return SmoothedCrossentropy(from_logits, smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy that takes whole-number labels and smooths them; Keras' own takes one-hot only."""

    def __init__(self, from_logits: bool, smoothing: float) -> None:
        super().__init__(name="smoothed_crossentropy")
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
        return {"from_logits": self.from_logits, "smoothing": self.smoothing}
