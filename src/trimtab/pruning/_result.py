"""What pruning gave: the model, and what was asked for beside what was reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._granularity import Unstructured
from trimtab.pruning.schedules._schedule import Schedule
from trimtab.pruning.sparsity._sparsity import LayerSparsity, measured
from trimtab.pruning.where._prunable import PrunableWeight
from trimtab.training import History

__all__ = ["Asked", "PruningResult", "PruningRound"]


@dataclass(frozen=True)
class PruningRound:
    """One round of iterative pruning.

    Args:
        number: the round, from 1.
        asked: share of zeros asked for in all pruned weights together.
        sparsity: share of zeros that was reached in them.
        first_epoch: its first epoch in the history.
        last_epoch: its last epoch there.
        best_epoch: the epoch whose weights it ended with.
        val_accuracy: accuracy on the validation images after that epoch, 0 to 1.
    """

    number: int
    asked: float
    sparsity: float
    first_epoch: int
    last_epoch: int
    best_epoch: int
    val_accuracy: float


@dataclass(frozen=True)
class PruningResult:
    """What pruning gave.

    Args:
        model: the pruned model, an ordinary Keras model of its own.
        layers: the zeros of each weight that was pruned, beside the share asked for (None where layers were
            ranked together: then only that of all together was asked for).
        skipped: layers with weights that were left alone, each with the reason.
        schedule: the schedule that was followed; after rounds, when each began.
        history: the training that went along with it; all rounds, one after the other.
        notes: plain sentences about what was done.
        granularity: what went together, such as "unstructured", "4x1", "2:4".
        importance: how the importance of weights was judged, such as "magnitude".
        ranking: whom a weight was compared with: "layer" or "global".
        asked: share of zeros asked for in all pruned weights together.
        sparsity: share of zeros that was reached in them.
        missed: one sentence for each weight (or for all together) with fewer zeros than asked for.
        rounds: the rounds of iterative pruning; none otherwise.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    layers: tuple[LayerSparsity, ...]
    skipped: tuple[tuple[str, str], ...]
    schedule: Schedule = field(metadata={"record": False})  # its type would be lost; a note names it
    history: History
    notes: tuple[str, ...] = ()
    granularity: str = "unstructured"
    importance: str = "magnitude"
    ranking: str = "layer"
    asked: float = 0.0
    sparsity: float = 0.0
    missed: tuple[str, ...] = ()
    rounds: tuple[PruningRound, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The zeros asked for, as they can be counted afterwards.

    Args:
        weights: the weights to prune.
        criterion: which of their numbers go.
        shares: share of zeros of each weight (with ranking "global" the same for each: that of all).
        zeros: zeros of each weight; None: only the total was asked for.
        total: zeros of all weights together.
    """

    weights: Sequence[PrunableWeight] = field(repr=False)
    criterion: Criterion
    shares: tuple[float, ...]
    zeros: tuple[int, ...] | None
    total: int

    @classmethod
    def of(
        cls, weights: Sequence[PrunableWeight], criterion: Criterion, shares: Sequence[float] | None
    ) -> Asked:
        """Returns what is asked for; where `shares` is None, the zeros that the weights have now."""
        if shares is None:
            there = tuple(weight.zeros() for weight in weights)
            own = tuple(count / weight.size for count, weight in zip(there, weights, strict=True))
            # They lie where they lie, and need not be the blocks or the pattern of a granularity.
            strewn = replace(criterion, granularity=Unstructured())
            return cls(weights, strewn, own, there, sum(there))
        shapes, axes = [weight.shape for weight in weights], [weight.axis for weight in weights]
        share: Any = shares[0] if criterion.ranking == "global" else list(shares)
        zeros = criterion.zeros(shapes, axes, share)
        return cls(
            weights,
            criterion,
            tuple(shares),
            None if zeros is None else tuple(zeros),
            criterion.total_zeros(shapes, axes, share),
        )

    @property
    def share(self) -> float:
        """Share of zeros asked for in all weights together."""
        return self.total / self._size

    @property
    def reached(self) -> float:
        """Share of zeros that is there now in all weights together."""
        return sum(weight.zeros() for weight in self.weights) / self._size

    @property
    def _size(self) -> int:
        """How many numbers the weights hold."""
        return sum(weight.size for weight in self.weights)

    def table(self) -> tuple[LayerSparsity, ...]:
        """Counts the zeros of each weight, beside those asked for."""
        shares = None if self.zeros is None else self.shares
        return measured(self.weights, shares, self.criterion.granularity)

    def missed(self, early: str = "") -> tuple[str, ...]:
        """Says where there are fewer zeros than asked for, and why.

        Args:
            early: why the schedule did not come to its end; empty where it did.
        """
        kind = "magnitude" if self.criterion.importance.name == "magnitude" else "importance"
        reason = early or f"weights of equal {kind} stay or go together"
        table = self.table()
        if self.zeros is None:
            there = sum(row.counted for row in table)
            if there >= self.total:
                return ()
            return (
                f"all weights together have {there} zeros, {self.total - there} fewer than asked: {reason}",
            )
        return tuple(
            f"{row.name}/{row.weight} has {row.counted} zeros, {wanted - row.counted} fewer than asked: "
            f"{reason}"
            for row, wanted in zip(table, self.zeros, strict=True)
            if row.counted < wanted
        )
