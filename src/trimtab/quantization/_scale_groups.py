"""Which channels of a flat model may be scaled without changing what it computes.

A channel that one layer makes and others take in can be divided by a number in the first and multiplied by
it in the others, as long as whatever stands between commutes with a positive factor: ReLU does, a sigmoid
does not. Channels get numbers; those that meet (in an Add) are united and scaled as one. Number 0 stands for
all channels that must stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals

__all__ = ["Ids", "Limit", "ScaleGroups", "ScaledWeights", "find_scale_groups"]

Ids = npt.NDArray[np.int64]
"""The number of each channel along the last axis of a tensor; 0 for one that must stay."""


@dataclass(frozen=True, eq=False)
class ScaledWeights:
    """A kernel between the channels that it takes in and those that it makes.

    Args:
        layer: the layer's path.
        kernel: its variable.
        bias: the bias that is added behind it; None where there is none.
        takes: number of each channel that comes in.
        gives: number of each channel that goes out.
        takes_shape: what factors for `takes` are reshaped to, to be multiplied with the kernel.
        gives_shape: the same for `gives`.
        depthwise: whether each channel that goes out sees only one that comes in.
    """

    layer: str
    kernel: Any
    bias: Any
    takes: Ids
    gives: Ids
    takes_shape: tuple[int, ...]
    gives_shape: tuple[int, ...]
    depthwise: bool = False


@dataclass(frozen=True, eq=False)
class Limit:
    """An activation that clips at one value for all channels, such as ReLU6."""

    path: str
    value: float
    ids: Ids


@dataclass(eq=False)
class ScaleGroups:
    """What `find_scale_groups` found.

    Args:
        weights: the kernels, in the order of the graph.
        limits: the activations that clip.
        read: for each tensor that a kernel or a sum reads, by the path of the layer that gives it: the
            numbers of its channels.
        reasons: layers whose channels must stay as they are, each with the first reason.
    """

    weights: list[ScaledWeights] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    read: dict[str, Ids] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    _parents: list[int] = field(default_factory=lambda: [0])
    _why: dict[int, str] = field(default_factory=dict)

    def make(self, count: int) -> Ids:
        """Returns numbers for so many new channels."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def unite(self, one: Ids, other: Ids, why: str) -> None:
        """Scales channels as one, place by place."""
        for left, right in zip(one.tolist(), other.tolist(), strict=True):
            small, large = sorted((self._root(left), self._root(right)))
            if small != large:
                self._parents[large] = small
                if small == 0:
                    self._why.setdefault(large, why)

    def lock(self, ids: Ids, why: str) -> None:
        """Makes channels stay as they are."""
        self.unite(ids, np.zeros(len(ids), np.int64), why)

    def roots(self) -> Ids:
        """Returns for each number the first of those that are scaled with it; 0 where it must stay."""
        return np.array([self._root(number) for number in range(len(self._parents))], np.int64)

    def locked(self, ids: Ids) -> bool:
        """Says whether all of these channels must stay as they are."""
        return all(self._root(number) == 0 for number in ids.tolist())

    def why(self, ids: Ids) -> str:
        """Says why the first of these channels must stay."""
        number = int(ids[0]) if len(ids) else 0
        while number and self._parents[number] != number:
            if number in self._why:
                return self._why[number]
            number = self._parents[number]
        return self._why.get(number, "its channels meet others that must stay as they are")

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            number = self._parents[number]
        return number


def find_scale_groups(model: keras.Model) -> ScaleGroups:
    """Follows the channels through a flat model's graph; nothing is computed, the model stays as it is."""
    walk = _Walk()
    outputs = _keras_internals.walk_graph(model, list(model.inputs), walk.visit)
    for tensor in keras.tree.flatten(outputs):
        walk.groups.lock(walk.ids(tensor), "gives the model's output")
    for weights in walk.groups.weights:
        if walk.groups.locked(weights.gives):
            walk.groups.reasons.setdefault(weights.layer, walk.groups.why(weights.gives))
    return walk.groups


class _Walk:
    """What is known while the graph is followed."""

    def __init__(self) -> None:
        self.groups = ScaleGroups()
        self._ids: dict[int, Ids] = {}
        self._givers: dict[int, str] = {}
        self._known: dict[int, tuple[Ids, Ids]] = {}  # of layers that are called again
        self._tensors: list[Any] = []  # kept, so that no two tensors ever have one id()

    def ids(self, tensor: Any) -> Ids:
        """Returns the numbers along a tensor's last axis."""
        return self._ids.get(id(tensor), np.zeros(int(tensor.shape[-1] or 0), np.int64))

    def visit(self, call: _keras_internals.Call) -> None:
        """Follows the channels through one call."""
        rule = _rule_of(call.operation)
        given = rule(self, call) if rule is not None and len(call.given) == 1 else None
        path = "/".join(call.path)
        if given is None:
            for tensor in call.taken:
                self.groups.lock(self.ids(tensor), f"read by {path!r}, which does not scale with its input")
        for tensor in call.given:
            if given is not None:
                self._ids[id(tensor)] = given
            self._givers[id(tensor)] = path
        self._tensors.extend((*call.given, *call.taken))

    def reads(self, tensor: Any) -> Ids:
        """Returns the numbers along a tensor's last axis, and notes that its range matters."""
        ids, giver = self.ids(tensor), self._givers.get(id(tensor))
        if giver is not None and ids.any():
            before = self.groups.read.setdefault(giver, ids)
            self.groups.unite(before, ids, "is called twice")
        return ids

    def weights(self, call: _keras_internals.Call, parts: list[tuple[Any, str]], bias: Any) -> Ids:
        """Notes the kernels of a layer, one behind the other, and returns the numbers that come out.

        Args:
            call: the call of the layer.
            parts: each kernel, and how its axes stand: a key of `_AXES`.
            bias: the layer's bias, or None.
        """
        takes, path = self.reads(call.taken[0]), "/".join(call.path)
        known = self._known.get(id(call.operation))
        if known is not None:
            self.groups.unite(known[0], takes, "is called twice")
            return known[1]
        first = takes
        for kernel, axes in parts:
            takes_shape, gives_shape = _AXES[axes](tuple(kernel.shape))
            gives = self.groups.make(int(np.prod(gives_shape)))
            own = bias if kernel is parts[-1][0] else None
            weights = (path, kernel, own, takes, gives, takes_shape, gives_shape, axes == "depthwise")
            self.groups.weights.append(ScaledWeights(*weights))
            takes = gives
        self._known[id(call.operation)] = first, takes
        return takes

    def activated(self, ids: Ids, activation: Any, path: str) -> Ids:
        """Returns the numbers behind an activation; none may be scaled behind one that is not homogeneous."""
        if activation in _HOMOGENEOUS:
            return ids
        if activation is keras.activations.relu6:
            self.groups.limits.append(Limit(path, 6.0, ids))
            return ids
        name = getattr(activation, "__name__", "an activation")
        self.groups.lock(ids, f"followed by {name}, which does not scale with its input")
        return np.zeros(len(ids), np.int64)


_HOMOGENEOUS = (
    None,
    keras.activations.linear,
    keras.activations.relu,
    keras.activations.leaky_relu,
)
# The last axes of a kernel: what factors for the channels in and out of it must look like.
_AXES: dict[str, Callable[[tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "in, out": lambda shape: ((shape[-2], 1), (shape[-1],)),
    "out, in": lambda shape: ((shape[-1],), (shape[-2], 1)),
    "depthwise": lambda shape: ((shape[-2], 1), (shape[-2], shape[-1])),
}
_Rule = Callable[[_Walk, _keras_internals.Call], Ids | None]


def _convolution(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer = call.operation
    if layer.groups != 1:
        return None
    ids = walk.weights(call, [(layer.kernel, "in, out")], layer.bias)
    return walk.activated(ids, layer.activation, "/".join(call.path))


def _transposed(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer = call.operation
    ids = walk.weights(call, [(layer.kernel, "out, in")], layer.bias)
    return walk.activated(ids, layer.activation, "/".join(call.path))


def _dense(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer = call.operation
    ids = walk.weights(call, [(layer.kernel, "in, out")], layer.bias)
    return walk.activated(ids, layer.activation, "/".join(call.path))


def _depthwise(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer = call.operation
    ids = walk.weights(call, [(layer.kernel, "depthwise")], layer.bias)
    return walk.activated(ids, layer.activation, "/".join(call.path))


def _separable(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer = call.operation
    parts = [(layer.depthwise_kernel, "depthwise"), (layer.pointwise_kernel, "in, out")]
    return walk.activated(walk.weights(call, parts, layer.bias), layer.activation, "/".join(call.path))


def _same(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    return walk.ids(call.taken[0])


def _activation(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    return walk.activated(walk.ids(call.taken[0]), call.operation.activation, "/".join(call.path))


def _relu(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    layer, ids = call.operation, walk.ids(call.taken[0])
    if layer.threshold:
        return None
    if layer.max_value is not None:
        walk.groups.limits.append(Limit("/".join(call.path), float(layer.max_value), ids))
    return ids


def _reshaped(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    """Channels that stay side by side on the last axis, perhaps once for each pixel."""
    ids, last = walk.ids(call.taken[0]), call.outputs[0][-1]
    return None if last is None or not len(ids) or last % len(ids) else np.tile(ids, last // len(ids))


def _sum(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    sizes = {shape[-1] for shape in call.inputs}
    if len(sizes) != 1:
        return None
    first, *others = (walk.reads(tensor) for tensor in call.taken)
    for other in others:
        walk.groups.unite(first, other, f"added in {'/'.join(call.path)!r} to what must stay as it is")
    return first


def _product(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    """One factor may be scaled, where no other one is: a gate that comes out of a sigmoid is not."""
    sizes = {shape[-1] for shape in call.inputs}
    free = [ids for ids in map(walk.reads, call.taken) if not walk.groups.locked(ids)]
    if len(sizes) != 1 or len(free) > 1:
        return None
    return free[0] if free else walk.ids(call.taken[0])


def _side_by_side(walk: _Walk, call: _keras_internals.Call) -> Ids | None:
    rank = len(call.outputs[0])
    if call.operation.axis % rank != rank - 1:
        return None
    return np.concatenate([walk.reads(tensor) for tensor in call.taken])


def _rule_of(operation: Any) -> _Rule | None:
    """Returns the rule of a layer; None where its channels must stay as they are."""
    if type(operation).__module__.split(".")[0] != "keras":
        return None  # a class of one's own may do anything with its weights
    if getattr(operation, "quantization_mode", None) or getattr(operation, "lora_enabled", False):
        return None
    if getattr(operation, "data_format", None) == "channels_first":
        return None
    return next((rule for kinds, rule in _RULES if isinstance(operation, kinds)), None)


def _layers(*names: str) -> tuple[type, ...]:
    return tuple(getattr(keras.layers, name) for name in names)


_RULES: tuple[tuple[tuple[type, ...], _Rule], ...] = (
    (_layers("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    (_layers("SeparableConv1D", "SeparableConv2D"), _separable),
    (_layers("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    (_layers("Conv1D", "Conv2D", "Conv3D"), _convolution),
    (_layers("Dense"), _dense),
    (_layers("ReLU"), _relu),
    (_layers("Activation"), _activation),
    (_layers("Add", "Subtract", "Average", "Maximum", "Minimum"), _sum),
    (_layers("Multiply"), _product),
    (_layers("Concatenate"), _side_by_side),
    (_layers("Flatten", "Reshape"), _reshaped),
    (
        _layers(
            *(f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)),
            *(f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)),
            *(f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2, 3)),
            *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout"),
            *("LeakyReLU", "PReLU", "Identity", "ActivityRegularization"),
        ),
        _same,
    ),
)
