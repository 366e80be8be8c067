"""The worst mistakes as a sheet of images."""

from __future__ import annotations

from matplotlib.figure import Figure

from trimtab.reporting._canvas import INK, bold, new_figure
from trimtab.reporting._data import Mistakes
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._palette import KIND_COLOURS

__all__ = ["mistakes_sheet"]


def mistakes_sheet(mistakes: Mistakes, names: tuple[str, ...], columns: int = 8, most: int = 32) -> Figure:
    """Returns the worst mistakes as a sheet of images with true and predicted class and confidence."""
    shown = min(len(mistakes), most)
    columns = min(columns, max(shown, 4))
    rows = max(1, -(-shown // columns))
    texts = [for_matplotlib(name, 16) for name in names]
    figure = new_figure(1.5 * columns, 2.05 * rows + 0.75)
    fonts = fonts_for(names)
    figure.suptitle(
        for_matplotlib(f"The most confident mistakes of {mistakes.row}", 80),
        x=0.02, ha="left", fontsize=13, fontweight=bold(fonts), color=INK, fontfamily=fonts,
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
            fontsize=9.5, color=KIND_COLOURS["litert"], fontfamily=fonts, linespacing=1.25, pad=4,
        )  # fmt: skip
        axes.text(
            0.5, -0.05, f"is {true}", transform=axes.transAxes, ha="center", va="top",
            fontsize=9.5, color=INK, fontfamily=fonts,
        )  # fmt: skip
    return figure
