"""Tables back to a LiteRT file, in which equal things stand once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from trimtab.litert._schema import Field, fields_of
from trimtab.litert._tables import IDENTIFIER, Table

__all__ = ["write"]


def write(root: Table, size: int = 1024) -> bytes:
    """Writes a model's tables as a flatbuffer.

    Nothing in a flatbuffer belongs to one table alone: what is equal (texts, vectors, whole tables) is
    written once, and all that hold it lead there. The same tables always give the same bytes.

    Args:
        root: the table ``Model`` with all that it holds.
        size: bytes that it may take, if known: saves copying.

    Returns:
        The file's content.
    """
    writer = _Writer(size)
    writer.builder.Finish(writer.table(root), file_identifier=IDENTIFIER)
    return bytes(writer.builder.Output())


class _Writer:
    """Writes from the end of the file to its start: whatever is led to must be there before.

    Places are counted from the end, as the builder does.
    """

    def __init__(self, size: int) -> None:
        import flatbuffers

        self.builder: Any = flatbuffers.Builder(size)
        self._numbers = flatbuffers.number_types
        self._places: dict[Hashable, int] = {}
        self._tables: dict[int, int] = {}

    def table(self, table: Table) -> int:
        """Writes a table, unless an equal one is there; returns its place."""
        if id(table) in self._tables:
            return self._tables[id(table)]
        fields = [
            known for known in fields_of(table.kind) if known is not None and known.name in table.fields
        ]
        held = [(known, self._held(known, table.fields[known.name])) for known in fields]
        # Widest first, so that padding is needed once: what is written first comes last in the table.
        held.sort(key=lambda pair: (-pair[0].width if pair[0].kind == "number" else -4, pair[0].slot))
        key = tuple((known.slot, known.kind == "number" and known.width, what) for known, what in held)
        self._tables[id(table)] = place = self._once(("table", key), lambda: self._table(table.kind, held))
        return place

    def _table(self, kind: str, held: list[tuple[Field, int]]) -> int:
        """Writes a table: its numbers, and the places of all else."""
        flags = {
            1: self._numbers.Uint8Flags,
            2: self._numbers.Uint16Flags,
            4: self._numbers.Uint32Flags,
            8: self._numbers.Uint64Flags,
        }
        self.builder.StartObject(len(fields_of(kind)))
        for known, what in held:
            if known.kind == "number":
                # Not the builder's own slots: they leave out what is 0, which need not be the default.
                self.builder.Prepend(flags[known.width], what)
                self.builder.Slot(known.slot)
            else:
                self.builder.PrependUOffsetTRelativeSlot(known.slot, what, 0)
        return int(self.builder.EndObject())

    def _held(self, known: Field, value: Any) -> int:
        """Returns a number as it is, and the place of anything else, which is written if need be."""
        if known.kind == "number":
            return int(value)
        if known.kind in ("table", "union"):
            return self.table(value)
        if known.kind == "tables":
            places = tuple(self.table(one) for one in value)
            return self._once(("tables", places), lambda: self._vector(places))
        if known.kind == "text":
            return self._once(("text", value), lambda: int(self.builder.CreateString(value)))
        digest = hashlib.sha256(np.ascontiguousarray(value).data).digest()
        key = ("numbers", known.alignment, known.width, len(value), digest)
        return self._once(key, lambda: self._array(value, known.alignment))

    def _vector(self, places: tuple[int, ...]) -> int:
        """Writes a vector of tables."""
        self.builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self.builder.PrependUOffsetTRelative(place)
        return int(self.builder.EndVector())

    def _array(self, values: np.ndarray, alignment: int) -> int:
        """Writes a vector of numbers, the first of them aligned."""
        self.builder.Prep(alignment, values.nbytes)
        return int(self.builder.CreateNumpyVector(values))

    def _once(self, key: Hashable, make: Callable[[], int]) -> int:
        """Returns the place of what has this key; makes it if it is not there yet."""
        if key not in self._places:
            self._places[key] = make()
        return self._places[key]
