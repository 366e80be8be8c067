"""A LiteRT file without what no runtime reads: names, ranges, spare zeros, metadata, padding.

What a small file weighs beside its weights, and what becomes of it here:

- names of tensors, made of the names of all layers that went into them: left out. Where the file has no
  signature, its inputs and outputs keep theirs;
- zero points, eight bytes for each channel of each kernel and bias, all of them 0: runtimes want one for each
  scale, but equal vectors may stand in the file once. So may shapes, options, quantization and whole tensors;
- ranges (min and max) and empty quantization of float tensors, which only converters read: left out;
- the converter's metadata, the description, operator codes that no operator has, lists of nothing: left out;
- buffers: those of computed tensors become buffer 0, which is always empty; equal ones become one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from trimtab.litert._schema import NotUnderstoodError
from trimtab.litert._sharing_writer import write
from trimtab.litert._tables import Table, Tables, damaged, read

__all__ = ["diet"]

_CONVERTERS_OWN = (b"min_runtime_version", b"CONVERSION_METADATA")
_LARGEST = 2**31 - 1  # bytes of a flatbuffer: its offsets have no more bits


def diet(content: bytes) -> bytes:
    """Makes a LiteRT file smaller without changing what it computes, bit for bit.

    The flatbuffer is rewritten without what no runtime reads, and with equal parts written once. The order of
    tensors and operators stays, and so do signatures, metadata of others than the converter, sparse, packed
    and blockwise weights, custom operators, and all graphs of a file that has several.

    Do it last: the names of the layers are gone afterwards, by which `check_parity` tells the layer that
    differs, and by which other tools (``ai-edge-quantizer``) know the tensors.

    Args:
        content: of a `.tflite` file.

    Returns:
        The smaller file's content. The same as `content` where nothing can be saved, and where the file holds
        something that is not understood: fields of a newer schema, files zipped to its end.

    Raises:
        ConversionError: it is not a LiteRT file, or a damaged one.

    Example::

        small = litert.diet(litert.convert(model, "int8", images))
    """
    if len(content) > _LARGEST:
        return content
    try:
        tables = read(bytes(content))
        _bring_inside(content, tables)
    except NotUnderstoodError:
        return content
    _leave_out_texts(tables)
    _leave_out_ranges(tables)
    _leave_out_metadata(tables)
    _leave_out_empty_lists(tables)
    _share_operator_codes(content, tables)
    _share_buffers(content, tables)
    slim = write(tables.root, len(content))
    return slim if len(slim) < len(content) else content


def _bring_inside(content: bytes, tables: Tables) -> None:
    """Takes in buffers and options that lie behind the flatbuffer, where converters put them in huge files.

    Raises:
        NotUnderstoodError: something else lies there: a zip of labels, code for an accelerator. It may be
            found by its place in the file, so nothing must move. Or the first buffer, to which all tensors
            without content point, is not empty.
    """
    end = tables.end
    for kind, prefix, held in (("Buffer", "", "Data"), ("Operator", "LargeCustomOptions", "CustomOptions")):
        for table in tables.of(kind):
            start = table.fields.pop(f"{prefix}Offset", 0)
            size = table.fields.pop(f"{prefix}Size", 0)
            if start <= 1 or held in table.fields:  # 1 stands for a place that is yet to be found
                continue
            if start + size > len(content):
                raise damaged(content, f"a buffer of {size} bytes should lie at {start}")
            table.fields[held] = np.frombuffer(content, "u1", size, start)
            end = max(end, start + size)
    if content[end:].strip(b"\0"):
        raise NotUnderstoodError(f"{len(content) - end} bytes lie behind the flatbuffer")
    if any(len(buffer.get("Data", b"")) for buffer in _tables(tables.root, "Buffers")[:1]):
        raise NotUnderstoodError("the first buffer is not empty")


def _leave_out_texts(tables: Tables) -> None:
    """Leaves out the description, and names that nothing is found by."""
    tables.root.fields.pop("Description", None)
    graphs = _tables(tables.root, "Subgraphs")
    if len(graphs) == 1:
        graphs[0].fields.pop("Name", None)
    kept = () if _tables(tables.root, "SignatureDefs") else _edges(graphs)
    needed = {id(tensor) for tensor in kept}
    for tensor in tables.of("Tensor"):
        if id(tensor) not in needed:
            tensor.fields.pop("Name", None)


def _edges(graphs: Sequence[Table]) -> Iterator[Table]:
    """Gives the inputs and outputs of the first graph, the one that is called from outside."""
    for graph in graphs[:1]:
        tensors = _tables(graph, "Tensors")
        for place in (*graph.get("Inputs", ()), *graph.get("Outputs", ())):
            if place < len(tensors):
                yield tensors[place]


def _leave_out_ranges(tables: Tables) -> None:
    """Leaves out ranges, and the quantization of tensors that are not quantized."""
    for quantization in tables.of("QuantizationParameters"):
        for name in ("Min", "Max"):
            quantization.fields.pop(name, None)
        for name in ("Scale", "ZeroPoint"):
            if name in quantization.fields and not len(quantization.fields[name]):
                del quantization.fields[name]
    for tensor in tables.of("Tensor"):
        if "Quantization" in tensor.fields and not tensor.fields["Quantization"].fields.keys() - {
            "QuantizedDimension"
        }:
            del tensor.fields["Quantization"]


def _leave_out_metadata(tables: Tables) -> None:
    """Leaves out the metadata that the converter writes about itself."""
    entries = _tables(tables.root, "Metadata")
    kept = [entry for entry in entries if entry.get("Name", b"") not in _CONVERTERS_OWN]
    _replace(tables.root, "Metadata", kept)


def _leave_out_empty_lists(tables: Tables) -> None:
    """Leaves out lists of nothing; not those of inputs and outputs, which microcontrollers always read."""
    for operator in tables.of("Operator"):
        for name in ("Intermediates", "MutatingVariableInputs"):
            if name in operator.fields and not len(operator.fields[name]):
                del operator.fields[name]


def _share_operator_codes(content: bytes, tables: Tables) -> None:
    """Keeps each operator code once, in the order of the codes, if an operator has it."""
    codes = _tables(tables.root, "OperatorCodes")
    operators = list(tables.of("Operator"))
    used = {operator.get("OpcodeIndex") for operator in operators}
    _check_places(content, used, len(codes), "operator code")
    kept = _Kept()
    places = {
        old: kept.place(tuple(code.fields.items()), code) for old, code in enumerate(codes) if old in used
    }
    for operator in operators:
        _set(operator, "OpcodeIndex", places[operator.get("OpcodeIndex")])
    _replace(tables.root, "OperatorCodes", kept.tables)


def _share_buffers(content: bytes, tables: Tables) -> None:
    """Keeps each buffer's content once, if something points to it; what points to no content points to 0."""
    buffers = _tables(tables.root, "Buffers")
    owners = [*tables.of("Tensor"), *_distinct(_tables(tables.root, "Metadata"))]
    numbers = tables.root.get("MetadataBuffer", np.empty(0, "<u4"))
    used = {owner.get("Buffer") for owner in owners} | {int(number) for number in numbers}
    _check_places(content, used - {0}, len(buffers), "buffer")
    kept, places = _Kept(), {0: 0}
    kept.place(None, Table("Buffer"))
    for old, buffer in enumerate(buffers):
        # A constant without elements has content too, of no bytes: that is not the empty buffer.
        if old and old in used and "Data" in buffer.fields:
            data = buffer.fields["Data"]
            places[old] = kept.place((len(data), hashlib.sha256(data).digest()), buffer)
    for owner in owners:
        _set(owner, "Buffer", places.get(owner.get("Buffer"), 0))
    if len(numbers):
        tables.root.fields["MetadataBuffer"] = np.array([places.get(int(n), 0) for n in numbers], "<u4")
    _replace(tables.root, "Buffers", kept.tables)


class _Kept:
    """Tables that are kept, each once."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self._places: dict[Hashable, int] = {}

    def place(self, key: Hashable, table: Table) -> int:
        """Returns the place of the table with this key; takes this one if there is none yet."""
        if key not in self._places:
            self._places[key] = len(self.tables)
            self.tables.append(table)
        return self._places[key]


def _distinct(tables: Sequence[Table]) -> list[Table]:
    """Returns each table once: what is changed in one would be changed twice."""
    return list({id(table): table for table in tables}.values())


def _check_places(content: bytes, used: set[int], length: int, what: str) -> None:
    """Makes sure that every place that is pointed to exists."""
    if used and max(used) >= length:
        raise damaged(content, f"{what} {max(used)} is needed, and there are {length}")


def _tables(table: Table, name: str) -> list[Table]:
    """Returns a field that holds tables; an empty list where it is not there."""
    tables: list[Table] = table.get(name, [])
    return tables


def _set(table: Table, name: str, place: int) -> None:
    """Sets a number whose default is 0."""
    if place:
        table.fields[name] = place
    else:
        table.fields.pop(name, None)


def _replace(table: Table, name: str, tables: list[Table]) -> None:
    """Sets a field that holds tables; without any, and where there was none, it is left out."""
    if tables and name in table.fields:
        table.fields[name] = tables
    else:
        table.fields.pop(name, None)
