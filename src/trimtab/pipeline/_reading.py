"""Reading a recipe: from a built-in name or a YAML file, with overrides, to a checked `Recipe`."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from trimtab.errors import RecipeError, first_line, nearest
from trimtab.pipeline._recipe import (
    AugmentationConfig,
    BenchmarkConfig,
    DataConfig,
    ExportStep,
    LoadStep,
    PruneStep,
    Recipe,
    ReportConfig,
    SelectStep,
    SensitivityStep,
    TrainStep,
)

__all__ = ["builtin_recipes", "parse_recipe", "read_recipe"]

_STEPS: dict[str, type[BaseModel]] = {
    "train": TrainStep,
    "load": LoadStep,
    "prune": PruneStep,
    "sensitivity": SensitivityStep,
    "select": SelectStep,
    "export": ExportStep,
}
_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "benchmark": BenchmarkConfig,
    "report": ReportConfig,
    "augmentation": AugmentationConfig,
}
_LARGEST_FILE = 1_000_000  # bytes; a recipe is a page of text


def builtin_recipes() -> dict[str, str]:
    """Returns the built-in recipes: name and title, in alphabetical order."""
    recipes = {}
    for entry in sorted(
        importlib.resources.files("trimtab").joinpath("recipes").iterdir(), key=lambda e: e.name
    ):
        if entry.name.endswith(".yaml"):
            recipes[entry.name.removesuffix(".yaml")] = str(
                _parse_yaml(entry.read_text(), entry.name).get("title", "")
            )
    return recipes


def read_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe by its built-in name or from a YAML file.

    Args:
        source: a built-in name such as ``"quickstart"``, or the path of a ``.yaml`` file.
        overrides: ``"key=value"`` texts; keys are dotted, a step is addressed by its name, values
            are YAML: ``"seed=1"``, ``"data.limit=1000"``, ``"steps.baseline.epochs=3"``.

    Raises:
        RecipeError: there is no such recipe, or it says something that is not understood.
    """
    text, place, folder = _find(source)
    tree = _parse_yaml(text, place)
    return parse_recipe(tree if folder is None else _anchored(tree, folder), place, overrides)


def parse_recipe(content: Mapping[str, Any], place: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """Checks a recipe that is already plain data; `place` names it in messages.

    Raises:
        RecipeError: it says something that is not understood.
    """
    tree = dict(content)
    for override in overrides:
        tree = _override(tree, override)
    if isinstance(steps := tree.get("steps"), list):
        tree["steps"] = [_with_do(step) for step in steps]
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(f"{place}: {_first_line(error, tree)}") from None


def _find(source: str | Path) -> tuple[str, str, Path | None]:
    """Returns the recipe's text, what to call it in messages, and the folder of its file."""
    path = Path(source)
    if path.suffix in (".yaml", ".yml") or _is_file(path):
        return _read_file(path), path.name, path.absolute().parent
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
        changed["steps"] = [
            {**step, "path": str(folder / Path(step["path"]).expanduser())}
            if isinstance(step, dict) and isinstance(step.get("path"), str)
            else step
            for step in steps
        ]
    return changed


def _read_file(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise RecipeError(
                f"{path} is {path.stat().st_size:,} bytes; a recipe is a page of text. Is it the right file?"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(
            f"there is no file {path}. Give the path of a recipe, or one of: {', '.join(builtin_recipes())}."
        ) from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not text in UTF-8, so it is no recipe.") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None


class _Loader(yaml.SafeLoader):
    """YAML without code, and without a key that silently replaces an earlier one."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool):
            raise RecipeError(f"line {key_node.start_mark.line + 1}: a key must be a word; received {key!r}")
        if key in seen:
            raise RecipeError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice; keep one")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _parse_yaml(text: str, place: str) -> dict[str, Any]:
    """Parses YAML into a mapping, or says in one line where it breaks."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except RecipeError as error:
        raise RecipeError(f"{place}: {error}") from None
    except ValueError as error:  # such as a date that is in no calendar
        raise RecipeError(f"{place} is not valid YAML: {error}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or first_line(error)
        raise RecipeError(f"{place} is not valid YAML{where}: {problem}.") from None
    except RecursionError:
        raise RecipeError(f"{place} is nested too deeply to be a recipe.") from None
    if not isinstance(content, dict):
        raise RecipeError(
            f"{place}: a recipe is a mapping with 'name', 'data' and 'steps'; "
            f"received {type(content).__name__}."
        )
    return content


def _override(tree: dict[str, Any], text: str) -> dict[str, Any]:
    """Returns the recipe with one ``key=value`` applied; leaves the given one alone."""
    key, equals, value_text = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set needs key=value, such as steps.baseline.epochs=3; received {text!r}.")
    try:
        value = yaml.safe_load(value_text) if value_text else None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(f"--set {key}: the value {value_text!r} is not valid YAML.") from None
    result: dict[str, Any] = _replaced(tree, key.strip().split("."), value, key.strip())
    return result


def _replaced(node: Any, path: list[str], value: Any, whole: str) -> Any:
    """Returns a copy of `node` with the value at `path` replaced; list items are found by name."""
    head, rest = path[0], path[1:]
    if isinstance(node, list):
        names = [item.get("name") if isinstance(item, dict) else None for item in node]
        # A step's own name may have dots in it: take the longest one that fits.
        for length in range(len(path), 0, -1):
            if (name := ".".join(path[:length])) in names:
                at = names.index(name)
                changed = _replaced(node[at], path[length:], value, whole) if path[length:] else value
                return [*node[:at], changed, *node[at + 1 :]]
        known = [name for name in names if name]
        raise RecipeError(
            f"--set {whole}: no step is named {head!r}.{nearest(head, known)} Steps: {', '.join(known)}."
        )
    if head == "source" and isinstance(node, str):  # `data: mnist` stands for `data: {source: mnist}`
        return {"source": value}
    if isinstance(node, str) and whole.startswith("data."):
        node = {"source": node}
    if node is None:
        node = {}
    if not isinstance(node, dict):
        raise RecipeError(f"--set {whole}: there is nothing named {head!r} inside {node!r}.")
    return {**node, head: _replaced(node.get(head), rest, value, whole) if rest else value}


def _with_do(step: Any) -> Any:
    """Checks a step's technique by hand, to name the nearest one."""
    if not isinstance(step, dict):
        raise RecipeError(f"each step is a mapping with 'name' and 'do'; received {step!r}.")
    label = f"step {step.get('name', '?')!r}"
    if "do" not in step:
        raise RecipeError(f"{label} does not say what it does; add 'do: ' and one of {', '.join(_STEPS)}.")
    if not isinstance(step["do"], str) or step["do"] not in _STEPS:
        raise RecipeError(
            f"{label}: there is no technique {step['do']!r}.{nearest(str(step['do']), _STEPS)} "
            f"Known: {', '.join(_STEPS)}."
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
    keys = [str(part) for part in first["loc"] if str(part) not in _STEPS]
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
            words, owner = f"step {step.get('name', part + 1)!r}: ", _STEPS[step["do"]]
        elif isinstance(part, str) and part in _SECTIONS and position < len(loc) - 1:
            words, owner = f"{words}{part}: ", _SECTIONS[part]
    return words, owner
