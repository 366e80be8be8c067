"""Text that any reader can draw: class names may be in any script, with any sign in them."""

from __future__ import annotations

import functools
import html
import unicodedata
from collections.abc import Iterable
from pathlib import Path

__all__ = ["clipped", "fonts_for", "for_matplotlib", "for_plotly"]

_UNKNOWN = "□"
_MAIN = "DejaVu Sans"


def clipped(text: str, most: int = 28) -> str:
    """Returns a text on one line without control characters, cut to `most` letters."""
    line = " ".join(
        "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text).split()
    )
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def for_plotly(text: str, most: int = 60) -> str:
    """Returns a text as Plotly shows it literally: Plotly reads some HTML tags and entities in labels."""
    return html.escape(clipped(text, most), quote=False)


def for_matplotlib(text: str, most: int = 28) -> str:
    """Returns a text as Matplotlib draws it literally, with a box for each letter no font here has."""
    shown = "".join(letter if _drawable(letter) else _UNKNOWN for letter in clipped(text, most))
    return shown.replace("$", r"\$")  # a dollar sign begins a formula otherwise


def fonts_for(texts: Iterable[str]) -> list[str]:
    """Returns the font families needed to draw the texts, the main one first."""
    needed = {font for text in texts for letter in text if (font := _font_of(letter)) is not None}
    return [_MAIN, *sorted(needed - {_MAIN})]


def _drawable(letter: str) -> bool:
    return _font_of(letter) is not None


@functools.cache
def _font_of(letter: str) -> str | None:
    """Returns the first installed font family that has the letter."""
    for family, letters in _installed():
        if ord(letter) in letters():
            return family
    return None


@functools.cache
def _installed() -> tuple[tuple[str, functools.partial[frozenset[int]]], ...]:
    """Returns the families that may stand in, Matplotlib's own first; each is opened only when asked."""
    from matplotlib.font_manager import fontManager

    regular: dict[str, str] = {}
    for entry in fontManager.ttflist:
        # "Last Resort" has a box for every letter, which would hide that none has it.
        if (
            entry.style == "normal"
            and entry.weight in (400, "normal", "regular")
            and "Last Resort" not in entry.name
        ):
            regular.setdefault(entry.name, entry.fname)
    ordered = sorted(regular, key=lambda name: (name != _MAIN, name.startswith(("STIX", "cm")), name))
    return tuple((name, functools.partial(_letters, regular[name])) for name in ordered)


@functools.cache
def _letters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    if not Path(path).is_file():
        return frozenset()
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError):  # a bitmap font, or one that went away
        return frozenset()
