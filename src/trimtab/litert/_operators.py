"""The operators of a LiteRT file with the tensors they take and give, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.litert._inspect import TensorInfo, op_name, tensors_of

__all__ = ["Operator", "float_operators", "operators"]

_CHANGES_OF_TYPE = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})


@dataclass(frozen=True)
class Operator:
    """One operator of a file.

    Args:
        name: such as ``"CONV_2D"``.
        inputs: the tensors it takes, constants too; None for one that is left out (no bias).
        outputs: the tensors it gives.
        taken: indices of `inputs` among the file's tensors, -1 for what is left out.
        given: indices of `outputs`.
    """

    name: str
    inputs: tuple[TensorInfo | None, ...]
    outputs: tuple[TensorInfo, ...]
    taken: tuple[int, ...]
    given: tuple[int, ...]

    @property
    def computes_in_float(self) -> bool:
        """True where it computes with float32, rather than making integers of it or it of integers."""
        if self.name in _CHANGES_OF_TYPE:
            return False
        return any(
            tensor is not None and tensor.dtype == "float32" for tensor in (*self.inputs, *self.outputs)
        )


def operators(content: bytes) -> tuple[Operator, ...]:
    """Lists the operators of a file that `inspect` reads."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph, tensors = model.Subgraphs(0), tensors_of(schema, model, content)
    listed = []
    for operator in (graph.Operators(at) for at in range(graph.OperatorsLength())):
        taken = tuple(int(operator.Inputs(at)) for at in range(operator.InputsLength()))
        given = tuple(int(operator.Outputs(at)) for at in range(operator.OutputsLength()))
        listed.append(
            Operator(
                name=op_name(schema, model, operator),
                inputs=tuple(tensors[at] if at >= 0 else None for at in taken),
                outputs=tuple(tensors[at] for at in given),
                taken=taken,
                given=given,
            )
        )
    return tuple(listed)


def float_operators(content: bytes) -> tuple[Operator, ...]:
    """Lists the operators that compute in float32: in an integer file, those that should not."""
    return tuple(operator for operator in operators(content) if operator.computes_in_float)
