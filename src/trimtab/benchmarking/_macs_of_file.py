"""Multiply-accumulates of a LiteRT file, counted from the shapes of its operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["macs_of_file"]

Shape = tuple[int, ...]


def macs_of_file(content: bytes) -> tuple[int | None, tuple[str, ...]]:
    """Counts the multiply-accumulates that a LiteRT file needs for one image.

    Args:
        content: of a valid `.tflite` file; its first subgraph counts.

    Returns:
        The count, None where some operator cannot be counted; and the names of those operators.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    macs, uncounted = 0, set()
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Files of before 2020 hold the operator in one byte, newer ones in both places.
        name = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM")
        if name in _RULES:
            inputs = [_shape(graph, operator.Inputs(place)) for place in range(operator.InputsLength())]
            if name == "BATCH_MATMUL" and _first_is_transposed(schema, operator):
                inputs[0] = (*inputs[0][:-2], inputs[0][-1], inputs[0][-2])
            macs += _RULES[name](inputs, _shape(graph, operator.Outputs(0)))
        elif name in _UNCOUNTABLE or name.startswith("STABLEHLO"):
            uncounted.add(name)
    batch = max((_shape(graph, graph.Inputs(0)) or (1,))[0], 1)
    return (None if uncounted else macs // batch), tuple(sorted(uncounted))


def _first_is_transposed(schema: Any, operator: Any) -> bool:
    """True where a product takes its first matrix transposed. The second's form is in the output's shape."""
    table = operator.BuiltinOptions()
    if table is None:
        return False
    options = schema.BatchMatMulOptions()
    options.Init(table.Bytes, table.Pos)
    return bool(options.AdjX())


def _shape(graph: Any, tensor: int) -> Shape:
    """Gives the shape of a tensor; an empty one for an input that was left out."""
    found = graph.Tensors(int(tensor)) if tensor >= 0 else None
    return tuple(int(found.Shape(axis)) for axis in range(found.ShapeLength())) if found else ()


def _convolution(inputs: list[Shape], output: Shape) -> int:
    """Counts a convolution: its kernel is (outputs, height, width, inputs of the group)."""
    return math.prod(output) * math.prod(inputs[1][1:])


def _depthwise(inputs: list[Shape], output: Shape) -> int:
    """Counts a depthwise convolution: its kernel is (1, height, width, outputs)."""
    return math.prod(output) * math.prod(inputs[1][1:3])


def _dense(inputs: list[Shape], output: Shape) -> int:
    """Counts a fully connected layer: its kernel is (outputs, inputs)."""
    return math.prod(output) * inputs[1][-1]


def _transposed(inputs: list[Shape], output: Shape) -> int:  # noqa: ARG001 - one form for all rules
    """Counts a transposed convolution: each input pixel meets the kernel (outputs, height, width, inputs)."""
    return math.prod(inputs[2]) * math.prod(inputs[1][:3])


def _matrix_product(inputs: list[Shape], output: Shape) -> int:
    """Counts a product of matrices: each output sums over the last axis of the first."""
    return math.prod(output) * inputs[0][-1]


_RULES: dict[str, Callable[[list[Shape], Shape], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _matrix_product,
}
# These multiply, but how often is not to be seen from the shapes here; all other operators do not multiply
# matrices, and count as nothing, as they do everywhere in the field.
_UNCOUNTABLE = frozenset(
    {
        *("CONV_3D", "CONV_3D_TRANSPOSE", "LSTM", "RNN", "SVDF"),
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
        *("BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"),
        *("WHILE", "IF", "CALL", "CALL_ONCE", "CUSTOM", "DELEGATE"),
    }
)
