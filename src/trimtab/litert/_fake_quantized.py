"""Models that carry their ranges: fake-quantizers in them say what the integers of the file shall mean.

Such a model is what `trimtab.quantize_aware` trains and `trimtab.quantization.calibrated` prepares. It needs
no calibration images, and converts to exactly one kind of file: static, with the weights' bits that it
carries. Its layers say so by the class attribute ``carries_ranges = True``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ConversionError, ModelError
from trimtab.litert._inspect import inspect
from trimtab.litert._layer_names import owners, suffix
from trimtab.litert._operators import Operator, float_operators
from trimtab.litert._scheme import Scheme
from trimtab.models._kinds import computes_like, nearest_kind

__all__ = [
    "carries_ranges",
    "check_ranges",
    "held_apart",
    "kept_float",
    "refuse_float_islands",
    "refuse_other_bits",
]

_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE"})


def carries_ranges(model: keras.Model) -> bool:
    """Says whether a model has fake-quantizers in it, nested or not: whether it carries its ranges.

    Such a model converts to a static integer file without calibration images.

    Args:
        model: any Keras model.
    """
    return any(_is_quantizer(layer) for layer in _keras_internals.all_layers(model))


def check_ranges(model: keras.Model, scheme: Scheme) -> None:
    """Refuses a scheme that a model with ranges cannot have, and ranges that are no numbers.

    Raises:
        ConfigError: the scheme is not one of int8 activations.
        ModelError: a range is NaN or infinite.
    """
    if scheme.activations != "int8":
        raise ConfigError(
            f"Model {model.name!r} carries its ranges already (it has fake-quantizers), so it converts to "
            f"'int8' or 'int4', with '-float-io' or without. Received: scheme={scheme.name!r}. Convert the "
            "model as it was before, or trimtab.quantization.strip(model), to have another scheme."
        )
    for layer in _keras_internals.all_layers(model):
        for variable in layer.weights if _is_quantizer(layer) else ():
            if not np.isfinite(np.asarray(keras.ops.convert_to_numpy(variable), np.float64)).all():
                raise ModelError(
                    f"The range {variable.path!r} of model {model.name!r} is NaN or infinite. Calibrate it "
                    "on real images, or train again with a smaller learning rate."
                )


_DIMENSIONS = (1, 2, 3)
_PRODUCTS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    *(getattr(keras.layers, f"Conv{dimensions}D") for dimensions in _DIMENSIONS),
    *(getattr(keras.layers, f"Conv{dimensions}DTranspose") for dimensions in _DIMENSIONS),
)
"""Layers whose input meets their kernel in a product, and nothing else."""


@contextlib.contextmanager
def held_apart(model: keras.Model) -> Iterator[None]:
    """Keeps float layers float while a model with ranges is written, which the converter would not.

    It makes integers of any kernel whose input and output have ranges, whether or not the kernel has one. So
    the input is negated before such a layer, and the kernel with it, which changes no output by a bit:
    LiteRT has no integer kernel for the negation, and the converter leaves both in float.
    """
    layers = _float_kernels(model)
    kernels = [keras.ops.convert_to_numpy(layer.kernel).copy() for layer in layers]
    try:
        for layer, kernel in zip(layers, kernels, strict=True):
            layer.kernel.assign(-kernel)
            object.__setattr__(layer, "call", _negating(layer.call))  # past the tracking of attributes
        yield
    finally:
        for layer, kernel in zip(layers, kernels, strict=True):
            if "call" in vars(layer):
                object.__delattr__(layer, "call")
            layer.kernel.assign(kernel)


def _negating(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda inputs, *args, **options: call(-inputs, *args, **options)


def _float_kernels(model: keras.Model) -> list[Any]:
    """Lists the layers that are float on purpose, and give the same with input and kernel negated.

    A layer of another class may do anything with its kernel, and with its input besides.
    """
    return [layer for layer in _inner_layers(model) if not _is_quantizer(layer) and _multiplies(layer)]


def _multiplies(layer: Any) -> bool:
    """Says whether a layer computes as one of `_PRODUCTS`."""
    kind = nearest_kind(type(layer), _PRODUCTS)
    return kind is not None and computes_like(type(layer), kind)


def kept_float(model: keras.Model, content: bytes) -> frozenset[str]:
    """Names the tensors of a file that are float32 since their layers are float on purpose.

    A layer of a model with ranges is float on purpose where it has weights and no ranges, or says so by an
    attribute ``kept_float``; operators such as `keras.ops.sin` are, since they cannot have ranges.

    Args:
        model: a model that carries ranges.
        content: its file.
    """
    layers = [layer for layer in _inner_layers(model) if not _is_quantizer(layer)]
    kept = [layer.name for layer in layers if layer.weights or getattr(layer, "kept_float", False)]
    every, end, loose = [layer.name for layer in _inner_layers(model)], _suffix(model, content), _loose(model)
    floats = float_operators(content)

    def explained(operator: Operator) -> bool:
        names = [tensor.name for tensor in operator.outputs]
        return any(owners(name, kept, end) or (loose and not owners(name, every, end)) for name in names)

    found = _with_neighbours([operator for operator in floats if explained(operator)], floats)
    return frozenset(tensor.name for operator in found for tensor in operator.outputs)


def _with_neighbours(found: list[Operator], floats: Sequence[Operator]) -> list[Operator]:
    """Adds operators that only move numbers, beside those found: rounding may move past them."""
    while True:
        edges = {at for operator in found for at in _computed(operator)}
        more = [
            operator
            for operator in floats
            if operator not in found and operator.name in _MOVES and edges & _computed(operator)
        ]
        if not more:
            return found
        found = [*found, *more]


def _computed(operator: Operator) -> set[int]:
    """Returns the indices of the tensors that an operator takes or gives, without constants."""
    taken = zip(operator.taken, operator.inputs, strict=True)
    return {*operator.given, *(at for at, tensor in taken if tensor is not None and not tensor.constant)}


def _loose(model: keras.Model) -> bool:
    """Says whether a model has operators of `keras.ops` between its layers; their tensors bear no name."""
    found = []

    def visit(call: _keras_internals.Call) -> None:
        found.append(not isinstance(call.operation, keras.Layer))

    if _keras_internals.graph_of(model) is not None:
        _keras_internals.walk_graph(model, list(model.inputs), visit)
    return any(found)


def refuse_float_islands(model: keras.Model, content: bytes) -> None:
    """Refuses a file that computes in float32 where the model means integers.

    The converter raises no error where a fake-quantizer is missing: it leaves the layer float, and the file
    becomes slower than it looks.

    Raises:
        ConversionError: an operator computes in float32, and is not of a layer that is float on purpose; or a
            layer that is has become one of integers.
    """
    kept = kept_float(model, content)
    end = _suffix(model, content)
    for layer in _float_kernels(model):
        if not any(owners(name, [layer.name], end) for name in kept):
            raise ConversionError(
                f"Layer {layer.name!r} of model {model.name!r} is to stay float, and is not so in the file. "
                "Give it a fake-quantizer like the others, or report it with the model."
            )
    islands = [
        (operator.name, tensor.name)
        for operator in float_operators(content)
        for tensor in operator.outputs
        if tensor.name not in kept
    ]
    if not islands:
        return
    operator, tensor = islands[0]
    layers = owners(tensor, [layer.name for layer in _inner_layers(model)], end)
    place = f"layer {' + '.join(dict.fromkeys(layers))}" if layers else f"tensor {tensor!r}"
    raise ConversionError(
        f"Model {model.name!r} carries ranges, yet {len(islands)} operator(s) of its file compute in "
        f"float32; the first is {operator} at {place}. Put a fake-quantizer behind that layer, or keep it "
        "float on purpose (keep_float)."
    )


def _inner_layers(model: keras.Model) -> list[Any]:
    """Lists the layers that compute, nested ones too, without the models around them."""
    return [layer for layer in _keras_internals.all_layers(model) if _keras_internals.graph_of(layer) is None]


def _suffix(model: keras.Model, content: bytes) -> str:
    """Returns what TensorFlow appended to the names of layers."""
    return suffix(model.name, (tensor.name for tensor in inspect(content).tensors)) or ""


def refuse_other_bits(model: keras.Model, content: bytes, scheme: Scheme) -> None:
    """Refuses a file whose weights have other bits than the scheme says.

    Raises:
        ConfigError: the model carries ranges of weights of 8 bits, and 4 were asked for, or the reverse.
    """
    narrow = any(tensor.dtype == "int4" for tensor in inspect(content).tensors)
    if narrow != (scheme.weights == "int4"):
        have, other = (4, "int4") if narrow else (8, "int8")
        raise ConfigError(
            f"Model {model.name!r} carries ranges for weights of {have} bits. Received: scheme="
            f"{scheme.name!r}. Choose {other!r}, or prepare the model again with "
            f"weights_bits={8 if narrow else 4}."
        )


def _is_quantizer(layer: object) -> bool:
    return bool(getattr(layer, "carries_ranges", False))
