"""Tells what kind of data lies at a path, and opens it with the reader for that kind."""

from __future__ import annotations

from pathlib import Path

from trimtab.data._files import Files, FolderFiles, ZipFiles, existing
from trimtab.data._idx import holds_idx, read_idx_files
from trimtab.data._image_folder import holds_images, read_image_folder
from trimtab.data._npz import read_npz
from trimtab.data._source import Source
from trimtab.errors import DataError

__all__ = ["NoKnownKindError", "open_source"]


class NoKnownKindError(DataError):
    """Something is there, but nothing that can be read."""


def open_source(path: Path, class_names: tuple[str, ...] | None = None) -> Source:
    """Opens a folder or zip of IDX files, of images or with one ``.npz``; or an ``.npz``.

    Args:
        path: the folder or file.
        class_names: one for each label, for kinds that do not carry them.

    Raises:
        DataNotFoundError: nothing is there.
        DataError: it is damaged, or of no known kind.
    """
    existing(path)
    if path.is_dir():
        return _from_files(FolderFiles(path), class_names)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(_content(path), str(path), class_names)
    if suffix == ".zip":
        return _from_files(ZipFiles(path), class_names)
    if "ubyte" in path.name:
        raise NoKnownKindError(
            f"{path} is one IDX file; images and labels together were needed. Give the folder, {path.parent}."
        )
    if suffix in (".pkl", ".pickle", ".npy"):
        raise NoKnownKindError(
            f"{path} is a {suffix} file, which is not read. Save x_train, y_train, x_test and y_test with "
            "np.savez_compressed as an .npz."
        )
    raise NoKnownKindError(
        f"{path} is of no known kind; a folder or zip of images or IDX files, or an .npz, was needed."
    )


def _from_files(files: Files, class_names: tuple[str, ...] | None) -> Source:
    """Chooses the reader by what the files are called."""
    if holds_idx(files):
        return read_idx_files(files, class_names)
    archives = [name for name in files.names if name.lower().endswith(".npz")]
    if len(archives) == 1:
        return read_npz(files.read(archives[0]), files.place(archives[0]), class_names)
    if holds_images(files):
        return read_image_folder(files)
    zips = [name for name in files.names if name.lower().endswith(".zip")]
    if len(zips) == 1 and isinstance(files, FolderFiles):
        return _from_files(ZipFiles(Path(files.place(zips[0]))), class_names)
    several = f"{len(archives)} .npz files; give one of them" if archives else "none of them"
    sample = ", ".join(files.names[:3]) or "nothing"
    raise NoKnownKindError(
        f"{files.where} holds {sample}{' ...' if len(files.names) > 3 else ''}; IDX files, one .npz, or "
        f"images in a folder per class were needed: it has {several}. Check the path."
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}). Check the file.") from error
