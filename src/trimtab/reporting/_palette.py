"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

__all__ = ["BLUES", "KIND_COLOURS", "REDS", "SERIES_COLOURS"]

SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#b8860b")
"""One a model, in this order."""

KIND_COLOURS = {"keras": "#0072b2", "litert": "#d55e00"}
"""Keras models and deployable files, wherever they stand side by side."""

BLUES = (
    "#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b",
)  # fmt: skip
"""Matplotlib's Blues, from low to high."""

REDS = (
    "#fff7ec", "#fee8c8", "#fdd49e", "#fdbb84", "#fc8d59", "#ef6548", "#d7301f", "#b30000", "#7f0000",
)  # fmt: skip
"""Matplotlib's OrRd, from low to high: what is lost."""
