"""YAML as users write it: no code in it, no key twice, and one line about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from trimtab.errors import RecipeError, first_line

__all__ = ["parse_yaml", "read_text"]

_LARGEST_FILE = 1_000_000  # bytes; what is read here is a page of text


def read_text(path: Path, kind: str) -> str:
    """Returns the text of a file; `kind` says what it should be, such as "recipe".

    Raises:
        RecipeError: it cannot be read, is no text, or too long to be what it should be.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise RecipeError(
                f"{path} is {path.stat().st_size:,} bytes; a {kind} is a page of text. Is it the right file?"
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not text in UTF-8, so it is no {kind}.") from None
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


def parse_yaml(text: str, place: str, wanted: str) -> dict[str, Any]:
    """Parses YAML into a mapping, or says in one line where it breaks.

    Args:
        text: to parse.
        place: what messages call it, such as a file's name.
        wanted: what it should be, such as "a recipe is a mapping with 'steps'".

    Raises:
        RecipeError: it is no YAML, or no mapping.
    """
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
        raise RecipeError(f"{place} is nested too deeply to be read.") from None
    if not isinstance(content, dict):
        raise RecipeError(f"{place}: {wanted}; received {type(content).__name__}.")
    return content
