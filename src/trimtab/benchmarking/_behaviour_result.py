"""What a comparison of behaviour hands back: a row a model or file, and a plain table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.benchmarking._calibration import Calibration
from trimtab.benchmarking._changed_answers import ChangedAnswers
from trimtab.benchmarking._class_accuracy import ClassAccuracy
from trimtab.benchmarking._robustness import Robustness
from trimtab.errors import ConfigError, nearest

__all__ = ["BehaviourResult", "BehaviourRow"]


@dataclass(frozen=True)
class BehaviourRow:
    """How one model or file behaves.

    Args:
        name: of the subject.
        classes: its accuracy class by class, in the order of the classes.
        calibration: how far its confidence is from its accuracy.
        answers: what became of the baseline's answers; None for the baseline itself.
        robustness: what spoilt images cost it; None where none were tried.
        verdict: what changed by more than chance against the baseline, in one sentence.
    """

    name: str
    classes: tuple[ClassAccuracy, ...]
    calibration: Calibration
    answers: ChangedAnswers | None = None
    robustness: Robustness | None = None
    verdict: str = ""

    @property
    def changed_classes(self) -> tuple[ClassAccuracy, ...]:
        """The classes that changed by more than chance, the greatest loss first."""
        return tuple(sorted((one for one in self.classes if one.changed), key=_difference))

    @property
    def worst_class(self) -> ClassAccuracy | None:
        """The class that lost most against the baseline; the least accurate one of the baseline itself."""
        measured = [one for one in self.classes if one.images]
        if not measured:
            return None
        if self.answers is None:
            return min(measured, key=lambda one: one.accuracy.value or 0.0)
        return min(measured, key=_difference)


@dataclass(frozen=True)
class BehaviourResult:
    """How models and files behave on the same images, beside their accuracy.

    Args:
        rows: one a subject, in the order given.
        baseline: name of the row that the others are compared with.
        class_names: in the order of the labels.
        settings: how it was measured: split, images, bins, resamples, corruptions, confidence, seed.
        versions: of what it was measured with; see `trimtab.benchmarking.versions`.
    """

    rows: tuple[BehaviourRow, ...]
    baseline: str
    class_names: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> BehaviourRow:
        """Gives the row of that name, or says which names there are."""
        for row in self.rows:
            if row.name == name:
                return row
        names = [row.name for row in self.rows]
        raise ConfigError(f"No row is called {name!r}; there are {names}.{nearest(name, names)}")

    def __str__(self) -> str:
        from trimtab.benchmarking._behaviour_words import behaviour_table

        headers, rows = behaviour_table(self)
        lines = [headers, ["-" * len(header) for header in headers], *rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(headers))]
        table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        told = [f"{row.name}: {row.verdict}." for row in self.rows if row.name != self.baseline]
        return "\n".join([*table, *told])

    @classmethod
    def from_plain(cls, record: Mapping[str, Any]) -> BehaviourResult:
        """Makes a result again from its record as plain data; keys it does not know are left out.

        Raises:
            ConfigError: the record lacks a part, or a part is of another kind.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_python(dict(record))
        except (ValidationError, TypeError, ValueError) as error:
            told = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            place = ".".join(map(str, told["loc"]))
            raise ConfigError(
                f"This is no record of behaviour ({place}: {told['msg']}). Measure again to get a whole one."
            ) from error


def _difference(one: ClassAccuracy) -> float:
    """Returns by how much a class changed; nothing where nothing was compared."""
    return (one.difference.value or 0.0) if one.difference is not None else 0.0
