"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

__all__ = ["BLUES", "KIND_COLOURS", "SERIES_COLOURS"]

SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#b8860b")
"""One a model, in this order."""

KIND_COLOURS = {"keras": "#0072b2", "litert": "#d55e00"}
"""Keras models and deployable files, wherever they stand side by side."""

BLUES = (
    "#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b",
)  # fmt: skip
"""Matplotlib's Blues, from low to high."""
