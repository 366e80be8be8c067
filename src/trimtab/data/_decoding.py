"""Image files become one array: decoded by Pillow, in memory, in threads where that pays."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from trimtab.data._files import Files, shorten
from trimtab.data._limits import check_memory
from trimtab.data._pixels import fitted
from trimtab.errors import DataError

__all__ = ["SUFFIXES", "decode"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
_MOST_PIXELS = 100_000_000  # of one image: no camera gives more, a decompression bomb does
_CHUNK = 256  # images decoded before they are copied into the array
_ORIENTATION = 0x0112  # the EXIF tag by which a camera says how it was held
_THREADS_PAY = 64 * 64  # pixels from which decoding, not Python, is what takes the time


def decode(
    files: Files, names: Sequence[str], size: tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Decodes images into one uint8 array of shape (n, height, width, channels).

    Cameras' orientation is applied, transparency dropped, of an animation the first picture taken, 16-bit
    greys become 8-bit.

    Args:
        files: where the images are.
        names: which, in this order.
        size: (height, width) to resize to; None: all must have the same.
        channels: 1 or 3; None: 1 if every image is grey, else 3.

    Raises:
        DataError: an image is damaged, or they differ in size and no `size` is given.
    """
    # Pillow warns of damaged metadata, which is harmless, and of large images, which are refused here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _stacked(files, names, size, channels)


def _stacked(
    files: Files, names: Sequence[str], size: tuple[int, int] | None, channels: int | None
) -> np.ndarray:
    """Decodes image after image into an array that is made when the first one shows its shape."""
    images: np.ndarray | None = None
    for index, (name, pixels) in enumerate(_decoded(files, names, size, channels)):
        if images is None:
            shape = (len(names), *pixels.shape[:2], channels or pixels.shape[2])
            advice = "size=(height, width), or --size 32x32, resizes them; limit takes fewer."
            check_memory(int(np.prod(shape)), f"{len(names)} images like {files.place(name)}", advice)
            images = np.empty(shape, np.uint8)
        if pixels.shape[:2] != images.shape[1:3]:
            raise DataError(
                f"{files.where}: {names[0]} is {_size(images.shape[1:3])} but {name} is "
                f"{_size(pixels.shape[:2])} (height x width); all must be of one size. size=(height, width) "
                "with resize='now', or --size 32x32, resizes them."
            )
        if channels is None and pixels.shape[2] > images.shape[3]:
            images = np.repeat(images, 3, axis=3)  # the first colour after greys only
        images[index] = pixels  # grey spreads over three channels by itself
    if images is None:
        raise DataError(f"{files.where} holds no images ({', '.join(SUFFIXES)} are read). Check the path.")
    return images


def _decoded(
    files: Files, names: Sequence[str], size: tuple[int, int] | None, channels: int | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each name with its pixels, in order; in threads where the images are not tiny."""

    def one(name: str) -> np.ndarray:
        pixels = _pixels(files.read(name), files.place(name), size)
        image: np.ndarray = fitted(pixels[np.newaxis], None, channels)[0]
        return image

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        threaded = False
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            for name, pixels in zip(chunk, (pool.map if threaded else map)(one, chunk), strict=True):
                threaded = workers > 1 and (size is not None or pixels[..., 0].size > _THREADS_PAY)
                yield name, pixels


def _pixels(content: bytes, place: str, size: tuple[int, int] | None) -> np.ndarray:
    """Decodes one image to (height, width, 1 or 3)."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(
                    f"{place} is {_size((image.height, image.width))} pixels; at most {_MOST_PIXELS} are "
                    "read. Make it smaller."
                )
            upright = image if image.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(image)
            plain = _grey_or_colour(upright)
            if size is not None and plain.size != size[::-1]:
                plain = plain.resize(size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(plain)
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        struct.error,
    ) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else shorten(error)
        raise DataError(f"{place} cannot be decoded ({reason}). Repair or remove the file.") from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _grey_or_colour(image: Image.Image) -> Image.Image:
    """Returns the image as 8-bit grey or RGB, whichever it is."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith("I"):  # 16-bit grey
        return Image.fromarray((np.asarray(image).astype(np.int64) // 257).clip(0, 255).astype(np.uint8))
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    colour = image.convert("RGB")
    if image.mode in ("P", "PA"):
        red, green, blue = np.moveaxis(np.asarray(colour), 2, 0)
        if np.array_equal(red, green) and np.array_equal(green, blue):
            return colour.getchannel(0)
    return colour


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"
