"""``do: distill``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._distillation_options import DistillationOptions
from trimtab.pipeline._options import TrainableOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._origin import OriginSettings, expected, own_model, told_origin

__all__ = ["DistillStep"]


class DistillStep(OriginSettings, TrainableOptions, DistillationOptions):
    """Teaches a student, new (`model`) or made by an earlier step (`from`); see `trimtab.distill`."""

    do: Literal["distill"]
    teacher: tuple[str, ...] = Field(min_length=1)
    """The step whose model teaches, or several, whose answers are averaged."""

    @field_validator("teacher", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        """Accepts one name for a list of one."""
        return (value,) if isinstance(value, str) else value

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model learns, if there is one, and those that teach."""
        return tuple(dict.fromkeys((*super().parents, *self.teacher)))


@perform.register(DistillStep)
def _distill(step: DistillStep, bench: Bench) -> Outcome:
    from trimtab import distillation

    result = distillation.distill(
        own_model(step, bench),
        [bench.parent_model(name) for name in step.teacher],
        bench.data,
        trainable=step.trainable,
        **step.distill_arguments(),
        # So that a run that was stopped need not ask again.
        cache_folder=bench.checkpoint.with_suffix(""),
        **bench.surroundings(),
    )
    record = {**to_plain(result), **told_origin(step)}
    record.pop("history", None)
    teachers = zip(step.teacher, record["teachers"], strict=True)
    record["teachers"] = [{**told, "step": name} for name, told in teachers]
    return bench.outcome(result.model, record, result.history)


@check.register(DistillStep)
def _check(step: DistillStep, preview: Preview) -> Any:
    from trimtab.distillation._layers import matched
    from trimtab.distillation._teachers import checked_teachers

    student = expected(step, preview)
    models = [preview.models[name] for name in step.teacher if name in preview.models]
    if student is None or len(models) < len(step.teacher):
        return student
    try:
        step.check_trainable(student)
        # Here one model may stand for both; in the run, each comes from its file.
        alone = any(student is model for model in models)
        first, *_ = checked_teachers(models, preview.data, None if alone else student)
        compared = (step.features, step.feature_weight or 1.0), (step.attention, step.attention_weight or 1.0)
        matched(student, first.model, preview.data.image_shape, *compared)
    except (ConfigError, ModelError) as error:
        raise type(error)(f"step {step.name!r}: {error}") from None
    return student
