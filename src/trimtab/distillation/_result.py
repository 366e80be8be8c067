"""What a distillation gave: the student, and how it was taught."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trimtab.distillation._teachers import TeacherAccuracy
from trimtab.training import History

__all__ = ["DistillationResult"]


@dataclass(frozen=True)
class DistillationResult:
    """What a distillation gave.

    Args:
        model: the student (the very object that was given), an ordinary Keras model.
        history: every epoch. The training losses are those of the distillation; validation is by the labels
            alone, as in a training without a teacher, so that the two can be compared.
        teachers: how well each teacher does on the same validation images.
        temperature: by which logits were divided.
        alpha: share of the labels in the loss.
        features: pairs of layers whose features were compared, (the student's, the teacher's).
        attention: pairs of layers whose attention was compared.
        cache: how the answers came to the student: "logits", "views" or "off".
        views: augmented versions of each image that were kept; 1 without augmentation, 0 with "off".
        cache_bytes: memory that the kept answers took.
        teacher_seconds: wall time it took to ask the teachers beforehand, their validation included. In none
            of the epochs of the history.
        notes: plain sentences about what was done.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    history: History
    teachers: tuple[TeacherAccuracy, ...]
    temperature: float
    alpha: float
    features: tuple[tuple[str, str], ...] = ()
    attention: tuple[tuple[str, str], ...] = ()
    cache: str = "logits"
    views: int = 1
    cache_bytes: int = 0
    teacher_seconds: float = 0.0
    notes: tuple[str, ...] = ()
