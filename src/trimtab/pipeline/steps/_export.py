"""``do: export``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trimtab._choices import Scheme, Softmax
from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._quantization_options import PostTrainingOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._sensitivity import found_float_layers
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["ExportStep"]


class ExportStep(StepSettings, PostTrainingOptions):
    """Converts a model to a checked LiteRT file; the arguments of `trimtab.export`."""

    makes: ClassVar[Literal["model", "file", "finding"]] = "file"

    do: Literal["export"]
    from_: str = Field(alias="from")
    scheme: Scheme = "float32"
    keep_float_from: str | None = None
    """The sensitivity step with a `max_drop` that says which layers stay float."""
    softmax: Softmax = "refuse"
    compress: bool = False

    @model_validator(mode="after")
    def _one_choice_of_float_layers(self) -> Self:
        if self.keep_float and self.keep_float_from is not None:
            raise ValueError(
                "either keep_float or keep_float_from says which layers stay float; leave one out"
            )
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is converted, and the one that says which layers stay float."""
        return tuple(name for name in (self.from_, self.keep_float_from) if name is not None)

    def check_parent(self, parent: str, earlier: Mapping[str, Any]) -> None:
        """Lets `keep_float_from` name a quantization scan of the same model and scheme, and nothing else."""
        scan = earlier.get(parent) if parent == self.keep_float_from else None
        if scan is None:
            return super().check_parent(parent, earlier)
        start = f"step {self.name!r} takes the layers to keep float from {parent!r}, which"
        if scan.do != "sensitivity" or scan.max_drop is None:
            raise ValueError(f"{start} looked for none; name a sensitivity step that has scheme and max_drop")
        if scan.scheme != self.scheme.removesuffix("-float-io"):
            raise ValueError(f"{start} is for {scan.scheme}, but this step has scheme {self.scheme}")
        if scan.from_ != self.from_:
            raise ValueError(f"{start} looked at {scan.from_!r}, but this step exports {self.from_!r}")
        return None


@perform.register(ExportStep)
def _export(step: ExportStep, bench: Bench) -> Outcome:
    from trimtab.exporting import export

    name = f"{step.name}.tflite"
    arguments = step.post_training_arguments()
    if step.keep_float_from is not None:
        arguments["keep_float"] = found_float_layers(step.keep_float_from, bench)
    artifact = export(
        bench.parent_model(step.from_),
        bench.folder / name,
        scheme=step.scheme,
        data=bench.data,
        **arguments,
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
    if model is None:
        return
    if step.scheme == "int8" and step.softmax == "refuse" and has_softmax(model):
        raise ModelError(
            f"step {step.name!r}: the model of {step.from_!r} ends in a softmax, which int8 gives in steps "
            "of 1/256 only. Set softmax: strip (the file then gives logits), or softmax: keep."
        )
    try:
        _check_integers(step, model, preview)
    except (ConfigError, ModelError) as error:
        raise type(error)(f"step {step.name!r}: {error}") from None


def _check_integers(step: ExportStep, model: Any, preview: Preview) -> None:
    """Refuses what the model, the scheme and the images do not allow."""
    from trimtab.exporting._images import calibration_images
    from trimtab.exporting._post_training import PostTraining
    from trimtab.litert import carries_ranges, scheme
    from trimtab.litert._fake_quantized import check_ranges
    from trimtab.models import has_softmax, without_softmax
    from trimtab.quantization._assembly import Settings
    from trimtab.quantization._judged_model import Judging, check_bits
    from trimtab.quantization._prepared import uncalibrated

    kind, arguments = scheme(step.scheme), step.post_training_arguments()
    arguments["method"] = arguments.pop("calibration_method")
    count = arguments.pop("calibration")
    PostTraining(**arguments).check(model, kind)
    if carries_ranges(model):
        check_ranges(model, kind)
        check_bits(model, Judging(kind))
        return
    if kind.static:
        calibration_images(preview.data, count, 0)
    if step.keep_float:
        plain = without_softmax(model) if has_softmax(model) else model
        uncalibrated(plain, Settings(), step.keep_float)
