"""``do: prune_channels``."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trimtab._atomic import write_json
from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._channel_options import ChannelOptions
from trimtab.pipeline._teacher_options import ITSELF
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["PruneChannelsStep"]

_GROUPS = "channels.json"


class PruneChannelsStep(StepSettings, ChannelOptions):
    """Removes channels and trains the smaller model on; the arguments of `trimtab.prune_channels`."""

    do: Literal["prune_channels"]
    from_: str = Field(alias="from")
    teacher: str | None = None
    """The step whose model teaches the smaller one: "itself" is the one that it is made of."""

    @model_validator(mode="after")
    def _teacher_agrees(self) -> Self:
        self.check_teacher(self.teacher)
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is pruned, and the one that teaches."""
        other = self.teacher if self.teacher not in (None, ITSELF, self.from_) else None
        return (self.from_, other) if other else (self.from_,)

    @property
    def judged(self) -> bool:
        """A model that is not trained on has not been measured on the validation images."""
        return self.epochs > 0


@perform.register(PruneChannelsStep)
def _prune_channels(step: PruneChannelsStep, bench: Bench) -> Outcome:
    from trimtab import channel_pruning

    model = bench.parent_model(step.from_)
    write_json(bench.folder / _GROUPS, channel_pruning.explain(model, round_to=step.round_to).to_data())
    taught = step.teacher not in (None, ITSELF)
    result = channel_pruning.prune_channels(
        model,
        bench.data,
        teacher=bench.parent_model(str(step.teacher)) if taught else step.teacher,
        **step.channel_arguments(),
        **bench.surroundings(),
    )
    record = to_plain(result)
    record.pop("history", None)
    record["teacher"] = step.from_ if step.teacher == ITSELF else step.teacher
    done = bench.outcome(result.model, record, result.history)
    if not step.judged:  # what was trained before the removal says nothing about what is left
        for name in ("val_accuracy", "val_loss"):
            done.record.pop(name, None)
    return Outcome(done.record, {**done.files, "groups": _GROUPS}, done.model)


@check.register(PruneChannelsStep)
def _check(step: PruneChannelsStep, preview: Preview) -> Any:
    if (model := preview.models.get(step.from_)) is None:
        return None
    try:
        return step.check_model(model)
    except (ConfigError, ModelError) as error:
        raise type(error)(f"step {step.name!r}: {error}") from None
