"""Plain data out of the library's records."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab._records import to_plain


@dataclass(frozen=True)
class Example:
    name: str
    array: np.ndarray
    heavy: object = field(default=None, metadata={"record": False})


def test_dataclasses_arrays_and_left_out_fields() -> None:
    record = to_plain(Example("x", np.array([[1, 2]], dtype=np.int16), heavy=object()))
    assert record == {"name": "x", "array": [[1, 2]]}


def test_numpy_scalars_paths_and_sets() -> None:
    record = to_plain({"a": np.float32(0.5), "b": Path("x") / "y", "c": {2, 1}, "d": np.bool_(True)})
    assert record == {"a": 0.5, "b": "x/y", "c": [1, 2], "d": True}


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no plain form for object"):
        to_plain(object())


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_everything_survives_strict_json(value: object) -> None:
    record = to_plain(value)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
