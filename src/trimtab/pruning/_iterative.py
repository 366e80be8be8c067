"""Pruning in rounds: prune, rewind, train, and again, each round from what the last one left.

With ``rewind="rate"`` the weights are kept and only the learning rate begins anew (Renda, Frankle and
Carbin 2020, "Comparing rewinding and fine-tuning in neural network pruning"); with ``"weights"`` the weights
that stay go back to earlier values as well (Frankle and Carbin 2019, "The lottery ticket hypothesis"; Frankle
et al. 2019, "Stabilizing the lottery ticket hypothesis").
"""

from __future__ import annotations

import dataclasses
import numbers
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.pruning._result import Asked, PruningRound
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._importance import Taylor
from trimtab.pruning.optimizer._optimizer import PruningOptimizer
from trimtab.pruning.schedules._schedule import KeepZeros
from trimtab.pruning.schedules._stepwise import share_after
from trimtab.pruning.where._prunable import PrunableWeight
from trimtab.training import History, TrainingResult

__all__ = ["Rewinding", "Rounds", "checked_rewinding", "round_checkpoint"]

_REWINDS = ("rate", "weights")


@dataclass(frozen=True)
class Rewinding:
    """What is done between two rounds.

    Args:
        rounds: how many rounds, 1 or more.
        rewind: "rate" or "weights".
        to: the model whose weights a round begins with; None: the one that is pruned.

    Raises:
        ConfigError: a value makes no sense.
    """

    rounds: int = 5
    rewind: str = "rate"
    to: Any = None

    def __post_init__(self) -> None:
        rounds: Any = self.rounds
        if isinstance(rounds, bool) or not isinstance(rounds, numbers.Integral) or int(rounds) < 1:
            raise ConfigError(f"rounds={rounds!r} must be a whole number of at least 1.")
        if self.rewind not in _REWINDS:
            hint = nearest(self.rewind, _REWINDS) if isinstance(self.rewind, str) else ""
            raise ConfigError(f"rewind={self.rewind!r} is not known; it must be 'rate' or 'weights'.{hint}")
        if self.to is not None and self.rewind != "weights":
            raise ConfigError(
                "rewind_to gives weights to go back to, but rewind='rate' keeps the weights. "
                "Use rewind='weights', or leave rewind_to out."
            )


def checked_rewinding(
    rounds: int | None,
    rewind: str | None,
    to: keras.Model | None,
    criterion: Criterion,
    schedule: Any,
    model: keras.Model,
) -> Rewinding:
    """Returns what is done between rounds; refuses what the schedule or the model has no use for.

    Raises:
        ConfigError: a value makes no sense, another schedule than "iterative" is followed, or the importance
            must see each step.
        ModelError: the model to rewind to is another one.
    """
    if not (isinstance(schedule, str) and schedule == "iterative"):
        given = {"rounds": rounds, "rewind": rewind, "rewind_to": to}
        for name, value in given.items():
            if value is not None:
                raise ConfigError(
                    f"{name} belongs to schedule='iterative', but schedule={schedule!r} was asked for. "
                    f"Choose that one, or leave {name} out."
                )
        return Rewinding()
    rewinding = Rewinding(5 if rounds is None else rounds, "rate" if rewind is None else rewind, to)
    if criterion.importance.remembers and not isinstance(criterion.importance, Taylor):
        raise ConfigError(
            f"schedule='iterative' chooses between trainings, but the importance "
            f"{criterion.importance.name!r} learns from the steps of one. Use another importance or schedule."
        )
    if to is not None:
        _check_same(model, to)
    return rewinding


def round_checkpoint(checkpoint: str | os.PathLike[str], number: int) -> Path:
    """Returns where a finished round keeps its state; the round under way uses the checkpoint itself."""
    path = Path(checkpoint)
    return path.with_name(f"{path.stem}.round-{number}{path.suffix}")


TrainRound = Callable[..., TrainingResult]
"""Trains one round: takes number, wrap_optimizer, checkpoint and keep_checkpoint."""


@dataclass(frozen=True)
class Rounds:
    """Pruning in rounds, ready to run.

    Args:
        model: the model to prune, in place.
        weights: its weights to prune.
        criterion: which of their numbers go.
        rewinding: how many rounds, and what is done between them.
        shares: final share of zeros of each weight (with ranking "global" the same for each: that of all).
        start: share of zeros before the first round: one for each weight; one with ranking "global".
        memories: gives the memory of each weight, for an importance that remembers; None otherwise.
        train: trains one round.
        checkpoint: file that keeps the state of the round under way; None: nothing is kept.
        keep_checkpoint: leave the state in place when all is done.
    """

    model: Any = field(repr=False)
    weights: Sequence[PrunableWeight]
    criterion: Criterion
    rewinding: Rewinding
    shares: Sequence[float]
    start: Sequence[float]
    memories: Callable[[], Sequence[Any] | None]
    train: TrainRound
    checkpoint: str | os.PathLike[str] | None = None
    keep_checkpoint: bool = False

    def run(self) -> tuple[History, tuple[PruningRound, ...], list[str]]:
        """Does all rounds; the model is left as the last one ended.

        A finished round leaves its state on disk. After a kill the same call goes through the finished
        rounds again without training, chooses the same masks, and so comes to the point where it was.

        Returns:
            The history of all rounds, one row for each round, and notes.
        """
        to = self.rewinding.to if self.rewinding.to is not None else self.model
        values = [np.array(_numpy(weight)) for weight in to.weights]
        done: list[PruningRound] = []
        epochs: list[Any] = []
        notes: list[str] = []
        for number in range(1, self.rewinding.rounds + 1):
            asked, dead = self._begin(number, values)
            trained = self._trained(number)
            first = len(epochs)
            best = trained.history.best
            epochs += [dataclasses.replace(e, epoch=e.epoch + first) for e in trained.history.epochs]
            done.append(
                PruningRound(
                    number,
                    asked.share,
                    asked.reached,
                    first + 1,
                    len(epochs),
                    first + best.epoch,
                    best.val_accuracy,
                )
            )
            notes += [f"round {number}: {note}" for note in (*dead, *trained.notes)]
        if self.checkpoint is not None and not self.keep_checkpoint:
            for number in range(1, self.rewinding.rounds):
                round_checkpoint(self.checkpoint, number).unlink(missing_ok=True)
        return History.of(epochs, done[-1].best_epoch), tuple(done), notes

    def _begin(self, number: int, values: Sequence[Any]) -> tuple[Asked, list[str]]:
        """Prunes for a round, in place: chooses from the weights as they are, rewinds, and sets zeros."""
        asked = Asked.of(self.weights, self.criterion, self._shares(number))
        masks = self._masks(asked)
        if self.rewinding.rewind == "weights":
            for weight, value in zip(self.model.weights, values, strict=True):
                weight.assign(value)
        dead = 0
        for weight, mask in zip(self.weights, masks, strict=True):
            value = _numpy(weight.variable)
            dead += int(np.count_nonzero(mask & (value == 0)))
            weight.variable.assign(np.where(mask, value, np.zeros_like(value)))
        told = f"{dead} weights that were to stay are zero in the weights rewound to, and stay zero"
        return asked, [told] if dead else []

    def _shares(self, number: int) -> list[float]:
        """Returns the share of zeros of each weight after a round."""
        start = list(self.start) * (len(self.weights) if len(self.start) == 1 else 1)
        return [
            share_after(number, self.rewinding.rounds, final, there) if there < final else there
            for final, there in zip(self.shares, start, strict=True)
        ]

    def _masks(self, asked: Asked) -> list[Any]:
        """Chooses which weights stay; what is zero never comes back."""
        share: Any = (
            asked.shares[0] if self.criterion.ranking == "global" else np.asarray(asked.shares, "float32")
        )
        chosen = self.criterion.masks(
            [weight.variable for weight in self.weights],
            ops.convert_to_tensor(share, "float32"),
            axes=[weight.axis for weight in self.weights],
            memories=self.memories(),
        )
        trained = [weight.zeros() < weight.size for weight in self.weights]
        return [
            (_numpy(mask) != 0) & ((_numpy(weight.variable) != 0) | (not alive))
            for weight, mask, alive in zip(self.weights, chosen, trained, strict=True)
        ]

    def _trained(self, number: int) -> TrainingResult:
        """Trains a round with its zeros held, or takes up what is left of it."""
        held = [weight.variable for weight in self.weights if 0 < weight.zeros() < weight.size]

        def wrap(inner: Any) -> Any:
            return PruningOptimizer(inner, KeepZeros(), weights=held) if held else inner

        if self.checkpoint is None or number == self.rewinding.rounds:
            return self.train(number, wrap, self.checkpoint, self.keep_checkpoint)
        finished = round_checkpoint(self.checkpoint, number)
        if finished.is_file():
            return self.train(number, wrap, finished, True)
        trained = self.train(number, wrap, self.checkpoint, True)
        Path(self.checkpoint).replace(finished)
        return trained


def _check_same(model: keras.Model, other: Any) -> None:
    """Raises `ModelError` unless the weights of another model can take the place of those of `model`."""
    if not isinstance(other, keras.Model) or not other.built:
        raise ModelError(
            f"rewind_to needs a built Keras 3 model to go back to, but got {type(other).__name__}."
        )
    mine, its = [[_described(weight) for weight in one.weights] for one in (model, other)]
    if len(mine) != len(its):
        raise ModelError(
            f"rewind_to is another architecture: it has {len(its)} weights, the model has {len(mine)}. "
            "Give an earlier state of the same model."
        )
    for index, (ours, theirs) in enumerate(zip(mine, its, strict=True), 1):
        if ours != theirs:
            raise ModelError(
                f"rewind_to is another architecture: its weight {index} is {theirs}, that of the model is "
                f"{ours}. Give an earlier state of the same model."
            )
    if any(np.isnan(_numpy(weight).astype("float32")).any() for weight in other.weights):
        raise ModelError("rewind_to holds NaN, so that model is broken. Give an earlier state.")


def _described(weight: Any) -> str:
    """Tells a weight by its name, its type and its shape."""
    return f"{weight.name} ({keras.backend.standardize_dtype(weight.dtype)} of shape {tuple(weight.shape)})"


def _numpy(value: Any) -> Any:
    """Returns the numbers of a variable or tensor in their own type."""
    return np.asarray(ops.convert_to_numpy(getattr(value, "value", value)))
