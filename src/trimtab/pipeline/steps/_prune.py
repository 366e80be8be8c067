"""``do: prune``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trimtab._choices import USUAL_SPARSITY, pattern_sparsity
from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.pipeline._options import PruningOptions
from trimtab.pipeline._scan_options import check_total
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._sensitivity import found_targets
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["PruneStep"]


class PruneStep(StepSettings, PruningOptions):
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

    def check_parent(self, parent: str, earlier: Mapping[str, Any]) -> None:
        """Lets `targets` name a sensitivity step of the same granularity, and nothing else."""
        scan = earlier.get(parent) if parent == self.targets else None
        if scan is None:
            return super().check_parent(parent, earlier)
        if scan.do != "sensitivity":
            raise ValueError(
                f"step {self.name!r} takes its targets from {parent!r}, which is no sensitivity step"
            )
        if scan.scheme is not None:
            raise ValueError(
                f"step {self.name!r} takes its targets from {parent!r}, which quantizes layers (scheme "
                f"{scan.scheme}) and says nothing about zeros; name a sensitivity step without scheme"
            )
        if self.granularity != scan.granularity:
            raise ValueError(
                f"step {self.name!r} has granularity {self.granularity}, but the targets of {parent!r} are "
                f"for {scan.granularity}. Give both steps the same"
            )
        return super().check_parent(parent, earlier) if parent == self.from_ else None


@perform.register(PruneStep)
def _prune(step: PruneStep, bench: Bench) -> Outcome:
    from trimtab import pruning

    model = bench.parent_model(step.from_)
    arguments = step.prune_arguments(model)
    if step.targets is not None:
        arguments["sparsity"] = found_targets(step.targets, step.total, bench)
    if step.rewind_to is not None:
        arguments["rewind_to"] = bench.parent_model(step.rewind_to)
    result = pruning.prune(model, bench.data, **arguments, **bench.surroundings())
    record = to_plain(result)
    history = record.pop("history", None)
    return bench.outcome(result.model, record, result.history if history is not None else None)


@check.register(PruneStep)
def _check(step: PruneStep, preview: Preview) -> Any:
    import keras

    from trimtab.pruning import KeepZeros, PruningOptimizer

    if (model := preview.models.get(step.from_)) is None:
        return None
    try:
        arguments = step.prune_arguments(model)
        names = ("layers", "exclude", "skip_ends", "granularity")
        where = {name: arguments[name] for name in names if name in arguments}
        if isinstance(step.sparsity, dict):
            where["layers"] = tuple(step.sparsity)
        # The layers and the granularity are to be checked; how much they prune was, with the recipe.
        PruningOptimizer.for_model(model, keras.optimizers.SGD(), KeepZeros(), **where)
        if step.targets is not None:
            _check_targets(step, preview.steps[step.targets], preview)
    except ConfigError as error:
        raise ConfigError(f"step {step.name!r}: {error}") from None
    if step.rewind_to is not None and _both_exact(preview, step.from_, step.rewind_to):
        _check_same_shapes(step, model, preview.models[step.rewind_to])
    return model


def _check_same_shapes(step: PruneStep, model: Any, earlier: Any) -> None:
    """Refuses to rewind a model to the weights of one that is built otherwise."""
    if [weight.shape for weight in model.weights] != [weight.shape for weight in earlier.weights]:
        raise ConfigError(
            f"step {step.name!r}: rewind_to names {step.rewind_to!r}, whose weights have other shapes than "
            f"those of {step.from_!r}. Name an earlier state of the same model."
        )


def _check_targets(step: PruneStep, scan: Any, preview: Preview) -> None:
    """Refuses a total out of the scan's reach, and targets that were found on a model with other layers."""
    from trimtab.pruning import sparsity_table

    models = preview.models
    if (scanned := models.get(scan.from_)) is not None:
        scan.check_model(scanned, step.total)
    if scan.from_ == step.from_ or not _both_exact(preview, scan.from_, step.from_):
        return
    layers = [
        [(row.name, row.weight, row.size) for row in sparsity_table(models[name])]
        for name in (scan.from_, step.from_)
    ]
    if layers[0] != layers[1]:
        raise ConfigError(
            f"its targets come from {scan.name!r}, which looks at {scan.from_!r}, a model with other layers "
            f"than {step.from_!r}. Scan a model of the same architecture."
        )


def _both_exact(preview: Preview, first: str, second: str) -> bool:
    """Tells whether the shapes of two models are known, to be compared."""
    return all(name in preview.models and preview.exact(name) for name in (first, second))
