"""What a job may be called and hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.errors import ConfigError
from trimtab.workers import Job


@pytest.mark.parametrize("key", ["", "../up", ".hidden", "-x", "a/b", "a b", "x" * 101])
def test_a_key_is_a_file_name_everywhere(key: str) -> None:
    with pytest.raises(ConfigError, match="A job's key is 1 to 100 letters"):
        Job(key, "trimtab.module:name")


@pytest.mark.parametrize("function", ["", "module", "module.name", "a b:c", "module:", "os:system('ls')"])
def test_a_function_is_named_not_written(function: str) -> None:
    with pytest.raises(ConfigError, match=r"function is 'package\.module:name'"):
        Job("one", function)


def test_arguments_are_plain_data() -> None:
    assert Job("one", "m:f", {"path": Path("a/b"), "widths": (1, 2)}).arguments == {
        "path": "a/b",
        "widths": [1, 2],
    }
    with pytest.raises(ConfigError, match="plain data, as JSON has it: no plain form for object"):
        Job("one", "m:f", {"model": object()})
    with pytest.raises(ConfigError, match=r"A record is a dict of plain data. Received: list\."):
        Job("one", "m:f", [1])
    with pytest.raises(ConfigError, match="The name of a job's file"):
        Job("one", "m:f", files={"/etc/passwd": Path("x")})


def test_the_digest_tells_work_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    one = Job("one", "m:f", {"a": 1, "b": 2}, ("x", "y"), {"start": tmp_path / "a"}).digest()
    assert Job("two", "m:f", {"b": 2, "a": 1}, ("y", "x"), {"start": tmp_path / "b"}).digest() == one
    (tmp_path / "b").write_text("2")
    others = [
        Job("one", "m:g", {"a": 1, "b": 2}, ("x", "y"), {"start": tmp_path / "a"}),
        Job("one", "m:f", {"a": 1, "b": 3}, ("x", "y"), {"start": tmp_path / "a"}),
        Job("one", "m:f", {"a": 1, "b": 2}, ("x",), {"start": tmp_path / "a"}),
        Job("one", "m:f", {"a": 1, "b": 2}, ("x", "y"), {"start": tmp_path / "b"}),
        Job("one", "m:f", {"a": 1, "b": 2}, ("x", "y")),
    ]
    assert len({one, *(other.digest() for other in others)}) == 6
