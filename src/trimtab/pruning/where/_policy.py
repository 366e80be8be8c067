"""Policies: which layers a target can gain from, read off the model."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import keras

from trimtab.errors import ConfigError

__all__ = ["Policy", "PolicyChoice", "chosen_by"]


@dataclass(frozen=True)
class PolicyChoice:
    """What a policy chose, and why it left the other layers alone.

    Args:
        layers: names of the layers to prune; inside nested models ``"outer/inner"``.
        reasons: (layer name, reason) of each prunable layer that is left alone.
        useful_above: share of zeros that must be exceeded for the target to gain anything; None: any helps.
        notes: plain sentences about what the choice is good for.
    """

    layers: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...] = ()
    useful_above: float | None = None
    notes: tuple[str, ...] = ()

    def told(self, share: float) -> tuple[str, ...]:
        """Returns the notes; where a share of zeros gains the target nothing, one more that says so."""
        if self.useful_above is None or share > self.useful_above:
            return tuple(self.notes)
        return (
            *self.notes,
            f"a sparsity of {share:.4g} gains nothing there: more than {self.useful_above:.4g} is needed",
        )


class Policy(abc.ABC):
    """Chooses the layers whose zeros a target can use; make a subclass for a target of your own.

    It is given wherever layers are chosen by name: ``trimtab.prune(model, data, layers=ForXNNPACK())``.

    Example:
        >>> class Largest(Policy):
        ...     def choose(self, model):
        ...         rows = sparsity_table(model)
        ...         return PolicyChoice(layers=(max(rows, key=lambda row: row.size).name,))
    """

    @abc.abstractmethod
    def choose(self, model: keras.Model) -> PolicyChoice:
        """Chooses the layers of a model to prune.

        Args:
            model: a built Keras 3 model.

        Raises:
            ConfigError: the target can use zeros nowhere in the model.
        """


def chosen_by(policy: Policy, model: keras.Model) -> PolicyChoice:
    """Returns what a policy chooses.

    Raises:
        ConfigError: the target can use zeros nowhere in the model, or the policy gives something else.
    """
    choice = policy.choose(model)
    kind = type(policy).__name__
    if not isinstance(choice, PolicyChoice):
        raise ConfigError(f"{kind}.choose must return a PolicyChoice, but gave {type(choice).__name__}.")
    notes: Any = choice.notes
    if isinstance(notes, str):
        raise ConfigError(f"{kind}.choose must give notes as a tuple of sentences, but gave {notes!r}.")
    return choice
