"""Choose, remove, recalibrate, fine-tune; once, or in rounds, each from what the last one left.

What may stay is always chosen in the model as it was before all rounds: shares, floors and multiples are
those of its channels, and what is gone never comes back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab import channels
from trimtab._records import to_plain
from trimtab._version import __version__
from trimtab.channel_pruning._books import Books
from trimtab.channel_pruning._fine_tuning import FineTuning, Phase
from trimtab.channel_pruning._group_lasso import GroupLasso
from trimtab.channel_pruning._importance import ChannelImportance
from trimtab.channel_pruning._plan import Plan
from trimtab.channel_pruning._probe import Probes
from trimtab.channel_pruning._recalibration import recalibrate_batch_norm
from trimtab.channel_pruning._result import ChannelPruningRound
from trimtab.channel_pruning._round_file import RoundStart, fill, read_round, round_file, write_round
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._scores import scores
from trimtab.channel_pruning._selection import normalized, select
from trimtab.channel_pruning._solver import solve
from trimtab.channel_pruning._target import Target
from trimtab.channels._remaining import remaining
from trimtab.models import clone
from trimtab.training import History
from trimtab.training._checkpoint import architecture_digest, weights_digest

if TYPE_CHECKING:
    from trimtab.channel_pruning._chosen import Selection
    from trimtab.channels import ChannelGraph
    from trimtab.data import ImageData
    from trimtab.progress import Progress

__all__ = ["Outcome", "Rounds"]

Indices = npt.NDArray[np.intp]
_GONE = -1.0  # the score of what is gone: below that of all that is there


@dataclass(frozen=True, eq=False)
class Outcome:
    """What all rounds left.

    Args:
        model: the smaller model.
        keep: by group, the units that stayed, as indices in the model before all rounds.
        limit: what was asked for in its plain unit; of a ratio the ratio.
        reached: what was reached of it when it was chosen.
        history: all training; None: there was none.
        rounds: one row for each round.
        notes: sentences about what was done.
    """

    model: Any
    keep: Mapping[str, Indices]
    limit: float
    reached: float | None
    history: History | None
    rounds: tuple[ChannelPruningRound, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rounds:
    """A channel pruning whose arguments are checked, ready to run.

    Args:
        model: the model to prune; it stays as it is.
        graph: its groups.
        pruned: names of the groups that may lose channels.
        target: how small or fast the model shall become.
        importance: how much a channel matters.
        rule: what is compared with what, in which steps.
        plan: how many rounds, and what training.
        tuning: trains; None: nothing is trained.
        data: the images; None: there are none.
        from_logits: what the model gives.
        seed: decides what is random.
        label: what progress calls the trainings.
        progress: where progress is shown.
    """

    model: Any = field(repr=False)
    graph: ChannelGraph = field(repr=False)
    pruned: tuple[str, ...]
    target: Target
    importance: ChannelImportance
    rule: SelectionRule
    plan: Plan
    tuning: FineTuning | None
    data: ImageData | None
    from_logits: bool | None = None
    seed: int = 0
    label: str = "prune channels"
    progress: Progress | None = None

    def run(self) -> Outcome:
        """Does all of it; after a kill the same call goes on where it was."""
        books = Books(None if self.data is None else self.data.image_shape)
        current = self._made_sparse(books)
        whole = {name: np.arange(self.graph.group(name).size) for name in self.pruned}
        alive, start = whole, None
        for number in range(1, self.plan.number_of_rounds + 1):
            smaller, start = self._begun(number, current, alive, start)
            kept = {name: np.asarray(start.keep[name], np.intp) for name in self.pruned}
            books.notes += [self._told(number, note) for note in start.notes]
            fewer = _count(kept) < _count(alive)
            trained = None
            if fewer and self.tuning is not None and self.plan.epochs:
                trained = self.tuning.train(smaller.model, self._phase(number))
            elif not fewer:
                books.notes.append(self._told(number, "no channel was removed, so nothing was trained"))
            books.take(number, smaller.model, 1 - _count(kept) / _count(whole), trained, self._told)
            current, alive = smaller, kept
        if self.tuning is not None:
            self.tuning.forget(self.plan.number_of_rounds)
            self._forget()
        limit = (start.limit if start is not None else None) or 0.0
        reached = None if start is None else start.reached
        return Outcome(
            current.model, alive, limit, reached, books.history(), tuple(books.rounds), tuple(books.notes)
        )

    def _made_sparse(self, books: Books) -> ChannelGraph:
        """Returns the groups of a copy after sparsity learning; of the model itself, where there is none."""
        kind = self.plan.sparsity_learning
        if kind is None or self.tuning is None:
            return self.graph
        model = clone(self.model)
        graph = channels.find_groups(model)
        groups = [graph.group(name) for name in self.pruned]
        strength = self.plan.strength_of_pull
        phase = Phase(
            0,
            self.plan.epochs_of_sparsity,
            f"{self.label}, sparsity learning",
            wrap=lambda inner: GroupLasso.for_model(model, inner, kind, strength, groups=groups),
            to_the_end=True,
            last=not self.plan.epochs,
        )
        history, notes = self.tuning.train(model, phase)
        what = "the scales of batch normalisation" if kind == "bn" else "kernels"
        books.notes.append(
            f"sparsity learning: a group lasso on {what} (strength {strength:g}, epochs: {phase.epochs})"
        )
        books.add(history, [f"sparsity learning: {note}" for note in notes])
        return graph

    def _begun(
        self, number: int, current: ChannelGraph, alive: Mapping[str, Indices], last: RoundStart | None
    ) -> tuple[ChannelGraph, RoundStart]:
        """Returns the groups of what a round fine-tunes, and what was chosen for it, now or before a kill."""
        path, belongs_to = self._file(number), self._belongs_to(number, current.model)
        start = None if path is None else read_round(path, belongs_to)
        if start is not None:
            smaller = _without(current, _places(start.keep, alive))
            fill(smaller.model, start.weights)
            return smaller, start
        keep, ratio, solved = self._chosen(number, current, alive, last)
        smaller = _without(current, _places(keep, alive))
        notes = [] if solved is None else list(solved.notes)
        if _count(keep) < _count(alive):
            notes += self._recalibrated(smaller.model)
        start = RoundStart(
            {name: tuple(int(unit) for unit in units) for name, units in keep.items()},
            ratio,
            None if solved is None else solved.limit,
            None if solved is None else solved.reached,
            tuple(notes),
            [np.asarray(ops.convert_to_numpy(weight)) for weight in smaller.model.weights],
        )
        if path is not None:
            write_round(path, belongs_to, start)
        return smaller, start

    def _chosen(
        self, number: int, current: ChannelGraph, alive: Mapping[str, Indices], last: RoundStart | None
    ) -> tuple[dict[str, Indices], float, Selection | None]:
        """Chooses what stays after a round.

        Returns:
            By group, the units that stay; the share to be gone after the last round; and how the target is
            met, where this is the last one.
        """
        found = self._scores(current, alive)
        if number == self.plan.number_of_rounds:
            solved = self._solved(found)
            return _stays(solved.keep, alive), solved.ratio, solved
        ratio = self._solved(found).ratio if last is None else last.ratio
        # A share of 0 would be refused, where a small target is walked to in many rounds.
        share = max(self.plan.ratio_after(number, ratio), 1e-9)
        return _stays(select(self.graph, found, share, self._rule), alive), ratio, None

    def check_target(self) -> None:
        """Raises `ConfigError` where no scores whatever could meet the target.

        How small a model can become depends on floors alone; so it is known before sparsity learning.
        """
        self._solved({name: np.zeros(self.graph.group(name).size) for name in self.pruned})

    def _solved(self, found: Mapping[str, npt.NDArray[np.float64]]) -> Selection:
        """Finds what stays so that the target is met."""
        return solve(self.graph, found, self.target, self._rule, probes=self._probes)

    @property
    def _rule(self) -> SelectionRule:
        """The rule for scores that are normalised already."""
        return dataclasses.replace(self.rule, normalization="none")

    @cached_property
    def _probes(self) -> Probes | None:
        """Converts and measures candidates, where the target wants that; what was measured is remembered."""
        if not self.target.measured:
            return None
        shape = None if self.data is None else self.data.image_shape
        return Probes(self.graph, image_shape=shape, seed=self.seed, progress=self.progress)

    def _scores(
        self, current: ChannelGraph, alive: Mapping[str, Indices]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Returns the scores of the units of the model before all rounds, normalised within each group."""
        own = scores(current, self.importance, self.data, from_logits=self.from_logits, seed=self.seed)
        found = {}
        for name in self.pruned:
            full = np.full(self.graph.group(name).size, _GONE)
            full[alive[name]] = normalized(own.get(name, np.ones(len(alive[name]))), self.rule.normalization)
            found[name] = full
        return found

    def _recalibrated(self, model: Any) -> list[str]:
        """Measures the statistics of batch normalisation anew, in place, and says so."""
        if not self.plan.recalibrate or self.data is None:
            return []
        layers = recalibrate_batch_norm(model, self.data, seed=self.seed)
        what = "batch normalisation" if len(layers) == 1 else "batch normalisations"
        return [f"the statistics of {len(layers)} {what} were measured anew"] if layers else []

    def _phase(self, number: int) -> Phase:
        """Returns the fine-tuning of a round."""
        rounds = self.plan.number_of_rounds
        label = f"{self.label}, round {number} of {rounds}" if rounds > 1 else self.label
        return Phase(number, self.plan.epochs, label, last=number == rounds)

    def _told(self, number: int, note: str) -> str:
        """Says which round a note is about, where there are several."""
        return f"round {number}: {note}" if self.plan.number_of_rounds > 1 else note

    def _file(self, number: int) -> Path | None:
        """Returns where the beginning of a round is kept; None: nowhere."""
        if self.tuning is None or self.tuning.checkpoint is None or not self.plan.epochs:
            return None
        return round_file(self.tuning.checkpoint, number)

    def _forget(self) -> None:
        """Removes the beginnings of rounds, once all is done."""
        if self.tuning is not None and not self.tuning.keep_checkpoint:
            for number in range(1, self.plan.number_of_rounds + 1):
                path = self._file(number)
                if path is not None:
                    path.unlink(missing_ok=True)

    def _belongs_to(self, number: int, current: Any) -> dict[str, Any]:
        """Returns what makes a round this one, as plain data."""
        return {
            "round": f"{number} of {self.plan.number_of_rounds}",
            "asked": str(self.target),
            "importance": {"name": self.importance.name, **to_plain(self.importance)},
            **{f"rule.{name}": value for name, value in to_plain(self.rule).items()},
            "recalibrate": self.plan.recalibrate,
            "seed": self.seed,
            "data": None if self.data is None else self.data.digest,
            "architecture": architecture_digest(current),
            "starting weights": weights_digest(current),
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "trimtab": __version__,
        }


def _count(keep: Mapping[str, Any]) -> int:
    """Counts the units."""
    return sum(len(units) for units in keep.values())


def _stays(keep: Mapping[str, Any], alive: Mapping[str, Indices]) -> dict[str, Indices]:
    """Returns what stays of what is there; what is gone never comes back."""
    return {name: np.intersect1d(keep.get(name, units), units) for name, units in alive.items()}


def _without(graph: ChannelGraph, keep: Mapping[str, Indices]) -> ChannelGraph:
    """Returns the groups of a model without some of its units, by the names that they have in this one."""
    return remaining(graph, keep, channels.remove(graph, keep))


def _places(keep: Mapping[str, Any], alive: Mapping[str, Indices]) -> dict[str, Indices]:
    """Returns where the units that stay stand in a model that has only those of `alive`."""
    found = {name: np.searchsorted(units, np.asarray(keep[name])) for name, units in alive.items()}
    return {name: places for name, places in found.items() if len(places) < len(alive[name])}
