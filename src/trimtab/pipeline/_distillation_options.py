"""How a student learns from its teachers: the options that recipes and the command line share."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationInfo, model_validator

from trimtab._choices import LogitCache
from trimtab.pipeline._options import TrainingOptions
from trimtab.pipeline._section import spoken

__all__ = ["DistillationOptions"]


class DistillationOptions(TrainingOptions):
    """How a student is taught; the arguments of `trimtab.distill`, the teachers aside."""

    temperature: float = Field(4.0, gt=0)
    alpha: float = Field(0.1, ge=0, le=1)
    """Share of the labels themselves; the rest is the teacher's."""
    features: tuple[tuple[str, str], ...] = ()
    """Pairs of layers, the student's and the teacher's, whose outputs shall be alike."""
    feature_weight: float | None = Field(None, ge=0)
    attention: tuple[tuple[str, str], ...] = ()
    """Pairs of layers that shall look at the same places."""
    attention_weight: float | None = Field(None, ge=0)
    cache: LogitCache = "auto"
    views: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _weights_agree(self, info: ValidationInfo) -> Self:
        """Refuses options that nothing has a use for."""
        said = spoken(info)
        for weight, pairs in (("feature_weight", "features"), ("attention_weight", "attention")):
            if getattr(self, weight) is not None and not getattr(self, pairs):
                raise ValueError(
                    f"{said(weight)} belongs to {said(pairs)}; name pairs of layers, or leave it out"
                )
        if self.views is not None and self.cache in ("logits", "off"):
            raise ValueError(
                f"{said('views')} is how many changed copies of the images are stored; "
                f"{said('cache')} {self.cache} stores none. Leave one out"
            )
        if self.cache == "logits" and self.augmentation is not None:
            raise ValueError(
                f"{said('cache')} logits keeps the teacher's answers to the images as they are, and "
                "augmentation changes them; say views, off or auto"
            )
        return self

    def distill_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.distill`."""
        arguments = {name: getattr(self, name) for name in DistillationOptions.model_fields}
        arguments |= self.train_arguments()
        # Where nobody said, the verb's own default holds.
        return {name: value for name, value in arguments.items() if value is not None}
