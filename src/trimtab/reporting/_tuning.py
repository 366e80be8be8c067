"""Reading what a tuning found: ``tuning.json``, in the report's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.reporting._fields import Fields

__all__ = ["Axis", "TunedTrial", "Tuning", "read_tuning", "short_name", "shown_value"]


@dataclass(frozen=True)
class TunedTrial:
    """One trial.

    Attributes:
        state: "complete", "cut", "failed" or "unfinished".
        values: its setting.
        accuracy: of its best epoch, on the validation images, 0 to 1; `low` to `high`: the 95 % interval.
        why: why it was cut short or failed.
    """

    number: int
    state: str
    values: Mapping[str, Any] = field(default_factory=dict)
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    epochs: int = 0
    parameters: int | None = None
    macs: int | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Axis:
    """One parameter that varied.

    Attributes:
        name: as the space has it.
        options: of a choice; empty for a range.
        low: where a range begins.
        high: where it ends.
        log: whether the same ratio counts the same everywhere in it.
    """

    name: str
    options: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False


@dataclass(frozen=True)
class Tuning:
    """What a tuning found.

    Attributes:
        name: of the step, or of the folder.
        trials: by their numbers; the first is the baseline.
        axes: what varied.
        importances: share of the differences that each parameter explains, largest first.
        images: how many validation images judged.
        best: number of the best trial; None while none is finished.
        front: numbers of the trials that none beats in every objective.
    """

    name: str
    trials: tuple[TunedTrial, ...]
    axes: tuple[Axis, ...]
    importances: tuple[tuple[str, float], ...]
    images: int
    best: int | None
    front: tuple[int, ...]
    objectives: tuple[str, ...]
    ending: str
    seconds: float | None
    notes: tuple[str, ...]


def read_tuning(record: Fields, name: str) -> Tuning:
    """Returns what a tuning found, from its record.

    Raises:
        RunError: the record holds something else.
    """
    shares = record.fields("importances")
    space = record.fields("space")
    return Tuning(
        name=name,
        trials=tuple(_trial(trial) for trial in record.objects("trials")),
        axes=tuple(
            _axis(key, space.fields(key))
            for key, value in space.content.items()
            if isinstance(value, Mapping)
        ),
        importances=tuple((key, shares.number(key) or 0.0) for key in shares.content),
        images=record.integer("validation_images") or 0,
        best=record.integer("best"),
        front=tuple(int(number) for number in record.items("front")),
        objectives=record.texts("objectives"),
        ending=record.text("ending"),
        seconds=record.number("seconds"),
        notes=record.texts("notes"),
    )


def shown_value(value: Any) -> str:
    """Says a parameter's value in a few characters."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return "-".join(shown_value(item) for item in value)
    return "none" if value is None else str(value)


def short_name(name: str) -> str:
    """Returns a parameter's name without the part that says what it belongs to, and in words."""
    return name.removeprefix("model.").removeprefix("augmentation.").replace("_", " ")


def _trial(trial: Fields) -> TunedTrial:
    return TunedTrial(
        number=trial.integer("number") or 0,
        state=trial.text("state"),
        values=trial.fields("values").content,
        accuracy=trial.number("val_accuracy"),
        low=trial.number("low"),
        high=trial.number("high"),
        epochs=trial.integer("epochs") or 0,
        parameters=trial.integer("parameters"),
        macs=trial.integer("macs"),
        seconds=trial.number("seconds"),
        why=trial.text("why"),
    )


def _in_order(options: list[Any]) -> tuple[Any, ...]:
    """Returns options from the smallest to the largest, where they are numbers or lists of numbers."""
    try:
        return tuple(options if any(isinstance(option, str) for option in options) else sorted(options))
    except TypeError:
        return tuple(options)


def _axis(name: str, dimension: Fields) -> Axis:
    if "choice" in dimension.content:
        return Axis(name, _in_order(dimension.items("choice")))
    low, high = dimension.number("low") or 0.0, dimension.number("high") or 0.0
    return Axis(name, (), low, high, bool(dimension.content.get("log")))
