"""A sheet of sample images: one row for each class, its name beside it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trimtab._atomic import atomic_path
from trimtab.data._image_data import ImageData, Split
from trimtab.errors import ConfigError

__all__ = ["sample_sheet"]

_CELL = 64  # the side of a picture on the sheet is about this many pixels
_GAP = 6
_MARGIN = 28
_MOST_ROWS = 40
_INK, _SOFT, _RULE, _PAPER = "#1b1f24", "#6b7280", "#e5e7eb", "#ffffff"


def sample_sheet(data: ImageData, path: str | os.PathLike[str], columns: int = 10) -> Path:
    """Draws the first training images of each class as a PNG, and returns its path.

    Args:
        data: the images.
        path: the PNG to write.
        columns: images per class.

    Raises:
        ConfigError: `columns` is not 1 or more.
        OutputError: the file cannot be written.
    """
    if columns < 1:
        raise ConfigError(f"columns is {columns!r}; it needs a number of images per class, 1 or more.")
    path = Path(path)
    sheet = _draw(data, columns)
    with atomic_path(path) as partial:
        sheet.save(partial, format="PNG", optimize=True)
    return path


def _draw(data: ImageData, columns: int) -> Image.Image:
    """Returns the sheet: title, rows, and what was left out."""
    shown = min(data.classes, _MOST_ROWS)
    cell_height, cell_width = _cell(data.image_shape)
    names = [_cut(name) for name in data.class_names[:shown]]
    gutter = int(max(_font(15).getlength(name) for name in [*names, "00,000 train"])) + 20
    top = _MARGIN + 66
    width = max(2 * _MARGIN + gutter + columns * (cell_width + _GAP) - _GAP, 420)
    left_out = data.classes - shown
    height = top + shown * (cell_height + _GAP) + _MARGIN + (24 if left_out else 0)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    _title(pen, data, width)
    counts = data.counts()["train"]
    for row in range(shown):
        y = top + row * (cell_height + _GAP)
        middle = y + cell_height // 2
        pen.text((_MARGIN, middle - 1), names[row], _INK, _font(15), anchor="ls")
        pen.text((_MARGIN, middle + 4), f"{counts[row]:,} train", _SOFT, _font(12), anchor="lt")
        for column, index in enumerate(np.flatnonzero(data.train.labels == row)[:columns]):
            x = _MARGIN + gutter + column * (cell_width + _GAP)
            picture = _picture(data.train, int(index), (cell_width, cell_height))
            sheet.paste(picture, (x, y))
            pen.rectangle((x - 1, y - 1, x + cell_width, y + cell_height), outline=_RULE)
    if left_out:
        pen.text(
            (_MARGIN, height - _MARGIN), f"... and {left_out:,} more classes", _SOFT, _font(12), anchor="ls"
        )
    return sheet


def _title(pen: ImageDraw.ImageDraw, data: ImageData, width: int) -> None:
    """Writes what the data are, over a rule."""
    high, wide, channels = data.image_shape
    colour = "colour" if channels == 3 else "grey"
    kept_high, kept_wide = data.train.images.shape[1:3]
    facts = [
        f"{data.classes} classes",
        f"{high}x{wide} {colour}" + (f" (kept at {kept_high}x{kept_wide})" if data.train.size else ""),
        f"{len(data.train):,} train, {len(data.validation):,} validation, {len(data.test):,} test",
    ]
    size = 12
    line = "   ·   ".join(facts)
    while _font(size).getlength(line) > width - 2 * _MARGIN and size > 8:
        size -= 1
    pen.text((_MARGIN, _MARGIN - 6), _cut(data.name, 40), _INK, _font(22), anchor="lt")
    pen.text((_MARGIN, _MARGIN + 26), line, _SOFT, _font(size), anchor="lt")
    pen.line((_MARGIN, _MARGIN + 50, width - _MARGIN, _MARGIN + 50), _RULE, 1)


def _cell(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Returns height and width on the sheet: a whole multiple of small images, a fraction of large ones."""
    longest = max(shape[:2])
    scale = float(max(_CELL // longest, 1)) if longest <= _CELL else _CELL / longest
    return max(round(shape[0] * scale), 1), max(round(shape[1] * scale), 1)


def _picture(split: Split, index: int, size: tuple[int, int]) -> Image.Image:
    """Returns one image at the size of a cell; small ones keep their pixels' edges."""
    pixels = split.images[index]
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    grows = size[0] >= image.width
    return image.resize(size, Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS).convert("RGB")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _cut(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
