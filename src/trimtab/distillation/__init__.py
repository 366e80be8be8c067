"""Distillation: a student learns from a teacher's answers beside the labels.

`trimtab.distill` is the verb; here are its result, and the parts that are useful by themselves::

    from trimtab import distillation

    logits = distillation.cached_logits(teacher, data, folder="answers")
"""

from __future__ import annotations

from trimtab.distillation._cached_logits import cached_logits
from trimtab.distillation._distill import distill
from trimtab.distillation._loss import DistillationLoss
from trimtab.distillation._maps import attention
from trimtab.distillation._result import DistillationResult
from trimtab.distillation._teachers import TeacherAccuracy

__all__ = [
    "DistillationLoss",
    "DistillationResult",
    "TeacherAccuracy",
    "attention",
    "cached_logits",
    "distill",
]
