"""Records as plain data: what a dataclass, an array or a path looks like in JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from pathlib import PurePath
from typing import Any

__all__ = ["to_plain"]


def to_plain(value: Any) -> Any:
    """Returns `value` as dicts, lists, strings, numbers, booleans and None.

    Dataclasses become dicts of their fields (a field whose metadata has ``record=False`` is left
    out: models and arrays too large for a record), tuples and sets become lists, paths become
    strings with forward slashes, NumPy scalars and arrays become numbers and lists, NaN and
    infinities become None (JSON has no word for them).

    Raises:
        TypeError: `value` holds something that has no plain form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field for field in dataclasses.fields(value) if field.metadata.get("record", True))
        return {field.name: to_plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Enum):
        return to_plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return [to_plain(item) for item in sorted(value)]
    if isinstance(value, Sequence):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return to_plain(value.tolist())
    raise TypeError(f"no plain form for {type(value).__name__}: {value!r}")
