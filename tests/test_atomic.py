"""A file under its final name is whole, or it is not there."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from trimtab._atomic import atomic_path, make_folder, write_bytes, write_json
from trimtab.errors import OutputError


def test_writes_whole_files_into_new_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file.json"
    write_json(target, {"x": (1, 2.5), "path": Path("p/q"), "nan": float("nan")})
    assert json.loads(target.read_text()) == {"x": [1, 2.5], "path": "p/q", "nan": None}


def test_the_temporary_name_keeps_the_ending(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "model.keras") as partial:
        assert partial.suffix == ".keras"
        assert partial.parent == tmp_path
        partial.write_bytes(b"x")
    assert (tmp_path / "model.keras").read_bytes() == b"x"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    write_bytes(target, b"old")

    def fail_halfway() -> None:
        with atomic_path(target) as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "permission denied"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_system_errors_become_one_line(tmp_path: Path, code: int, words: str) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "file.bin") as partial:
            partial.write_bytes(b"half")
            raise OSError(code, "system words")

    with pytest.raises(OutputError, match=words) as caught:
        fail()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_for_real() -> None:
    """/dev/full refuses every byte: the system's own error takes the same way out."""
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")

    def write() -> None:
        with atomic_path("/dev/shm/trimtab-test-full") as partial:  # noqa: S108
            partial.symlink_to(device)
            partial.write_bytes(b"x" * 100_000)

    with pytest.raises(OutputError, match="disk is full"):
        write()


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="in the way"):
        make_folder(tmp_path / "taken" / "inside")
