"""``do: export``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from trimtab._choices import Scheme, Softmax
from trimtab._records import to_plain
from trimtab.errors import ModelError
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["ExportStep"]


class ExportStep(StepSettings):
    """Converts a model to a checked LiteRT file; the arguments of `trimtab.export`."""

    makes: ClassVar[Literal["model", "file", "finding"]] = "file"

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


@perform.register(ExportStep)
def _export(step: ExportStep, bench: Bench) -> Outcome:
    from trimtab.exporting import export

    name = f"{step.name}.tflite"
    artifact = export(
        bench.parent_model(step.from_),
        bench.folder / name,
        scheme=step.scheme,
        data=bench.data,
        calibration=step.calibration,
        softmax=step.softmax,
        compress=step.compress,
        seed=bench.seed,
        progress=bench.progress,
    )
    record = to_plain(artifact)
    record["path"] = name  # the record moves with its folder
    files = {"artifact": name, "artifact_record": f"{name}.json"}
    if step.compress:
        files["compressed"] = f"{name}.gz"
    return Outcome(record, files)


@check.register(ExportStep)
def _check(step: ExportStep, preview: Preview) -> Any:
    from trimtab.models import has_softmax

    model = preview.models.get(step.from_)
    if model is not None and step.scheme == "int8" and step.softmax == "refuse" and has_softmax(model):
        raise ModelError(
            f"step {step.name!r}: the model of {step.from_!r} ends in a softmax, which int8 gives in steps "
            "of 1/256 only. Set softmax: strip (the file then gives logits), or softmax: keep."
        )
