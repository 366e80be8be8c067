"""Pixels: arrays of any honest kind become uint8 0..255 or float32 0..1, of one size and channel count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from trimtab.data._limits import check_memory
from trimtab.errors import DataError

__all__ = ["as_pixels", "fitted"]


def as_pixels(images: Mapping[str, np.ndarray], where: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns every part as (n, height, width, channels), all uint8 0..255 or all float32 0..1.

    Whole numbers 0..255 of any type become uint8; fractions must lie in 0..1. All parts are judged
    together: a dark test part must not be taken for fractions when the training part is not.

    Args:
        images: of each part: (n, height, width) or (n, height, width, 1 or 3).
        where: what to call each part's arrays in messages.

    Raises:
        DataError: a shape, type or value that is none of these.
    """
    shaped = {part: _with_channels(array, where[part]) for part, array in images.items()}
    shapes = {part: array.shape[1:] for part, array in shaped.items()}
    for part, shape in shapes.items():
        if shape != shapes["train"]:
            raise DataError(
                f"{where[part]}: the images are {_size(shape)}, those of {where['train']} are "
                f"{_size(shapes['train'])}; all must be of one size. Resize one of the two beforehand."
            )
    for part, array in shaped.items():
        _check_values(array, where[part])
    if any(array.dtype.kind == "f" for array in shaped.values()):
        return _from_floats(shaped, where)
    return {
        part: array.astype(np.uint8) * np.uint8(255 if array.dtype == bool else 1)
        if array.dtype != np.uint8
        else array
        for part, array in shaped.items()
    }


def fitted(images: np.ndarray, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """Returns images with the size and number of channels that were asked for.

    Args:
        images: (n, height, width, 1 or 3), uint8 or float32.
        size: (height, width), by bilinear filtering over the whole of what is shrunk; None: as they are.
        channels: 1 (luminance, ITU-R 601) or 3 (grey repeated); None: as they are.
    """
    if channels is not None and channels != images.shape[3]:
        images = np.repeat(images, 3, axis=3) if channels == 3 else _luminance(images)
    if size is None or size == images.shape[1:3]:
        return np.ascontiguousarray(images)
    shape = (len(images), *size, images.shape[3])
    advice = "Choose a smaller size, or limit the number of images."
    check_memory(int(np.prod(shape)) * images.itemsize, "The resized images", advice)
    resized = np.empty(shape, images.dtype)
    for target, image in zip(resized, images, strict=True):
        for channel in range(image.shape[2]):
            plane = Image.fromarray(np.ascontiguousarray(image[:, :, channel]))
            target[:, :, channel] = np.asarray(plane.resize(size[::-1], Image.Resampling.BILINEAR))
    return resized


def _with_channels(array: np.ndarray, where: str) -> np.ndarray:
    """Returns (n, height, width, channels); says how to get there where the shape is another."""
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4:
        raise DataError(
            f"{where}: the images have shape {array.shape}; (n, height, width) or (n, height, width, "
            "channels) was needed. Flat images become square ones with images.reshape(-1, 28, 28)."
        )
    if len(array) == 0 or 0 in array.shape:
        raise DataError(
            f"{where}: there are no images (shape {array.shape}). Check that the file is the right one."
        )
    if array.shape[3] not in (1, 3):
        first = array.shape[1] in (1, 3)
        advice = (
            "They seem to be channels first: np.transpose(images, (0, 2, 3, 1)) turns them."
            if first
            else "Drop what is not colour: images[..., :3]."
        )
        raise DataError(
            f"{where}: the images have shape {array.shape}; 1 channel (grey) or 3 (red, green, blue) "
            f"were needed, last. {advice}"
        )
    return array


def _check_values(array: np.ndarray, where: str) -> None:
    """Raises `DataError` for pixels that are no numbers, not finite, or beyond 0..255."""
    if array.dtype.kind not in "buif":
        raise DataError(
            f"{where}: the pixels are of type {array.dtype}; numbers were needed: uint8 0..255 or floats "
            "0..1. Convert them."
        )
    if array.dtype.kind == "f":
        finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{where}: {np.sum(~finite)} of {len(array)} images hold NaN or infinite pixels, the first "
                f"is image {int(np.argmin(finite))}. Remove them, or repair them with np.nan_to_num."
            )
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        advice = "np.clip(images, 0, 255)" if array.dtype.kind in "iu" else "(images - low) / (high - low)"
        raise DataError(
            f"{where}: the pixels go from {low:g} to {high:g}; whole numbers 0..255 or fractions 0..1 were "
            f"needed. Scale them, as with {advice}; input_range then sets what the model sees."
        )


def _from_floats(shaped: Mapping[str, np.ndarray], where: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns fractions as float32 0..1, and whole numbers beyond 1 as uint8."""
    if len({array.dtype.kind == "f" for array in shaped.values()}) > 1:
        types = ", ".join(f"{where[part]}: {array.dtype}" for part, array in shaped.items())
        raise DataError(f"The parts hold pixels of different kinds ({types}). Save all as uint8 0..255.")
    if all(array.max() <= 1 for array in shaped.values()):
        return {part: array.astype(np.float32) for part, array in shaped.items()}
    for part, array in shaped.items():
        if not np.array_equal(array, np.floor(array)):
            raise DataError(
                f"{where[part]}: the pixels are fractions between {array.min():g} and {array.max():g}; "
                "fractions must lie in 0..1, only whole numbers may go to 255. Divide them by 255."
            )
    return {part: array.astype(np.uint8) for part, array in shaped.items()}


def _luminance(images: np.ndarray) -> np.ndarray:
    """Returns one channel of brightness, in uint8 with the integers that Pillow uses."""
    if images.dtype == np.uint8:
        weighted = images.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., np.newaxis]
    return (images @ np.array([0.299, 0.587, 0.114], np.float32))[..., np.newaxis].clip(0, 1)


def _size(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height}x{width} with {channels} channel{'s' if channels > 1 else ''}"
