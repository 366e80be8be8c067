"""Draws how throughput grows with the workers, from what the JSON file holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ALT", "NAME", "draw"]

NAME = "throughput.png"
ALT = (
    "Jobs done per unit of time against the number of workers, measured and simulated, beside the ideal line"
)
_COLOURS = ("#d55e00", "#0072b2", "#009e73")


def draw(record: Mapping[str, Any], folder: Path) -> Path:
    """Draws the picture, and gives its path.

    Args:
        record: what the JSON file holds: ``curves`` (simulated, by name) and ``points`` (measured).
        folder: where it goes.
    """
    from trimtab.reporting._canvas import INK, new_figure, write_png

    figure = new_figure(7.6, 5.4)
    axes = figure.subplots()
    figure.suptitle(
        "Throughput against workers", fontsize=12, fontweight="bold", color=INK, x=0.012, ha="left"
    )
    top = max(curve["workers"][-1] for curve in record["curves"])
    axes.plot([1, top], [1, top], color="#7f7f7f", linestyle=(0, (1, 2)), label="ideal", zorder=3)
    for curve, colour in zip(record["curves"], _COLOURS, strict=False):
        label = f"simulated: {curve['name']}"
        axes.plot(curve["workers"], curve["speedup"], color=colour, linewidth=1.8, label=label)
    for points, (colour, marker) in zip(
        record["points"], ((_COLOURS[0], "o"), (_COLOURS[1], "D")), strict=False
    ):
        low = [value - least for value, least in zip(points["speedup"], points["low"], strict=True)]
        high = [most - value for value, most in zip(points["speedup"], points["high"], strict=True)]
        axes.errorbar(
            points["workers"], points["speedup"], yerr=[low, high], fmt=marker, color=colour, capsize=3,
            markersize=6, markerfacecolor="white", markeredgewidth=1.6, label=f"measured: {points['name']}",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    ticks = [2**power for power in range(top.bit_length())]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks(ticks, [f"{tick}x" for tick in ticks])
    axes.minorticks_off()
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("workers", color=INK)
    axes.set_ylabel("jobs per minute, against one worker", color=INK)
    axes.legend(loc="upper left", frameon=False, labelcolor=INK, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    folder.mkdir(parents=True, exist_ok=True)
    return write_png(figure, folder / NAME)
