"""How a step removes channels: the options that recipes and the command line share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trimtab._choices import (
    ChannelImportance,
    ChannelNormalization,
    ChannelRanking,
    ChannelSchedule,
    SparsityLearning,
)
from trimtab._units import amount
from trimtab.pipeline._options import TrainingOptions
from trimtab.pipeline._section import Section, spoken
from trimtab.pipeline._teacher_options import TeacherOptions

__all__ = ["ChannelOptions", "TargetOptions"]

TARGETS = ("ratio", "parameters", "macs", "size", "latency")


class TargetOptions(Section):
    """How small the model shall become: exactly one of these."""

    ratio: float | None = Field(None, gt=0, lt=1)
    """Share of the channels to remove, of those that may be."""
    parameters: int | float | str | None = None
    """So many parameters are left at most: 50000, or "50%"."""
    macs: int | float | str | None = None
    """So many multiply-accumulates for one image: 12000000, or "50%"."""
    size: int | float | str | None = None
    """Bytes of the int8 file at most: 50000, or "50kB"."""
    latency: float | str | None = None
    """Milliseconds for one image on this machine at most: 2.0, or "2ms"."""

    @field_validator("parameters", "macs", "size", "latency", mode="before")
    @classmethod
    def _amount(cls, value: Any, info: ValidationInfo) -> Any:
        """Checks a number with its unit."""
        if value is not None:
            amount(str(info.field_name), value)
        return value

    @model_validator(mode="after")
    def _one_target(self, info: ValidationInfo) -> Self:
        """Refuses none, and more than one."""
        said = spoken(info)
        given = [name for name in TARGETS if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"say how small it shall become: {_listed(map(said, TARGETS))}")
        if len(given) > 1:
            raise ValueError(f"one target at a time; leave {_listed(map(said, given[1:]))} out")
        return self


class ChannelOptions(TargetOptions, TrainingOptions, TeacherOptions):
    """How channels are removed and the rest trains on; the arguments of `trimtab.prune_channels`.

    `schedule` is that of the learning rate, as in each training; that of the removal is `channel_schedule`.
    """

    epochs: int = Field(10, ge=0)
    importance: ChannelImportance = "l2"
    ranking: ChannelRanking = "global"
    normalization: ChannelNormalization = "mean"
    round_to: int = Field(8, ge=1)
    least: int = Field(8, ge=1)
    max_ratio: float | None = Field(None, gt=0, lt=1)
    layers: tuple[str, ...] | None = Field(default=None, min_length=1)
    exclude: tuple[str, ...] = ()
    channel_schedule: ChannelSchedule = "one-shot"
    rounds: int | None = Field(None, ge=1)
    sparsity_learning: SparsityLearning | None = None
    strength: float | None = Field(None, gt=0)
    sparsity_epochs: int | None = Field(None, ge=1)
    recalibrate: bool = True

    @model_validator(mode="after")
    def _schedule_agrees(self, info: ValidationInfo) -> Self:
        """Refuses options that nothing has a use for."""
        said = spoken(info)
        if self.channel_schedule != "iterative" and self.rounds is not None:
            raise ValueError(
                f"{said('rounds')} belongs to {said('channel_schedule')} iterative, not to "
                f"{self.channel_schedule}; choose that schedule, or leave it out"
            )
        if self.channel_schedule == "iterative" and not self.epochs:
            raise ValueError(
                f"{said('channel_schedule')} iterative trains between its rounds; give {said('epochs')}"
            )
        for name in ("strength", "sparsity_epochs"):
            if self.sparsity_learning is None and getattr(self, name) is not None:
                raise ValueError(
                    f"{said(name)} belongs to {said('sparsity_learning')}; choose bn or kernels, or leave it "
                    "out"
                )
        return self

    @property
    def trains(self) -> bool:
        """Whether there is any training that a teacher could teach in."""
        return self.epochs > 0 or self.sparsity_learning is not None

    def check_model(self, model: Any) -> Any:
        """Refuses what cannot be done with a model, before anything is trained.

        Args:
            model: the model that channels will be taken out of; it need not be trained.

        Returns:
            A model of the layers that will be left; which channels each of them keeps is decided by weights
            that are not there yet. None where a target must be measured to be met.

        Raises:
            ConfigError: a layer is not there, no channel may go, or the target cannot be met.
            ModelError: the model has no graph that could be followed.
        """
        import numpy as np

        from trimtab.channel_pruning import (
            SelectionRule,
            Target,
            channel_importance,
            removal_order,
            solve,
            unscored,
        )
        from trimtab.channel_pruning._where import check_without_quantizers
        from trimtab.channels import find_groups, remove

        check_without_quantizers(model)
        graph = find_groups(model)
        refused = dict(unscored(graph, channel_importance(self.importance)))
        free = [group for group in graph.groups if group.locked is None and group.name not in refused]
        alike = {group.name: np.zeros(group.size) for group in free}
        rule = SelectionRule(
            **{
                name: getattr(self, name)
                for name in SelectionRule.__dataclass_fields__
                if getattr(self, name) is not None
            }
        )
        target = Target(**{name: getattr(self, name) for name in TARGETS})
        if target.measured:
            removal_order(graph, alike, rule)
            return None
        return remove(graph, solve(graph, alike, target, rule).keep)

    def channel_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.prune_channels`, but for the teacher."""
        arguments = {name: getattr(self, name) for name in ChannelOptions.model_fields}
        arguments |= self.train_arguments()
        arguments["rate_schedule"] = arguments.pop("schedule")
        arguments["schedule"] = arguments.pop("channel_schedule")
        # Where nobody said, the verb's own default holds.
        return {name: value for name, value in arguments.items() if value is not None}


def _listed(names: Iterable[str]) -> str:
    """Returns names as a sentence has them: "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
