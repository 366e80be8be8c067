"""Variants: the same chain of steps at another scale, written down as what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab.errors import RecipeError, nearest

__all__ = ["FULL", "at_scale"]

FULL = "full"
"""The recipe as it is written, where no variant is asked for."""

_OWN = ("name", "scale", "variant", "variants")
"""What a variant shares with its recipe."""


def at_scale(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recipe at the scale that it asks for, without its variants.

    `variants` maps names to what differs: sections are merged key by key, steps by their names (null removes
    one), and a `model` that names an architecture replaces the other model whole. `scale` names the variant;
    without it, or with "full", the recipe is as it is written. Which one it is stays behind as `variant`. ::

        scale: full
        variants:
          small:
            data: {limit: 1000}
            steps:
              teacher: {epochs: 2, model: {architecture: cnn}}

    Raises:
        RecipeError: there is no such variant, or it is no mapping of what differs.
    """
    rest = {key: value for key, value in recipe.items() if key not in ("scale", "variants")}
    scale, variants = recipe.get("scale"), recipe.get("variants")
    if variants is None:
        if scale is not None:
            raise RecipeError(_nothing_to_choose(scale, recipe.get("variant")))
        return rest
    if "variant" in recipe:
        raise RecipeError("variant: this is what a run writes down; to choose a variant, say scale.")
    known = _checked(variants)
    chosen = FULL if scale is None else scale
    if not isinstance(chosen, str) or chosen not in known:
        raise RecipeError(
            f"scale: no variant is named {chosen!r}.{nearest(str(chosen), known)} Known: {', '.join(known)}."
        )
    rest["variant"] = chosen
    return _merged(rest, known[chosen], f"variants: {chosen}: ")


def _nothing_to_choose(scale: Any, variant: Any) -> str:
    """Says why a scale is of no use."""
    if variant is not None:
        return (
            f"scale: this is the variant {str(variant)!r} of a recipe, and knows no other. Run the recipe "
            f"itself at scale {str(scale)!r}, in a folder of its own."
        )
    return f"scale: this recipe has no variants, so {str(scale)!r} chooses nothing. Leave scale out."


def _checked(variants: Any) -> dict[str, Mapping[str, Any]]:
    """Returns the variants by name, the recipe as it is written among them."""
    if not isinstance(variants, Mapping):
        raise RecipeError(
            "variants: this maps names to what differs, such as {small: {data: {limit: 1000}}}; received "
            f"{variants!r}."
        )
    for name, change in variants.items():
        if not isinstance(name, str) or not isinstance(change, Mapping):
            raise RecipeError(
                f"variants: {name}: what differs is a mapping such as {{data: {{limit: 1000}}}}; received "
                f"{change!r}."
            )
        if name == FULL:
            raise RecipeError(
                f"variants: {FULL}: so the recipe as it is written is called; choose another name."
            )
        if (own := next((key for key in _OWN if key in change), None)) is not None:
            raise RecipeError(f"variants: {name}: {own!r} is the recipe's own; leave it out.")
    return {FULL: {}, **variants}


def _merged(base: Mapping[str, Any], change: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Returns `base` with what differs put in, key by key."""
    merged = dict(base)
    for key, value in change.items():
        before = base.get(key)
        if key == "steps":
            merged[key] = _merged_steps(before, value, place)
        elif not isinstance(value, Mapping) or (key == "model" and "architecture" in value):
            merged[key] = value  # the options of one architecture say nothing about another
        elif key == "data" and isinstance(before, str):  # `data: mnist` stands for `data: {source: mnist}`
            merged[key] = {"source": before, **value}
        else:
            merged[key] = _merged(before if isinstance(before, Mapping) else {}, value, place)
    return merged


def _merged_steps(steps: Any, changes: Any, place: str) -> Any:
    """Returns the steps with what differs in each put in; those that are changed to null are left out."""
    if not isinstance(changes, Mapping):
        raise RecipeError(
            f"{place}steps maps the names of steps to what differs, such as {{teacher: {{epochs: 2}}}}; "
            f"received {changes!r}."
        )
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        return steps  # which is refused for itself
    names = [step.get("name") if isinstance(step, Mapping) else None for step in steps]
    known = [str(name) for name in names if name is not None]
    for name, change in changes.items():
        if name not in names:
            raise RecipeError(
                f"{place}no step is named {str(name)!r}.{nearest(str(name), known)} "
                f"Steps: {', '.join(known)}."
            )
        if change is not None and not isinstance(change, Mapping):
            raise RecipeError(
                f"{place}step {name!r}: what differs is a mapping such as {{epochs: 2}}, or null to leave "
                f"the step out; received {change!r}."
            )
    merged = []
    for name, step in zip(names, steps, strict=True):
        if name not in changes:
            merged.append(step)
        elif changes[name] is not None:
            merged.append(_merged(step, changes[name], place))
    return merged
