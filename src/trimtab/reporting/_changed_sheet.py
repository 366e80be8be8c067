"""Images whose answer changed, as a sheet: what they are, what was said before, and what is said now."""

from __future__ import annotations

from matplotlib.figure import Figure

from trimtab.reporting._behaviour import ChangedImages
from trimtab.reporting._canvas import INK, bold, new_figure
from trimtab.reporting._lettering import fonts_for, for_matplotlib

__all__ = ["changed_sheet"]

_WRONG, _RIGHT = "#d55e00", "#00734f"


def changed_sheet(changed: ChangedImages, names: tuple[str, ...], columns: int = 8) -> Figure:
    """Returns the images as a sheet: those that became wrong first, then those that became right."""
    columns = min(columns, max(len(changed), 4))
    rows = max(1, -(-len(changed) // columns))
    texts = [for_matplotlib(name, 14) for name in names]
    figure = new_figure(1.62 * columns, 2.25 * rows + 0.75)
    fonts = fonts_for(names)
    figure.suptitle(
        for_matplotlib(f"Answers that changed in {changed.row}", 80),
        x=0.02, ha="left", fontsize=13, fontweight=bold(fonts), color=INK, fontfamily=fonts,
    )  # fmt: skip
    for number in range(rows * columns):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.set_axis_off()
        if number >= len(changed):
            continue
        image = changed.images[number]
        grey = image.shape[-1] == 1
        axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
        true, before, after = (
            texts[int(numbers[number])] for numbers in (changed.labels, changed.before, changed.after)
        )
        wrong = changed.after[number] != changed.labels[number]
        axes.set_title(
            f"before {before}\nnow {after}, {100 * float(changed.confidence[number]):.0f} %",
            fontsize=9, color=_WRONG if wrong else _RIGHT, fontfamily=fonts, linespacing=1.25, pad=4,
        )  # fmt: skip
        axes.text(
            0.5, -0.05, f"is {true}", transform=axes.transAxes, ha="center", va="top",
            fontsize=9, color=INK, fontfamily=fonts,
        )  # fmt: skip
    return figure
