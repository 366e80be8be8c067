"""What a student is judged by: the labels, the teacher's softened answers, and the features of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from trimtab.training._losses import crossentropy

__all__ = ["DistillationLoss", "StudentAccuracy", "as_logits", "averaged", "soft_loss"]

_LEAST = 1e-30  # of a probability: its logarithm, -69, is one that float32 softmax tells from zero


def as_logits(outputs: Any, from_logits: bool) -> Any:
    """Returns a classifier's outputs as float32 logits.

    The logarithms of probabilities are the logits but for a constant in each row, which no softmax sees, at
    whatever temperature. So the teacher or student may end in a softmax, and nothing is lost.

    Args:
        outputs: (batch, classes).
        from_logits: whether they are logits already (else probabilities).
    """
    outputs = ops.cast(outputs, "float32")
    return outputs if from_logits else ops.log(ops.maximum(outputs, _LEAST))


def averaged(logits: Sequence[Any], temperature: float) -> Any:
    """Returns the logits whose softmax at the temperature is the mean of the teachers' own softmaxes there.

    Probabilities are averaged, and not logits, as Hinton et al. (2015, section 3) take the arithmetic mean of
    an ensemble's answers: a teacher whose logits are large does not shout the others down.

    Args:
        logits: (batch, classes) of each teacher; those of a single one come back as they are.
        temperature: at which the mean is taken.
    """
    if len(logits) == 1:
        return logits[0]
    logs = ops.stack([ops.log_softmax(each / temperature, axis=-1) for each in logits])
    return temperature * (ops.logsumexp(logs, axis=0) - ops.log(float(len(logits))))


def soft_loss(student: Any, teacher: Any, temperature: float) -> Any:
    """Returns how far the student's softened answers are from the teacher's, for each image.

    ``T^2 * KL(softmax(teacher / T) || softmax(student / T))``; T^2 keeps the gradients as large as those of
    the labels whatever the temperature.

    Args:
        student: logits (batch, classes).
        teacher: logits (batch, classes).
        temperature: above 0; the higher, the more the small probabilities count.

    Reference: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015.
    """
    # `keras.distillation.LogitsDistillation(loss=keras.losses.KLDivergence())` computes the same, and a test
    # compares the two. It is not called here: it returns one number for the batch, so that sample weights
    # cannot act, and clips probabilities at 1e-7, below which a student gets no gradient. Its default,
    # loss="kl_divergence", must not be used at all: it leaves out softmax and T^2, as a test shows too.
    mine = ops.log_softmax(student / temperature, axis=-1)
    wanted = ops.log_softmax(teacher / temperature, axis=-1)
    return temperature**2 * ops.sum(ops.exp(wanted) * (wanted - mine), axis=-1)


@keras.saving.register_keras_serializable(package="trimtab")
class DistillationLoss(keras.losses.Loss):
    """The loss of each image: ``alpha * labels + (1 - alpha) * soft_loss + sum of weight * mean square``.

    What is compared comes in one row for each image: [logits | features of the first pair | ...], `whole`
    numbers. The student's is the start of the outputs. The teacher's comes after the label in the targets, or
    after the student's in the outputs. With neither, as for validation images, the loss is the cross-entropy
    that a training without a teacher shows.

    Args:
        classes: how many classes there are.
        temperature: see `soft_loss`.
        alpha: share of the labels, 0 to 1.
        from_logits: whether the student gives logits (else probabilities).
        smoothing: share of each label spread evenly over all classes.
        segments: (width, weight) of each pair of layers.
    """

    def __init__(
        self,
        classes: int,
        temperature: float,
        alpha: float,
        from_logits: bool,
        smoothing: float = 0.0,
        segments: Sequence[Sequence[float]] = (),
        name: str = "distillation",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.classes, self.temperature, self.alpha = classes, temperature, alpha
        self.from_logits, self.smoothing = from_logits, smoothing
        self.segments = [(int(width), float(weight)) for width, weight in segments]
        self.whole = classes + sum(width for width, _ in self.segments)
        self._shown = crossentropy(from_logits, smoothing)
        self._hard = crossentropy(True, smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image: (batch,) or (batch, 1 + `whole`), and (batch, outputs)."""
        labels = y_true if len(y_true.shape) == 1 else y_true[:, 0]
        beside = 0 if len(y_true.shape) == 1 else int(y_true.shape[1]) - 1
        given = int(y_pred.shape[1])
        if given == 2 * self.whole:
            student, teacher = y_pred[:, : self.whole], y_pred[:, self.whole :]
        elif given == self.whole == beside:
            student, teacher = y_pred, y_true[:, 1:]
        else:
            outputs = y_pred if given == self.classes else y_pred[:, : self.classes]
            return self._shown.call(labels, outputs)
        logits = as_logits(student[:, : self.classes], self.from_logits)
        total = self.alpha * self._hard.call(labels, logits)
        total += (1 - self.alpha) * soft_loss(logits, teacher[:, : self.classes], self.temperature)
        start = self.classes
        for width, weight in self.segments:
            apart = student[:, start : start + width] - teacher[:, start : start + width]
            total += weight * ops.mean(ops.square(apart), axis=-1)
            start += width
        return total

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that a model that is saved in mid-training can be read back."""
        names = ("classes", "temperature", "alpha", "from_logits", "smoothing", "segments")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="trimtab")
class StudentAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of images that the student classifies rightly; takes what `DistillationLoss` takes."""

    def __init__(self, classes: int, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(fn=_right, name=name, dtype=dtype, classes=classes)
        self.classes = classes

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {"name": self.name, "dtype": self.dtype, "classes": self.classes}


def _right(y_true: Any, y_pred: Any, classes: int) -> Any:
    """Says of each image whether the student's class is the label: 1 or 0."""
    labels = y_true if len(y_true.shape) == 1 else y_true[:, 0]
    classes_said = ops.argmax(y_pred[:, :classes], axis=-1)
    return ops.cast(ops.equal(ops.cast(classes_said, "int32"), ops.cast(labels, "int32")), "float32")
