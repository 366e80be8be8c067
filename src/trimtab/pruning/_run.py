"""A pruning whose arguments are checked, carried out: in one training along a schedule, or in rounds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from trimtab.pruning._from_zeros import FromZeros, floors
from trimtab.pruning._goal import Goal
from trimtab.pruning._iterative import Rewinding, Rounds
from trimtab.pruning._plan import hold_rate
from trimtab.pruning._result import Asked, PruningResult, PruningRound
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._importance import Taylor
from trimtab.pruning.optimizer._optimizer import PruningOptimizer
from trimtab.pruning.schedules._schedule import Schedule
from trimtab.pruning.where._policy import Policy, chosen_by
from trimtab.pruning.where._prunable import PrunableWeight
from trimtab.pruning.where._selection import select
from trimtab.pruning.where._where import choose_weights, unmet
from trimtab.training import History, TrainingResult, train

__all__ = ["Place", "PruningRun"]


@dataclass(frozen=True)
class Place:
    """Where to prune, and how far."""

    aim: Goal
    layers: Any
    exclude: Any
    skip_ends: bool

    @property
    def named(self) -> Any:
        """The layers asked for: those that have targets, where there are any."""
        return self.layers if self.aim.targets is None else list(self.aim.targets)

    def chosen(
        self, model: keras.Model, criterion: Criterion
    ) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
        """Returns the weights to prune, and the layers left alone with the reason of each."""
        return choose_weights(
            model,
            self.named,
            self.exclude,
            skip_ends=self.skip_ends,
            granularity=criterion.granularity,
        )

    def shares(self, model: keras.Model, criterion: Criterion, weights: Sequence[PrunableWeight]) -> Any:
        """Returns the share of zeros asked for in each weight; None: those that are there."""
        if self.aim.share is None:
            return None
        selected = select(
            model,
            self.named,
            self.exclude,
            skip_ends=self.skip_ends,
            criterion=criterion,
            targets=self.aim.targets,
        )
        own = {id(weight.variable): weight.target for weight in selected}
        targets = [own.get(id(weight.variable)) for weight in weights]
        return [self.aim.share if target is None else target for target in targets]


@dataclass
class PruningRun:
    """A pruning whose arguments are checked; the model is ours."""

    model: Any = field(repr=False)
    data: Any
    criterion: Criterion
    where: Place
    plan: Callable[[float], Schedule]
    options: dict[str, Any]
    steps: int
    seed: int
    label: str
    checkpoint: str | os.PathLike[str] | None
    keep_checkpoint: bool

    def __post_init__(self) -> None:
        self.weights, self.skipped = self.where.chosen(self.model, self.criterion)
        self.shares = self.where.shares(self.model, self.criterion, self.weights)
        policy = self.where.layers
        # Asked now: of the pruned model it might say something else.
        self.choice = chosen_by(policy, self.model) if isinstance(policy, Policy) else None

    def in_one(self, first_best: int) -> PruningResult:
        """Prunes in one training, along a schedule."""
        scores = self._scores()
        there = floors(self.weights, self.criterion, scores)
        plan = self.plan(min(there))
        asked = Asked.of(self.weights, self.criterion, self.shares)
        before = asked.reached
        targets, least = self._floored(plan, there)
        followed = FromZeros(plan, least) if self.shares is not None and any(least) else plan
        place = self.where

        def wrap(inner: Any) -> Any:
            if self.options["schedule"] == "cosine":
                hold_rate(inner, self.options["learning_rate"], plan.reached_at - 1, self.steps)
            return PruningOptimizer.for_model(
                self.model,
                inner,
                followed,
                place.named,
                place.exclude,
                skip_ends=place.skip_ends,
                **_parts(self.criterion),
                targets=targets,
                initial_scores=scores,
            )

        trained = self._train(self.seed, wrap, self.checkpoint, self.keep_checkpoint, self.label)
        notes = [f"schedule: {plan!r}"]
        if first_best > 1:
            notes.append(
                f"the final sparsity is reached in epoch {first_best}; only epochs from there on count"
            )
        if followed is not plan and before >= 0.001:
            notes.append(f"{before:.1%} of the weights to prune were zero at first, and never fewer")
        done = len(trained.history.epochs)
        early = f"training ended after epoch {done}, before the schedule's end in epoch {first_best}"
        return self._result(
            plan, asked, trained.history, notes, trained.notes, early if done < first_best else ""
        )

    def in_rounds(self, rewinding: Rewinding) -> PruningResult:
        """Prunes in rounds, each a training of its own."""
        work = Rounds(
            self.model,
            self.weights,
            self.criterion,
            rewinding,
            self.shares,
            floors(self.weights, self.criterion, self._scores()),
            self._scores,
            lambda number, wrap, checkpoint, keep: self._train(
                _seed_of_round(self.seed, number),
                wrap,
                checkpoint,
                keep,
                f"{self.label}, round {number} of {rewinding.rounds}",
            ),
            self.checkpoint,
            self.keep_checkpoint,
        )
        history, rounds, told = work.run()
        plan = self.plan(0.0)
        back = "the learning rate" if rewinding.rewind == "rate" else "the weights and the learning rate"
        notes = [f"schedule: {plan!r}, {back} rewound in each round"]
        asked = Asked.of(self.weights, self.criterion, self.shares)
        return self._result(plan, asked, history, notes, told, "", rounds)

    def _result(
        self,
        plan: Schedule,
        asked: Asked,
        history: History,
        first: Sequence[str],
        last: Sequence[str],
        early: str,
        rounds: tuple[PruningRound, ...] = (),
    ) -> PruningResult:
        """Returns what was done, with what was asked for beside what was reached."""
        _without_signs(self.weights)
        missed = asked.missed(early)
        return PruningResult(
            self.model,
            asked.table(),
            tuple(self.skipped),
            plan,
            history,
            (*first, *self._told_of_place(asked.share), *missed, *last),
            granularity=self.criterion.granularity.name,
            importance=self.criterion.importance.name,
            ranking=self.criterion.ranking,
            asked=asked.share,
            sparsity=asked.reached,
            missed=missed,
            rounds=rounds,
        )

    def _told_of_place(self, share: float) -> tuple[str, ...]:
        """Says what a policy has to say, and which layers that have a target are left alone."""
        told = () if self.choice is None else self.choice.told(share)
        return (*told, *unmet(self.where.aim.targets or (), self.weights, self.skipped))

    def _train(self, seed: int, wrap: Any, checkpoint: Any, keep: bool, label: str) -> TrainingResult:
        """Trains the model in place."""
        return train(
            self.model,
            self.data,
            **self.options,
            seed=seed,
            wrap_optimizer=wrap,
            checkpoint=checkpoint,
            keep_checkpoint=keep,
            label=label,
        )

    def _scores(self) -> list[Any] | None:
        """Returns the gradient-times-weight scores of the weights as they are; None where none are needed."""
        if not isinstance(self.criterion.importance, Taylor):
            return None
        from trimtab.pruning.scanning._taylor import taylor_scores

        return list(
            taylor_scores(
                self.model,
                self.data,
                weights=[weight.variable for weight in self.weights],
                from_logits=self.options["from_logits"],
                seed=self.seed,
            )
        )

    def _floored(
        self, plan: Schedule, there: tuple[float, ...]
    ) -> tuple[dict[str, float] | None, tuple[float, ...]]:
        """Returns the targets of layers and the floors, where layers have targets of their own.

        A layer that has more zeros than its target keeps them. The optimizer scales what the schedule asks
        for by a layer's share of the schedule's end, so the floors are scaled the other way.
        """
        if self.where.aim.targets is None:
            return None, there
        targets: dict[str, float] = {}
        patterned = self.criterion.granularity.pattern_from is not None  # no more than the pattern then
        for weight, share, floor in zip(self.weights, self.shares, there, strict=True):
            least = share if patterned else max(share, floor)
            targets[weight.layer] = max(least, targets.get(weight.layer, 0.0))
        end = plan.target or 0.0
        scaled = [f * end / targets[w.layer] for w, f in zip(self.weights, there, strict=True)]
        return targets, tuple(min(floor, end) for floor in scaled)


def _parts(criterion: Criterion) -> dict[str, Any]:
    """Returns the criterion as arguments."""
    return {field.name: getattr(criterion, field.name) for field in dataclasses.fields(criterion)}


def _seed_of_round(seed: int, number: int) -> int:
    """Returns the seed of a round: that of the first is the one given, others see other orders of images."""
    if number == 1:
        return seed
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0]) >> 1


def _without_signs(weights: Sequence[PrunableWeight]) -> None:
    """Makes each zero a plain one: minus zero, as a mask makes it of a negative weight, compresses badly."""
    for weight in weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight.variable.value))
        weight.variable.assign(value + np.zeros((), value.dtype))
