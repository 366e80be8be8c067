"""What the layouts of all Plotly figures share."""

from __future__ import annotations

from typing import Any

__all__ = ["plain_layout"]


def plain_layout(x_title: str, y_title: str, height: int) -> dict[str, Any]:
    """Returns a layout without colours: the page knows whether it is dark."""
    return {
        "height": height,
        "margin": {"l": 12, "r": 16, "t": 12, "b": 12},
        "xaxis": {"title": {"text": x_title, "standoff": 12}, "automargin": True, "zeroline": False},
        "yaxis": {"title": {"text": y_title, "standoff": 10}, "automargin": True, "zeroline": False},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
    }
