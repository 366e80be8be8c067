"""Finding mistakes before the first step is done: in seconds, not after an hour of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.pipeline._recipe import Recipe
from trimtab.pipeline.steps import Preview, check

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["check_steps"]


def check_steps(recipe: Recipe, data: ImageData) -> None:
    """Goes through the steps with models that are built but not trained.

    Raises:
        TrimtabError: the step that cannot be done says so; its kind is the one that doing it would raise.
    """
    preview = Preview(data, {step.name: step for step in recipe.steps})
    for step in recipe.steps:
        if (model := check(step, preview)) is not None:
            preview.models[step.name] = model
