"""Is each weight of a quantized file the model's own, rounded? A proof that no depth of layers can blur.

Rounding errors add up from layer to layer, so that a deep network's outputs may move as far by rounding alone
as a shallow one's by a damaged kernel. The weights tell the two apart: in a sound file each is within half a
step of the float file's, however deep the network is; a negated, shuffled or emptied one is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.litert._inspect import TensorInfo, inspect, is_weight, numbers_of
from trimtab.litert._operators import operators

__all__ = ["first_weight_that_differs"]

_MOST = {"int8": 127, "int4": 7}  # steps that the largest weight of a channel is rounded to, or more
_HALF_STEP = 0.501
_FLOAT_ERROR = 1e-6  # of the largest weight: what folding in another order may change
_HALF_ERROR = 2.0**-11  # of the weight itself, where it is stored in float16
_DTYPES = {"float32": "<f4", "float16": "<f2", "int8": "i1", "int32": "<i4", "int64": "<i8"}


@dataclass(frozen=True)
class _Weight:
    """One constant of an operator.

    Args:
        name: of its tensor.
        dtype: as it is stored.
        values: what it means, float64.
        step: size of a quantization step, broadcastable to `values`; 0 where it is not quantized.
    """

    name: str
    dtype: str
    values: np.ndarray
    step: np.ndarray


def first_weight_that_differs(reference: bytes, content: bytes) -> str | None:
    """Compares the weights of a quantized file with those of a float file of the same model.

    Args:
        reference: a float32 file of the model.
        content: the quantized file.

    Returns:
        One sentence on the first weight that is not the reference's rounded, or on why the files cannot be
        compared; None where all agree.
    """
    wanted, found = _weights(reference), _weights(content)
    if [(name, len(weights)) for name, weights in wanted] != [
        (name, len(weights)) for name, weights in found
    ]:
        return "Its operators are not those of the float file, so that the weights cannot be compared."
    for (_, ours), (_, theirs) in zip(wanted, found, strict=True):
        for whole, rounded in zip(ours, theirs, strict=True):
            if not _agrees(whole, rounded):
                return f"Its weight {_short(whole.name)!r} is not the model's, rounded."
    return None


def _agrees(whole: _Weight, rounded: _Weight) -> bool:
    """True where one constant is the other, rounded to steps that are no larger than they must be."""
    if whole.values.shape != rounded.values.shape:
        return False
    largest = np.max(np.abs(whole.values), initial=0.0)
    allowed = np.broadcast_to(_HALF_STEP * rounded.step, whole.values.shape)
    if rounded.dtype in _MOST:
        # A file whose steps are too coarse for its weights is within half a step of anything.
        axes = tuple(
            axis for axis in range(whole.values.ndim) if rounded.step.shape[axis : axis + 1] in ((1,), ())
        )
        finest = np.max(np.abs(whole.values), axis=axes, keepdims=True, initial=0.0) / _MOST[rounded.dtype]
        allowed = np.minimum(allowed, _HALF_STEP * 2.1 * finest)
    elif rounded.dtype == "float16":
        allowed = allowed + _HALF_ERROR * np.abs(whole.values)
    return bool((np.abs(whole.values - rounded.values) <= allowed + _FLOAT_ERROR * largest).all())


def _weights(content: bytes) -> list[tuple[str, list[_Weight]]]:
    """Lists the operators that have weights, each with them, in the order in which they run."""
    read = _reader(content)
    tensors = inspect(content).tensors
    sources: dict[int, int] = {}
    listed = []
    for operator in operators(content):
        constants = [sources.get(at, at) for at in operator.taken if at >= 0]
        constants = [at for at in constants if tensors[at].constant and _compared(tensors[at])]
        if operator.name in ("QUANTIZE", "DEQUANTIZE"):  # of a constant: the reader takes the constant itself
            sources.update(dict.fromkeys(operator.given, constants[0]) if constants else {})
        elif constants:
            listed.append((operator.name, [read(tensors[at], at) for at in constants]))
    return listed


def _compared(tensor: TensorInfo) -> bool:
    """True for a constant whose numbers are weights, and readable."""
    return is_weight(tensor) and (tensor.dtype in _DTYPES or tensor.dtype == "int4")


def _reader(content: bytes) -> Callable[[TensorInfo, int], _Weight]:
    """Returns what reads the constant that is a file's tensor of some index."""
    from ai_edge_litert import schema_py_generated as schema

    model, tensors = schema.Model.GetRootAs(content, 0), inspect(content).tensors

    def read(tensor: TensorInfo, at: int) -> _Weight:
        values = _numbers(tensor, numbers_of(content, model, tensor.buffer)).astype(np.float64)
        quantization = model.Subgraphs(0).Tensors(at).Quantization()
        if quantization is not None and quantization.ScaleLength():
            return _dequantized(tensor, values, quantization)
        details = schema.QuantizationDetails
        if quantization is None or quantization.DetailsType() != details.BlockwiseQuantization:
            return _Weight(tensor.name, tensor.dtype, values, np.zeros((1,) * values.ndim))
        blocks, table = schema.BlockwiseQuantization(), quantization.Details()
        blocks.Init(table.Bytes, table.Pos)
        scales = tensors[blocks.Scales()]
        steps = _numbers(scales, numbers_of(content, model, scales.buffer)).astype(np.float64)
        step = np.repeat(steps.reshape(values.shape[0], -1), blocks.BlockSize(), axis=-1)
        return _Weight(tensor.name, "blocks", values * step, step)

    return read


def _numbers(tensor: TensorInfo, data: np.ndarray) -> np.ndarray:
    """Returns the numbers that the bytes of a constant are."""
    if tensor.dtype != "int4":
        return data.view(_DTYPES[tensor.dtype]).reshape(tensor.shape)
    halves = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)[: tensor.elements].astype(np.int64)
    return np.where(halves > 7, halves - 16, halves).reshape(tensor.shape)


def _dequantized(tensor: TensorInfo, values: np.ndarray, quantization: Any) -> _Weight:
    """Returns a constant whose integers stand for real numbers."""
    scales = np.asarray(quantization.ScaleAsNumpy(), np.float64)
    points = np.zeros(1)
    if quantization.ZeroPointLength():
        points = np.asarray(quantization.ZeroPointAsNumpy(), np.float64)
    shape = [1] * values.ndim
    if scales.size > 1:
        shape[quantization.QuantizedDimension()] = scales.size
    step = scales.reshape(shape)
    offset = points.reshape(shape) if points.size > 1 else points
    return _Weight(tensor.name, tensor.dtype, (values - offset) * step, step)


def _short(name: str) -> str:
    """Returns a tensor's name without those of the operators that were fused with it."""
    return name.split(";")[0][:80]
