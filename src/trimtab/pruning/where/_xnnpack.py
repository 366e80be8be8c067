"""`ForXNNPACK`: prune only what LiteRT's float runtime, XNNPACK, can make use of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ConfigError
from trimtab.pruning.where._policy import Policy, PolicyChoice
from trimtab.pruning.where._prunable import check_model, find_weights
from trimtab.pruning.where._xnnpack_rules import Node, Role, is_pointwise, nodes_of, role_of

__all__ = ["ForXNNPACK"]

_SHARE = 2 / 3
_INSTEAD = "Prune without a policy for a smaller compressed file, or use fewer channels and int8 for speed."


@dataclass(frozen=True)
class ForXNNPACK(Policy):
    """Chooses the 1x1 convolutions that XNNPACK, LiteRT's float runtime on CPUs, can run sparse.

    XNNPACK skips zeros in float 1x1 convolutions only, and only within a stretch of the net that

    - begins at a 3x3 convolution of stride 2 on 3 channels, with ``ZeroPadding2D(1)`` before it and
      ``padding="valid"`` (``"same"`` pads unequally in TensorFlow: `keras.applications` does so);
    - ends at a mean over height and width (`GlobalAveragePooling2D`);
    - holds nothing between but 1x1 convolutions without stride, depthwise 3x3 and 5x5 ones padded alike on
      each side, batch normalisation right after a convolution, common activations, sums and products;
    - has more than two thirds of zeros in its 1x1 convolutions taken together.

    It does so on ARM and on x86 without AVX; never on x86 with AVX, where zeros gain nothing. The `.tflite`
    file must store its weights sparse (the converter's `EXPERIMENTAL_SPARSITY`) and hold floats, not int8.

    Elsen, Dukhan, Gale and Simonyan, "Fast Sparse ConvNets" (2020).

    Example:
        >>> trimtab.prune(model, data, sparsity=0.8, layers=ForXNNPACK())
    """

    def choose(self, model: keras.Model) -> PolicyChoice:
        """Chooses the 1x1 convolutions of a model that can run sparse, and says why not the other layers.

        Args:
            model: a built Functional or Sequential model; nested ones are looked into.

        Raises:
            ConfigError: none can; the message says what stands in the way, and what to do instead.
            ModelError: the model is not a built Keras 3 model.
        """
        check_model(model)
        if _keras_internals.graph_of(model) is None:
            raise ConfigError(
                f"ForXNNPACK reads the graph of a model, but {model.name!r} is a {type(model).__name__}, "
                "whose own code runs. Build it as a Functional or Sequential model, or name the layers."
            )
        nodes = nodes_of(model)
        obstacles = _obstacles(nodes)
        calls: dict[int, list[Node]] = {}
        for node in nodes:
            calls.setdefault(id(node.operation), []).append(node)
        chosen: list[str] = []
        reasons: list[tuple[str, str]] = []
        for weight in find_weights(model)[0]:
            reason = _reason(weight.around[-1], weight.around, calls, obstacles)
            if reason is None:
                chosen.append(weight.layer)
            elif (weight.layer, reason) not in reasons:
                reasons.append((weight.layer, reason))
        if not chosen:
            raise ConfigError(_nowhere(model, nodes, obstacles))
        return PolicyChoice(tuple(chosen), tuple(reasons), _SHARE, _notes(len(chosen)))


def _reason(
    layer: Any, around: tuple[Any, ...], calls: dict[int, list[Node]], obstacles: dict[int, str | None]
) -> str | None:
    """Says why a layer is left alone; None if it can run sparse wherever it is called."""
    if isinstance(layer, keras.layers.SeparableConv2D):
        return "only its pointwise half could run sparse: write it as DepthwiseConv2D and 1x1 Conv2D"
    if not is_pointwise(layer):
        return f"XNNPACK has sparse kernels for 1x1 convolutions only, and this is {_what(layer)}"
    if id(layer) not in calls:
        hidden = around[-2] if len(around) > 1 else layer
        return f"it is called by the own code of {type(hidden).__name__}, which cannot be looked into"
    return next((why for node in calls[id(layer)] if (why := obstacles[id(node)]) is not None), None)


def _obstacles(nodes: list[Node]) -> dict[int, str | None]:
    """Says of each call what keeps the stretch of net that it lies in from running sparse; None: nothing."""
    roles = {id(node): role_of(node) for node in nodes}
    found: dict[int, str | None] = {}
    for node in nodes:
        role, why = roles[id(node)]
        if role is Role.BREAKS:
            found[id(node)] = why
        elif id(node) not in found:
            stretch = _stretch(node, roles)
            inside = {id(member) for member in stretch}
            first = next(filter(None, (_obstacle(member, inside, roles) for member in stretch)), None)
            found.update((id(member), first) for member in stretch)
    return found


def _stretch(start: Node, roles: dict[int, tuple[Role, str]]) -> list[Node]:
    """Returns all calls that are linked with `start` through calls that could run sparse, in order."""
    order: dict[int, Node] = {}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if id(node) in order:
            continue
        order[id(node)] = node
        before = [] if roles[id(node)][0] is Role.BEGINS else node.before
        for other in (*before, *node.after):
            # What stands before the beginning (its ZeroPadding2D) runs dense.
            role = Role.BREAKS if other is None else roles[id(other)][0]
            if other is not None and role is not Role.BREAKS and (other in before or role is not Role.BEGINS):
                waiting.append(other)
    places = {key: place for place, key in enumerate(roles)}
    return sorted(order.values(), key=lambda node: places[id(node)])


def _obstacle(node: Node, inside: set[int], roles: dict[int, tuple[Role, str]]) -> str | None:
    """Says what keeps a call's stretch from running sparse; None where this call is in no way."""
    role = roles[id(node)][0]
    if role is not Role.BEGINS:
        for before in node.before:
            if before is None:
                return (
                    f"{node} takes the model's input, but a sparse stretch must begin at a 3x3 convolution "
                    "of stride 2 on 3 channels with ZeroPadding2D(1) before it"
                )
            if id(before) not in inside:
                return f"{before} stands in the way: {roles[id(before)][1]}"
    beyond = [after for after in node.after if id(after) not in inside]
    if role is Role.ENDS and (len(beyond) == len(node.after)):
        return None
    if beyond:
        why = roles[id(beyond[0])][1] or "another stretch begins there"
        return f"{beyond[0]} stands in the way: {why}"
    if node.is_output or not node.after:
        return f"{node} is an output, but a sparse stretch must end at a GlobalAveragePooling2D"
    return None


def _nowhere(model: keras.Model, nodes: list[Node], obstacles: dict[int, str | None]) -> str:
    """Says that nothing of a model can run sparse, why, and what to do instead."""
    start = f"XNNPACK can use zeros nowhere in the model {model.name!r}: "
    pointwise = [node for node in nodes if is_pointwise(node.operation)]
    if not pointwise:
        return f"{start}it has no 1x1 convolution that could be looked at. {_INSTEAD}"
    stem = next((node for node in nodes if isinstance(node.operation, keras.layers.Conv2D)), None)
    if stem is not None and role_of(stem)[0] is Role.BREAKS:
        told = f"its first convolution cannot begin a sparse stretch. {stem}: {role_of(stem)[1]}"
        return f"{start}{told}. {_INSTEAD}"
    whys = [why for node in pointwise if (why := obstacles[id(node)]) is not None]
    return f"{start}{next(iter(whys), 'its 1x1 convolutions cannot be pruned')}. {_INSTEAD}"


def _what(layer: Any) -> str:
    """Names a layer that is no 1x1 convolution."""
    size = getattr(layer, "kernel_size", None)
    return type(layer).__name__ + (f" {'x'.join(str(length) for length in size)}" if size else "")


def _notes(layers: int) -> tuple[str, ...]:
    """Says what the choice is good for."""
    return (
        f"XNNPACK can run {layers} 1x1 convolution{'' if layers == 1 else 's'} sparse, once more than two "
        "thirds of their weights are zero",
        "it does so on ARM and on x86 without AVX, never on x86 with AVX; measure on the device itself",
        "the .tflite file must hold floats and store them sparse (the converter's EXPERIMENTAL_SPARSITY)",
    )
