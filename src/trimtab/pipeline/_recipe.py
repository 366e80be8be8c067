"""Recipes: a chain of named steps, written down as data and checked before anything runs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trimtab._choices import USUAL_SPARSITY, Scheme, Softmax, pattern_sparsity
from trimtab.pipeline._options import AugmentationConfig, PruningOptions, TrainingOptions
from trimtab.pipeline._scan_options import SensitivityOptions, check_total
from trimtab.pipeline._section import Section

__all__ = [
    "AugmentationConfig",
    "BenchmarkConfig",
    "DataConfig",
    "ExportStep",
    "LoadStep",
    "PruneStep",
    "Recipe",
    "ReportConfig",
    "SelectStep",
    "SensitivityStep",
    "Step",
    "TrainStep",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class DataConfig(Section):
    """Which images, and how they are split; the arguments of `trimtab.load_data`."""

    source: str
    validation: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.2, gt=0, lt=1)
    size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    input_range: tuple[float, float] = (0.0, 1.0)
    limit: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        """Accepts ``data: mnist`` for ``data: {source: mnist}``."""
        return {"source": value} if isinstance(value, str) else value


class _StepBase(Section):
    """What every step says."""

    name: str
    note: str = ""

    @model_validator(mode="after")
    def _plain_name(self) -> Self:
        """Keeps step names fit for file names."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"the name {self.name!r} cannot be a file name; use small letters, digits, '-', '_' and '.'"
            )
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The steps whose models this one starts from."""
        return ()


class ModelConfig(BaseModel):
    """An architecture of `trimtab.zoo` and its options; the options are checked by the zoo."""

    model_config = ConfigDict(extra="allow", frozen=True)

    architecture: str = "cnn"

    @property
    def options(self) -> dict[str, Any]:
        """The architecture's own options, as they were written."""
        return dict(self.model_extra or {})


class TrainStep(_StepBase, TrainingOptions):
    """Trains a new model (`model`) or one that an earlier step made (`from`)."""

    do: Literal["train"] = "train"
    model: ModelConfig | None = None
    from_: str | None = Field(None, alias="from")
    keep_zeros: bool = False
    """Weights of the earlier step's model that are zero stay zero."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.keep_zeros and self.from_ is None:
            raise ValueError(
                "keep_zeros is for training a pruned model on: say 'from', or leave keep_zeros out"
            )
        if (self.model is None) == (self.from_ is None):
            raise ValueError(
                "say either 'model' (an architecture to build) or 'from' (an earlier step), and not both"
            )
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is trained further, if there is one."""
        return (self.from_,) if self.from_ else ()


class LoadStep(_StepBase):
    """Takes a model that the user brings, as a ``.keras`` or legacy ``.h5`` file."""

    do: Literal["load"]
    path: str


class PruneStep(_StepBase, PruningOptions):
    """Prunes a model while it trains on; the arguments of `trimtab.prune`."""

    do: Literal["prune"]
    from_: str = Field(alias="from")
    targets: str | None = None
    """The sensitivity step that says how far each layer goes; `sparsity` is then that of all together."""
    rewind_to: str | None = None
    """The step whose weights each round begins with again; by default the one it starts from."""

    @model_validator(mode="after")
    def _steps_agree(self) -> Self:
        if self.targets is not None and isinstance(self.sparsity, dict):
            raise ValueError(
                "either targets or sparsity says how far each layer goes; give sparsity one number"
            )
        if self.targets is not None and pattern_sparsity(self.granularity) is not None:
            raise ValueError(
                f"with the granularity {self.granularity} all layers go equally far; leave targets out"
            )
        if self.targets is not None and self.ranking == "global":
            raise ValueError(
                "the global ranking finds out by itself how far each layer goes; leave targets out, or "
                "rank by layer"
            )
        if self.targets is not None and (
            self.layers or self.types or self.policy or self.exclude or self.skip_ends
        ):
            raise ValueError(
                f"the targets name the layers to prune; choose layers in the step {self.targets!r}, not here"
            )
        if self.rewind_to is not None and self.rewind != "weights":
            raise ValueError("rewind_to needs rewind: weights, which puts weights back")
        if self.targets is not None:
            check_total(self.total, self.granularity)
        return self

    @property
    def total(self) -> float:
        """The share of zeros that is shared out over the layers, where `targets` names a scan."""
        return self.sparsity if isinstance(self.sparsity, float) else USUAL_SPARSITY

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is pruned, and those that say how."""
        return tuple(name for name in (self.from_, self.targets, self.rewind_to) if name is not None)


class SensitivityStep(_StepBase, SensitivityOptions):
    """Finds out which layers pruning hurts; the arguments of `trimtab.pruning.sensitivity`."""

    do: Literal["sensitivity"]
    from_: str = Field(alias="from")

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is looked at."""
        return (self.from_,)


class SelectStep(_StepBase):
    """Picks the best of several models by validation accuracy; the test set is never looked at."""

    do: Literal["select"]
    among: tuple[str, ...] = Field(min_length=1)
    max_parameters: int | None = Field(None, ge=1)

    @property
    def parents(self) -> tuple[str, ...]:
        """The candidates."""
        return self.among


class ExportStep(_StepBase):
    """Converts a model to a checked LiteRT file; the arguments of `trimtab.export`."""

    do: Literal["export"]
    from_: str = Field(alias="from")
    scheme: Scheme = "float32"
    calibration: int = Field(200, ge=1)
    softmax: Softmax = "refuse"
    compress: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is converted."""
        return (self.from_,)


Step = Annotated[
    TrainStep | LoadStep | PruneStep | SensitivityStep | SelectStep | ExportStep, Field(discriminator="do")
]


class BenchmarkConfig(Section):
    """What is measured at the end, and against what; the arguments of `trimtab.benchmark`."""

    baseline: str | None = None
    subjects: tuple[str, ...] | None = Field(default=None, min_length=1)
    threads: int = Field(default=1, ge=1)
    latency: bool = True
    memory: bool = True


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
    data: DataConfig
    seed: int = Field(0, ge=0, lt=2**31)
    steps: tuple[Step, ...] = Field(min_length=1)
    benchmark: BenchmarkConfig = BenchmarkConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _names_hold(self) -> Self:
        """Checks that step names are unique and that each reference is to an earlier step."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"the recipe's name {self.name!r} cannot be a file name; use small letters, digits and '-'"
            )
        twice = [name for name, times in Counter(step.name for step in self.steps).items() if times > 1]
        if twice:
            raise ValueError(f"two steps are named {twice[0]!r}; give each its own name")
        kinds: dict[str, Any] = {}
        for step in self.steps:
            for parent in step.parents:
                _check_parent(step, parent, kinds)
            kinds[step.name] = step
        self._check_references(kinds)
        return self

    def _check_references(self, kinds: dict[str, Any]) -> None:
        """Checks that the benchmark and the report name steps that are there, and measured."""
        from trimtab.errors import nearest

        named = {
            "benchmark.subjects": (self.benchmark.subjects or (), _without_scans(kinds)),
            "report.curves": (self.report.curves or (), kinds),
            "benchmark.baseline": ((self.benchmark.baseline,), self.measured),
            "report.featured": ((self.report.featured,), self.measured),
        }
        for place, (names, known) in named.items():
            for name in names:
                if name is not None and name not in known:
                    what = "is no step of this recipe" if name not in kinds else "is not measured"
                    raise ValueError(f"{place} names {name!r}, which {what}.{nearest(name, known)}")

    @property
    def measured(self) -> tuple[str, ...]:
        """The steps that the benchmark measures, in order."""
        if self.benchmark.subjects is not None:
            return self.benchmark.subjects
        return tuple(step.name for step in self.steps if not isinstance(step, SelectStep | SensitivityStep))

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


def _check_parent(step: Any, parent: str, earlier: dict[str, Any]) -> None:
    """Checks that a step starts from a step above it that has what it needs."""
    from trimtab.errors import nearest

    if parent not in earlier:
        hint = nearest(parent, earlier) or " A step may only start from one above it."
        raise ValueError(f"step {step.name!r} starts from {parent!r}, which no step above it is named.{hint}")
    scan = parent == getattr(step, "targets", None)
    if scan and not isinstance(earlier[parent], SensitivityStep):
        raise ValueError(
            f"step {step.name!r} takes its targets from {parent!r}, which is no sensitivity step"
        )
    if scan and step.granularity != earlier[parent].granularity:
        raise ValueError(
            f"step {step.name!r} has granularity {step.granularity}, but the targets of {parent!r} are for "
            f"{earlier[parent].granularity}. Give both steps the same"
        )
    if isinstance(earlier[parent], SensitivityStep) and (not scan or step.from_ == parent):
        raise ValueError(
            f"step {step.name!r} starts from {parent!r}, which looks at a model and makes none. "
            f"Start from {earlier[parent].from_!r}"
        )
    if isinstance(earlier[parent], ExportStep):
        raise ValueError(
            f"step {step.name!r} starts from {parent!r}, which is a file, not a model to go on with"
        )
    if isinstance(step, SelectStep) and isinstance(earlier[parent], LoadStep):
        raise ValueError(
            f"step {step.name!r} picks by validation accuracy, and {parent!r} has none: "
            "it is not trained here. Name only steps that train or prune"
        )


def _without_scans(steps: dict[str, Any]) -> dict[str, Any]:
    """Returns the steps that make something which can be measured."""
    return {name: step for name, step in steps.items() if not isinstance(step, SensitivityStep)}
