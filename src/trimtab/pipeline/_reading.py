"""Reading a recipe: from a built-in name or a YAML file, with overrides, to a checked `Recipe`."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from trimtab.errors import RecipeError, nearest
from trimtab.pipeline._options import AugmentationConfig
from trimtab.pipeline._overrides import changes_scale, overridden
from trimtab.pipeline._recipe import BenchmarkConfig, DataConfig, Recipe, ReportConfig
from trimtab.pipeline._variants import at_scale
from trimtab.pipeline._yaml_file import parse_yaml, read_text
from trimtab.pipeline.steps import STEPS
from trimtab.pipeline.steps._origin import WORDS_FOR_WEIGHTS

__all__ = ["builtin_recipes", "parse_recipe", "read_recipe"]

_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "benchmark": BenchmarkConfig,
    "report": ReportConfig,
    "augmentation": AugmentationConfig,
}
_RECIPE = "a recipe is a mapping with 'name', 'data' and 'steps'"


def builtin_recipes() -> dict[str, str]:
    """Returns the built-in recipes: name and title, in alphabetical order."""
    recipes = {}
    for entry in sorted(
        importlib.resources.files("trimtab").joinpath("recipes").iterdir(), key=lambda e: e.name
    ):
        if entry.name.endswith(".yaml"):
            recipes[entry.name.removesuffix(".yaml")] = str(
                parse_yaml(entry.read_text(), entry.name, _RECIPE).get("title", "")
            )
    return recipes


def read_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe by its built-in name or from a YAML file.

    Args:
        source: a built-in name such as ``"quickstart"``, or the path of a ``.yaml`` file.
        overrides: ``"key=value"`` texts; keys are dotted, a step is addressed by its name, values
            are YAML: ``"seed=1"``, ``"data.limit=1000"``, ``"steps.baseline.epochs=3"``. ``"scale=small"``
            chooses among the recipe's variants, and the others change the one that was chosen.

    Raises:
        RecipeError: there is no such recipe, or it says something that is not understood.
    """
    text, place, folder = _find(source)
    return _checked(parse_yaml(text, place, _RECIPE), place, overrides, folder)


def parse_recipe(content: Mapping[str, Any], place: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """Checks a recipe that is already plain data; `place` names it in messages.

    Raises:
        RecipeError: it says something that is not understood.
    """
    return _checked(dict(content), place, overrides, None)


def _checked(tree: dict[str, Any], place: str, overrides: Sequence[str], folder: Path | None) -> Recipe:
    """Puts a recipe together and checks it: its scale first, then its paths, then what was overridden."""
    for override in filter(changes_scale, overrides):
        tree = overridden(tree, override)
    try:
        tree = at_scale(tree)
    except RecipeError as error:
        raise RecipeError(f"{place}: {error}") from None
    if folder is not None:
        tree = _anchored(tree, folder)
    for override in overrides:
        if not changes_scale(override):
            tree = overridden(tree, override)
    if isinstance(steps := tree.get("steps"), list):
        tree = {**tree, "steps": [_with_do(step) for step in steps]}
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(f"{place}: {_first_line(error, tree)}") from None


def _find(source: str | Path) -> tuple[str, str, Path | None]:
    """Returns the recipe's text, what to call it in messages, and the folder of its file."""
    path = Path(source)
    if path.suffix in (".yaml", ".yml") or _is_file(path):
        if not _is_file(path) and not path.exists():
            raise RecipeError(
                f"there is no file {path}. Give the path of a recipe, or one of: "
                f"{', '.join(builtin_recipes())}."
            )
        return read_text(path, "recipe"), path.name, path.absolute().parent
    builtin = builtin_recipes()
    if str(source) not in builtin:
        raise RecipeError(
            f"no recipe is named {str(source)!r}.{nearest(str(source), builtin)} "
            f"Built in: {', '.join(builtin)}; or give the path of a .yaml file."
        )
    resource = importlib.resources.files("trimtab").joinpath("recipes", f"{source}.yaml")
    return resource.read_text(), f"{source}.yaml", None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file is no file
        return False


def _anchored(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the recipe with its relative paths seen from the folder of its file, wherever it is run."""
    changed = dict(tree)
    data = tree.get("data")
    source = data.get("source") if isinstance(data, dict) else data
    if isinstance(source, str) and (folder / source).exists():
        anchored = str(folder / source)
        changed["data"] = {**data, "source": anchored} if isinstance(data, dict) else anchored
    if isinstance(steps := tree.get("steps"), list):
        changed["steps"] = [_anchored_step(step, folder) for step in steps]
    return changed


def _anchored_step(step: Any, folder: Path) -> Any:
    """Returns a step with the paths of a model or of weights seen from a folder."""
    if not isinstance(step, dict):
        return step
    anchored = dict(step)
    if isinstance(path := step.get("path"), str):
        anchored["path"] = str(folder / Path(path).expanduser())
    model = step.get("model")
    weights = model.get("weights") if isinstance(model, dict) else None
    if isinstance(model, dict) and isinstance(weights, str) and weights not in WORDS_FOR_WEIGHTS:
        anchored["model"] = {**model, "weights": str(folder / Path(weights).expanduser())}
    return anchored


def _with_do(step: Any) -> Any:
    """Checks a step's technique by hand, to name the nearest one."""
    if not isinstance(step, dict):
        raise RecipeError(f"each step is a mapping with 'name' and 'do'; received {step!r}.")
    label = f"step {step.get('name', '?')!r}"
    if "do" not in step:
        raise RecipeError(f"{label} does not say what it does; add 'do: ' and one of {', '.join(STEPS)}.")
    if not isinstance(step["do"], str) or step["do"] not in STEPS:
        raise RecipeError(
            f"{label}: there is no technique {step['do']!r}.{nearest(str(step['do']), STEPS)} "
            f"Known: {', '.join(STEPS)}."
        )
    return step


def _first_line(error: ValidationError, tree: Mapping[str, Any]) -> str:
    """Says the first thing that is wrong, in one line, with the nearest right key."""
    first = error.errors()[0]
    location, owner = _where(first["loc"], tree)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = [field.alias or name for name, field in owner.model_fields.items()]
        return f"{location}unknown key {key!r}.{nearest(key, known)} Known keys: {', '.join(known)}."
    if first["type"] == "missing":
        return f"{location}the key {str(first['loc'][-1])!r} is missing; add it."
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        field = f"{first['loc'][-1]}: " if first["loc"] and first["loc"][-1] in owner.model_fields else ""
        return f"{location}{field}{message}" + ("" if message.endswith((".", "?")) else ".")
    keys = [part for part in first["loc"] if isinstance(part, str) and part not in STEPS]
    if first["type"] == "literal_error":
        expected = [word.strip("'") for word in re.split(r", | or ", first["ctx"]["expected"])]
        hint = nearest(str(first["input"]), expected)
        return f"{location}{keys[-1]}: {first['input']!r} is not known.{hint} Known: {', '.join(expected)}."
    return f"{location}{keys[-1]}: {message[0].lower()}{message[1:]}. Received: {first['input']!r}."


def _where(loc: tuple[int | str, ...], tree: Mapping[str, Any]) -> tuple[str, type[BaseModel]]:
    """Returns the words for a place in the recipe, and the section that owns it."""
    words = ""
    owner: type[BaseModel] = Recipe
    for position, part in enumerate(loc):
        if loc[0] == "steps" and position == 1 and isinstance(part, int):
            step = tree["steps"][part]
            words, owner = f"step {step.get('name', part + 1)!r}: ", STEPS[step["do"]]
        elif isinstance(part, str) and part in _SECTIONS and position < len(loc) - 1:
            words, owner = f"{words}{part}: ", _SECTIONS[part]
    return words, owner
