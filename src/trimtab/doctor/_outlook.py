"""What each technique can do with a model, and which layers it leaves alone, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from trimtab.channels._rounding import channels_made
from trimtab.doctor._examined import Examined
from trimtab.doctor._files import first_sentence
from trimtab.doctor._folding import standing_alone
from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import ForXNNPACK
from trimtab.pruning.where._policy import chosen_by
from trimtab.pruning.where._prunable import find_weights

__all__ = ["Outlook", "outlooks"]


@dataclass(frozen=True)
class Outlook:
    """What one technique can do with a model.

    Args:
        technique: ``"prune"``, ``"remove channels"``, ``"fold"``, ``"quantize"`` or ``"convert"``.
        will: what it can do, in a few words.
        left: (layer, reason) of each layer that it leaves alone; the model's name where it is all of it.
    """

    technique: str
    will: str
    left: tuple[tuple[str, str], ...] = ()


def outlooks(examined: Examined) -> tuple[Outlook, ...]:
    """Says what pruning, removing channels, folding, quantizing and converting can do with a model."""
    ways: dict[str, Callable[[Examined], tuple[str, list[tuple[str, str]]]]] = {
        "prune": _prune,
        "remove channels": _channels,
        "fold": _fold,
        "quantize": _quantize,
        "convert": _convert,
    }
    found = []
    for technique, way in ways.items():
        will, left = way(examined)
        found.append(Outlook(technique, will, tuple(dict.fromkeys(left))))
    return tuple(found)


def _prune(examined: Examined) -> tuple[str, list[tuple[str, str]]]:
    """Which weights may become zero, and whether a runtime can run them faster."""
    weights, left = find_weights(examined.model)
    total = sum(cost.parameters for cost in examined.costs) or examined.model.count_params()
    will = f"{sum(weight.size for weight in weights):,} of {total:,} weights, in {_layers(len(weights))}"
    if weights and examined.has_graph:
        try:
            sparse = len(chosen_by(ForXNNPACK(), examined.model).layers)
            will += f"; XNNPACK on ARM can run {sparse} of them sparse, in float"
        except (ConfigError, ModelError):
            will += "; a smaller download, no faster"
    return will, list(left)


def _channels(examined: Examined) -> tuple[str, list[tuple[str, str]]]:
    """Which groups of channels may lose some."""
    graph = examined.channels
    if graph is None:
        return "nothing", [_whole(examined, "channels")]
    sizes = {
        group.name: channels_made(next(member for member in group.members if member.role == "out"))
        for group in graph.groups
    }
    free = [group for group in graph.groups if group.locked is None]
    will = f"{sum(sizes[group.name] for group in free):,} of {sum(sizes.values()):,} channels, in "
    will += f"{len(free)} group{'' if len(free) == 1 else 's'}"
    return will, [(group.name, group.locked) for group in graph.groups if group.locked is not None]


def _fold(examined: Examined) -> tuple[str, list[tuple[str, str]]]:
    """Which batch normalisations become part of the layers beside them."""
    folded = examined.folded
    if folded is None:
        return "nothing", [_whole(examined, "folded")]
    norms = set(examined.paths(examined.calls_of(keras.layers.BatchNormalization)))
    alone = standing_alone(examined)
    will = f"{len(norms - set(alone))} of {len(norms)} batch normalisations" if norms else "nothing to fold"
    return will, [*alone.items(), *((path, why) for path, why in folded.kept.items() if path not in alone)]


def _quantize(examined: Examined) -> tuple[str, list[tuple[str, str]]]:
    """Which layers compute in integers."""
    if examined.placed is None:
        return "nothing by itself", [_whole(examined, "folded")]
    steps, placement = examined.placed
    whole = len(steps.steps)
    return f"{len(placement.rules)} of {whole} steps in int8", list(examined.kept_float.items())


def _convert(examined: Examined) -> tuple[str, list[tuple[str, str]]]:
    """Whether there is a LiteRT file at all, and of which operators."""
    summary = examined.files.float_summary
    if summary is None:
        return "nothing", [(examined.model.name, str(examined.files.of("float32")))]
    count = sum(summary.ops.values())
    return f"all: {count} operators of {len(summary.ops)} kinds, none of TensorFlow's own", []


def _whole(examined: Examined, what: str) -> tuple[str, str]:
    """Says why nothing can be done with all of a model."""
    return examined.model.name, first_sentence(examined.reasons.get(what, "it cannot be followed"))


def _layers(count: int) -> str:
    return f"{count} kernel{'' if count == 1 else 's'}"
