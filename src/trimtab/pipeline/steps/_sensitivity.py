"""``do: sensitivity``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from trimtab._atomic import write_json
from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._folder import read_record
from trimtab.pipeline._scan_options import SensitivityOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["SensitivityStep", "found_float_layers", "found_targets"]

_SCAN = "sensitivity.json"


class SensitivityStep(StepSettings, SensitivityOptions):
    """Finds out which layers pruning hurts, or with a `scheme` which ones quantization does."""

    makes: ClassVar[Literal["model", "file", "finding"]] = "finding"
    measured: ClassVar[bool] = False

    do: Literal["sensitivity"]
    from_: str = Field(alias="from")

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is looked at."""
        return (self.from_,)


@perform.register(SensitivityStep)
def _sensitivity(step: SensitivityStep, bench: Bench) -> Outcome:
    model = bench.parent_model(step.from_)
    look = _pruned if step.scheme is None else _quantized
    return look(step, model, bench)


def _pruned(step: SensitivityStep, model: Any, bench: Bench) -> Outcome:
    """Prunes each layer."""
    from trimtab import pruning

    found = pruning.sensitivity(model, bench.data, **step.sensitivity_arguments(model), **_watched(bench))
    record = to_plain(found)
    write_json(bench.folder / _SCAN, record)
    told = {name: record[name] for name in ("accuracy", "loss", "images", "skipped", "notes")}
    return Outcome(told, {"scan": _SCAN})


def _quantized(step: SensitivityStep, model: Any, bench: Bench) -> Outcome:
    """Quantizes each layer, and looks for the fewest to keep float where a drop is named."""
    from trimtab import quantization

    arguments = {**step.quantization_arguments(), **_watched(bench)}
    found = quantization.sensitivity(model, bench.data, **arguments)
    record = found.to_data()
    write_json(bench.folder / _SCAN, record)
    mixed = None
    if step.max_drop is not None:
        mixed = quantization.mixed(model, bench.data, max_drop=step.max_drop, sensitivity=found, **arguments)
    told = {name: value for name, value in record.items() if name not in ("layers", "calibration")}
    told |= {"calibration_images": found.calibration, "mixed": to_plain(mixed)}
    return Outcome(told, {"quantization_scan": _SCAN})


def _watched(bench: Bench) -> dict[str, Any]:
    """Returns the arguments that a scan takes from the run."""
    return {"seed": bench.seed, "progress": bench.progress, "label": bench.label}


@check.register(SensitivityStep)
def _check(step: SensitivityStep, preview: Preview) -> Any:
    if (model := preview.models.get(step.from_)) is not None:
        try:
            if step.scheme is None:
                step.check_model(model)
            else:
                step.check_quantizable(model)
        except (ConfigError, ModelError) as error:
            raise type(error)(f"step {step.name!r}: {error}") from None


def found_targets(scan: str, total: float, bench: Bench) -> dict[str, float]:
    """Returns how far each layer goes, by an earlier scan.

    Args:
        scan: the name of the sensitivity step.
        total: share of zeros of all layers together.
        bench: where the scan lies.
    """
    from trimtab.pruning import Sensitivity

    return Sensitivity.from_record(read_record(bench.parent_file(scan, "scan"))).targets(total)


def found_float_layers(scan: str, bench: Bench) -> tuple[str, ...]:
    """Returns the layers that an earlier scan with a `max_drop` found best kept float."""
    return tuple(bench.parents[scan]["record"]["mixed"]["keep_float"])
