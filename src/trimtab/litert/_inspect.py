"""What is inside a LiteRT file, read from its bytes without TensorFlow."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.errors import ConversionError, ModelError, first_line
from trimtab.litert._tensor_names import names_by_operators

__all__ = [
    "FileSummary",
    "TensorInfo",
    "inspect",
    "is_weight",
    "numbers_of",
    "op_name",
    "read_content",
    "tensors_of",
]

_TRAINED_TYPES = ("float32", "float16", "int8", "uint8", "int4")
# Operators that leave the meaning of the numbers as it is, as the layers do that `has_softmax` sees through.
_NEUTRAL_OPS = ("QUANTIZE", "DEQUANTIZE", "CAST", "RESHAPE", "SQUEEZE")
_NUMPY = {"float32": "<f4", "float16": "<f2", "int8": "i1", "uint8": "u1", "int32": "<i4", "int64": "<i8"}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file.

    Args:
        name: its name, which the converter makes of the names of the layers it came from; without one, what
            it is to the operator that makes or first reads it, such as ``"conv_2d_0/kernel"``.
        dtype: number type, as NumPy calls it.
        shape: dimensions.
        bytes: bytes of its constant content in the file; 0 for what is computed.
        elements: numbers in its constant content; 0 for what is computed.
        non_zeros: numbers among them that do not mean 0.
        quantized: True where integers stand for real numbers.
        scale: quantization step; None where not quantized or where there is one per channel.
        zero_point: the integer that means 0; None likewise.
        buffer: index of its content in the file; tensors with equal content share it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    elements: int
    non_zeros: int
    quantized: bool
    scale: float | None
    zero_point: int | None
    buffer: int

    @property
    def constant(self) -> bool:
        """True for weights, biases and other constants, False for what is computed from the image."""
        return self.bytes > 0


@dataclass(frozen=True)
class FileSummary:
    """What a LiteRT file holds.

    Args:
        bytes: length of the file.
        ops: operators and how often each occurs.
        tensors: all tensors, in the file's order.
        input: the image.
        output: the class scores.
        weight_bytes: bytes of all constants, each stored once.
        parameters: numbers in the weights and biases, each stored once; shapes and axes do not count.
        non_zeros: numbers among them that do not mean 0.
        float_tensors: names of the tensors of type float32, constants included.
        ends_in_softmax: True where the last operator (but for changes of type or shape) is a softmax.
    """

    bytes: int
    ops: Mapping[str, int]
    tensors: tuple[TensorInfo, ...] = field(repr=False)
    input: TensorInfo
    output: TensorInfo
    weight_bytes: int
    parameters: int
    non_zeros: int
    float_tensors: tuple[str, ...]
    ends_in_softmax: bool


def inspect(source: str | os.PathLike[str] | bytes) -> FileSummary:
    """Reads what a LiteRT file holds: operators, tensors, weights, quantization.

    Args:
        source: path of a `.tflite` file, or its bytes.

    Raises:
        ModelError: there is no such file.
        ConversionError: it is not a LiteRT file, is truncated, or has several inputs or outputs.
    """
    content, name = read_content(source)
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        tensors = tensors_of(schema, model, content)
        ops = [op_name(schema, model, graph.Operators(at)) for at in range(graph.OperatorsLength())]
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise ConversionError(
                f"{name} has {graph.InputsLength()} inputs and {graph.OutputsLength()} outputs; an image "
                "classifier has one of each."
            )
        stored = {tensor.buffer: tensor for tensor in tensors if tensor.constant}
        weights = [tensor for tensor in stored.values() if is_weight(tensor)]
        return FileSummary(
            bytes=len(content),
            ops=dict(sorted(Counter(ops).items())),
            tensors=tensors,
            input=tensors[graph.Inputs(0)],
            output=tensors[graph.Outputs(0)],
            weight_bytes=sum(tensor.bytes for tensor in stored.values()),
            parameters=sum(tensor.elements for tensor in weights),
            non_zeros=sum(tensor.non_zeros for tensor in weights),
            float_tensors=tuple(tensor.name for tensor in tensors if tensor.dtype == "float32"),
            ends_in_softmax=_last_op(schema, model, graph) == "SOFTMAX",
        )
    except (ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        raise ConversionError(f"{name} cannot be read as a LiteRT file ({error}).") from error


def read_content(source: str | os.PathLike[str] | bytes) -> tuple[bytes, str]:
    """Returns a file's bytes, verified to be a whole LiteRT file, and what to call it in messages.

    Raises:
        ModelError: there is no such file, or it cannot be read.
        ConversionError: it is not a LiteRT file, or is truncated.
    """
    if isinstance(source, bytes | bytearray):
        content, name = bytes(source), "The given content"
    else:
        name = str(source)
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise ModelError(
                f"{name} cannot be read: {error.strerror}. Give the path of a .tflite file."
            ) from error
    if content[4:8] != b"TFL3":
        raise ConversionError(
            f"{name} is not a LiteRT file: its first bytes are {content[:8]!r}, and 'TFL3' was expected at "
            "the fifth. Give a .tflite file."
        )
    from ai_edge_litert.interpreter import Interpreter

    from trimtab._quiet import quiet_native_logs

    try:
        with quiet_native_logs():
            Interpreter(model_content=content)  # checks every offset; nothing is allocated
    except (ValueError, RuntimeError) as error:
        raise ConversionError(
            f"{name} is a damaged or truncated LiteRT file ({len(content)} bytes): "
            f"{first_line(error, 160)}. Export the model again."
        ) from error
    return content, name


def tensors_of(schema: Any, model: Any, content: bytes) -> tuple[TensorInfo, ...]:
    """Reads the tensors of a file's one graph; those without a name get one of who makes or reads them."""
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(at) for at in range(graph.TensorsLength())]
    operators = [graph.Operators(at) for at in range(graph.OperatorsLength())]
    names = names_by_operators(
        len(tensors),
        [
            (
                op_name(schema, model, operator),
                [int(operator.Inputs(at)) for at in range(operator.InputsLength())],
                [int(operator.Outputs(at)) for at in range(operator.OutputsLength())],
            )
            for operator in operators
        ],
    )
    pairs = zip(tensors, names, strict=True)
    return tuple(_tensor(schema, model, content, tensor, name) for tensor, name in pairs)


def _tensor(schema: Any, model: Any, content: bytes, tensor: Any, name: str) -> TensorInfo:
    """Reads one tensor; `name` is for one that has none."""
    dtype = _enum_name(schema.TensorType, tensor.Type())
    shape = tuple(int(tensor.Shape(at)) for at in range(tensor.ShapeLength()))
    data = numbers_of(content, model, tensor.Buffer())
    quantization = tensor.Quantization()
    scales = quantization.ScaleLength() if quantization is not None else 0
    single = scales == 1 and quantization.ZeroPointLength() <= 1
    zero_point = int(quantization.ZeroPoint(0)) if single and quantization.ZeroPointLength() else 0
    elements = math.prod(shape) if len(data) else 0
    return TensorInfo(
        name=(tensor.Name() or b"").decode("utf-8", "replace") or name,
        dtype=dtype,
        shape=shape,
        bytes=len(data),
        elements=elements,
        non_zeros=_non_zeros(data, dtype, elements, zero_point),
        quantized=scales > 0,
        scale=float(quantization.Scale(0)) if single else None,
        zero_point=zero_point if single else None,
        buffer=int(tensor.Buffer()),
    )


def numbers_of(content: bytes, model: Any, index: int) -> np.ndarray:
    """Returns the bytes of a buffer; empty for tensors that are computed.

    They stand in the flatbuffer, or behind it, as `ai-edge-quantizer` writes them.
    """
    buffer = model.Buffers(index)
    if buffer.Offset() > 1:  # 0 and 1 say that there is no such place
        return np.frombuffer(content, np.uint8, buffer.Size(), buffer.Offset())
    data = buffer.DataAsNumpy()
    return data if isinstance(data, np.ndarray) else np.empty(0, np.uint8)


def _non_zeros(data: np.ndarray, dtype: str, elements: int, zero_point: int) -> int:
    """Counts the numbers that do not mean 0."""
    if not len(data):
        return 0
    if dtype == "int4":  # two to a byte, the low half first
        halves = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)[:elements]
        return int(np.count_nonzero(halves))
    if dtype not in _NUMPY:
        return elements
    return int(np.count_nonzero(data.view(_NUMPY[dtype]) != zero_point))


def is_weight(tensor: TensorInfo) -> bool:
    """True for weights and biases: a bias of an int8 file is int32, as a shape is, but quantized."""
    return tensor.dtype in _TRAINED_TYPES or (tensor.dtype in ("int32", "int64") and tensor.quantized)


def op_name(schema: Any, model: Any, operator: Any) -> str:
    """Returns the operator's name, such as CONV_2D; custom ones by the name they give themselves."""
    code = model.OperatorCodes(operator.OpcodeIndex())
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == schema.BuiltinOperator.CUSTOM:
        return (code.CustomCode() or b"custom").decode("utf-8", "replace")
    return _enum_name(schema.BuiltinOperator, number).upper()


def _last_op(schema: Any, model: Any, graph: Any) -> str:
    """Returns the operator that makes the output, seen through changes of number type and shape."""
    makers = {
        int(operator.Outputs(at)): operator
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength()))
        for at in range(operator.OutputsLength())
    }
    wanted = int(graph.Outputs(0))
    while wanted in makers:
        name = op_name(schema, model, makers[wanted])
        if name not in _NEUTRAL_OPS:
            return name
        wanted = int(makers[wanted].Inputs(0))
    return ""


def _enum_name(enum: Any, number: int) -> str:
    """Returns the name of a number in one of the schema's enumerations, in lower case."""
    for name, value in vars(enum).items():
        if value == number and not name.startswith("_"):
            return str(name).lower()
    return f"unknown_{number}"
