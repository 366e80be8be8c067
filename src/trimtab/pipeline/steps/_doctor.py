"""``do: doctor``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trimtab._atomic import write_json
from trimtab._choices import Scheme
from trimtab.pipeline.steps._bench import Bench, Outcome, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["DoctorStep"]

_DIAGNOSIS = "diagnosis.json"


class DoctorStep(StepSettings):
    """Finds out what a model will let be done to it; the arguments of `trimtab.diagnose`."""

    makes: ClassVar[Literal["model", "file", "finding"]] = "finding"
    measured: ClassVar[bool] = False

    do: Literal["doctor"]
    from_: str = Field(alias="from")
    scheme: Scheme | Literal["all"] | None = None
    latency: bool = True

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is looked at."""
        return (self.from_,)


@perform.register(DoctorStep)
def _doctor(step: DoctorStep, bench: Bench) -> Outcome:
    import trimtab

    diagnosis = trimtab.diagnose(
        bench.parent_model(step.from_),
        scheme=step.scheme,
        data=bench.data,
        latency=step.latency,
        seed=bench.seed,
        progress=bench.progress,
    )
    record = diagnosis.to_data()
    write_json(bench.folder / _DIAGNOSIS, record)
    told = {name: record[name] for name in ("findings", "notes")}
    return Outcome(told, {"diagnosis": _DIAGNOSIS})
