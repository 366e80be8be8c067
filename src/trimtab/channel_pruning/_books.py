"""What happened in the rounds of a channel pruning: one history, one row a round, notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from trimtab.channel_pruning._result import ChannelPruningRound
from trimtab.models import macs, parameters
from trimtab.training import History

__all__ = ["Books"]


class Books:
    """What happened in the rounds so far.

    Args:
        image_shape: (height, width, channels), for a model that leaves its image size open.
    """

    def __init__(self, image_shape: tuple[int, ...] | None = None) -> None:
        self._shape = image_shape
        self.notes: list[str] = []
        self.rounds: list[ChannelPruningRound] = []
        self._epochs: list[Any] = []
        self._best = 0

    def add(self, history: History, notes: Any) -> tuple[int, int, int]:
        """Takes in a training; returns the numbers of its first, its last and its best epoch."""
        first = len(self._epochs)
        self._epochs += [dataclasses.replace(e, epoch=e.epoch + first) for e in history.epochs]
        self._best = first + history.best.epoch
        self.notes += notes
        return first + 1, len(self._epochs), self._best

    def take(
        self,
        number: int,
        model: Any,
        ratio: float,
        trained: tuple[History, tuple[str, ...]] | None,
        told: Callable[[int, str], str],
    ) -> None:
        """Takes in a round.

        Args:
            number: the round, from 1.
            model: what it left.
            ratio: share of the channels that is gone.
            trained: its history and notes; None where nothing was trained.
            told: says which round a note is about.
        """
        row = ChannelPruningRound(number, ratio, parameters(model), macs(model, self._shape))
        if trained is not None:
            history, notes = trained
            first, last, best = self.add(history, [told(number, note) for note in notes])
            accuracy = history.best.val_accuracy
            row = dataclasses.replace(
                row, first_epoch=first, last_epoch=last, best_epoch=best, val_accuracy=accuracy
            )
        self.rounds.append(row)

    def history(self) -> History | None:
        """Returns all training, one epoch after the other."""
        return History.of(self._epochs, self._best) if self._epochs else None
