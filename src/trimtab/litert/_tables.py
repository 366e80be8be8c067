"""The content of a LiteRT file as tables: dictionaries of fields, with nothing left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Union

import numpy as np

from trimtab.errors import ConversionError
from trimtab.litert._schema import Field, NotUnderstoodError, fields_of, members_of

__all__ = ["IDENTIFIER", "Table", "Tables", "Value", "damaged", "read"]

IDENTIFIER = b"TFL3"

Value: TypeAlias = Union[int, bytes, np.ndarray, "Table", list["Table"]]
"""What a field holds: a number (its bits, unsigned), a text, numbers (likewise), a table, or tables."""


@dataclass(eq=False)
class Table:
    """One table of the file.

    Args:
        kind: its name in the schema.
        fields: what it holds, by the fields' names in the order of their slots; fields that the file leaves
            at their default are not in it.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = 0) -> Any:
        """Returns what a field holds, or `default` where it is not in the file."""
        return self.fields.get(name, default)


@dataclass(frozen=True)
class Tables:
    """All tables of a file.

    Args:
        root: the model.
        all: each table once, however many lead to it.
        end: bytes of the file that they span; what comes behind is none of the flatbuffer's.
    """

    root: Table
    all: tuple[Table, ...]
    end: int

    def of(self, kind: str) -> Iterator[Table]:
        """Gives each table of one kind once."""
        return (table for table in self.all if table.kind == kind)


def read(content: bytes) -> Tables:
    """Reads the tables of a LiteRT file.

    Large vectors are not copied. A table that several others lead to is read once, so that the work stays
    proportional to the file.

    Raises:
        NotUnderstoodError: it holds fields or tables that are not in the schema at hand.
        ConversionError: it is no LiteRT file, or leads outside of itself.
    """
    if content[4:8] != IDENTIFIER:
        raise ConversionError(
            f"The given content is not a LiteRT file: its first bytes are {content[:8]!r}, and "
            f"{IDENTIFIER.decode()!r} was expected at the fifth. Give the content of a .tflite file."
        )
    reader = _Reader(content)
    root = reader.table(reader.number(0, 4), "Model")
    return Tables(root, tuple(reader.tables.values()), reader.end)


def damaged(content: bytes, why: str) -> ConversionError:
    """Returns the error for a file that contradicts itself."""
    return ConversionError(
        f"The given content is a damaged or truncated LiteRT file ({len(content)} bytes): {why}. Export the "
        "model again."
    )


class _Reader:
    """Follows the offsets of one file.

    Args:
        content: the file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.tables: dict[tuple[int, str], Table] = {}
        self.lists: dict[tuple[int, str], list[Table]] = {}
        self.end = 8

    def reach(self, start: int, length: int) -> int:
        """Makes sure that the file has `length` bytes at `start`; returns where they end."""
        end = start + length
        if start < 0 or end > len(self.content):
            raise damaged(self.content, f"bytes {start} to {end} are needed")
        self.end = max(self.end, end)
        return end

    def number(self, at: int, width: int, signed: bool = False) -> int:
        """Reads a number of `width` bytes."""
        return int.from_bytes(self.content[at : self.reach(at, width)], "little", signed=signed)

    def follow(self, at: int) -> int:
        """Returns where the offset at `at` leads."""
        return at + self.number(at, 4)

    def table(self, at: int, kind: str) -> Table:
        """Reads the table at `at`, unless it was read before."""
        if (at, kind) in self.tables:
            return self.tables[at, kind]
        table = self.tables[at, kind] = Table(kind)
        places = at - self.number(at, 4, signed=True)
        size = self.number(places, 2)
        self.reach(places, max(size, 4))
        self.reach(at, self.number(places + 2, 2))
        known = fields_of(kind)
        for slot in range((size - 4) // 2):
            offset = self.number(places + 4 + 2 * slot, 2)
            if not offset:
                continue
            found = known[slot] if slot < len(known) else None
            if found is None:
                raise NotUnderstoodError(f"{kind} has a field {slot} that is not in the schema")
            table.fields[found.name] = self.value(at + offset, found, table)
        return table

    def value(self, at: int, found: Field, owner: Table) -> Value:
        """Reads the field at `at`."""
        if found.kind == "number":
            return self.number(at, found.width)
        at = self.follow(at)
        if found.kind == "table":
            return self.table(at, found.holds)
        if found.kind == "union":
            number = owner.get(f"{found.name}Type")
            if number not in members_of(found.holds):
                raise NotUnderstoodError(f"{found.holds} {number} is not in the schema")
            return self.table(at, members_of(found.holds)[number])
        length, start = self.number(at, 4), at + 4
        if found.kind == "text":
            return self.content[start : self.reach(start, length)]
        self.reach(start, length * found.width)
        if found.kind == "numbers":
            return np.frombuffer(self.content, f"<u{found.width}", length, start)
        if (at, found.holds) not in self.lists:
            places = range(start, start + 4 * length, 4)
            self.lists[at, found.holds] = [self.table(self.follow(place), found.holds) for place in places]
        return self.lists[at, found.holds]
