"""``do: select``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from trimtab._atomic import atomic_path
from trimtab.errors import ModelError
from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._step import StepSettings

__all__ = ["SelectStep"]


class SelectStep(StepSettings):
    """Picks the best of several models by validation accuracy; the test set is never looked at."""

    measured: ClassVar[bool] = False

    do: Literal["select"]
    among: tuple[str, ...] = Field(min_length=1)
    max_parameters: int | None = Field(None, ge=1)

    @property
    def parents(self) -> tuple[str, ...]:
        """The candidates."""
        return self.among

    def check_parent(self, parent: str, earlier: Mapping[str, Any]) -> None:
        """Refuses candidates that no validation accuracy is known of."""
        super().check_parent(parent, earlier)
        if not earlier[parent].judged:
            raise ValueError(
                f"step {self.name!r} picks by validation accuracy, and {parent!r} has none: "
                "it is not trained here. Name only steps that train"
            )


@perform.register(SelectStep)
def _select(step: SelectStep, bench: Bench) -> Outcome:
    candidates = {
        name: {
            "val_accuracy": bench.parents[name]["record"]["val_accuracy"],
            "parameters": bench.parents[name]["model"]["parameters"],
        }
        for name in step.among
    }
    fitting = {
        name: facts
        for name, facts in candidates.items()
        if step.max_parameters is None or facts["parameters"] <= step.max_parameters
    }
    if not fitting:
        # Seldom known before: what channel pruning leaves is counted when it is done.
        raise ModelError(_too_large(step, {name: facts["parameters"] for name, facts in candidates.items()}))
    # Of equally good models the smaller one is the better one.
    chosen = max(fitting, key=lambda name: (fitting[name]["val_accuracy"], -fitting[name]["parameters"]))
    files = {}
    for role in ("model", "history", "summary"):
        if (name := bench.parents[chosen]["files"].get(role)) is not None:
            with atomic_path(bench.folder / name) as partial:
                shutil.copyfile(bench.parent_folders[chosen] / name, partial)
            files[role] = name
    record = {"selected": chosen, "by": "validation accuracy", "candidates": candidates}
    record["val_accuracy"] = candidates[chosen]["val_accuracy"]
    return Outcome(record, files, dict(bench.parents[chosen]["model"]))


@check.register(SelectStep)
def _check(step: SelectStep, preview: Preview) -> Any:
    from trimtab.models import parameters

    known = [name for name in step.among if name in preview.models and preview.exact(name)]
    sizes = {name: parameters(preview.models[name]) for name in known}
    fitting = [
        name for name, size in sizes.items() if step.max_parameters is None or size <= step.max_parameters
    ]
    unknown = set(step.among) - set(sizes)
    if sizes and not fitting and not unknown:
        raise ModelError(_too_large(step, sizes))
    # Which one will be best is not known yet; with a single one that fits, it is.
    return preview.models[fitting[0]] if len(fitting) == 1 and not unknown else None


def _too_large(step: SelectStep, sizes: Mapping[str, int]) -> str:
    listed = ", ".join(f"{name} has {size:,}" for name, size in sizes.items())
    return (
        f"step {step.name!r}: no candidate has at most {step.max_parameters:,} parameters ({listed}). "
        "Allow more, or add a smaller candidate."
    )
