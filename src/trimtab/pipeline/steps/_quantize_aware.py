"""``do: quantize_aware``."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._quantization_options import QuantizeAwareOptions
from trimtab.pipeline._teacher_options import ITSELF
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["QuantizeAwareStep"]


class QuantizeAwareStep(StepSettings, QuantizeAwareOptions):
    """Trains a model for the integers of its file; the arguments of `trimtab.quantize_aware`."""

    do: Literal["quantize_aware"]
    from_: str = Field(alias="from")
    teacher: str | None = None
    """The step whose model teaches: "itself" is the one that is made aware, as it was before."""

    @model_validator(mode="after")
    def _teacher_agrees(self) -> Self:
        self.check_teacher(self.teacher)
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is made aware, and the one that teaches."""
        other = self.teacher if self.teacher not in (None, ITSELF, self.from_) else None
        return (self.from_, other) if other else (self.from_,)

    @property
    def judged(self) -> bool:
        """A model that is only prepared has not been measured on the validation images."""
        return self.epochs > 0


@perform.register(QuantizeAwareStep)
def _quantize_aware(step: QuantizeAwareStep, bench: Bench) -> Outcome:
    import trimtab

    taught = step.teacher not in (None, ITSELF)
    result = trimtab.quantize_aware(
        bench.parent_model(step.from_),
        bench.data,
        teacher=bench.parent_model(str(step.teacher)) if taught else step.teacher,
        **step.quantize_aware_arguments(),
        **bench.surroundings(),
    )
    record = to_plain(result)
    record.pop("history", None)
    record["teacher"] = step.from_ if step.teacher == ITSELF else step.teacher
    return bench.outcome(result.model, record, result.history)


@check.register(QuantizeAwareStep)
def _check(step: QuantizeAwareStep, preview: Preview) -> Any:
    from trimtab.distillation._teachers import checked_teachers

    if (model := preview.models.get(step.from_)) is None:
        return None
    try:
        if (teacher := preview.models.get(step.teacher or "")) is not None:
            # Here one model may stand for both; in the run, each comes from its file.
            checked_teachers([teacher], preview.data, None if teacher is model else model)
        return step.check_model(model)
    except (ConfigError, ModelError) as error:
        raise type(error)(f"step {step.name!r}: {error}") from None
