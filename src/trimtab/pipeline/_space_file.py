"""A search space in a file of its own."""

from __future__ import annotations

from pathlib import Path

from trimtab.errors import ConfigError, RecipeError
from trimtab.pipeline._yaml_file import parse_yaml, read_text
from trimtab.tuning import Space

__all__ = ["read_space"]


def read_space(path: Path) -> Space:
    """Reads a search space from a YAML file, as the key `space` of a recipe's step has it.

    Raises:
        RecipeError: the file cannot be read, is no YAML, or holds no space.
    """
    content = parse_yaml(
        read_text(path, "search space"),
        path.name,
        "a space maps names to what they may be, such as batch_size: {choice: [32, 64]}",
    )
    try:
        return Space.from_data(content)
    except ConfigError as error:
        raise RecipeError(f"{path.name}: {error}") from None
