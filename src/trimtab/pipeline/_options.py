"""How a step trains and prunes: the options that recipes and the command line share.

Each class holds one verb's keyword arguments, checked when it is made and without a backend. What a verb
gets is made here too, so that an option is passed on in one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trimtab._choices import Importance, Optimizer, RateSchedule, Rewind, SparsitySchedule
from trimtab.errors import nearest
from trimtab.pipeline._layer_options import SparsityOptions
from trimtab.pipeline._section import Section, spoken

if TYPE_CHECKING:
    from trimtab.data import Augmentation

__all__ = ["AugmentationConfig", "PruningOptions", "TrainableOptions", "TrainingOptions"]

_TRAINABLE = ("all", "head")


class AugmentationConfig(Section):
    """Light augmentation of training images; the arguments of `trimtab.Augmentation`."""

    flip: bool = False
    shift: int = Field(0, ge=0)
    cutout: int = Field(0, ge=0)


class TrainingOptions(Section):
    """How a step trains; the arguments of `trimtab.train` of the same names."""

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(128, ge=1)
    optimizer: Optimizer = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    schedule: RateSchedule = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    patience: int | None = Field(None, ge=1)
    augmentation: AugmentationConfig | None = None

    def train_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.train`."""
        names = [name for name in TrainingOptions.model_fields if name != "augmentation"]
        return {**{name: getattr(self, name) for name in names}, "augmentation": self._augmentation()}

    def _augmentation(self) -> Augmentation | None:
        from trimtab.data import Augmentation

        config = self.augmentation
        return Augmentation(flip=config.flip, shift=config.shift, cutout=config.cutout) if config else None


class TrainableOptions(Section):
    """Which layers learn; the argument `trainable` of `trimtab.train`."""

    trainable: str | int | tuple[str, ...] = "all"
    """"all", "head" (what follows the features), so many of the last layers, or names of layers."""

    @field_validator("trainable", mode="before")
    @classmethod
    def _known_layers(cls, value: Any) -> Any:
        """Accepts a word, a number, or a list of names; a lone name is most likely a word misspelt."""
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        names = isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value)
        if number or names or value in _TRAINABLE:
            return value
        hint = nearest(value, _TRAINABLE) if isinstance(value, str) else ""
        raise ValueError(
            "give all, head, a number of layers from the end, or a list of names such as [conv5*]. "
            f"Received: {value!r}.{hint}"
        )

    def check_trainable(self, model: Any) -> None:
        """Refuses layers that a model does not have, before anything is trained.

        Raises:
            ConfigError: a name fits no layer with weights, or there are not so many layers.
        """
        from trimtab.training._trainable import learning_layers

        learning_layers(model, self.trainable)


class PruningOptions(TrainingOptions, SparsityOptions):
    """How a step prunes and trains; the arguments of `trimtab.prune`, but for two names.

    `schedule` is that of the learning rate, as in each training; that of the zeros is `sparsity_schedule`.
    """

    sparsity_schedule: SparsitySchedule = "polynomial"
    importance: Importance = "magnitude"
    frequency: int | None = Field(None, ge=1)
    rounds: int | None = Field(None, ge=1)
    rewind: Rewind | None = None

    @model_validator(mode="after")
    def _schedule_agrees(self, info: ValidationInfo) -> Self:
        """Refuses options that the schedule has no use for."""
        said = spoken(info)
        kind = said("sparsity_schedule")
        if self.sparsity_schedule != "iterative" and (self.rounds is not None or self.rewind is not None):
            raise ValueError(
                f"{said('rounds')} and {said('rewind')} belong to {kind} iterative, not to "
                f"{self.sparsity_schedule}; choose that schedule, or leave them out"
            )
        if self.frequency is not None and self.sparsity_schedule in ("one-shot", "iterative"):
            raise ValueError(
                f"{kind} {self.sparsity_schedule} has no updates between its rounds; leave "
                f"{said('frequency')} out"
            )
        return self

    def prune_arguments(self, model: Any) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.prune`.

        Args:
            model: the model that will be pruned; its layers give the classes that `types` names.

        Raises:
            ConfigError: no layer of the model is of such a class.
        """
        arguments = {name: getattr(self, name) for name in PruningOptions.model_fields}
        arguments |= self.train_arguments()
        arguments["rate_schedule"] = arguments.pop("schedule")
        arguments["schedule"] = arguments.pop("sparsity_schedule")
        for name in ("types", "policy"):
            del arguments[name]
        arguments |= self.where(model)
        # Where nobody said, the verb's own default holds.
        return {name: value for name, value in arguments.items() if value is not None}
