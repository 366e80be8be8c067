"""How a student was taught: who its teachers are, and how their answers came to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.reporting._data import Number
from trimtab.reporting._fields import Fields, pairs
from trimtab.reporting._formats import seconds, share, size

__all__ = ["Distillation", "Teacher", "distilled", "read_distillation", "teacher_names"]


@dataclass(frozen=True)
class Teacher:
    """One that teaches: the step that made it, and how often it is right on the validation images."""

    step: str
    accuracy: Number | None = None
    images: int = 0


@dataclass(frozen=True)
class Distillation:
    """How a student was taught.

    Attributes:
        temperature: by which logits were divided.
        alpha: share of the labels in the loss, 0..1.
        features: pairs of layers whose outputs were made alike, the student's and the teacher's.
        attention: pairs of layers that were made to look at the same places.
        cache: how the answers came: ``"logits"``, ``"views"`` or ``"off"``.
        views: changed versions of each image whose answers were kept.
        cache_bytes: what the kept answers took.
        teacher_seconds: how long it took to ask for them.
    """

    teachers: tuple[Teacher, ...]
    temperature: float | None = None
    alpha: float | None = None
    features: tuple[tuple[str, str], ...] = ()
    attention: tuple[tuple[str, str], ...] = ()
    cache: str = ""
    views: int = 0
    cache_bytes: int | None = None
    teacher_seconds: float | None = None

    @property
    def told_cache(self) -> str:
        """Says how the answers came to the student; empty where that is not recorded."""
        if self.cache == "off":
            return "asked anew for each batch"
        if self.cache not in ("logits", "views"):
            return self.cache
        kept = f", {size(self.cache_bytes)} kept" if self.cache_bytes else ""
        took = f", {seconds(self.teacher_seconds)} to ask" if self.teacher_seconds is not None else ""
        of = f" about {self.views} changed versions of each image" if self.cache == "views" else ""
        return f"asked for once{of}{kept}{took}"

    @property
    def told_loss(self) -> str:
        """Says what the student learned from, and in what parts."""
        if self.alpha is None:
            return ""
        return f"{share(1 - self.alpha)} the teacher's answers, {share(self.alpha)} labels"


def read_distillation(record: Fields) -> Distillation:
    """Reads how a student was taught.

    Raises:
        RunError: the record holds something else.
    """
    return Distillation(
        teachers=tuple(_teacher(teacher) for teacher in record.objects("teachers")),
        temperature=record.number("temperature"),
        alpha=record.number("alpha"),
        features=pairs(record, "features"),
        attention=pairs(record, "attention"),
        cache=record.text("cache"),
        views=record.integer("views") or 0,
        cache_bytes=record.integer("cache_bytes"),
        teacher_seconds=record.number("teacher_seconds"),
    )


def teacher_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the steps whose models teach, as the recipe names them."""
    teachers = config.get("teacher")
    if isinstance(teachers, str):
        return (teachers,)
    return tuple(map(str, teachers)) if isinstance(teachers, list) else ()


def distilled(config: Mapping[str, Any]) -> str:
    """Says who taught, and how: "taught by teacher (temperature 4, 10 % labels)"."""
    names, alpha, temperature = teacher_names(config), config.get("alpha"), config.get("temperature")
    ways = [
        f"temperature {temperature:g}" if isinstance(temperature, int | float) else "",
        f"{share(alpha)} labels" if isinstance(alpha, int | float) else "",
        "features too" if config.get("features") else "",
        "attention too" if config.get("attention") else "",
    ]
    how = ", ".join(filter(None, ways))
    return f"taught by {' and '.join(names) or 'a teacher'}" + (f" ({how})" if how else "")


def _teacher(fields: Fields) -> Teacher:
    value = fields.number("accuracy")
    accuracy = None if value is None else Number(value, fields.number("low"), fields.number("high"))
    return Teacher(fields.text("step") or fields.text("name"), accuracy, fields.integer("images") or 0)
