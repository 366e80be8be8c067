"""Overrides: ``key=value`` texts that change a recipe before it is checked."""

from __future__ import annotations

from typing import Any

import yaml

from trimtab.errors import RecipeError, nearest

__all__ = ["changes_scale", "overridden"]


def overridden(tree: dict[str, Any], text: str) -> dict[str, Any]:
    """Returns a recipe with one ``key=value`` applied; leaves the given one alone.

    Args:
        tree: the recipe as plain data.
        text: the key is dotted, a step is addressed by its name, and the value is YAML.

    Raises:
        RecipeError: it is no ``key=value``, or the key leads nowhere.
    """
    key, equals, value_text = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set needs key=value, such as steps.baseline.epochs=3; received {text!r}.")
    try:
        value = yaml.safe_load(value_text) if value_text else None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(f"--set {key}: the value {value_text!r} is not valid YAML.") from None
    if key.strip() == "variant":
        raise RecipeError(f"--set variant: a variant is chosen by scale; say --set scale={value_text}.")
    result: dict[str, Any] = _replaced(tree, key.strip().split("."), value, key.strip())
    return result


def changes_scale(text: str) -> bool:
    """Tells whether an override is about the scale or a variant, which are put in before all others."""
    return text.partition("=")[0].strip().split(".")[0] in ("scale", "variants")


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
