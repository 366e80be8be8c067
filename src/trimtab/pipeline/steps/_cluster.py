"""``do: cluster``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from trimtab._records import to_plain
from trimtab.errors import ConfigError, ModelError
from trimtab.pipeline._clustering_options import ClusteringOptions
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["ClusterStep"]


class ClusterStep(StepSettings, ClusteringOptions):
    """Lets weights share a few values and trains on; the arguments of `trimtab.cluster`."""

    do: Literal["cluster"]
    from_: str = Field(alias="from")

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is clustered."""
        return (self.from_,)

    @property
    def judged(self) -> bool:
        """A model that is not trained on has not been measured on the validation images."""
        return self.epochs > 0


@perform.register(ClusterStep)
def _cluster(step: ClusterStep, bench: Bench) -> Outcome:
    import trimtab

    model = bench.parent_model(step.from_)
    result = trimtab.cluster(model, bench.data, **step.cluster_arguments(model), **bench.surroundings())
    record = to_plain(result)
    record.pop("history", None)
    return bench.outcome(result.model, record, result.history if step.epochs else None)


@check.register(ClusterStep)
def _check(step: ClusterStep, preview: Preview) -> Any:
    if (model := preview.models.get(step.from_)) is None:
        return None
    try:
        step.check_model(model)
    except (ConfigError, ModelError) as error:
        raise type(error)(f"step {step.name!r}: {error}") from None
    return model
