"""The end of a search: who is trained in full, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trimtab.compression._halving import cost
from trimtab.compression._plan import Pace, Plan, Rung
from trimtab.compression._trials import Trial, best_first

__all__ = ["Finals"]

_SMALLER = 0.6  # of the bytes of those before: what makes a finalist worth having though it is less accurate
_WORTH = 0.5  # of the epochs so far: a final training that is shorter changes little
_SMALLEST_SHARE = 0.05  # of the images, for a network that would else not be trained at all
_FIRST = 2  # finalists, before one of them is trained from another seed
_OTHER_SEEDS = 2  # of a finalist, beside its own
_AS_LONG = 0.8  # of a finalist's passes: what another seed gets at least, so that the two can be compared
_LEAST = 0.2  # of a full training: what a finalist after the first gets at least


class Finals:
    """Chooses finalists one after the other, as workers become free.

    Args:
        plan: how time is spent.
        pace: how long training takes here.
        wanted: gives the accuracy that is asked for, which the baseline may decide; where nothing else is
            limited, the smallest that may reach it comes first. None: the most accurate come first.
    """

    def __init__(self, plan: Plan, pace: Pace, wanted: Callable[[], float | None] = lambda: None) -> None:
        self._plan, self._pace, self.wanted = plan, pace, wanted
        self.begun = False
        self._chosen: list[Trial] = []
        self._anew: dict[int, int] = {}

    def next(self, trials: Sequence[Trial], now: float) -> tuple[Trial, Rung] | None:
        """Returns the next finalist and its training; None: there is no time, or nobody is left.

        It is asked again until the training was given out, which `given` is told.

        Args:
            trials: all of them.
            now: seconds since the search began.
        """
        self._begin(trials)
        for trial in self._order(trials):
            epochs = self._epochs(trial, now)
            least = _LEAST * self._plan.full_epochs if self._chosen else 1.0
            if epochs >= max(least, _WORTH * trial.passes):
                return trial, Rung(-1, int(epochs))
            if not self._chosen and not trial.rungs and epochs > _SMALLEST_SHARE:
                # So little time that not even an epoch fits: a part of the images is better than nothing.
                return trial, Rung(-1, 1, round(epochs, 2))
        return None

    def again(self, trials: Sequence[Trial], now: float) -> tuple[Trial, Rung, int] | None:
        """Returns the finalist to train once more, from another seed, how, and which of its seeds that is.

        Every second training of the end is one, once as many finalists were begun as there are workers (two
        at least): a difference between two networks counts only beyond that between two seeds, and the
        better of the seeds is kept. It is asked again until the training was given out.

        Args:
            trials: all of them.
            now: seconds since the search began.
        """
        self._begin(trials)
        first = max(self._plan.workers, _FIRST)
        if len(self._chosen) < first or sum(self._anew.values()) > len(self._chosen) - first:
            return None
        done = [trial for trial in trials if trial.state == "finalist"]
        for trial in sorted(done, key=lambda trial: (-trial.accuracy, trial.number)):
            number = self._anew.get(trial.number, 0) + 1
            passes = sum(rung.passes for rung in trial.rungs if rung.seed is None)
            epochs = min(self._epochs(trial, now), passes)
            if number <= _OTHER_SEEDS and epochs >= max(_AS_LONG * passes, 1.0):
                return trial, Rung(-1, int(epochs)), number
        return None

    def given(self, trial: Trial, number: int = 0) -> None:
        """Is told that a training was given out.

        Args:
            trial: whose.
            number: which of its seeds; 0: its own.
        """
        if number:
            self._anew[trial.number] = number
        elif trial not in self._chosen:
            self._chosen.append(trial)

    def _begin(self, trials: Sequence[Trial]) -> None:
        """Begins the end, or takes up what an earlier process did of it."""
        self.begun = True
        for trial in trials:
            if trial.state == "finalist" and trial not in self._chosen:
                self._chosen.append(trial)
            for rung in trial.repeats:
                number = (rung.seed or 0) - trial.seed
                self._anew[trial.number] = max(self._anew.get(trial.number, 0), number)

    def _order(self, trials: Sequence[Trial]) -> list[Trial]:
        """Sorts those that may become finalists."""
        left = [trial for trial in trials if trial.state in ("waiting", "cut") and trial.rungs]
        if not left and not self._chosen:
            left = [trial for trial in trials if trial.state == "ready"]
        ordered = best_first(left)
        if (wanted := self.wanted()) is not None:
            near = [trial for trial in ordered if trial.accuracy >= wanted - 0.02]
            return sorted(near, key=cost) + [trial for trial in ordered if trial not in near]
        if len(self._chosen) % 2 and self._chosen:
            limit = _SMALLER * min(cost(trial)[0] for trial in self._chosen)
            smaller = [trial for trial in ordered if cost(trial)[0] <= limit]
            first = self._plan.workers if len(self._chosen) < self._plan.workers else 0
            return ordered if first else smaller + [trial for trial in ordered if trial not in smaller]
        return ordered

    def _epochs(self, trial: Trial, now: float) -> float:
        """Returns how many epochs a finalist is trained: all that there is time for, in whole rounds."""
        macs = float(trial.facts.macs or 0) if trial.facts is not None else 0.0
        each = self._pace.epoch(macs, trial.epoch_seconds)
        left, overhead = self._plan.training_ends - now, self._pace.overhead
        rounds = int(left / (self._plan.full_epochs * each + overhead))
        if rounds < 1:
            return self._plan.final_epochs(each, left, overhead)
        longest = 2 * self._plan.full_epochs
        return min((0.95 * left / rounds - overhead) / max(each, 1e-6), longest)
