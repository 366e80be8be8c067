"""The kernels of a model, wherever they are nested: what pruning and clustering work on.

Biases, normalisation and embeddings are left alone: they are small, or each of their numbers carries much.
A layer class of one's own says which weights of it are meant::

    @trimtab.pruning.prunable_weights.register(MyLayer)
    def _(layer):
        return (layer.projection,)

A class that has a method `get_prunable_weights`, as TensorFlow Model Optimization asks for it, needs no
more than that method.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError

__all__ = [
    "PrunableWeight",
    "Technique",
    "as_numpy",
    "check_model",
    "find_weights",
    "input_axis",
    "prunable_weights",
]

_KERAS_2 = ("tf_keras", "tensorflow.python.keras", "keras.engine", "keras.src.engine")


@functools.singledispatch
def prunable_weights(layer: Any) -> tuple[Any, ...]:  # noqa: ARG001
    """Returns the weights of a layer that may be pruned or clustered; register a function for your class.

    The class decides, and a subclass does as its parent does. A layer whose class (or a parent of it)
    is not registered has none of its own. The layers inside it are asked in turn either way, so name only
    what the layer itself made. A layer with a method `get_prunable_weights` is asked by that method
    instead. A model of your own class that makes weights itself is asked like a layer.

    Args:
        layer: a built Keras layer.

    Returns:
        Its weights (`keras.Variable`) that may be pruned or clustered.

    Example:
        >>> prunable_weights.register(MyLayer, lambda layer: (layer.projection,))
    """
    return ()


@prunable_weights.register(keras.layers.Dense)
@prunable_weights.register(keras.layers.EinsumDense)
@prunable_weights.register(keras.layers.Conv1D)
@prunable_weights.register(keras.layers.Conv2D)
@prunable_weights.register(keras.layers.Conv3D)
@prunable_weights.register(keras.layers.Conv1DTranspose)
@prunable_weights.register(keras.layers.Conv2DTranspose)
@prunable_weights.register(keras.layers.Conv3DTranspose)
@prunable_weights.register(keras.layers.DepthwiseConv1D)
@prunable_weights.register(keras.layers.DepthwiseConv2D)
@prunable_weights.register(keras.layers.SeparableConv1D)
@prunable_weights.register(keras.layers.SeparableConv2D)
@prunable_weights.register(keras.layers.SimpleRNNCell)
@prunable_weights.register(keras.layers.GRUCell)
@prunable_weights.register(keras.layers.LSTMCell)
def _kernels(layer: Any) -> tuple[Any, ...]:
    """Returns the kernels, looked up by name: the attribute of an adapted (LoRA) layer is no variable."""
    names = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel")
    return tuple(weight for weight in _made_by(layer) if weight.name in names)


@functools.singledispatch
def input_axis(layer: Any, weight: Any) -> int | None:  # noqa: ARG001
    """Tells along which axis of a layer's weight its inputs lie, for patterns such as 2:4.

    Register a function for your layer class, as for `prunable_weights`. Without one, a class of your
    own has no such axis, and patterns along the inputs leave its weights alone.

    Args:
        layer: a built Keras layer.
        weight: one of its prunable weights.

    Returns:
        The axis, counted from the end (-2 for a dense kernel), or None: each input has weights of its own.

    Example:
        >>> input_axis.register(MyLayer, lambda layer, weight: -2)
    """
    return None


@input_axis.register(keras.layers.Dense)
@input_axis.register(keras.layers.Conv1D)
@input_axis.register(keras.layers.Conv2D)
@input_axis.register(keras.layers.Conv3D)
@input_axis.register(keras.layers.SimpleRNNCell)
@input_axis.register(keras.layers.GRUCell)
@input_axis.register(keras.layers.LSTMCell)
def _before_last(layer: Any, weight: Any) -> int | None:  # noqa: ARG001
    """Kernels of shape (..., inputs, outputs)."""
    return -2


@input_axis.register(keras.layers.Conv1DTranspose)
@input_axis.register(keras.layers.Conv2DTranspose)
@input_axis.register(keras.layers.Conv3DTranspose)
def _last(layer: Any, weight: Any) -> int | None:  # noqa: ARG001
    """Kernels of shape (..., outputs, inputs)."""
    return -1


@input_axis.register(keras.layers.DepthwiseConv1D)
@input_axis.register(keras.layers.DepthwiseConv2D)
def _none(layer: Any, weight: Any) -> int | None:  # noqa: ARG001
    """A depthwise kernel adds nothing up over the channels, whatever class it descends from."""
    return None


@input_axis.register(keras.layers.SeparableConv1D)
@input_axis.register(keras.layers.SeparableConv2D)
def _of_two(layer: Any, weight: Any) -> int | None:  # noqa: ARG001
    """The pointwise kernel has the axis, the depthwise kernel has none."""
    return -2 if weight.name == "pointwise_kernel" else None


@input_axis.register(keras.layers.EinsumDense)
def _summed(layer: Any, weight: Any) -> int | None:
    """The last axis of the kernel that the equation sums over."""
    inputs, rest = layer.equation.replace("...", "").split(",")
    kernel, outputs = (part.strip() for part in rest.split("->"))
    summed = [place for place, letter in enumerate(kernel) if letter in inputs and letter not in outputs]
    return summed[-1] - len(weight.shape) if summed else None


@dataclasses.dataclass(frozen=True)
class Technique:
    """How messages speak of what is done to the weights.

    Attributes:
        do: such as "prune".
        done: such as "pruned".
        able: such as "prunable".
    """

    do: str
    done: str
    able: str


@dataclasses.dataclass(frozen=True, eq=False)
class PrunableWeight:
    """One weight that may be pruned or clustered, and where it sits in the model.

    Attributes:
        layer: name of the layer; inside nested models and layers "outer/inner"; for a weight of the model's
            own, the model's name. Layers of one name side by side are numbered: "dense#1", "dense#2".
        variable: the weight, a `keras.Variable`.
        axis: along which axis (counted from the end) the inputs lie; None: along none.
        around: the layer itself, after the models and layers that it is nested in.
    """

    layer: str
    variable: Any
    axis: int | None = None
    around: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """Name of the weight inside its layer, such as ``"kernel"``."""
        return str(self.variable.name)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(int(length) for length in self.variable.shape)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape))

    def zeros(self) -> int:
        """Counts the numbers that are zero."""
        return self.size - int(np.count_nonzero(as_numpy(self.variable)))


def find_weights(
    model: keras.Model, technique: Technique
) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Finds each weight of a model that a technique may change, and says why the other layers have none.

    Args:
        model: a built Keras 3 model.
        technique: what is to be done to them.

    Returns:
        The weights in the order of the layers, and (layer name, reason) of layers without any.

    Raises:
        ConfigError: a layer names weights which are not its own.
    """
    found: list[PrunableWeight] = []
    skipped: list[tuple[str, str]] = []
    owners: dict[int, tuple[str, Any]] = {}
    for name, around in _walk(model):
        layer = around[-1]
        outside = [model, *around[:-1]]
        # What a block names of the layers inside it is the block's, and not told again for those.
        named = _asked(name, layer)
        asked = [weight for weight in named if not _claimed(weight, owners, outside)]
        reasons = [_unfit(weight, owners, technique) for weight in asked]
        for weight, reason in zip(asked, reasons, strict=True):
            if reason is None:
                owners[id(weight)] = name, layer
                found.append(PrunableWeight(name, weight, _axis(layer, weight), around))
        own = _made_by(layer)
        if all(reasons) and (reasons or own) and len(asked) == len(named):
            skipped.append((name, next(iter(reasons), None) or _untold(layer, own, technique)))
    return found, skipped


def check_model(model: Any) -> None:
    """Raises `ModelError` unless `model` is a Keras 3 model whose weights exist."""
    if not isinstance(model, keras.Model):
        for kind in type(model).__mro__:
            if kind.__module__.startswith(_KERAS_2):
                raise ModelError(
                    f"The model is a Keras 2 model ({kind.__module__}), but Trimtab works on Keras 3 models. "
                    "Save it as .h5 and load the file with trimtab.load_model, and unset TF_USE_LEGACY_KERAS."
                )
        hint = " Load the file with trimtab.load_model first." if isinstance(model, str) else ""
        raise ModelError(f"A Keras 3 model is needed, but got {type(model).__name__}.{hint}")
    # A deferred model may call itself built while layers of it have no weights yet.
    if not model.built or not model.weights:
        raise ModelError(
            f"The model {model.name!r} has no weights yet. Call it once on a batch of images, "
            "or give it an Input layer."
        )


def as_numpy(values: Any) -> np.ndarray:
    """Returns a variable's or a tensor's values as a float32 or float64 array (NumPy has no bfloat16)."""
    # Through the backend's value: Keras' own conversion of a variable makes NumPy 2 warn.
    tensor = values.value if isinstance(values, keras.Variable) else values
    array: np.ndarray = np.asarray(keras.ops.convert_to_numpy(tensor))
    return array if array.dtype == np.float64 else array.astype(np.float32)


def _walk(model: keras.Model) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Walks through the model and all layers in it, each once; each comes before the layers inside it."""
    yield str(model.name), (model,)
    yield from _inside(model, "", (), {id(model)})


def _inside(
    layer: Any, path: str, around: tuple[Any, ...], seen: set[int]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Walks through the layers inside one, with the path of each."""
    children = _keras_internals.sublayers(layer)
    count = Counter(child.name for child in children)
    number: Counter[str] = Counter()
    for child in children:
        number[child.name] += 1
        if id(child) in seen:
            continue
        seen.add(id(child))
        twin = f"#{number[child.name]}" if count[child.name] > 1 else ""
        name, inside = f"{path}{child.name}{twin}", (*around, child)
        yield name, inside
        yield from _inside(child, f"{name}/", inside, seen)


def _made_by(layer: Any) -> list[Any]:
    """Returns the weights that a layer made itself, and not a layer inside it."""
    below = {id(weight) for child in _keras_internals.sublayers(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in below]


def _claimed(weight: Any, owners: dict[int, tuple[str, Any]], layers: Sequence[Any]) -> bool:
    """Tells whether a weight has been named by one of these layers."""
    return id(weight) in owners and any(owners[id(weight)][1] is layer for layer in layers)


def _untold(layer: Any, own: Sequence[Any], technique: Technique) -> str:
    """Says why a layer that names no weight has none to work on."""
    kind = type(layer).__name__
    if _says_which(layer) or not _keras_internals.sublayers(layer):
        return f"{kind} has no kernel that may be {technique.done}"
    names = ", ".join(dict.fromkeys(str(weight.name) for weight in own))
    return f"{kind} makes weights of its own ({names}) that prunable_weights knows nothing of"


def _says_which(layer: Any) -> bool:
    """Tells whether a layer says which of its weights are meant: by its class, or by TFMOT's method."""
    registered = prunable_weights.dispatch(type(layer)) is not prunable_weights.dispatch(object)
    return registered or callable(getattr(layer, "get_prunable_weights", None))


def _asked(name: str, layer: Any) -> list[Any]:
    """Asks a layer for its kernels; raises `ConfigError` where they are no weights of it."""
    method = getattr(layer, "get_prunable_weights", None)
    given = method() if callable(method) else prunable_weights(layer)
    weights = [given] if isinstance(given, keras.Variable) else given
    own = {id(weight) for weight in layer.weights}
    asked = "get_prunable_weights()" if callable(method) else "the function registered for it"
    if not isinstance(weights, list | tuple | set | frozenset):
        raise ConfigError(
            f"{asked} of layer {name!r} ({type(layer).__name__}) must return a list of the layer's weights, "
            f"but gave {type(given).__name__}."
        )
    for weight in weights:
        if id(weight) not in own:
            what = getattr(weight, "name", None) or type(weight).__name__
            raise ConfigError(
                f"{asked} of layer {name!r} ({type(layer).__name__}) gave {what!r}, which is none of the "
                f"layer's weights ({', '.join(w.name for w in layer.weights) or 'it has none'}). Return the "
                "variables that add_weight() made."
            )
    return list(weights)


def _unfit(weight: Any, owners: dict[int, tuple[str, Any]], technique: Technique) -> str | None:
    """Says why a weight that its layer names cannot be used; None if it can."""
    dtype = str(keras.backend.standardize_dtype(weight.dtype))
    if id(weight) in owners:
        return f"shares its {weight.name} with layer {owners[id(weight)][0]!r}"
    if dtype not in ("float16", "bfloat16", "float32", "float64"):
        return f"its {weight.name} is {dtype}: {technique.do} before quantizing"
    return None if all(weight.shape) else f"its {weight.name} is empty"


def _axis(layer: Any, weight: Any) -> int | None:
    """Returns the axis of the inputs where the weight is one that the layer's class tells it for."""
    axis = input_axis(layer, weight)
    if axis is None:
        return None
    rank = len(weight.shape)
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
        raise ConfigError(
            f"input_axis of layer {layer.name!r} ({type(layer).__name__}) must give an axis of its "
            f"{weight.name} of shape {tuple(weight.shape)}, such as -2, or None, but gave {axis!r}."
        )
    return axis if axis < 0 else axis - rank
