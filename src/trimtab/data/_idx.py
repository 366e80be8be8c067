"""IDX, the format of MNIST: a magic number, the dimensions, then the values, big-endian.

Format: http://yann.lecun.com/exdb/mnist/ (two zero bytes, a type byte, the number of dimensions, each
dimension as 32 bits, the values row by row).
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable
from typing import IO

import numpy as np

from trimtab.data._files import Files, shorten
from trimtab.data._limits import check_memory
from trimtab.data._source import Source, array_source
from trimtab.errors import DataError

__all__ = ["holds_idx", "read_idx", "read_idx_files"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(train|t10k|test)[-_.](images|labels)[-_.]idx\d[-_.]ubyte(\.gz)?", re.IGNORECASE)


def holds_idx(files: Files) -> bool:
    """Tells whether there are files named as MNIST's are."""
    return any(_NAME.fullmatch(name.split("/")[-1]) for name in files.names)


def read_idx_files(files: Files, class_names: tuple[str, ...] | None = None) -> Source:
    """Reads ``train-images-idx3-ubyte``, its labels, and the ``t10k-`` or ``test-`` pair, gzipped or plain.

    The test pair may be missing; then a test part is split off.

    Raises:
        DataError: a file is missing, damaged, or holds something else than its name says.
    """
    found = _find(files)
    images, labels, where = {}, {}, {}
    for part in ("train", "test"):
        image_file, label_file = found.get((part, "images")), found.get((part, "labels"))
        if part == "test" and image_file is label_file is None:
            continue
        if image_file is None or label_file is None:
            missing = "images-idx3-ubyte" if image_file is None else "labels-idx1-ubyte"
            prefix = "train" if part == "train" else "t10k"
            raise DataError(
                f"{files.where} has no {prefix}-{missing} (.gz or plain); images and labels come in pairs. "
                "Add the missing file."
            )
        images[part] = read_idx(files.read(image_file), files.place(image_file), "images")
        labels[part] = read_idx(files.read(label_file), files.place(label_file), "labels")
        where[part] = f"{files.place(image_file)} and {label_file.split('/')[-1]}"
    return array_source(images, labels, where, f"IDX files in {files.where}", class_names)


def read_idx(content: bytes, where: str, kind: str) -> np.ndarray:
    """Returns the array that an IDX file holds.

    Args:
        content: the file's bytes, gzipped or plain.
        where: what to call the file in messages.
        kind: ``"images"`` (three or four dimensions) or ``"labels"`` (one).

    Raises:
        DataError: cut short, too long, not IDX, or of another kind.
    """
    zipped = content[:2] == b"\x1f\x8b"
    stream: IO[bytes] = gzip.GzipFile(fileobj=io.BytesIO(content)) if zipped else io.BytesIO(content)  # type: ignore[assignment]
    try:
        shape, dtype = _header(stream.read, where, kind)
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        check_memory(size, f"{where}, going by its header,", "The header seems to be damaged.")
        values = stream.read(size)
        too_long = bool(stream.read(1))  # reading to the end also verifies gzip's checksum
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{where} is damaged or cut short ({shorten(error)}). Copy or download it again."
        ) from error
    if len(values) != size or too_long:
        state = "goes on after them" if too_long else f"ends after {len(values)}"
        raise DataError(
            f"{where} should hold {size} bytes of values (shape {'x'.join(map(str, shape))}) but {state}. "
            "Copy or download it again."
        )
    return np.frombuffer(values, dtype).reshape(shape)


def _header(
    read: Callable[[int], bytes], where: str, kind: str
) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Reads and checks the magic number and the dimensions."""
    start = read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
        raise DataError(
            f"{where} is not an IDX file: it begins with {start.hex() or 'nothing'}; "
            f"{'00000803' if kind == 'images' else '00000801'} was needed. Check that it is the right file."
        )
    dimensions = start[3]
    if dimensions not in ((3, 4) if kind == "images" else (1,)):
        holds = "labels" if dimensions == 1 else "images" if dimensions in (3, 4) else "something else"
        raise DataError(
            f"{where} holds {holds} ({dimensions} dimension{'s' * (dimensions != 1)}) where {kind} were "
            "needed. Check whether files have been swapped or renamed."
        )
    sizes = read(4 * dimensions)
    if len(sizes) != 4 * dimensions:
        raise DataError(f"{where} is cut short in its header. Copy or download it again.")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    return shape, np.dtype(_TYPES[start[2]])


def _find(files: Files) -> dict[tuple[str, str], str]:
    """Returns the file of each part and kind; a plain one goes before its gzip."""
    found: dict[tuple[str, str], str] = {}
    for name in files.names:
        match = _NAME.fullmatch(name.split("/")[-1])
        if match is None:
            continue
        part = "train" if match[1].lower() == "train" else "test"
        key = (part, match[2].lower())
        other = found.setdefault(key, name)
        if other.removesuffix(".gz") != name.removesuffix(".gz"):
            raise DataError(
                f"{files.where} holds two files of {part} {key[1]}, {other} and {name}. "
                "Give the folder that holds only one set."
            )
    return found
