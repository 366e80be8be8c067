"""report: from a run folder to a page that opens offline in any browser."""

from __future__ import annotations

from pathlib import Path

from trimtab._atomic import write_bytes, write_text
from trimtab.progress import Progress, Silent
from trimtab.reporting._charts import charts
from trimtab.reporting._collect import collect

__all__ = ["report"]


def report(folder: str | Path, progress: Progress | None = None) -> Path:
    """Draws the report of a run: ``report.html``, ``plots/*.png`` and ``plotly.min.js`` in its folder.

    Everything shown is read back from the folder; no model is loaded and no backend imported. An
    unfinished run gives a report of what is there, and says what is missing.

    Args:
        folder: a folder that `trimtab run`, `trimtab tune` or `trimtab compress` made.
        progress: where progress is shown; nowhere by default.

    Returns:
        The path of ``report.html``.

    Raises:
        RunError: the folder holds no run, or a file in it is damaged.
        OutputError: the folder cannot be written.
    """
    from trimtab.reporting._canvas import write_png
    from trimtab.reporting._changed_sheet import changed_sheet
    from trimtab.reporting._mistakes_sheet import mistakes_sheet
    from trimtab.reporting._page import page
    from trimtab.reporting._png import draw
    from trimtab.reporting._points import summary

    data = collect(folder)
    drawn = charts(data)
    plots = data.folder / "plots"
    with (progress or Silent()).task("report", total=len(drawn) + 3, unit="pictures") as task:
        for chart in drawn:
            write_png(draw(chart), plots / f"{chart.key}.png")
            task.advance()
        if (picture := summary(data, drawn)) is not None:
            write_png(picture, plots / "summary.png")
        if data.mistakes is not None and len(data.mistakes):
            write_png(mistakes_sheet(data.mistakes, data.class_names), plots / "worst_mistakes.png")
        if data.changed is not None and len(data.changed):
            write_png(changed_sheet(data.changed, data.class_names), plots / "changed_answers.png")
        task.advance()
        _write_plotly(data.folder / "plotly.min.js")
        task.advance()
        # The page goes last: where it is, everything that it refers to is there too.
        write_text(data.folder / "report.html", page(data, drawn))
        task.advance()
    return data.folder / "report.html"


def _write_plotly(path: Path) -> None:
    """Copies Plotly's script beside the page, unless the same one is there already."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs().encode()
    if not path.is_file() or path.read_bytes() != script:
        write_bytes(path, script)
