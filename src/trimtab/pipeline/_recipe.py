"""Recipes: a chain of named steps, written down as data and checked before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trimtab._choices import Resize
from trimtab.errors import nearest
from trimtab.pipeline._section import Section
from trimtab.pipeline.steps import Step
from trimtab.pipeline.steps._step import PLAIN_NAME

__all__ = ["BenchmarkConfig", "DataConfig", "Recipe", "ReportConfig"]


class DataConfig(Section):
    """Which images, and how they are split; the arguments of `trimtab.load_data`."""

    source: str
    validation: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.2, gt=0, lt=1)
    size: tuple[int, int] | None = None
    resize: Resize = "now"
    """Whether images are kept resized, or resized each time they are used, which needs no more memory."""
    channels: Literal[1, 3] | None = None
    input_range: tuple[float, float] = (0.0, 1.0)
    limit: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        """Accepts ``data: mnist`` for ``data: {source: mnist}``."""
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _size_to_resize_to(self) -> Self:
        if self.resize == "on-the-fly" and self.size is None:
            raise ValueError("resize: on-the-fly needs the size to resize to, such as size: [96, 96]")
        return self


class BenchmarkConfig(Section):
    """What is measured at the end, and against what; the arguments of `trimtab.benchmark`."""

    baseline: str | None = None
    subjects: tuple[str, ...] | None = Field(default=None, min_length=1)
    threads: int = Field(default=1, ge=1)
    latency: bool = True
    batch: int | None = Field(default=None, ge=2)
    """How many images are timed at once, beside one image; none are where it is left out."""
    memory: bool = True
    behaviour: bool = True
    """Whether classes, changed answers, calibration and robustness are compared with the baseline as well."""


class ReportConfig(Section):
    """What the report shows first."""

    project: str | None = None
    featured: str | None = None
    curves: tuple[str, ...] | None = None


class Recipe(Section):
    """One chain of steps from data to measured files."""

    name: str
    title: str = ""
    description: str = ""
    variant: str | None = None
    """Which of the recipe's variants this is; "full" is the recipe as it is written, None one without any."""
    data: DataConfig
    seed: int = Field(0, ge=0, lt=2**31)
    steps: tuple[Step, ...] = Field(min_length=1)
    benchmark: BenchmarkConfig = BenchmarkConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _names_hold(self) -> Self:
        """Checks that step names are unique and that each reference is to an earlier step."""
        if not PLAIN_NAME.fullmatch(self.name):
            raise ValueError(
                f"the recipe's name {self.name!r} cannot be a file name; use small letters, digits and '-'"
            )
        twice = [name for name, times in Counter(step.name for step in self.steps).items() if times > 1]
        if twice:
            raise ValueError(f"two steps are named {twice[0]!r}; give each its own name")
        earlier: dict[str, Any] = {}
        for step in self.steps:
            for parent in step.parents:
                step.check_parent(parent, earlier)
            earlier[step.name] = step
        self._check_references(earlier)
        return self

    def _check_references(self, steps: dict[str, Any]) -> None:
        """Checks that the benchmark and the report name steps that are there, and measured."""
        measurable = [name for name, step in steps.items() if step.makes != "finding"]
        named: dict[str, tuple[Iterable[str | None], Iterable[str]]] = {
            "benchmark.subjects": (self.benchmark.subjects or (), measurable),
            "report.curves": (self.report.curves or (), steps),
            "benchmark.baseline": ((self.benchmark.baseline,), self.measured),
            "report.featured": ((self.report.featured,), self.measured),
        }
        for place, (names, known) in named.items():
            for name in names:
                if name is not None and name not in known:
                    what = "is no step of this recipe" if name not in steps else "is not measured"
                    raise ValueError(f"{place} names {name!r}, which {what}.{nearest(name, known)}")

    @property
    def measured(self) -> tuple[str, ...]:
        """The steps that the benchmark measures, in order."""
        if self.benchmark.subjects is not None:
            return self.benchmark.subjects
        return tuple(step.name for step in self.steps if step.measured)

    @property
    def baseline(self) -> str:
        """The step that the others are compared with: as said, or the first one that is measured."""
        return self.benchmark.baseline or self.measured[0]

    @property
    def featured(self) -> str:
        """The step whose mistakes the report shows: as said, or the last one that is measured."""
        return self.report.featured or self.measured[-1]

    def to_data(self) -> dict[str, Any]:
        """Returns the recipe as plain data, with every default filled in; it validates again."""
        return self.model_dump(mode="json", by_alias=True)
