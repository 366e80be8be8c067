"""What was reached beside what was asked for, once a channel pruning is done."""

from __future__ import annotations

from trimtab.channel_pruning._iterative import Outcome, Rounds
from trimtab.channel_pruning._optimizer_state import carry_compilation
from trimtab.channel_pruning._result import ChannelPruningResult, GroupChange
from trimtab.models import macs, parameters

__all__ = ["result_of"]

_NEAR = 0.01  # a share of channels that is nearer than this is reached: counts go in steps
_UNITS = {"parameters": "parameters", "macs": "MACs", "size": "bytes", "latency": "ms"}


def result_of(work: Rounds, done: Outcome, skipped: tuple[tuple[str, str], ...]) -> ChannelPruningResult:
    """Returns what was done, with what was asked for beside what was reached.

    Args:
        work: the pruning as it was asked for.
        done: what it left.
        skipped: the groups that were left alone, each with the reason.
    """
    groups = tuple(
        GroupChange(name, work.graph.group(name).size, len(done.keep[name])) for name in work.pruned
    )
    before, after = sum(group.before for group in groups), sum(group.after for group in groups)
    numbers = (parameters(work.model), parameters(done.model))
    shape = None if work.data is None else work.data.image_shape  # a model may leave its image size open
    costs = (macs(work.model, shape), macs(done.model, shape))
    counted = {"ratio": 1 - after / before, "parameters": numbers[1], "macs": costs[1]}
    reached = counted.get(work.target.quantity, done.reached)
    missed = _missed(work, reached, done.limit, after < before)
    return ChannelPruningResult(
        done.model,
        groups,
        numbers,
        costs,
        1 - after / before,
        skipped,
        done.history,
        (*missed, *done.notes, *_told_of_training(work, done)),
        done.rounds,
        asked=str(work.target),
        reached=None if reached is None else float(reached),
        missed=missed,
        importance=work.importance.name,
        ranking=work.rule.ranking,
        tied={name: work.graph.group(name).layers for name in work.pruned},
        keep={name: tuple(int(unit) for unit in units) for name, units in done.keep.items()},
    )


def _missed(work: Rounds, reached: float | None, limit: float, changed: bool) -> tuple[str, ...]:
    """Says what was asked for and not reached, and why."""
    rule = work.rule
    steps = (
        f"channels go in steps of {rule.round_to}, and at least {rule.least} and {1 - rule.max_ratio:.0%} of "
        "each group stay"
    )
    if not changed:
        return (f"nothing was removed, although {work.target} was asked for: {steps}",)
    if reached is None:
        return ()
    if work.target.quantity == "ratio":
        if reached >= limit - _NEAR:
            return ()
        return (f"{reached:.1%} of the channels were removed, {limit:.1%} were asked for: {steps}",)
    if reached <= limit:
        return ()
    unit = _UNITS[work.target.quantity]
    return (f"{reached:,.6g} {unit} are left, {limit:,.6g} were asked for: {steps}",)


def _told_of_training(work: Rounds, done: Outcome) -> list[str]:
    """Says what became of the optimizer, and that there was a teacher; carries an optimizer over."""
    if not work.plan.trains:
        return carry_compilation(work.model, done.model, done.keep)
    notes = ["a teacher was learnt from beside the labels"] if work.plan.teacher else []
    own = getattr(work.model, "optimizer", None) if work.model.compiled else None
    if own is not None and int(own.iterations):
        kind = type(own).__name__
        notes.append(
            f"the training had a fresh optimizer; the state of the model's own ({kind}) was not used"
        )
    return notes
