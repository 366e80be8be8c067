"""Charts and pictures as PNG files, drawn with Matplotlib without any global state.

Imported only when something is drawn: importing Matplotlib takes a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from trimtab._atomic import atomic_path
from trimtab.reporting._charts import Bars, Chart, Curves, Matrix, Scatter
from trimtab.reporting._data import Mistakes
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._palette import KIND_COLOURS
from trimtab.reporting._placement import PLACES, limits, log_ticks, places

__all__ = ["draw", "mistakes_sheet", "write_png"]

_INK, _MUTED, _GRID = "#1f2430", "#5b6472", "#e5e7eb"
_DPI = 160


@singledispatch
def draw(chart: Chart) -> Figure:
    """Returns a chart as a Matplotlib figure, without touching pyplot or any setting."""
    raise TypeError(f"no picture for {type(chart).__name__}")


def write_png(figure: Figure, path: Path) -> Path:
    """Writes a figure as PNG, whole or not at all."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as partial:
        # Without software and date in it, the same run gives the same bytes.
        figure.savefig(partial, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
    return path


def mistakes_sheet(mistakes: Mistakes, names: tuple[str, ...], columns: int = 8, most: int = 32) -> Figure:
    """Returns the worst mistakes as a sheet of images with true and predicted class and confidence."""
    shown = min(len(mistakes), most)
    columns = min(columns, max(shown, 4))
    rows = max(1, -(-shown // columns))
    texts = [for_matplotlib(name, 16) for name in names]
    figure = _figure(1.5 * columns, 1.98 * rows + 0.75)
    fonts = fonts_for(names)
    figure.suptitle(
        for_matplotlib(f"The most confident mistakes of {mistakes.row}", 80),
        x=0.02, ha="left", fontsize=12, fontweight=_bold(fonts), color=_INK, fontfamily=fonts,
    )  # fmt: skip
    for number in range(rows * columns):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.set_axis_off()
        if number >= shown:
            continue
        image = mistakes.images[number]
        grey = image.shape[-1] == 1
        axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
        true, predicted = texts[int(mistakes.labels[number])], texts[int(mistakes.classes[number])]
        axes.set_title(
            f"{predicted}\n{100 * float(mistakes.confidence[number]):.0f} % sure",
            fontsize=8, color=KIND_COLOURS["litert"], fontfamily=fonts, linespacing=1.25, pad=4,
        )  # fmt: skip
        axes.text(
            0.5, -0.05, f"is {true}", transform=axes.transAxes, ha="center", va="top",
            fontsize=8, color=_INK, fontfamily=fonts,
        )  # fmt: skip
    return figure


@draw.register
def _scatter(chart: Scatter) -> Figure:
    figure, axes = _axes(chart.title, 8.4, 5.0, [point.name for point in chart.points])
    fonts = fonts_for(point.name for point in chart.points)
    best = sorted((point.x, point.y) for point in chart.points if point.best)
    if len(best) > 1:
        axes.plot(
            *zip(*best, strict=True),
            color="#9aa3af",
            linewidth=1.2,
            linestyle=":",
            label="best trade-off",
            zorder=1,
        )
    for kind, name, marker in (("keras", "Keras model", "o"), ("litert", "LiteRT file", "D")):
        points = [point for point in chart.points if point.kind == kind]
        for point in points:
            error = _error_bars([(point.y, point.y_interval)])
            across = _error_bars([(point.x, point.x_interval)])
            axes.errorbar(
                [point.x],
                [point.y],
                yerr=error,
                xerr=across,
                fmt="none",
                ecolor="#7f8794",
                elinewidth=1,
                capsize=2.5,
                zorder=2,
            )
        if points:
            axes.scatter(
                [point.x for point in points], [point.y for point in points],
                s=[90 if point.featured else 52 for point in points], marker=marker,
                color=KIND_COLOURS[kind], edgecolors="white", linewidths=1.0, label=name, zorder=3,
            )  # fmt: skip
    (left, right), (low, high) = limits(chart.points, chart.log_x)
    if chart.log_x:
        axes.set_xscale("log")
        ticks = log_ticks(left, right)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        left, right = 10**left, 10**right
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    for point, place in zip(chart.points, places(chart.points, chart.log_x), strict=True):
        across, up = PLACES[place]
        axes.annotate(
            for_matplotlib(point.name),
            (point.x, point.y),
            textcoords="offset points",
            xytext=(12 * (across + 0.5), 14 * (up + 0.5)),
            ha={0.0: "left", -0.5: "center", -1.0: "right"}[across],
            va={0.0: "bottom", -0.5: "center", -1.0: "top"}[up],
            fontsize=9,
            color=_INK,
            fontweight=_bold(fonts) if point.featured else "normal",
            fontfamily=fonts,
            zorder=4,
        )
    axes.set_xlabel(chart.x_title)
    axes.set_ylabel(chart.y_title)
    _legend(axes, fonts)
    return figure


@draw.register
def _curves(chart: Curves) -> Figure:
    figure, axes = _axes(chart.title, 8.4, 4.8, [line.name for line in chart.lines])
    for line in chart.lines:
        single = "o" if len(line.epochs) == 1 else ""
        training, validation = _with_gaps(line.training), _with_gaps(line.validation)
        axes.plot(line.epochs, training, color=line.colour, linewidth=1.3, linestyle=":", marker=single)
        axes.plot(
            line.epochs,
            validation,
            color=line.colour,
            linewidth=2.0,
            marker=single,
            label=for_matplotlib(line.name),
        )
        if line.best_epoch in line.epochs:
            at = line.epochs.index(line.best_epoch)
            axes.plot(
                [line.best_epoch],
                [validation[at]],
                marker="o",
                markersize=6,
                color=line.colour,
                markeredgecolor="white",
            )
    axes.set_xlabel("Epoch   (solid: validation, dotted: training, dot: the epoch that was kept)")
    axes.set_ylabel(chart.y_title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes, fonts_for(line.name for line in chart.lines))
    return figure


def _with_gaps(values: tuple[float | None, ...]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@draw.register
def _bars(chart: Bars) -> Figure:
    labels, lanes = chart.labels, chart.lanes
    count = max(lanes) + 1
    figure, axes = _axes(chart.title, 8.4, 1.5 + len(labels) * max(0.36, 0.25 * count), labels)
    fonts = fonts_for(labels)
    breadth = 0.8 / count
    for (name, colour, bars), lane in zip(chart.series, lanes, strict=True):
        centres = [labels.index(bar.label) - 0.4 + (lane + 0.5) * breadth for bar in bars]
        values = [bar.value - chart.start for bar in bars]
        axes.barh(
            centres, values, left=chart.start, height=0.86 * breadth, color=colour, label=for_matplotlib(name)
        )
        for bar, centre in zip(bars, centres, strict=True):
            end = (bar.interval or (0.0, bar.value))[1]
            if bar.interval is not None:
                axes.errorbar(
                    [bar.value],
                    [centre],
                    xerr=_error_bars([(bar.value, bar.interval)]),
                    fmt="none",
                    ecolor=_INK,
                    elinewidth=1,
                    capsize=2.5,
                )
            axes.annotate(
                for_matplotlib(bar.shown), (end, centre), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=8.5, color=_INK,
            )  # fmt: skip
    axes.set_yticks(range(len(labels)), [for_matplotlib(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(chart.start, chart.end)
    if chart.ticks:
        axes.set_xticks(chart.ticks)
    axes.set_xlabel(chart.x_title)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelfontfamily=fonts)
    if len(chart.series) > 1:
        _legend(axes, fonts)
    return figure


@draw.register
def _matrix(chart: Matrix) -> Figure:
    many = len(chart.names) > 30
    side = 9.5 if many else max(4.8, 1.6 + 0.62 * len(chart.names))
    figure, axes = _axes(chart.title, side + 0.8, side, chart.names)
    fonts = fonts_for(chart.names)
    shares = np.array(chart.shares)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    for side_name in ("left", "bottom"):
        axes.spines[side_name].set_visible(False)
    if not many:
        names = [for_matplotlib(name, 18) for name in chart.names]
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(labelfontfamily=fonts, length=0)
        for true, counts in enumerate(chart.counts):
            for predicted, count in enumerate(counts):
                if count:
                    ink = "white" if shares[true, predicted] > 0.55 else _INK
                    axes.text(
                        predicted, true, f"{count:,}", ha="center", va="center", fontsize=8.5, color=ink
                    )
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    bar = figure.colorbar(picture, ax=axes, shrink=0.75, pad=0.02)
    bar.set_label("share of the true class", color=_MUTED, fontsize=9)
    bar.ax.tick_params(labelsize=8, colors=_MUTED)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr,call-arg]
    return figure


def _axes(title: str, width: float, height: float, texts: Iterable[str]) -> tuple[Figure, Axes]:
    """Returns an empty figure with quiet axes: no box, a light grid, a title on the left."""
    figure = _figure(width, height)
    axes = figure.add_subplot()
    fonts = fonts_for([title, *texts])
    axes.set_title(
        for_matplotlib(title, 80), loc="left", fontsize=12, fontweight=_bold(fonts), color=_INK, pad=12,
        fontfamily=fonts,
    )  # fmt: skip
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c5cad3")
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, labelsize=9, length=3)
    axes.xaxis.label.set_color(_MUTED)
    axes.yaxis.label.set_color(_MUTED)
    return figure, axes


def _bold(fonts: list[str]) -> str:
    """Returns the weight of titles: fonts that stand in for missing letters often have no bold."""
    return "bold" if len(fonts) == 1 else "normal"


def _legend(axes: Axes, fonts: list[str]) -> None:
    """Writes the legend below the picture, where it covers nothing."""
    handles, names = axes.get_legend_handles_labels()
    axes.get_figure().legend(  # type: ignore[union-attr]
        handles, names, loc="outside lower center", ncols=min(4, max(len(names), 1)), frameon=False,
        labelcolor=_INK, prop={"family": fonts, "size": 9},
    )  # fmt: skip


def _error_bars(values: list[tuple[float, tuple[float, float] | None]]) -> Any:
    """Returns how far each interval reaches below and above its value, or None where there is none."""
    if not all(interval for _, interval in values):
        return None
    return np.array(
        [
            [max(value - interval[0], 0.0) for value, interval in values if interval],
            [max(interval[1] - value, 0.0) for value, interval in values if interval],
        ]
    )
