"""Recipes and the runs that carry them out."""

from __future__ import annotations

from trimtab.pipeline._execution import RunResult
from trimtab.pipeline._folder import RunFolder
from trimtab.pipeline._reading import builtin_recipes, parse_recipe, read_recipe
from trimtab.pipeline._recipe import Recipe
from trimtab.pipeline._run import default_folder, run

__all__ = [
    "Recipe",
    "RunFolder",
    "RunResult",
    "builtin_recipes",
    "default_folder",
    "parse_recipe",
    "read_recipe",
    "run",
]
