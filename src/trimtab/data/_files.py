"""Named files to read from, in a folder or in a zip: readers need not know which.

A zip is read in memory, member by member. Nothing is ever extracted to the disk.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, Protocol

from trimtab.data._limits import check_memory
from trimtab.errors import DataError, DataNotFoundError

__all__ = ["Files", "FolderFiles", "ZipFiles", "existing", "home_expanded", "open_zip", "shorten", "shown"]

_LARGE = 64 * 2**20  # bytes of a member from which its compression ratio is looked at
_MOST_RATIO = 200  # images are compressed already; only blank ones and bombs shrink so far


class Files(Protocol):
    """Files with relative names that use forward slashes.

    Attributes:
        where: the folder or zip, in words.
        names: every file, sorted; hidden ones are left out.
        folders: every folder that is named, empty ones too.
    """

    where: str
    names: tuple[str, ...]
    folders: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """Returns the content of a file."""

    def place(self, name: str) -> str:
        """Says where a file is, for messages."""


class FolderFiles:
    """The files below a folder on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)
        try:
            names, folders = _walked(folder)
        except OSError as error:
            raise DataError(
                f"{folder} cannot be read ({error.strerror or error}). Check its permissions."
            ) from error
        self.names, self.folders = tuple(sorted(names)), tuple(sorted(folders))

    def read(self, name: str) -> bytes:
        """Returns the content of a file."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.place(name)} cannot be read ({error.strerror or error}). Check the file."
            ) from error

    def place(self, name: str) -> str:
        """Says where a file is, for messages."""
        return str(self._folder / name)


class ZipFiles:
    """The members of a zip, checked before the first is read (see `open_zip`)."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._zip = open_zip(path, str(path))
        members = [info for info in self._zip.infolist() if _is_visible(_steps(info.filename))]
        self._members = {"/".join(_steps(info.filename)): info for info in members if not info.is_dir()}
        self.names = tuple(sorted(self._members))
        # A folder is named by what lies in it, or, where it is empty, by a member of its own.
        folders = {tuple(name.split("/")[:-1]) for name in self.names}
        folders |= {_steps(info.filename) for info in members if info.is_dir()}
        above = {folder[:depth] for folder in folders for depth in range(1, len(folder) + 1)}
        self.folders = tuple(sorted("/".join(folder) for folder in above))

    def read(self, name: str) -> bytes:
        """Returns the content of a member; its checksum is verified."""
        try:
            return self._zip.read(self._members[name])
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise DataError(
                f"{self.place(name)} is damaged ({shorten(error)}). Make or download the zip again."
            ) from error

    def place(self, name: str) -> str:
        """Says where a member is, for messages."""
        return f"{self.where}:{name}"


def open_zip(file: Path | IO[bytes], where: str) -> zipfile.ZipFile:
    """Opens a zip (an ``.npz`` is one too), and refuses one that is damaged or means harm.

    Args:
        file: the path, or an open binary file.
        where: what to call it in messages.

    Raises:
        DataError: not a zip, or cut short; a member would leave the folder, is a link or encrypted, or
            unpacks to far more than it could honestly hold.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{where} is not a whole zip archive ({shorten(error)}). Make or download it again."
        ) from error
    for member in archive.infolist():
        _check_member(member, where)
    check_memory(
        sum(member.file_size for member in archive.infolist()),
        f"{where}, unpacked,",
        "Split the archive, or unpack it and use the folder.",
    )
    return archive


def _check_member(member: zipfile.ZipInfo, where: str) -> None:
    """Raises `DataError` for a member that no honest archive of images holds."""
    name = member.orig_filename.replace("\\", "/")
    climbs = name.startswith("/") or ".." in name.split("/") or name[1:2] == ":" or "\0" in name
    if climbs:
        raise DataError(
            f"{where} holds {name!r}, which lies outside the archive's own folder; names must be relative, "
            "without '..'. Do not trust this archive, or make it again."
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(
            f"{where} holds {name!r}, a symbolic link; only files and folders are read. "
            "Make the archive again with the file itself."
        )
    if member.flag_bits & 1:
        raise DataError(f"{where} holds {name!r}, which is encrypted. Make the archive without a password.")
    if member.file_size > _LARGE and member.file_size > _MOST_RATIO * max(member.compress_size, 1):
        raise DataError(
            f"{where} holds {name!r}, whose {member.compress_size} bytes unpack to {member.file_size}: "
            f"more than {_MOST_RATIO} times, as in a zip bomb. Do not trust this archive, or unpack it "
            "yourself."
        )


def _steps(name: str) -> tuple[str, ...]:
    """Returns the folders of a relative name and, last, the file: ``("train", "cat", "1.jpg")``."""
    return tuple(step for step in name.split("/") if step not in ("", "."))


def shorten(error: BaseException) -> str:
    """Returns what an error says, in one line of at most 160 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def existing(path: Path) -> Path:
    """Returns `path` if something is there; raises `DataNotFoundError` with what to do otherwise."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a null byte
        raise DataNotFoundError(
            f"{shown(path)} does not exist; a folder, .npz or .zip was needed. Check the path."
        ) from error
    except OSError as error:
        raise DataError(
            f"{shown(path)} cannot be read ({error.strerror or error}); a folder, .npz or .zip was needed. "
            "Check the path and its permissions."
        ) from error
    return path


def home_expanded(path: str | os.PathLike[str]) -> Path:
    """Returns the path with ``~`` and ``~user`` put in full; raises `DataNotFoundError` for nobody's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataNotFoundError(
            f"{shown(path)} begins with the home folder of a user who is not known here. "
            "Write the path in full."
        ) from error


def shown(path: str | os.PathLike[str]) -> str:
    """Returns a path in words, in one line of at most 160 characters."""
    text = ascii(os.fspath(path))[1:-1] if "\0" in os.fspath(path) else os.fspath(path)
    return text if len(text) <= 160 else text[:157] + "..."


def _is_visible(parts: tuple[str, ...]) -> bool:
    """Tells whether a file is the user's: not hidden, not what macOS adds to its zips."""
    return not any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)


def _walked(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the files and the folders below a folder, by their relative names."""
    names: list[str] = []
    folders: list[str] = []

    def complain(error: OSError) -> None:
        raise error

    for place, below, files in os.walk(folder, onerror=complain):
        below[:] = [name for name in below if _is_visible((name,))]
        above = Path(place).relative_to(folder).as_posix() + "/"
        above = "" if above == "./" else above
        names += [above + name for name in files if _is_visible((name,))]
        folders += [above + name for name in below]
    return names, folders
