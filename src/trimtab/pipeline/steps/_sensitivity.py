"""``do: sensitivity``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from trimtab._atomic import write_json
from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.pipeline._folder import read_record
from trimtab.pipeline._scan_options import SensitivityOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["SensitivityStep", "found_targets"]

_SCAN = "sensitivity.json"


class SensitivityStep(StepSettings, SensitivityOptions):
    """Finds out which layers pruning hurts; the arguments of `trimtab.pruning.sensitivity`."""

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
    from trimtab import pruning

    model = bench.parent_model(step.from_)
    found = pruning.sensitivity(
        model,
        bench.data,
        **step.sensitivity_arguments(model),
        seed=bench.seed,
        progress=bench.progress,
        label=bench.label,
    )
    record = to_plain(found)
    write_json(bench.folder / _SCAN, record)
    told = {name: record[name] for name in ("accuracy", "loss", "images", "skipped", "notes")}
    return Outcome(told, {"scan": _SCAN})


@check.register(SensitivityStep)
def _check(step: SensitivityStep, preview: Preview) -> Any:
    if (model := preview.models.get(step.from_)) is not None:
        try:
            step.check_model(model)
        except ConfigError as error:
            raise ConfigError(f"step {step.name!r}: {error}") from None


def found_targets(scan: str, total: float, bench: Bench) -> dict[str, float]:
    """Returns how far each layer goes, by an earlier scan.

    Args:
        scan: the name of the sensitivity step.
        total: share of zeros of all layers together.
        bench: where the scan lies.
    """
    from trimtab.pruning import Sensitivity

    return Sensitivity.from_record(read_record(bench.parent_file(scan, "scan"))).targets(total)
