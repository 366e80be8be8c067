"""How a search spends its time: how much for the baseline, for exploring, for finalists and for measuring."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

__all__ = ["Pace", "Plan", "Rung", "batch_size_for"]

_ETA = 3  # of three that were trained so far, one goes on
_SMALLEST_SHARE = 0.1
_LEAST_STEPS = 80  # of a training, whatever the time: fewer tell nothing
_FULL_STEPS = 16_000  # of a full training; more steps gain little that can be measured
_FIRST_CANDIDATES = 9  # that the first rung has time for
_SECONDS_PER_IMAGE, _SECONDS_PER_MAC = 2e-4, 7e-11  # a guess, until something was trained


@dataclass(frozen=True)
class Rung:
    """One round of training for those that came so far.

    Args:
        number: from 0.
        epochs: passes over the training images, or over a share of them.
        share: of the training images.
    """

    number: int
    epochs: int
    share: float = 1.0


@dataclass
class Pace:
    """How long training takes here: a guess by multiply-accumulates, mended by what was measured.

    Args:
        images: how many training images there are.
        ratios: measured seconds of an epoch by those that were guessed.
        overheads: seconds that a training took beside its epochs: to load, to trace, to save.
    """

    images: int
    ratios: list[float] = field(default_factory=list)
    overheads: list[float] = field(default_factory=list)

    def epoch(self, macs: float, measured: float | None = None) -> float:
        """Estimates the seconds of an epoch of a network with so many multiply-accumulates for an image.

        Args:
            macs: of the network.
            measured: what an epoch of this very network took; None: it was not trained yet.
        """
        if measured is not None:
            return measured
        return self._guess(macs) * (statistics.median(self.ratios) if self.ratios else 1.0)

    @property
    def overhead(self) -> float:
        """Seconds that a training takes beside its epochs."""
        return statistics.median(self.overheads) if self.overheads else 5.0

    def learn(self, macs: float, seconds_per_epoch: float, overhead: float) -> None:
        """Takes in how long a training took."""
        self.ratios.append(seconds_per_epoch / self._guess(macs))
        self.overheads.append(max(overhead, 0.1))

    def _guess(self, macs: float) -> float:
        return self.images * (_SECONDS_PER_IMAGE + _SECONDS_PER_MAC * macs)


@dataclass(frozen=True)
class Plan:
    """The times of a search, in seconds from its beginning.

    Args:
        seconds: of the whole search.
        images: how many training images there are.
        workers: trainings at the same time.
        trains_baseline: whether there is a baseline to train first.
    """

    seconds: float
    images: int
    workers: int
    trains_baseline: bool

    @property
    def training_ends(self) -> float:
        """When training must be over: exporting and measuring take the rest."""
        return self.seconds - min(max(0.12 * self.seconds, 6.0), 100.0)

    @property
    def baseline_ends(self) -> float:
        """When the baseline must be trained, where there is one to train."""
        return (0.4 if self.workers > 1 else 0.3) * self.training_ends

    @property
    def finals_begin(self) -> float:
        """When exploring ends, and finalists are trained."""
        return (0.5 if self.trains_baseline else 0.42) * self.training_ends

    @property
    def steps(self) -> int:
        """Training steps in an epoch."""
        return math.ceil(self.images / batch_size_for(self.images))

    @property
    def full_epochs(self) -> int:
        """Epochs of a full training, where there is time for it."""
        return min(max(round(_FULL_STEPS / self.steps), 10), 150)

    def first_rung(self, epoch_seconds: float, explored: float, overhead: float) -> Rung:
        """Returns the first rung: long enough to tell candidates apart, short enough for several.

        Args:
            epoch_seconds: of a usual candidate.
            explored: seconds that are left for exploring.
            overhead: seconds of a training beside its epochs.
        """
        candidates = max(_FIRST_CANDIDATES, 3 * self.workers)
        each = 0.4 * explored * self.workers / candidates - overhead
        epochs = min(each / max(epoch_seconds, 1e-6), self.full_epochs / _ETA**2)
        epochs = max(epochs, _LEAST_STEPS / self.steps)
        if epochs >= 1:
            return Rung(0, round(epochs))
        return Rung(0, 1, min(max(round(epochs, 2), _SMALLEST_SHARE), 1.0))

    def next_rung(self, rung: Rung) -> Rung | None:
        """Returns the rung after another one, three times as long; None: only a full training is left."""
        passes = rung.epochs * rung.share * _ETA
        if passes > self.full_epochs / 2:
            return None
        if passes < 1:
            return Rung(rung.number + 1, 1, round(passes, 4))
        return Rung(rung.number + 1, round(passes))

    def final_epochs(self, epoch_seconds: float, left: float, overhead: float) -> float:
        """Returns how many epochs a finalist gets in the seconds that are left; 0: none."""
        fitting = (0.93 * left - overhead) / max(epoch_seconds, 1e-6)
        return max(min(fitting, float(self.full_epochs)), 0.0)


def batch_size_for(images: int) -> int:
    """Returns how many images are in a training step: fewer where there are few in all."""
    return 128 if images >= 20_000 else 64 if images >= 5_000 else 32


def promotable(ranked: int, promoted: int) -> int:
    """Says how many of those that finished a rung may go on beside those that did.

    L. Li et al., "A system for massively parallel hyperparameter tuning", 2020: the best third of those
    that have finished goes on at once, without waiting for the others.
    """
    return max(ranked // _ETA - promoted, 0)
