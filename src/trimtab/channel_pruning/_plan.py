"""What a channel pruning does besides removing: in how many rounds, with what training before and between."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

from trimtab._choices import USUAL_ROUNDS
from trimtab.errors import ConfigError, nearest
from trimtab.pruning.schedules._stepwise import share_after

__all__ = ["Plan"]

_SCHEDULES = ("one-shot", "iterative")
_LEARNINGS = ("bn", "kernels")
# On kernels ten times as much cost accuracy within five epochs; on the scales, which are few, nothing.
_USUAL_STRENGTH = {"kernels": 1e-4, "bn": 1e-3}
_USUAL_SPARSITY_EPOCHS = 5


@dataclass(frozen=True)
class Plan:
    """The order of things; see `trimtab.prune_channels` for what each argument means.

    Raises:
        ConfigError: a value makes no sense, or belongs to something that was not asked for.
    """

    schedule: str = "one-shot"
    rounds: int | None = None
    sparsity_learning: str | None = None
    strength: float | None = None
    sparsity_epochs: int | None = None
    epochs: int = 10
    teacher: bool = False
    temperature: float | None = None
    alpha: float | None = None
    recalibrate: bool = True

    def __post_init__(self) -> None:
        _one_of("schedule", self.schedule, _SCHEDULES)
        _whole("epochs", self.epochs, 0)
        if not isinstance(self.recalibrate, bool):
            raise ConfigError(f"recalibrate={self.recalibrate!r} must be True or False.")
        self._check_rounds()
        self._check_sparsity_learning()
        for name in ("temperature", "alpha"):
            if getattr(self, name) is not None and not self.teacher:
                raise ConfigError(
                    f"{name} belongs to fine-tuning with a teacher, but there is none. Give teacher='itself' "
                    f"or a model, or leave {name} out."
                )
        if self.teacher and not self.trains:
            raise ConfigError("teacher is given beside epochs=0: nothing would be learnt. Leave one out.")

    def _check_rounds(self) -> None:
        """Raises `ConfigError` where the rounds make no sense."""
        if self.schedule == "iterative":
            _whole("rounds", self.number_of_rounds, 1)
            if not self.epochs:
                raise ConfigError(
                    "schedule='iterative' fine-tunes after each round, but epochs=0 asks for no training. "
                    "Give epochs, or use schedule='one-shot'."
                )
        elif self.rounds is not None:
            raise ConfigError(
                f"rounds belongs to schedule='iterative', but schedule={self.schedule!r} was asked for. "
                "Choose that one, or leave rounds out."
            )

    def _check_sparsity_learning(self) -> None:
        """Raises `ConfigError` where the sparsity learning makes no sense."""
        if self.sparsity_learning is None:
            for name in ("strength", "sparsity_epochs"):
                if getattr(self, name) is not None:
                    raise ConfigError(
                        f"{name} belongs to sparsity learning, which was not asked for. Give "
                        f"sparsity_learning='bn' or 'kernels', or leave {name} out."
                    )
            return
        _one_of("sparsity_learning", self.sparsity_learning, _LEARNINGS)
        _whole("sparsity_epochs", self.epochs_of_sparsity, 1)
        strength: Any = self.strength_of_pull
        real = isinstance(strength, numbers.Real) and not isinstance(strength, bool)
        if not real or not 0 < float(strength) < math.inf:
            raise ConfigError(f"strength={strength!r} must be a number above 0, such as 1e-4.")

    @property
    def number_of_rounds(self) -> int:
        """How often channels are removed."""
        if self.schedule != "iterative":
            return 1
        return USUAL_ROUNDS if self.rounds is None else self.rounds

    @property
    def strength_of_pull(self) -> float:
        """How strongly sparsity learning pulls."""
        return (
            _USUAL_STRENGTH[self.sparsity_learning or "kernels"] if self.strength is None else self.strength
        )

    @property
    def epochs_of_sparsity(self) -> int:
        """Epochs of sparsity learning; 0 where there is none."""
        if self.sparsity_learning is None:
            return 0
        return _USUAL_SPARSITY_EPOCHS if self.sparsity_epochs is None else self.sparsity_epochs

    @property
    def teaching(self) -> dict[str, float]:
        """The arguments of `trimtab.distill` that were given."""
        given = {"temperature": self.temperature, "alpha": self.alpha}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def trains(self) -> bool:
        """Whether anything is trained."""
        return bool(self.epochs or self.sparsity_learning is not None)

    @property
    def trainings(self) -> int:
        """How many trainings there are, one after the other."""
        return (self.sparsity_learning is not None) + (self.number_of_rounds if self.epochs else 0)

    def ratio_after(self, number: int, ratio: float) -> float:
        """Returns the share of channels that is gone after a round: each removes the same share of the rest.

        Args:
            number: the round, from 1.
            ratio: share that is gone after the last.
        """
        return share_after(number, self.number_of_rounds, ratio)


def _whole(name: str, value: Any, least: int) -> None:
    """Refuses what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ConfigError(f"{name}={value!r} must be a whole number of at least {least}.")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuses what is not one of the known words."""
    if value not in known:
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise ConfigError(f"{name}={value!r} is not known; it must be one of {', '.join(known)}.{hint}")
