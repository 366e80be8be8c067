"""The answer of a search: the front, the one that is chosen, and why; or what is nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trimtab._statistics import wilson_interval
from trimtab.compression._budget import COSTS, Budget, Limits, spoken_limit
from trimtab.compression._front import pareto_front

__all__ = ["Answer", "Miss", "Point", "answered"]

_MOST_MISSES = 3
_SPOKEN = {
    "max_size": "size",
    "max_latency": "latency",
    "max_memory": "memory",
    "max_download": "download",
    "min_accuracy": "accuracy",
}


@dataclass(frozen=True)
class Point:
    """A deployable file and what it is worth.

    Args:
        name: of the file, in tables.
        what: its candidate in words.
        file: the `.tflite` file.
        model: the `.keras` file.
        val_accuracy: share of the validation images that the file classifies rightly.
        val_images: how many there are.
        bytes: of the file.
        gzip_bytes: of the file, compressed.
        memory_bytes: of its activations.
        latency_ms: for one image, measured beside the others.
        parameters: numbers in the Keras model.
        macs: multiply-accumulates for one image.
        chain: what was done, link by link.
        baseline: whether it is the baseline's own file.
    """

    name: str
    what: str
    file: Path
    model: Path
    val_accuracy: float
    val_images: int
    bytes: int
    gzip_bytes: int
    memory_bytes: int
    latency_ms: float
    parameters: int
    macs: int | None = None
    chain: tuple[Mapping[str, Any], ...] = ()
    baseline: bool = False

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the validation accuracy (Wilson)."""
        _, low, high = wilson_interval(round(self.val_accuracy * self.val_images), self.val_images)
        return float(low or 0.0), float(high or 1.0)

    def facts(self) -> dict[str, float | None]:
        """Returns what limits are about, by the names of the facts."""
        measured = {fact: getattr(self, fact) for fact in COSTS.values()}
        return {**measured, "accuracy": self.val_accuracy}

    def costs(self, limits: Limits | None = None) -> tuple[float, ...]:
        """Returns error, bytes and milliseconds, and of the rest what is limited: less is better."""
        limited = [fact for name, fact in COSTS.items() if getattr(limits, name, None) is not None]
        facts = ["bytes", "latency_ms", *(fact for fact in limited if fact not in ("bytes", "latency_ms"))]
        return (1 - self.val_accuracy, *(float(getattr(self, fact)) for fact in facts))


@dataclass(frozen=True)
class Miss:
    """A file that does not keep the budget, and by how much.

    Args:
        name: of the file.
        over: by limit, what it has as a share of what it may have, above 1.
        sentence: the same in words.
    """

    name: str
    over: Mapping[str, float]
    sentence: str


@dataclass(frozen=True)
class Answer:
    """What a search found.

    Args:
        front: the files that no measured one dominates in accuracy, size, latency and what else is limited,
            smallest first.
        chosen: the name of the one for the budget; None: nothing keeps it.
        why: a sentence that says why this one, or why none.
        misses: the nearest ones, where nothing keeps the budget.
        binds: the limits that stand in the way, where nothing keeps the budget.
        already: whether the baseline's own int8 file keeps the budget.
        others: the measured files that are not on the front.
        limits: the budget in plain units.
        notes: what else there is to say.
    """

    front: tuple[Point, ...]
    chosen: str | None
    why: str
    misses: tuple[Miss, ...] = ()
    binds: tuple[str, ...] = ()
    already: bool = False
    others: tuple[Point, ...] = ()
    limits: Limits = field(default_factory=Limits)
    notes: tuple[str, ...] = ()

    def point(self, name: str | None) -> Point | None:
        """Returns a point of the front by its name."""
        return next((point for point in self.front if point.name == name), None)


def answered(
    points: Sequence[Point],
    budget: Budget,
    limits: Limits,
    refused: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Answer:
    """Finds the front, and chooses for the budget.

    Where something is limited from above, the most accurate file that keeps all limits is chosen, and of
    equals the smaller one. Where only accuracy is limited, the smallest one is.

    Args:
        points: everything that was measured, the baseline's own file among it; not empty.
        budget: as it was asked for.
        limits: the same in plain units.
        refused: facts of candidates that were not trained, since they do not fit, by what they are.
    """
    # What is limited is a direction too: else a file that breaks the limit could hide one that keeps it.
    front = [points[index] for index in pareto_front([point.costs(limits) for point in points])]
    front = sorted(front, key=lambda point: (point.bytes, point.latency_ms))
    keeping = [point for point in front if limits.keeps(point.facts())]
    others = tuple(point for point in points if point not in front)
    already = any(point.baseline and limits.keeps(point.facts()) for point in points)
    if not keeping:
        missed = _missed(points, front, limits, budget, refused or {})
        return replace(missed, others=others, limits=limits)
    upper = any(getattr(limits, name) is not None for name in COSTS)
    if upper:
        chosen = min(keeping, key=lambda point: (-point.val_accuracy, point.bytes, point.latency_ms))
    else:
        chosen = min(keeping, key=lambda point: (point.bytes, point.latency_ms, -point.val_accuracy))
    why = _why(chosen, keeping, limits, upper)
    return Answer(tuple(front), chosen.name, why, already=already, others=others, limits=limits)


def _why(chosen: Point, keeping: Sequence[Point], limits: Limits, upper: bool) -> str:
    """Says why a point was chosen."""
    used = ", ".join(
        f"{spoken_limit(name, float(value))} of {spoken_limit(name, limit)}"
        for name, fact in COSTS.items()
        if (limit := getattr(limits, name)) is not None and (value := chosen.facts()[fact]) is not None
    )
    others = "" if len(keeping) == 1 else f" of {len(keeping)} files on the front that keep the budget"
    accuracy = f"{chosen.val_accuracy:.2%} of the validation images rightly"
    if upper:
        return f"{chosen.name} is the most accurate{others}: it classifies {accuracy}, with {used}."
    floor = f"{limits.min_accuracy:.2%}" if limits.min_accuracy is not None else "what is asked for"
    return (
        f"{chosen.name} is the smallest{others}: {spoken_limit('max_size', chosen.bytes)}, and it classifies "
        f"{accuracy}, where {floor} is asked for."
    )


def _missed(
    points: Sequence[Point],
    front: Sequence[Point],
    limits: Limits,
    budget: Budget,
    refused: Mapping[str, Mapping[str, float | None]],
) -> Answer:
    """Says what is nearest where nothing keeps the budget, and which limits stand in the way."""
    known = {point.name: point.facts() for point in points}
    known |= {f"{what} (not trained)": dict(facts) for what, facts in refused.items()}
    excesses = {name: limits.excess(facts) for name, facts in known.items()}
    order = sorted(excesses, key=lambda name: (max(excesses[name].values(), default=0), len(excesses[name])))
    misses = tuple(
        Miss(name, excesses[name], f"{name}: {_over_told(known[name], excesses[name], limits)}")
        for name in order
        if excesses[name]
    )[:_MOST_MISSES]
    # A limit binds if leaving it out lets some file through; if none alone does, all that are broken bind.
    alone = [limit for limit in _SPOKEN if any(set(over) == {limit} for over in excesses.values())]
    binds = tuple(alone or sorted({limit for miss in misses[:1] for limit in miss.over}))
    told = " and ".join(_SPOKEN[limit] for limit in binds)
    way, verb = ("the limit on", "stands") if len(binds) == 1 else ("the limits on", "stand")
    asked = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in budget.given.items())
    why = f"Nothing that was found keeps the budget ({asked}): {way} {told} {verb} in the way."
    return Answer(tuple(front), None, why, misses, binds)


def _over_told(facts: Mapping[str, float | None], over: Mapping[str, float], limits: Limits) -> str:
    """Says how far a file is beyond the limits."""
    parts = []
    for name in over:
        value = facts["accuracy" if name == "min_accuracy" else COSTS[name]]
        limit = getattr(limits, name)
        least = "at least " if name == "min_accuracy" else "at most "
        parts.append(
            f"{_SPOKEN[name]} {spoken_limit(name, float(value or 0.0))} where "
            f"{least}{spoken_limit(name, limit)} "
            "is asked for"
        )
    return ", ".join(parts)
