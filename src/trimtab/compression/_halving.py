"""Who trains on: successive halving with several objectives, without waiting for the slowest."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.compression._front import pareto_ranks
from trimtab.compression._plan import promotable
from trimtab.compression._trials import Trial

__all__ = ["next_promoted", "ranked"]

_GOING_ON = ("waiting",)
_COUNTED = ("waiting", "running", "finalist")


def ranked(trials: Sequence[Trial], rung: int, *, by_cost: bool) -> list[Trial]:
    """Sorts the trials that finished a round, the most promising first.

    Args:
        trials: all of them.
        rung: the round.
        by_cost: sort by fronts of accuracy against what the files cost first (non-dominated sorting), and by
            accuracy within a front; else by accuracy alone: all of them fit the budget anyway.
    """
    done = [trial for trial in trials if trial.at_rung(rung) is not None]
    if not done:
        return []
    accuracies = [_accuracy(trial, rung) for trial in done]
    if by_cost:
        points = [(-value, *cost(trial)) for value, trial in zip(accuracies, done, strict=True)]
        ranks = pareto_ranks(points)
    else:
        ranks = [0] * len(done)
    order = sorted(range(len(done)), key=lambda at: (ranks[at], -accuracies[at], done[at].number))
    return [done[at] for at in order]


def next_promoted(trials: Sequence[Trial], highest: int, *, by_cost: bool) -> Trial | None:
    """Returns the trial that may go on to its next round now; None: there is none.

    Of those that finished a round, the best third goes on; the highest round is looked at first, so that what
    is promising gets to the end early (Li et al. 2020).

    Args:
        trials: all of them.
        highest: the last round that there is a next one of.
        by_cost: see `ranked`. Every second place goes by accuracy alone even so: that is what is sought.
    """
    for rung in range(highest, -1, -1):
        by_front = ranked(trials, rung, by_cost=by_cost)
        by_accuracy = ranked(trials, rung, by_cost=False)
        promoted = sum(trial.rung > rung for trial in by_front)
        free = promotable(len(by_front), promoted)
        if not free:
            continue
        order = by_front if by_cost and promoted % 2 else by_accuracy
        within = order[: promoted + free]
        for trial in within:
            if trial.rung == rung and trial.state in _GOING_ON:
                return trial
    return None


def cost(trial: Trial) -> tuple[float, float]:
    """Returns what a trial's file costs: bytes, and its time (or its work, where nobody timed it)."""
    facts = trial.facts
    if facts is None:
        return (float("inf"), float("inf"))
    time = facts.latency_ms if facts.latency_ms is not None else facts.macs
    return float(facts.bytes), float("inf") if time is None else float(time)


def _accuracy(trial: Trial, rung: int) -> float:
    """Returns a trial's accuracy after a round."""
    trained = trial.at_rung(rung)
    return 0.0 if trained is None else trained.val_accuracy
