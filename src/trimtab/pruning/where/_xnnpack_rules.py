"""What XNNPACK's sparse mode makes of each layer: where it can begin, pass through, and end.

The rules are those of XNNPACK's rewrite of a net to channels-first for sparse inference (`subgraph.c`,
`xnn_check_nchw_compatibility`, as of 2025), carried back through what the LiteRT converter makes of
Keras layers. Where it is not sure that a layer passes, it counts as one that does not.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import keras

from trimtab import _keras_internals

__all__ = ["Node", "Role", "is_pointwise", "nodes_of", "role_of"]

_layers = keras.layers
_ACTIVATIONS = ("linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "silu")
_NO_OPS = (
    _layers.Dropout,
    _layers.SpatialDropout2D,
    _layers.GaussianNoise,
    _layers.GaussianDropout,
    _layers.Identity,
)
_OPERATIONS = ("Relu", "ReLU", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Silu", "Identity")


class Role(enum.Enum):
    """What a call can be within a stretch that runs sparse."""

    BEGINS = "begins"
    PASSES = "passes"
    ENDS = "ends"
    BREAKS = "breaks"


@dataclasses.dataclass(eq=False)
class Node:
    """One call of a layer or operation, and the calls it is linked with.

    Attributes:
        operation: the Keras layer or operation that is called.
        name: its name, after those of the models it is nested in.
        inputs: shapes of its inputs.
        before: calls that its inputs come from; None for an input of the model.
        after: calls that take its outputs.
        is_output: whether the model gives it to the outside.
    """

    operation: Any
    name: str
    inputs: tuple[tuple[int | None, ...], ...]
    before: list[Node | None] = dataclasses.field(default_factory=list)
    after: list[Node] = dataclasses.field(default_factory=list)
    is_output: bool = False

    @property
    def only_after(self) -> Node | None:
        """The one call that takes its output; None where there are none or several."""
        return self.after[0] if len(self.after) == 1 and not self.is_output else None

    @property
    def only_before(self) -> Node | None:
        """The one call that its input comes from; None where there are none or several."""
        return self.before[0] if len(self.before) == 1 else None

    def __str__(self) -> str:
        return f"{self.name} ({type(self.operation).__name__})"


def nodes_of(model: Any) -> list[Node]:
    """Returns the calls of a Functional or Sequential model, in order, nested models looked into.

    Layers that do nothing at inference, such as `Dropout`, are left out: no file holds them.
    """
    calls: list[_keras_internals.Call] = []
    ends = keras.tree.flatten(_keras_internals.walk_graph(model, list(model.inputs), calls.append))
    nodes: list[Node] = []
    source: dict[int, Node] = {}
    for call in calls:
        if isinstance(call.operation, _NO_OPS) and len(call.taken) == 1:
            before = source.get(id(call.taken[0]))
            if before is not None:
                source[id(call.given[0])] = before
            continue
        node = Node(call.operation, "/".join(call.path), call.inputs)
        for tensor in call.taken:
            node.before.append(source.get(id(tensor)))
        for earlier in {id(n): n for n in node.before if n is not None}.values():
            earlier.after.append(node)
        source.update((id(tensor), node) for tensor in call.given)
        nodes.append(node)
    for tensor in ends:
        if id(tensor) in source:
            source[id(tensor)].is_output = True
    return nodes


def is_pointwise(operation: Any) -> bool:
    """Tells whether a layer is a 1x1 convolution: what XNNPACK has sparse kernels for."""
    return isinstance(operation, _layers.Conv2D) and tuple(operation.kernel_size) == (1, 1)


def role_of(node: Node) -> tuple[Role, str]:
    """Returns what a call can be within a stretch that runs sparse; and why, where it breaks the stretch."""
    operation = node.operation
    if getattr(operation, "data_format", "channels_last") == "channels_first":
        return Role.BREAKS, "it has channels first, and LiteRT has them last"
    if not node.inputs or any(len(shape) != 4 for shape in node.inputs):
        return Role.BREAKS, "its inputs are no images (batch, height, width, channels)"
    for kinds, rule in _RULES:
        for kind in kinds:
            if isinstance(operation, kind) and type(operation).call is kind.call:
                reason = rule(node)
                return _role(node, reason), reason or ""
    if isinstance(operation, keras.Layer):
        return Role.BREAKS, "XNNPACK's sparse mode does not take it"
    reason = _operation(node)
    return (Role.ENDS if reason is None and _is_mean(operation) else _role(node, reason)), reason or ""


def _role(node: Node, reason: str | None) -> Role:
    """Returns the role of a call that its rule has nothing against."""
    if reason is not None:
        return Role.BREAKS
    if isinstance(node.operation, _layers.GlobalAveragePooling2D):
        return Role.ENDS
    begins = isinstance(node.operation, _layers.Conv2D) and not is_pointwise(node.operation)
    return Role.BEGINS if begins else Role.PASSES


def _convolution(node: Node) -> str | None:
    """1x1 without stride, or the stem."""
    layer = node.operation
    if layer.groups != 1:
        return f"it has {layer.groups} groups"
    if tuple(layer.dilation_rate) != (1, 1):
        return f"it is dilated ({_pair(layer.dilation_rate)})"
    if is_pointwise(layer):
        if tuple(layer.strides) != (1, 1):
            return f"its stride is {_pair(layer.strides)}, and a sparse 1x1 convolution needs 1"
        if layer.padding == "valid" and _padding(node) != (0, 0, 0, 0):
            return "a ZeroPadding2D stands before it"
        return _activation(layer)
    stem = "the only one that may begin a sparse stretch is 3x3, of stride 2, on 3 channels"
    channels = int(node.inputs[0][-1] or 0)
    if tuple(layer.kernel_size) != (3, 3) or tuple(layer.strides) != (2, 2) or channels != 3:
        return (
            f"it is a convolution of {_pair(layer.kernel_size)}, stride {_pair(layer.strides)}, on "
            f"{channels} channel{'' if channels == 1 else 's'}; {stem}, and all others must be 1x1"
        )
    return _padded(node, 1) or _activation(layer)


def _depthwise(node: Node) -> str | None:
    """3x3 or 5x5, stride 1 or 2, padded alike on each side."""
    layer = node.operation
    if layer.depth_multiplier != 1:
        return f"its depth_multiplier is {layer.depth_multiplier}, not 1"
    if tuple(layer.dilation_rate) != (1, 1):
        return f"it is dilated ({_pair(layer.dilation_rate)})"
    if tuple(layer.strides) not in ((1, 1), (2, 2)):
        return f"its stride is {_pair(layer.strides)}, not 1 or 2"
    if tuple(layer.kernel_size) not in ((3, 3), (5, 5)):
        return f"its depthwise kernel is {_pair(layer.kernel_size)}, not 3x3 or 5x5"
    return _padded(node, layer.kernel_size[0] // 2) or _activation(layer)


def _batch_normalization(node: Node) -> str | None:
    """Folded into the convolution before it."""
    before = node.only_before
    rank = len(node.inputs[0])
    if node.operation.axis not in (-1, rank - 1):
        return f"it normalises along axis {node.operation.axis}, not along the channels"
    if (
        before is None
        or before.only_after is not node
        or not isinstance(
            before.operation, _layers.Conv2D | _layers.DepthwiseConv2D | _layers.SeparableConv2D
        )
        or before.operation.activation is not keras.activations.linear
    ):
        return "it does not follow a convolution without activation, so it cannot be folded into one"
    return None


def _zero_padding(node: Node) -> str | None:
    """Taken up by the convolution after it."""
    after = node.only_after
    takes = _layers.Conv2D | _layers.DepthwiseConv2D | _layers.SeparableConv2D
    if after is None or not isinstance(after.operation, takes) or after.operation.padding != "valid":
        return "no convolution with padding='valid' follows that takes it up"
    return None


def _relu(node: Node) -> str | None:
    """ReLU, ReLU6, or leaky."""
    layer = node.operation
    slope, most = float(layer.negative_slope or 0.0), layer.max_value
    if float(layer.threshold or 0.0) != 0.0 or most not in (None, 6, 6.0) or (slope and most is not None):
        return "it is not a plain ReLU, ReLU6 or LeakyReLU"
    return None


def _activation(layer: Any) -> str | None:
    """One of the activations that pass."""
    if any(layer.activation is getattr(keras.activations, name) for name in _ACTIVATIONS):
        return None
    name = getattr(layer.activation, "__name__", None) or type(layer.activation).__name__
    return f"its activation {name!r} does not pass (those that do: {', '.join(_ACTIVATIONS)})"


def _elementwise(node: Node) -> str | None:
    """Two or more tensors."""
    return "it adds or multiplies by a constant" if len(node.inputs) < 2 else None


def _resize(node: Node) -> str | None:
    """Bilinear only."""
    return None if node.operation.interpolation == "bilinear" else "its interpolation is not bilinear"


def _nothing(node: Node) -> str | None:  # noqa: ARG001
    """What has no conditions."""
    return None


def _operation(node: Node) -> str | None:
    """An operation that is no layer, such as ``x + y`` or `keras.ops.mean`."""
    name = type(node.operation).__name__
    if _is_mean(node.operation):
        return None
    if name in ("Add", "Multiply"):
        return _elementwise(node)
    if name == "ReLU":  # keras.activations.relu, called on a tensor
        return _relu(node)
    return None if name in _OPERATIONS else "XNNPACK's sparse mode does not take it"


def _is_mean(operation: Any) -> bool:
    """Tells whether an operation is the mean over height and width."""
    axis = getattr(operation, "axis", None)
    axes = tuple(sorted(axis)) if isinstance(axis, list | tuple) else ()
    is_mean = type(operation).__name__ == "Mean" and not isinstance(operation, keras.Layer)
    return is_mean and axes in ((1, 2), (-3, -2))


def _padded(node: Node, wanted: int) -> str | None:
    """Says why a convolution is not padded by `wanted` on each side; None if it is."""
    if node.operation.padding == "same":
        if tuple(node.operation.strides) == (1, 1):
            return None  # is alike on each side
        return (
            f"its padding='same' with stride 2 pads unequally in TensorFlow; put ZeroPadding2D({wanted}) "
            "before it and give it padding='valid' (and train it so)"
        )
    sides = _padding(node)
    if sides == (wanted,) * 4:
        return None
    there = "no ZeroPadding2D" if sides == (0, 0, 0, 0) else f"a padding of {sides}"
    return f"it has {there} before it, but needs ZeroPadding2D({wanted}) and padding='valid'"


def _padding(node: Node) -> tuple[int, int, int, int]:
    """Returns the zeros that a ZeroPadding2D puts before a convolution: top, bottom, left, right."""
    before = node.only_before
    if before is None or not isinstance(before.operation, _layers.ZeroPadding2D):
        return (0, 0, 0, 0)
    (top, bottom), (left, right) = before.operation.padding
    return (top, bottom, left, right)


def _pair(values: Any) -> str:
    """Writes a pair of lengths."""
    return "x".join(str(value) for value in values)


_RULES: tuple[tuple[tuple[Any, ...], Callable[[Node], str | None]], ...] = (
    ((_layers.Conv2D,), _convolution),
    ((_layers.DepthwiseConv2D, _layers.SeparableConv2D), _depthwise),
    ((_layers.BatchNormalization,), _batch_normalization),
    ((_layers.ZeroPadding2D,), _zero_padding),
    ((_layers.ReLU,), _relu),
    ((_layers.Activation,), lambda node: _activation(node.operation)),
    ((_layers.Add, _layers.Multiply), _elementwise),
    ((_layers.UpSampling2D,), _resize),
    ((_layers.LeakyReLU, _layers.ELU, _layers.GlobalAveragePooling2D), _nothing),
)
