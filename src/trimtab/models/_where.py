"""Which of a model's kernels a technique works on: layers chosen by name, by class or by a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from trimtab.errors import ConfigError, ModelError, first_line, nearest
from trimtab.models._kernels import PrunableWeight, Technique, as_numpy

__all__ = [
    "Reason",
    "Where",
    "asked_for",
    "chosen_by_reasons",
    "goes_by",
    "is_named",
    "own_target",
    "paths_of",
]

Where = Sequence[str | type] | type | Callable[[Any], bool]
"""Names and classes of layers, one class, or a function that takes a layer and says yes or no."""

Reason = Callable[[PrunableWeight], str | None]
"""Says why a weight is left alone; None: it is not."""


def chosen_by_reasons(
    model: keras.Model,
    found: Sequence[PrunableWeight],
    skipped: Sequence[tuple[str, str]],
    reasons: Sequence[Reason],
    technique: Technique,
    unfit: Reason | None = None,
) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Chooses the weights that no reason speaks against, and that are trained.

    Args:
        model: a built Keras 3 model.
        found: its kernels.
        skipped: its other layers with weights, each with the reason.
        reasons: what may speak against a kernel, the first being told.
        technique: what is to be done to the weights.
        unfit: says why a trained weight cannot be used; None: each can.

    Returns:
        The weights, and (layer name, reason) of each layer with weights that is left alone.

    Raises:
        ConfigError: nothing is left.
        ModelError: a chosen weight holds NaN.
    """
    trainable = {id(variable) for variable in model.trainable_variables}
    whys = [*reasons, lambda weight: _frozen(weight, trainable, technique), *([unfit] if unfit else [])]
    chosen: list[PrunableWeight] = []
    left = list(skipped)
    for weight in found:
        reason = next(filter(None, (why(weight) for why in whys)), None)
        if reason is None:
            chosen.append(weight)
        elif (weight.layer, reason) not in left:
            left.append((weight.layer, reason))
    if not chosen:
        raise ConfigError(f"Nothing is left to {technique.do} in the model {model.name!r} ({_told(left)}).")
    for weight in chosen:
        if np.isnan(as_numpy(weight.variable)).any():
            raise ModelError(
                f"The weight {weight.name!r} of layer {weight.layer!r} holds NaN, so the model is broken. "
                "Train it again with a lower learning rate, or load an earlier state."
            )
    return chosen, left


def asked_for(
    model: keras.Model,
    found: Sequence[PrunableWeight],
    skipped: Sequence[tuple[str, str]],
    layers: Where | None,
    exclude: Where,
    technique: Technique,
    *,
    skip_ends: bool,
) -> list[Reason]:
    """Returns functions that say why a kernel was not asked for (None: it was).

    Args:
        model: the model.
        found: its kernels.
        skipped: its other layers with weights, each with the reason.
        layers: which layers are meant: names and classes of layers (the name or the class of a nested model
            or block means all layers in it), one class, or a function that takes a layer and says yes or
            no. None: each. Where a layer has just the path that is given, such as "dense", layers of that
            name deeper inside ("encoder/dense") are not meant.
        exclude: layers to leave alone, in the same manner.
        technique: what is to be done to the weights.
        skip_ends: leave the first and the last layer alone.

    Raises:
        ConfigError: a name or class is unknown, or what was given is neither.
    """
    reasons: list[Reason] = []
    if layers is not None:
        wanted = _chooser(model, found, skipped, layers, "layers", technique)
        reasons.append(lambda weight: None if wanted(weight) else "not among the layers asked for")
    unwanted = _chooser(model, found, skipped, exclude, "exclude", technique)
    reasons.append(lambda weight: "excluded" if unwanted(weight) else None)
    if skip_ends and found:
        able = technique.able
        ends = {found[-1].layer: f"the last {able} layer", found[0].layer: f"the first {able} layer"}
        reasons.append(lambda weight: ends.get(weight.layer))
    return reasons


def _chooser(
    model: keras.Model,
    found: Sequence[PrunableWeight],
    skipped: Sequence[tuple[str, str]],
    where: Where,
    argument: str,
    technique: Technique,
) -> Callable[[PrunableWeight], bool]:
    """Returns a function that tells whether a weight lies where `where` says."""
    if callable(where) and not isinstance(where, type | keras.Layer):
        function = where
        return lambda weight: _asked(function, weight, argument, technique)
    items = _items(where, argument)
    if argument == "layers" and not items:
        raise ConfigError(f"layers is an empty list: give the layers to {technique.do}, or None for all.")
    names = {item for item in items if isinstance(item, str)}
    kinds = tuple(item for item in items if isinstance(item, type))
    paths = paths_of([*(weight.layer for weight in found), *(name for name, _ in skipped)])
    known = paths | {piece for path in paths for piece in path.split("/")}
    usable = ", ".join(sorted({weight.layer for weight in found})) or f"none that may be {technique.done}"
    for name in sorted(names - known):
        raise ConfigError(
            f"The model {model.name!r} has no layer {name!r} with weights.{nearest(name, known)} "
            f"It has: {usable}."
        )
    for kind in kinds if argument == "layers" else ():
        if not any(isinstance(layer, kind) for weight in found for layer in weight.around):
            there = ", ".join(sorted({type(weight.around[-1]).__name__ for weight in found})) or "none"
            raise ConfigError(
                f"The model {model.name!r} has no {technique.able} layer of class {kind.__name__}. Its "
                f"{technique.able} layers are of: {there}."
            )
    return lambda weight: (
        any(goes_by(weight.layer, name, paths) for name in names)
        or any(isinstance(layer, kinds) for layer in weight.around)
    )


def _items(where: Any, argument: str) -> tuple[str | type, ...]:
    """Returns the names and classes asked for; raises `ConfigError` where there is anything else."""
    items = (where,) if isinstance(where, type) else where
    if isinstance(items, str) or not isinstance(items, Sequence | set | frozenset):
        hint = f" Give [{items.name!r}]." if isinstance(items, keras.Layer) else ""
        raise ConfigError(
            f"{argument} needs a list of layer names, such as ['dense'], or classes, a class or a function, "
            f"but got {items!r}.{hint}"
        )
    for item in items:
        if isinstance(item, str) or (isinstance(item, type) and issubclass(item, keras.Layer)):
            continue
        hint = f" Give its name, {item.name!r}." if isinstance(item, keras.Layer) else ""
        raise ConfigError(
            f"{argument} needs a list of layer names, such as ['dense'], or of Keras 3 layer classes, such "
            f"as [keras.layers.Dense], but {item!r} is neither.{hint}"
        )
    return tuple(items)


def _asked(
    function: Callable[[Any], Any], weight: PrunableWeight, argument: str, technique: Technique
) -> bool:
    """Asks a user's function about the layer of a weight."""
    layer = weight.around[-1]
    try:
        return bool(function(layer))
    except Exception as error:  # whatever a user's function may raise
        raise ConfigError(
            f"The function given as {argument} fails on layer {weight.layer!r} ({type(layer).__name__}): "
            f"{type(error).__name__}: {first_line(error)}. It gets each layer that may be "
            f"{technique.done}, of every class, and says True or False."
        ) from error


def _frozen(weight: PrunableWeight, trainable: set[int], technique: Technique) -> str | None:
    """Says that a weight is not trained, and why."""
    if id(weight.variable) in trainable:
        return None
    if getattr(weight.around[-1], "lora_enabled", False):
        return f"its kernel is frozen by LoRA: {technique.do} before enable_lora()"
    return "frozen (trainable=False)"


def paths_of(layers: Iterable[str]) -> set[str]:
    """Returns the paths of layers, and of all that they lie inside."""
    return {path for layer in layers for path in _paths(layer)}


def goes_by(layer: str, name: str, paths: Collection[str]) -> bool:
    """Tells whether a layer is meant by a name.

    Args:
        layer: its path, such as "encoder/dense".
        name: what was given: its path, or that of a model or block it lies inside; or a single name on its
            path, where no layer has just this path.
        paths: the paths of all layers with weights, see `paths_of`.
    """
    return name in _paths(layer) or (name not in paths and name in _pieces(layer))


def is_named(layer: str, names: Iterable[str], paths: Collection[str]) -> bool:
    """Tells whether one of the names is that of the layer itself, and not of what it lies inside."""
    last = _pieces(layer.rsplit("/", 1)[-1])
    return any(goes_by(layer, name, paths) and name.rsplit("/", 1)[-1] in last for name in names)


def own_target(layer: str, targets: Mapping[str, float], paths: Collection[str]) -> float | None:
    """Returns what was asked for one layer: by its path, or else by the nearest name it lies under."""
    names = (*_paths(layer), *_pieces(layer))
    return next((targets[name] for name in names if name in targets and goes_by(layer, name, paths)), None)


def _paths(layer: str) -> tuple[str, ...]:
    """Returns the path of a layer and those it lies under, the longest first, with and without numbers."""
    pieces = layer.split("/")
    paths = ["/".join(pieces[:end]) for end in range(len(pieces), 0, -1)]
    return tuple(dict.fromkeys(form for path in paths for form in (path, re.sub(r"#\d+(?=/|$)", "", path))))


def _pieces(layer: str) -> tuple[str, ...]:
    """Returns the single names on a layer's path, the last first, with and without numbers."""
    names = reversed(layer.split("/"))
    return tuple(dict.fromkeys(form for name in names for form in (name, re.sub(r"#\d+$", "", name))))


def _told(skipped: Sequence[tuple[str, str]], most: int = 3) -> str:
    """Says why layers are left alone, one clause for each reason."""
    names: dict[str, list[str]] = {}
    for name, reason in skipped:
        names.setdefault(reason, []).append(name)
    clauses = []
    for reason, layers in names.items():
        more = f" and {len(layers) - most} more" if len(layers) > most else ""
        clauses.append(f"{', '.join(layers[:most])}{more}: {reason}")
    return "; ".join(clauses) or "it has no layer with weights"
