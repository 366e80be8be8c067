"""The rules of layers: how channels pass through, and what changes in the config when some are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from trimtab.channels._layout import Layout, Shape
from trimtab.models._kinds import computes_like, nearest_kind

if TYPE_CHECKING:
    from trimtab.channels._site import Site

__all__ = [
    "Follow",
    "NewSizes",
    "Resize",
    "follow_of",
    "operator_follow_of",
    "register",
    "register_operators",
    "register_resize",
    "resize_of",
]

Follow = Callable[[Any, "Site"], Layout | Sequence[Layout] | None]
"""Follows the channels through one call: (layer, site) to the layout of what comes out. See `register`."""


@dataclass(frozen=True, eq=False)
class NewSizes:
    """The sizes that a layer has once channels are gone.

    Attributes:
        weights: shape of each of the layer's weights along which channels stand, by its name in the layer:
            ``{"kernel": (3, 3, 16, 24), "bias": (24,)}``. Weights that stay as they are are here too.
        inputs: shape of each tensor that goes in, with the batch (None); of the layer's first call.
        outputs: shape of each tensor that comes out.
    """

    weights: Mapping[str, tuple[int, ...]]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


Resize = Callable[[Any, NewSizes], Mapping[str, Any]]
"""Says what changes in a layer's config: (layer, new sizes) to the entries of `get_config()` to replace."""

_FOLLOWS: dict[type, Follow] = {}
_RESIZES: dict[type, Resize] = {}
_OPERATORS: dict[str, Follow] = {}


def register(kind: type, follow: Follow, *, resize: Resize | None = None) -> None:
    """Teaches `find_groups` and `remove` a layer class, so that channels can be followed through it.

    Subclasses inherit the rule, unless they have a `call` of their own. A later rule replaces an earlier one.
    A weight of the layer that the rule does not mention locks the layer, so that forgetting one is safe.

    Args:
        kind: the layer class.
        follow: is called with the layer and the `Site` of one call of it, tells the site which axes of its
            weights the channels stand along, and returns the `Layout` of what comes out (a sequence of them
            for several tensors; None where it cannot tell: the layer is locked).
        resize: returns the entries of the layer's config that depend on how many channels there are, such
            as ``{"filters": 24}``, from its `NewSizes`; None: no entry does.

    Example:
        A layer that scales each channel by a learned factor::

            def follow(layer, site):
                channels = site.input.along(-1)
                site.scale(layer.factor, 0, channels)
                return site.input

            trimtab.channels.register(ChannelScale, follow)
    """
    _FOLLOWS[kind] = follow
    if resize is not None:
        _RESIZES[kind] = resize


def register_resize(kind: type, resize: Resize) -> None:
    """Adds to the rule of a layer class what changes in its config."""
    _RESIZES[kind] = resize


def register_operators(follow: Follow, names: str) -> None:
    """Gives a rule to operators of `keras.ops`, by the names of their classes: ``"Relu Sigmoid"``."""
    for name in names.split():
        _OPERATORS[name] = follow


def follow_of(layer: Any) -> Follow | str:
    """Returns the rule that follows channels through a layer, or why there is none, in plain words."""
    kind = type(layer)
    parent = nearest_kind(kind, _FOLLOWS)
    if parent is not None:
        if not computes_like(kind, parent):
            return f"{kind.__name__} {layer.name!r} computes in its own way, unlike {parent.__name__}"
        return _FOLLOWS[parent]
    if kind is keras.layers.Lambda:
        return f"the Lambda layer {layer.name!r} may compute anything"
    return f"{kind.__name__} {layer.name!r} is not understood"


def operator_follow_of(kind: str, name: str) -> Follow | str:
    """Returns the rule of an operator by the name of its class, or why there is none, in plain words."""
    return _OPERATORS.get(kind, f"the operator {kind} {name!r} is not understood")


def resize_of(layer: Any) -> Resize | None:
    """Returns what changes in a layer's config when channels go; None: nothing does."""
    parent = nearest_kind(type(layer), _RESIZES)
    return None if parent is None else _RESIZES[parent]
