"""The tables of a LiteRT file: which fields each has, and what a field holds.

A flatbuffer does not say what is in it: four bytes may be a number, or the way to another table. That stands
in LiteRT's schema, of which the runtime carries the generated Python code. The code tells each field's place
and width when it is asked to write one; the few fields that lead to texts and other tables are listed here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Field", "NotUnderstoodError", "fields_of", "members_of"]

Kind = Literal["number", "numbers", "text", "table", "tables", "union"]


class NotUnderstoodError(Exception):
    """The file holds something that this schema does not know: it must be copied as a whole."""


@dataclass(frozen=True)
class Field:
    """One field of a table.

    Args:
        name: as the schema's Python classes call it, such as ``"QuantizedDimension"``.
        slot: its place in the table.
        kind: what it holds. The type of a union is a number in the slot before.
        width: bytes of the number, or of one of the numbers; 4 for the way to anything else.
        holds: the table's name, where it holds tables; the union's, where it holds a union.
        alignment: of the first of its numbers in the file, in bytes.
    """

    name: str
    slot: int
    kind: Kind
    width: int
    holds: str = ""
    alignment: int = 0


_TEXT: tuple[Kind, str] = ("text", "")
_LEADS_TO: Mapping[str, Mapping[str, tuple[Kind, str]]] = {
    "Model": {
        "OperatorCodes": ("tables", "OperatorCode"),
        "Subgraphs": ("tables", "SubGraph"),
        "Description": _TEXT,
        "Buffers": ("tables", "Buffer"),
        "Metadata": ("tables", "Metadata"),
        "SignatureDefs": ("tables", "SignatureDef"),
        "ExternalBufferGroups": ("tables", "ExternalBufferGroup"),
        "ExternalBuffers": ("tables", "ExternalBuffer"),
    },
    "OperatorCode": {"CustomCode": _TEXT},
    "SubGraph": {"Tensors": ("tables", "Tensor"), "Operators": ("tables", "Operator"), "Name": _TEXT},
    "Tensor": {
        "Name": _TEXT,
        "Quantization": ("table", "QuantizationParameters"),
        "Sparsity": ("table", "SparsityParameters"),
        "VariantTensors": ("tables", "VariantSubType"),
    },
    "QuantizationParameters": {"Details": ("union", "QuantizationDetails")},
    "SparsityParameters": {"DimMetadata": ("tables", "DimensionMetadata")},
    "DimensionMetadata": {
        "ArraySegments": ("union", "SparseIndexVector"),
        "ArrayIndices": ("union", "SparseIndexVector"),
    },
    "Operator": {
        "BuiltinOptions": ("union", "BuiltinOptions"),
        "BuiltinOptions2": ("union", "BuiltinOptions2"),
    },
    "Metadata": {"Name": _TEXT},
    "SignatureDef": {
        "Inputs": ("tables", "TensorMap"),
        "Outputs": ("tables", "TensorMap"),
        "SignatureKey": _TEXT,
    },
    "TensorMap": {"Name": _TEXT},
    "ExternalBufferGroup": {"Name": _TEXT},
    "ExternalBuffer": {"Packing": _TEXT},
    "VarHandleOptions": {"Container": _TEXT, "SharedName": _TEXT},
    "StablehloCustomCallOptions": {"CallTargetName": _TEXT, "BackendConfig": _TEXT},
    "StableHLOCompositeOptions": {"Name": _TEXT},
}

# Kernels read these where they lie, with instructions that want 16 bytes aligned. The schema says so
# ("force_align"), its Python code does not. Options of custom operators: to be on the safe side.
_ALIGNED_TO_16 = {("Buffer", "Data"), ("CustomQuantization", "Custom"), ("Operator", "CustomOptions")}

_WIDTHS = {"Bool": 1, "Int8": 1, "Uint8": 1, "Int16": 2, "Uint16": 2, "Int32": 4, "Uint32": 4, "Float32": 4}
_WIDTHS |= {"Int64": 8, "Uint64": 8, "Float64": 8, "UOffsetTRelative": 4}


@functools.cache
def fields_of(table: str) -> tuple[Field | None, ...]:
    """Returns the fields of a table by slot; None for one that is not understood.

    Args:
        table: its name in the schema, such as ``"Tensor"`` or ``"Conv2DOptions"``.

    Example:
        >>> [field.name for field in fields_of("Buffer")]
        ['Data', 'Offset', 'Size']
    """
    from ai_edge_litert import schema_py_generated as schema

    _, (slots,) = _asked(getattr(schema, f"{table}Start"))
    fields: list[Field | None] = [None] * slots
    prefix = f"{table}Add"
    for function in vars(schema):
        name = function.removeprefix(prefix)
        if name != function and hasattr(getattr(schema, table), name):
            field = _field(schema, table, name)
            if field is not None:
                fields[field.slot] = field
    return tuple(fields)


@functools.cache
def members_of(union: str) -> Mapping[int, str]:
    """Returns the tables that a union may hold: name by the number that stands in the field before it."""
    from ai_edge_litert import schema_py_generated as schema

    numbers = vars(getattr(schema, union)).items()
    return {number: name for name, number in numbers if isinstance(number, int) and number}


def _field(schema: Any, table: str, name: str) -> Field | None:
    """Finds out about one field by asking the generated code to write it."""
    method, (slot, *_) = _asked(getattr(schema, f"{table}Add{name}"), 0)
    width = _WIDTHS[method.removeprefix("Prepend").removesuffix("Slot")]
    if method != "PrependUOffsetTRelativeSlot":
        return Field(name, slot, "number", width)
    if hasattr(getattr(schema, table), f"{name}AsNumpy"):
        _, (each, *_) = _asked(getattr(schema, f"{table}Start{name}Vector"), 0)
        alignment = 16 if (table, name) in _ALIGNED_TO_16 else max(each, 4)
        return Field(name, slot, "numbers", each, alignment=alignment)
    if name not in _LEADS_TO.get(table, {}):
        return None
    kind, holds = _LEADS_TO[table][name]
    return Field(name, slot, kind, width, holds)


class _Listener:
    """Takes the place of a flatbuffers.Builder, and remembers what it was told to do."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[int, ...]]] = []

    def __getattr__(self, method: str) -> Callable[..., None]:
        return lambda *arguments: self.heard.append((method, arguments))


def _asked(function: Callable[..., Any], *arguments: int) -> tuple[str, tuple[int, ...]]:
    """Returns the one method of the builder that a generated function calls, and its arguments."""
    listener = _Listener()
    function(listener, *arguments)
    (heard,) = listener.heard
    return heard
