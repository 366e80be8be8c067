"""Typed reading of JSON records, so that a damaged file is one clear line and never a traceback."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.errors import RunError

__all__ = ["Fields", "damaged_item", "pairs", "read_fields"]


class Fields:
    """One JSON object of a run folder; optional keys give None, wrong types raise `RunError`.

    Args:
        content: the object.
        where: the file and place it came from, for the message.
    """

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self.content = content
        self.where = where

    def _get(self, key: str, kinds: type | tuple[type, ...], wanted: str) -> Any:
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise RunError(
                f"{self.where}: {key!r} is {_shown(value)}, where {wanted} was needed. "
                "The file is damaged or not Trimtab's; run the recipe again with --resume."
            )
        return value

    def text(self, key: str, default: str = "") -> str:
        """Returns a string, or `default` where the key is missing."""
        value = self._get(key, str, "text")
        return default if value is None else str(value)

    def number(self, key: str) -> float | None:
        """Returns a finite number, or None."""
        value = self._get(key, (int, float), "a number")
        return None if value is None or not math.isfinite(value) else float(value)

    def integer(self, key: str) -> int | None:
        """Returns a whole number, or None."""
        value = self.number(key)
        return None if value is None else int(value)

    def fields(self, key: str) -> Fields:
        """Returns an object; an empty one where the key is missing."""
        return Fields(self._get(key, Mapping, "an object") or {}, f"{self.where}: {key}")

    def items(self, key: str) -> list[Any]:
        """Returns a list; an empty one where the key is missing."""
        return list(self._get(key, (list, tuple), "a list") or [])

    def objects(self, key: str) -> list[Fields]:
        """Returns a list of objects; an empty one where the key is missing."""
        found = []
        for position, item in enumerate(self.items(key)):
            if not isinstance(item, Mapping):
                raise RunError(
                    f"{self.where}: {key}[{position}] is {_shown(item)}, where an object was needed. "
                    "The file is damaged or not Trimtab's; run the recipe again with --resume."
                )
            found.append(Fields(item, f"{self.where}: {key}[{position}]"))
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """Returns a list of strings; an empty one where the key is missing."""
        return tuple(str(item) for item in self.items(key))


def read_fields(path: Path) -> Fields:
    """Reads one JSON object from a file.

    Raises:
        RunError: the file cannot be read, or does not hold a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({_first_line(error)}). "
            "It is damaged; run the recipe again with --resume."
        ) from error
    if not isinstance(content, dict):
        raise RunError(
            f"{path} holds {_shown(content)}, where an object was needed. It is not a file of a Trimtab run."
        )
    return Fields(content, str(path))


def damaged_item(record: Fields, key: str, item: Any, wanted: str) -> RunError:
    """Returns the error for an item of a list that is not what it should be."""
    return RunError(
        f"{record.where}: {key!r} holds {str(item)[:40]!r}, where {wanted} was needed. "
        "The file is damaged; run the recipe again with --resume."
    )


def pairs(record: Fields, key: str) -> tuple[tuple[str, str], ...]:
    """Reads a list of pairs of words, such as names with reasons.

    Raises:
        RunError: it holds something else.
    """
    found = []
    for item in record.items(key):
        if not isinstance(item, list) or len(item) != 2:
            raise damaged_item(record, key, item, "a pair of words")
        found.append((str(item[0]), str(item[1])))
    return tuple(found)


def _first_line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (reason.splitlines() or [type(error).__name__])[0]


def _shown(value: Any) -> str:
    """Shows a value in an error message, shortened so that the message stays one line."""
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
